/* SPDX-License-Identifier: MIT */
/* Prices by target; price.h holds the contract. */
#include "service/quotas/price.h"

#include <stdlib.h>

/* Tokens that a price is for; and those of one call, at most, so that no product is too large. */
enum { PER = 1000000, TOKENS_MOST = 1000000000 };

struct prices {
	const struct config *config;
	const struct config_price *of[]; /* by index of the target; NULL = none is named */
};

struct prices *prices_create(const struct config *config)
{
	struct prices *prices = calloc(1, sizeof(*prices) + config->target_count * sizeof(prices->of[0]));
	if (prices == NULL)
		return NULL;
	prices->config = config;
	for (size_t i = 0; i < config->target_count; i++)
		prices->of[i] = config_find_price(config, config->targets[i].name);
	return prices;
}

void prices_destroy(struct prices *prices)
{
	free(prices);
}

static uint64_t known(int64_t count)
{
	return count > 0 ? (uint64_t)count : 0;
}

bool price_tokens_told(const struct usage *usage, struct price_tokens *tokens)
{
	*tokens = (struct price_tokens){.input = 0};
	if (usage->prompt_tokens < 0 && usage->completion_tokens < 0)
		return false;
	*tokens = (struct price_tokens){.input = known(usage->prompt_tokens),
					.cache_read = known(usage->cache_read),
					.cache_write = known(usage->cache_write),
					.output = known(usage->completion_tokens)};
	return true;
}

static uint64_t at_most(uint64_t tokens)
{
	return tokens < TOKENS_MOST ? tokens : TOKENS_MOST;
}

/* Rounds up: many small calls do not come free. */
static uint64_t part_of(uint64_t price, uint64_t tokens)
{
	return price / PER * tokens + (price % PER * tokens + PER - 1) / PER;
}

/* Returns that part of what is left, and takes it away. */
static uint64_t take(uint64_t *left, uint64_t part)
{
	uint64_t taken = part < *left ? part : *left;
	*left -= taken;
	return taken;
}

static uint64_t cost(const struct config_price *price, const struct price_tokens *tokens)
{
	uint64_t fresh = at_most(tokens->input);
	if (price == NULL)
		return 0;
	uint64_t read = price->reads ? take(&fresh, tokens->cache_read) : 0;
	uint64_t written = price->writes ? take(&fresh, tokens->cache_write) : 0;
	return price->request + part_of(price->input, fresh) + part_of(price->cache_read, read) +
	       part_of(price->cache_write, written) + part_of(price->output, at_most(tokens->output));
}

uint64_t prices_of(const struct prices *prices, const struct config_plan *target, const struct price_tokens *tokens)
{
	return cost(prices->of[target->target_index], tokens);
}

uint64_t prices_most(const struct prices *prices, const struct config_plan *plan, const struct price_tokens *tokens)
{
	uint64_t most = 0, one;
	if (plan != NULL && plan->backend != NULL)
		return prices_of(prices, plan, tokens);
	for (size_t i = 0; plan == NULL && i < prices->config->target_count; i++) {
		one = cost(prices->of[i], tokens);
		most = one > most ? one : most;
	}
	for (size_t i = 0; plan != NULL && i < plan->child_count; i++) {
		one = prices_most(prices, plan->children[i], tokens);
		most = one > most ? one : most;
	}
	return most;
}
