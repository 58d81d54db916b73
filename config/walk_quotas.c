/* SPDX-License-Identifier: MIT */
/* Quotas and prices in the configuration's tree; walk_internal.h holds the contract. */
#include "config/walk_internal.h"

#include <string.h>

void walk_rates(struct walk *walk, const struct tree_node *node, const struct config_rates *rates)
{
	const struct tree_node *at = node->kind == TREE_LIST ? node->first : NULL;
	for (size_t i = 0; i < rates->count && at != NULL; i++, at = at->next) {
		if (rates->list[i].limit > 0 && quota_repeats_window(rates->list, i + 1))
			findings_add(walk->in.findings, at->line, walk->path,
				     "there are two limits per %s; expected one for each window",
				     quota_window_name(rates->list[i].window));
	}
}

static void read_quota(struct walk *walk, const struct tree_node *node, void *entry)
{
	struct config_quota *quota = entry;
	quota->name = node->key.at;
	quota->line = node->key_line;
	walk_defaults(walk, KEY_OF_config_quota, quota);
	walk_name(walk, node, "a quota's");
	if (strncmp(node->key.at, "keys.", 5) == 0)
		findings_add(walk->in.findings, node->key_line, walk->path,
			     "names that begin with \"keys.\" are those of the limits of keys; expected another name");
	walk_entry(walk, "quotas.*", node, quota);
	if (!quota_limits_anything(quota))
		findings_add(walk->in.findings, node->key_line, walk->path,
			     "it limits nothing; expected one of requests, tokens, input_tokens, output_tokens, spend "
			     "and concurrent");
	walk_check_shares(walk, node, quota);
}

void walk_quotas(struct walk *walk, const struct key *key, const struct tree_node *node)
{
	struct walk_entries entries = walk_mapping(walk, key, node, sizeof(struct config_quota), read_quota);
	walk->snapshot->config.quotas = entries.list;
	walk->snapshot->config.quota_count = entries.count;
}

static void read_price(struct walk *walk, const struct tree_node *node, void *entry)
{
	struct config_price *price = entry;
	price->target = node->key.at;
	walk_defaults(walk, KEY_OF_config_price, price);
	walk_entry(walk, "prices.*", node, price);
	price->reads = tree_member(node, "cache_read") != NULL;
	price->writes = tree_member(node, "cache_write") != NULL;
}

void walk_prices(struct walk *walk, const struct key *key, const struct tree_node *node)
{
	struct walk_entries entries = walk_mapping(walk, key, node, sizeof(struct config_price), read_price);
	walk->snapshot->config.prices = entries.list;
	walk->snapshot->config.price_count = entries.count;
}
