/* SPDX-License-Identifier: MIT */
/*
 * Which limits a request falls under, and their accounts. An account is found by its name, made when it is needed, and
 * forgotten when it is as if new.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"
#include "service/quotas/internal.h"
#include "service/quotas/shares.h"

enum { NAME_MOST = 4096 };

static void free_entry(struct quotas *quotas, struct quota_entry *entry)
{
	borrow_forget(quotas, entry);
	shares_leave(&entry->account);
	free(entry->name);
	free(entry);
}

void entries_destroy(struct quotas *quotas)
{
	for (size_t i = 0; i < QUOTA_BUCKETS; i++)
		for (struct quota_entry *next, *at = quotas->entries[i]; at != NULL; at = next) {
			next = at->next;
			free_entry(quotas, at);
		}
}

void entries_sweep(struct quotas *quotas, size_t bucket, struct quota_now now)
{
	for (struct quota_entry **link = &quotas->entries[bucket]; *link != NULL;) {
		struct quota_entry *entry = *link;
		if (entry->users > 0 || borrow_is_busy(entry) || !account_is_idle(&entry->account, now)) {
			link = &entry->next;
			continue;
		}
		*link = entry->next;
		free_entry(quotas, entry);
	}
}

const char *entries_key_id(const struct config_key *key)
{
	return key->hash != NULL ? key->hash->id : key->name;
}

/* ---- what a request falls under ---- */

/* Nobody in particular is what no pattern says. */
static bool is_for(const char *const *patterns, size_t count, const char *name)
{
	return count == 0 || (name != NULL && config_patterns_match(patterns, count, span_of(name)));
}

static bool applies(const struct config_quota *quota, const struct quota_party *party)
{
	if (quota->tenant != NULL &&
	    (party->key == NULL || !config_tenant_is_within(party->key->tenant, span_of(quota->tenant))))
		return false;
	return is_for(quota->keys, quota->key_count, party->key == NULL ? NULL : party->key->name) &&
	       is_for(quota->models, quota->model_count, party->model == NULL ? NULL : party->model->name);
}

/* Writes the name of an account: no part of it can hold the byte 0. */
static void write_name(struct buf *out, const struct config_quota *quota, const struct quota_party *party,
		       unsigned unit, unsigned kind)
{
	const char *tenant = party->key == NULL ? "" : party->key->tenant;
	const char *key = party->key == NULL ? "" : entries_key_id(party->key);
	const char *model = party->model == NULL ? "" : party->model->name;
	buf_reset(out);
	buf_printf(out, "%s%c%u%c%u%c", quota->name, '\0', unit, '\0', kind, '\0');
	buf_printf(out, "%s%c", (quota->each & 1u << QUOTA_EACH_TENANT) != 0 ? tenant : "", '\0');
	buf_printf(out, "%s%c", (quota->each & 1u << QUOTA_EACH_KEY) != 0 ? key : "", '\0');
	buf_printf(out, "%s", (quota->each & 1u << QUOTA_EACH_MODEL) != 0 ? model : "");
}

/* Returns a copy, which the caller frees; NULL: out of memory. */
static char *copy_of(struct span text)
{
	char *copy = malloc(text.len + 1);
	if (copy != NULL)
		memcpy(copy, text.at, text.len);
	return copy;
}

static struct quota_entry *look_up(const struct quotas *quotas, const struct buf *name, uint64_t hash)
{
	for (struct quota_entry *at = quotas->entries[hash % QUOTA_BUCKETS]; at != NULL; at = at->next)
		if (at->hash == hash && span_equal((struct span){at->name, at->name_len}, buf_span(name)))
			return at;
	return NULL;
}

/* Finds the account of that name, or makes it. NULL: out of memory. */
static struct quota_entry *find_entry(struct quotas *quotas, const struct buf *name, const struct quota_account *fresh)
{
	uint64_t hash = hash_bytes(HASH_START, buf_span(name));
	struct quota_entry **bucket = &quotas->entries[hash % QUOTA_BUCKETS], *known = look_up(quotas, name, hash);
	if (known != NULL)
		return known;
	struct quota_entry *entry = calloc(1, sizeof(*entry));
	char *copy = entry == NULL || buf_failed(name) ? NULL : copy_of(buf_span(name));
	struct quota_sharing *sharing = copy == NULL || !quotas->shared ? NULL : borrow_create_sharing(quotas);
	if (copy == NULL || (quotas->shared && sharing == NULL)) {
		free(copy);
		free(entry);
		return NULL;
	}
	*entry = (struct quota_entry){.next = *bucket,
				      .account = *fresh,
				      .hash = hash,
				      .name = copy,
				      .name_len = buf_len(name),
				      .limit_len = buf_len(name),
				      .sharing = sharing};
	entry->account.shared = sharing == NULL ? NULL : &sharing->holding;
	entry->account.name = copy; /* it begins with the quota's, and a byte 0 */
	*bucket = entry;
	return entry;
}

struct gathering {
	struct quotas *quotas;
	const struct quota_party *party;
	struct buf name; /* scratch */
	bool failed;
	size_t count;
	struct quota_entry **entries;
};

/* Returns the place of the party's share; that of everybody else when it has none. */
static size_t member_of(const struct config_quota *quota, const struct quota_party *party)
{
	size_t i = 0;
	while (i < quota->share_count && !config_tenant_is_within(party->key->tenant, span_of(quota->shares[i].tenant)))
		i++;
	return i;
}

/* Has the scratch name, of a limit, name an account of it. */
static void name_member(struct buf *name, size_t limit_len, const struct config_quota *quota, size_t member)
{
	buf_truncate(name, limit_len);
	buf_printf(name, "%c%s", '\0', member == quota->share_count ? "" : quota->shares[member].tenant);
}

/* Returns an account of the limit that the scratch name is of; NULL = there is none. */
static const struct quota_account *any_of(const struct gathering *gathering, const struct config_quota *quota,
					  struct buf *name)
{
	const struct quota_entry *found = NULL;
	size_t limit_len = buf_len(name);
	for (size_t i = 0; i <= quota->share_count && found == NULL; i++) {
		name_member(name, limit_len, quota, i);
		found = look_up(gathering->quotas, name, hash_bytes(HASH_START, buf_span(name)));
	}
	buf_truncate(name, limit_len);
	return found == NULL ? NULL : &found->account;
}

/* Finds the account of the party's share, or makes it. NULL: out of memory. */
static struct quota_entry *find_share(struct gathering *gathering, const struct config_quota *quota,
				      const struct quota_account *fresh)
{
	struct buf *name = &gathering->name;
	size_t limit_len = buf_len(name), member = member_of(quota, gathering->party);
	const struct quota_account *first = any_of(gathering, quota, name);
	name_member(name, limit_len, quota, member);
	struct quota_entry *entry = find_entry(gathering->quotas, name, fresh);
	if (entry == NULL || entry->account.shares != NULL)
		return entry;
	entry->limit_len = limit_len;
	return shares_join(quota, first, &entry->account, member) == NULL ? NULL : entry;
}

static void gather_one(struct gathering *gathering, const struct config_quota *quota, unsigned unit, uint64_t limit,
		       enum quota_window kind)
{
	struct quota_account fresh = {
	    .unit = unit, .kind = kind, .limit = limit, .by_model = (quota->each & 1u << QUOTA_EACH_MODEL) != 0};
	if (gathering->count == QUOTA_ENTRIES_MOST || gathering->failed)
		return;
	write_name(&gathering->name, quota, gathering->party, unit, kind);
	struct quota_entry *entry = quota->share_count == 0 ? find_entry(gathering->quotas, &gathering->name, &fresh)
							    : find_share(gathering, quota, &fresh);
	gathering->failed = entry == NULL;
	if (entry == NULL)
		return;
	entry->account.limit = limit; /* it may have been another one */
	entry->account.overdraft = quota->overdraft;
	if (entry->sharing != NULL)
		entry->sharing->holding.refuses = quota->on_loss == QUOTA_ON_LOSS_REFUSE;
	gathering->entries[gathering->count++] = entry;
}

static void gather(struct gathering *gathering, const struct config_quota *quota)
{
	if (quota->concurrent > 0)
		gather_one(gathering, quota, QUOTA_CONCURRENT, quota->concurrent, QUOTA_SECOND);
	for (unsigned unit = 0; unit < QUOTA_UNITS; unit++)
		for (size_t i = 0; i < quota->rates[unit].count; i++)
			gather_one(gathering, quota, unit, quota->rates[unit].list[i].limit,
				   quota->rates[unit].list[i].window);
}

bool entries_gather(struct quotas *quotas, const struct quota_party *party,
		    struct quota_entry *entries[QUOTA_ENTRIES_MOST], size_t *count)
{
	const struct config *config = quotas->config;
	struct gathering gathering = {.quotas = quotas, .party = party, .entries = entries};
	buf_init(&gathering.name, NAME_MOST);
	if (party->key != NULL)
		gather(&gathering, &party->key->limits);
	for (size_t i = 0; i < config->quota_count; i++)
		if (applies(&config->quotas[i], party))
			gather(&gathering, &config->quotas[i]);
	bool failed = gathering.failed || buf_failed(&gathering.name);
	buf_fini(&gathering.name);
	*count = gathering.count;
	return !failed;
}
