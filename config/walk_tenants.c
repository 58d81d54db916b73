/* SPDX-License-Identifier: MIT */
/* Tenants in the configuration's tree; walk_internal.h holds the contract. */
#include "config/walk_internal.h"

#include <stdlib.h>

#include "config/key_values.h"

static void read_tenant(struct walk *walk, const struct tree_node *node, void *entry)
{
	struct config_tenant *tenant = entry;
	walk_defaults(walk, KEY_OF_config_tenant, tenant);
	tenant->line = node->key_line;
	if (!key_value_tenant(walk->in.arena, node->key, &tenant->path)) {
		tenant->path = node->key.at;
		findings_add(
		    walk->in.findings, node->key_line, walk->path,
		    "it is no tenant; expected one to three names by slashes, such as acme/search/crawler, each "
		    "of at most %d letters, digits, \".\", \"_\" and \"-\"",
		    VALUE_NAME_MAX);
	}
	walk_entry(walk, "tenants.*", node, tenant);
}

static int compare_paths(const void *a, const void *b)
{
	const struct config_tenant *left = a, *right = b;
	return strcmp(left->path, right->path);
}

void walk_tenants(struct walk *walk, const struct key *key, const struct tree_node *node)
{
	struct walk_entries entries = walk_mapping(walk, key, node, sizeof(struct config_tenant), read_tenant);
	if (entries.list != NULL)
		qsort(entries.list, entries.count, sizeof(struct config_tenant), compare_paths);
	walk->snapshot->config.tenants = entries.list;
	walk->snapshot->config.tenant_count = entries.count;
}
