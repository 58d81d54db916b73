/* SPDX-License-Identifier: MIT */
/* What tokens cost, in billionths of a dollar. Immutable once made. */
#ifndef SLUICE_SERVICE_QUOTAS_PRICE_H
#define SLUICE_SERVICE_QUOTAS_PRICE_H

#include "config/config.h"
#include "schemas/event.h"

struct prices;

/* config: borrows. NULL: out of memory. */
struct prices *prices_create(const struct config *config);
/* NULL is harmless. */
void prices_destroy(struct prices *prices);

/* Tokens of one call, or of what is expected of one. */
struct price_tokens {
	uint64_t input;                   /* in all */
	uint64_t cache_read, cache_write; /* of these */
	uint64_t output;
};

/* Reads what a backend told of a call. Returns false when it told nothing: the tokens are 0. */
bool price_tokens_told(const struct usage *usage, struct price_tokens *tokens);

/* Returns the price of one call of the target; 0 where the configuration names none. */
uint64_t prices_of(const struct prices *prices, const struct config_plan *target, const struct price_tokens *tokens);

/* Returns the price of a call of the dearest target of the plan. NULL: of all targets there are. */
uint64_t prices_most(const struct prices *prices, const struct config_plan *plan, const struct price_tokens *tokens);

#endif
