/* SPDX-License-Identifier: MIT */
/* Quotas and prices in the configuration's tree; walk_internal.h holds the contract. */
#include "config/walk_internal.h"

static bool limits_anything(const struct config_quota *quota)
{
	bool any = quota->concurrent > 0;
	for (int i = 0; i < QUOTA_UNITS; i++)
		any = any || quota->rates[i].count > 0;
	return any;
}

static void read_quota(struct walk *walk, const struct tree_node *node, struct config_quota *quota)
{
	static const struct key section = {.path = "quotas.*", .type = KEY_SECTION};
	*quota = (struct config_quota){.name = node->key.at, .line = node->key_line};
	walk_defaults(walk, KEY_OF_config_quota, quota);
	if (!value_is_name(node->key))
		findings_add(walk->in.findings, node->key_line, walk->path,
			     "a quota's name is 1 to %d letters, digits, \".\", \"_\" and \"-\"", VALUE_NAME_MAX);
	if (node->kind != TREE_NULL && walk_expect(walk, node, TREE_MAPPING, &section))
		walk_section(walk, section.path, node, quota);
	if (!limits_anything(quota))
		findings_add(walk->in.findings, node->key_line, walk->path,
			     "it limits nothing; expected one of requests, tokens, input_tokens, output_tokens, spend "
			     "and concurrent");
}

void walk_quotas(struct walk *walk, const struct key *key, const struct tree_node *node)
{
	if (node->kind == TREE_NULL || !walk_expect(walk, node, TREE_MAPPING, key))
		return;
	reader_refuse_duplicates(&walk->in, walk->path, node);
	struct config_quota *quotas = arena_zalloc(walk->in.arena, node->count + 1, sizeof(*quotas));
	size_t count = 0;
	for (const struct tree_node *at = node->first; at != NULL && quotas != NULL; at = at->next, count++) {
		size_t len = walk_enter(walk, at->key);
		read_quota(walk, at, &quotas[count]);
		walk_leave(walk, len);
	}
	walk->snapshot->config.quotas = quotas;
	walk->snapshot->config.quota_count = count;
}

static void read_price(struct walk *walk, const struct tree_node *node, struct config_price *price)
{
	static const struct key section = {.path = "prices.*", .type = KEY_SECTION};
	*price = (struct config_price){.target = node->key.at};
	walk_defaults(walk, KEY_OF_config_price, price);
	if (node->kind == TREE_NULL)
		walk_required(walk, section.path, node);
	else if (walk_expect(walk, node, TREE_MAPPING, &section))
		walk_section(walk, section.path, node, price);
	price->reads = tree_member(node, "cache_read") != NULL;
	price->writes = tree_member(node, "cache_write") != NULL;
}

void walk_prices(struct walk *walk, const struct key *key, const struct tree_node *node)
{
	if (node->kind == TREE_NULL || !walk_expect(walk, node, TREE_MAPPING, key))
		return;
	reader_refuse_duplicates(&walk->in, walk->path, node);
	struct config_price *prices = arena_zalloc(walk->in.arena, node->count + 1, sizeof(*prices));
	size_t count = 0;
	for (const struct tree_node *at = node->first; at != NULL && prices != NULL; at = at->next, count++) {
		size_t len = walk_enter(walk, at->key);
		read_price(walk, at, &prices[count]);
		walk_leave(walk, len);
	}
	walk->snapshot->config.prices = prices;
	walk->snapshot->config.price_count = count;
}
