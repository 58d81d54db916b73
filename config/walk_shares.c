/* SPDX-License-Identifier: MIT */
/* Shares of quotas in the configuration's tree; walk_internal.h holds the contract. */
#include <inttypes.h>
#include <stdio.h>

#include "config/config.h"
#include "config/key_values.h"
#include "config/walk_internal.h"

static void read_share(struct walk *walk, const struct tree_node *node, void *entry)
{
	struct config_share *share = entry;
	share->line = node->key_line;
	walk_defaults(walk, KEY_OF_config_share, share);
	if (!key_value_tenant(walk->in.arena, node->key, &share->tenant)) {
		share->tenant = node->key.at;
		findings_add(walk->in.findings, node->key_line, walk->path,
			     "it is no tenant; expected one to three names by slashes, such as acme/search");
	}
	walk_entry(walk, "quotas.*.shares.*", node, share);
}

void walk_shares(struct walk *walk, const struct key *key, const struct tree_node *node, struct config_quota *quota)
{
	struct walk_entries entries = walk_mapping(walk, key, node, sizeof(struct config_share), read_share);
	quota->shares = entries.list;
	quota->share_count = entries.list == NULL ? 0 : entries.count;
}

/* ---- what no single value can tell ---- */

static bool is_below(const char *tenant, const char *above)
{
	return strcmp(tenant, above) != 0 && config_tenant_is_within(tenant, span_of(above));
}

/* A request is counted for one child: no share is within another. */
static void check_place(struct walk *walk, const struct config_quota *quota, const struct config_share *share)
{
	if (quota->tenant != NULL && !is_below(share->tenant, quota->tenant))
		findings_add(walk->in.findings, share->line, walk->path,
			     "it is no child of the quota's tenant %s; expected one such as %s/search", quota->tenant,
			     quota->tenant);
	for (size_t i = 0; i < quota->share_count; i++) {
		const char *other = quota->shares[i].tenant;
		if (is_below(share->tenant, other))
			findings_add(walk->in.findings, share->line, walk->path,
				     "it is within %s, which has a share too; expected it among the shares of a quota "
				     "whose tenant is %s",
				     other, other);
	}
}

/* Refuses a share that rounds down to 0. Limits of spend need no such check: their unit is a billionth of a dollar. */
static void check_size(struct walk *walk, const struct config_share *share, uint64_t limit, const char *unit,
		       const char *per)
{
	if (limit == 0 || share->percent == 0 || quota_share(limit, share->percent) > 0)
		return;
	findings_add(walk->in.findings, share->line, walk->path,
		     "%u%% of %" PRIu64 " %s%s is less than one; expected at least %" PRIu64 "%%", share->percent,
		     limit, unit, per, (100 + limit - 1) / limit);
}

static void check_sizes(struct walk *walk, const struct config_quota *quota, const struct config_share *share)
{
	check_size(walk, share, quota->concurrent, "requests at once", "");
	for (unsigned unit = 0; unit < QUOTA_UNITS; unit++)
		for (size_t i = 0; i < quota->rates[unit].count; i++) {
			char per[16];
			const struct config_rate *rate = &quota->rates[unit].list[i];
			snprintf(per, sizeof(per), "/%s", quota_window_name(rate->window));
			check_size(walk, share, rate->limit, quota_unit_name((enum quota_unit)unit), per);
		}
}

static void check_all(struct walk *walk, const struct tree_node *node, const struct config_quota *quota)
{
	unsigned own = 1u << QUOTA_EACH_TENANT | 1u << QUOTA_EACH_KEY, sum = 0;
	for (size_t i = 0; i < quota->share_count; i++)
		sum += quota->shares[i].percent;
	if (quota->tenant == NULL)
		findings_add(walk->in.findings, node->key_line, walk->path,
			     "a quota without a tenant has no shares; expected \"tenant\" beside it");
	if ((quota->each & own) != 0)
		findings_add(walk->in.findings, node->key_line, walk->path,
			     "each tenant or key has limits of its own, which nobody shares; expected a quota without "
			     "each, or with each: model");
	if (quota->share_count > QUOTA_SHARES)
		findings_add(walk->in.findings, node->key_line, walk->path, "there are %zu shares; expected at most %d",
			     quota->share_count, QUOTA_SHARES);
	if (sum > 100)
		findings_add(walk->in.findings, node->key_line, walk->path,
			     "together the shares are %u%%; expected at most 100%%", sum);
}

void walk_check_shares(struct walk *walk, const struct tree_node *node, const struct config_quota *quota)
{
	const struct tree_node *shares = quota->share_count == 0 ? NULL : tree_member(node, "shares");
	if (shares == NULL)
		return;
	size_t len = walk_enter(walk, SPAN("shares"));
	check_all(walk, shares, quota);
	for (size_t i = 0; i < quota->share_count; i++) {
		size_t inner = walk_enter(walk, span_of(quota->shares[i].tenant));
		check_place(walk, quota, &quota->shares[i]);
		check_sizes(walk, quota, &quota->shares[i]);
		walk_leave(walk, inner);
	}
	walk_leave(walk, len);
}
