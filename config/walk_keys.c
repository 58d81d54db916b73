/* SPDX-License-Identifier: MIT */
/* The keys of clients in the configuration's tree; walk_internal.h holds the contract. */
#include "config/walk_internal.h"

/* An empty list would look as if it allowed nothing, where leaving it out allows everything. */
static void refuse_empty_scopes(struct walk *walk, const struct tree_node *node)
{
	static const char *const scopes[] = {"models", "endpoints", "networks"};
	for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++) {
		const struct tree_node *scope = tree_member(node, scopes[i]);
		if (scope == NULL || (scope->kind != TREE_NULL && (scope->kind != TREE_LIST || scope->count > 0)))
			continue;
		size_t len = walk_enter(walk, span_of(scopes[i]));
		findings_add(walk->in.findings, scope->key_line, walk->path,
			     "it is empty; expected at least one, or no \"%s\" at all, which allows all", scopes[i]);
		walk_leave(walk, len);
	}
}

static void read_one_key(struct walk *walk, const struct tree_node *node, void *entry)
{
	struct config_key *key = entry;
	key->name = node->key.at;
	key->line = node->key_line;
	walk_defaults(walk, KEY_OF_config_key, key);
	walk_name(walk, node, "a key's");
	walk_entry(walk, "keys.*", node, key);
	refuse_empty_scopes(walk, node);
	if (key->tenant == NULL)
		key->tenant = key->name;
	key->limits.name = arena_printf(walk->in.arena, "keys.%s", key->name).at;
	key->limits.line = key->line;
	key->identity = arena_printf(walk->in.arena, "\n%s", key->tenant).at;
}

void walk_keys(struct walk *walk, const struct key *key, const struct tree_node *node)
{
	struct walk_entries entries = walk_mapping(walk, key, node, sizeof(struct config_key), read_one_key);
	walk->snapshot->config.keys = entries.list;
	walk->snapshot->config.key_count = entries.count;
}
