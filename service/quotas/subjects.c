/* SPDX-License-Identifier: MIT */
/*
 * Who asks for what, with the accounts that such requests fall under (entries.c). Subjects are found by name, made when
 * they are needed, and forgotten when they are as if new: many keys that come once leave nothing behind.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/decimal.h"
#include "lib/hash.h"
#include "lib/random.h"
#include "service/quotas/internal.h"

enum {
	SWEEP = 4,       /* buckets that are looked through for each new subject */
	NAME_MOST = 4096 /* bytes of a key's, a tenant's and a model's name together */
};

#define QUOTA_OF SPAN(";q=")

static const struct quota_habit habit_first = {.tokens_per_byte = 0.3, .output = 1024, .largest = 1024};

static void free_subject(struct quota_subject *subject)
{
	free(subject->words);
	free(subject->text);
	free(subject->name);
	free(subject);
}

void quotas_destroy(struct quotas *quotas)
{
	if (quotas == NULL)
		return;
	for (size_t i = 0; i < QUOTA_BUCKETS; i++) {
		for (struct quota_subject *next, *at = quotas->subjects[i]; at != NULL; at = next) {
			next = at->next;
			free_subject(at);
		}
	}
	entries_destroy(quotas);
	borrow_free_ports(quotas);
	pthread_mutex_destroy(&quotas->lock);
	prices_destroy(quotas->prices);
	free(quotas);
}

struct quotas *quotas_create(const struct config *config)
{
	struct quotas *quotas = calloc(1, sizeof(*quotas));
	if (quotas == NULL)
		return NULL;
	quotas->config = config;
	quotas->any = config->quota_count > 0;
	TAILQ_INIT(&quotas->wanting);
	TAILQ_INIT(&quotas->active);
	TAILQ_INIT(&quotas->deferred);
	random_hex(quotas->id, sizeof(quotas->id) / 2);
	for (size_t i = 0; i < config->key_count; i++)
		quotas->any = quotas->any || quota_limits_anything(&config->keys[i].limits);
	pthread_mutex_init(&quotas->lock, NULL);
	quotas->prices = prices_create(config);
	if (quotas->prices != NULL)
		return quotas;
	quotas_destroy(quotas);
	return NULL;
}

const struct prices *quotas_prices(const struct quotas *quotas)
{
	return quotas->prices;
}

/* Returns a copy, which the caller frees; NULL: out of memory. */
static char *copy_name(const struct buf *name)
{
	struct span text = buf_span(name);
	char *copy = buf_failed(name) ? NULL : malloc(text.len + 1);
	if (copy != NULL)
		memcpy(copy, text.at, text.len);
	return copy;
}

static void forget_subject(struct quota_subject *subject)
{
	for (size_t i = 0; i < subject->count; i++)
		subject->entries[i]->users--;
	free_subject(subject);
}

static bool is_idle(const struct quota_subject *subject, struct quota_now now)
{
	bool idle = subject->users == 0;
	for (size_t i = 0; idle && i < subject->count; i++)
		idle = account_is_idle(&subject->entries[i]->account, now);
	return idle;
}

/* Forgets what would be made anew just so: subjects of a bucket nobody uses, and accounts without use. */
static void sweep_bucket(struct quotas *quotas, size_t bucket, struct quota_now now)
{
	for (struct quota_subject **link = &quotas->subjects[bucket]; *link != NULL;) {
		struct quota_subject *subject = *link;
		if (!is_idle(subject, now)) {
			link = &subject->next;
			continue;
		}
		*link = subject->next;
		forget_subject(subject);
	}
	entries_sweep(quotas, bucket, now);
}

/* Writes the words of an account; where they are is known later. */
static void write_words(struct buf *out, const struct quota_account *account, struct quota_words *words)
{
	size_t start = buf_len(out);
	buf_printf(out, "\"%s.%s\"", account->name, account_unit_name(account->unit));
	words->item.len = buf_len(out) - start;
	buf_append(out, QUOTA_OF);
	size_t digits = buf_len(out);
	decimal_append(out, account->limit);
	words->limit.len = buf_len(out) - digits;
	if (account->kind != QUOTA_MONTH)
		buf_printf(out, ";w=%" PRIu64, window_length(account->kind, (struct quota_now){0, 0}));
	words->policy.len = buf_len(out) - start;
}

/* False: out of memory. */
static bool add_words(struct quota_subject *subject)
{
	struct buf out;
	buf_init(&out, QUOTA_ENTRIES_MOST * NAME_MOST);
	subject->words = calloc(subject->count + 1, sizeof(subject->words[0]));
	for (size_t i = 0; subject->words != NULL && i < subject->count; i++)
		write_words(&out, &subject->entries[i]->account, &subject->words[i]);
	subject->text = copy_name(&out);
	buf_fini(&out);
	if (subject->words == NULL || subject->text == NULL)
		return false;
	const char *at = subject->text;
	for (size_t i = 0; i < subject->count; i++) {
		struct quota_words *words = &subject->words[i];
		words->item.at = words->policy.at = at;
		words->limit.at = at + words->item.len + QUOTA_OF.len;
		at += words->policy.len;
	}
	return true;
}

static struct quota_subject *make_subject(struct quotas *quotas, const struct quota_party *party,
					  const struct buf *name, uint64_t hash)
{
	struct quota_entry *entries[QUOTA_ENTRIES_MOST];
	size_t count = 0;
	struct quota_subject *subject = NULL;
	if (entries_gather(quotas, party, entries, &count))
		subject = calloc(1, sizeof(*subject) + count * sizeof(entries[0]));
	if (subject == NULL)
		return NULL;
	subject->hash = hash;
	subject->name = copy_name(name);
	subject->name_len = buf_len(name);
	subject->revision = party->key == NULL ? 0 : party->key->revision;
	subject->habit = habit_first;
	subject->count = count;
	memcpy(subject->entries, entries, count * sizeof(entries[0]));
	if (subject->name == NULL || !add_words(subject)) {
		free_subject(subject);
		return NULL;
	}
	for (size_t i = 0; i < subject->count; i++)
		subject->entries[i]->users++;
	return subject;
}

/* Writes the name of a subject. */
static void name_party(struct buf *out, const struct quota_party *party)
{
	if (party->key != NULL)
		buf_append(out, span_of(entries_key_id(party->key)));
	buf_append(out, (struct span){"", 1});
	if (party->key != NULL)
		buf_append(out, span_of(party->key->tenant));
	buf_append(out, (struct span){"", 1});
	if (party->model != NULL)
		buf_append(out, span_of(party->model->name));
}

/* The key's limits are others now. What runs settles where it reserved. */
static void supersede(struct quota_subject **link)
{
	struct quota_subject *subject = *link;
	*link = subject->next;
	subject->superseded = true;
	if (subject->users == 0)
		forget_subject(subject);
}

static struct quota_subject *find_subject(struct quotas *quotas, const struct quota_party *party,
					  const struct buf *name, struct quota_now now)
{
	uint64_t hash = hash_bytes(HASH_START, buf_span(name));
	struct quota_subject **bucket = &quotas->subjects[hash % QUOTA_BUCKETS];
	struct quota_subject **link = bucket;
	while (*link != NULL &&
	       ((*link)->hash != hash || !span_equal((struct span){(*link)->name, (*link)->name_len}, buf_span(name))))
		link = &(*link)->next;
	if (*link != NULL && (party->key == NULL || (*link)->revision == party->key->revision))
		return *link;
	if (*link != NULL)
		supersede(link);
	for (int i = 0; i < SWEEP; i++)
		sweep_bucket(quotas, quotas->hand++ % QUOTA_BUCKETS, now);
	struct quota_subject *subject = make_subject(quotas, party, name, hash);
	if (subject != NULL) {
		subject->next = *bucket;
		*bucket = subject;
	}
	return subject;
}

struct quota_subject *quotas_find(struct quotas *quotas, const struct config_key *key, const struct config_model *model,
				  struct quota_now now, struct quota_habit *habit, bool *exhausted)
{
	struct quota_party party = {key, model};
	char room[NAME_MOST];
	struct buf name;
	*exhausted = false;
	if (!quotas->any && (key == NULL || !quota_limits_anything(&key->limits)))
		return NULL;
	buf_init_over(&name, room, sizeof(room));
	name_party(&name, &party);
	pthread_mutex_lock(&quotas->lock);
	struct quota_subject *subject = buf_failed(&name) ? NULL : find_subject(quotas, &party, &name, now);
	bool none = subject != NULL && subject->count == 0;
	if (subject != NULL && !none) {
		subject->users++;
		*habit = subject->habit;
	}
	pthread_mutex_unlock(&quotas->lock);
	*exhausted = subject == NULL;
	return none ? NULL : subject;
}

void subjects_drop(struct quota_subject *subject)
{
	if (--subject->users == 0 && subject->superseded)
		forget_subject(subject);
}

void quotas_drop(struct quotas *quotas, struct quota_subject *subject)
{
	if (subject == NULL)
		return;
	pthread_mutex_lock(&quotas->lock);
	subjects_drop(subject);
	pthread_mutex_unlock(&quotas->lock);
}
