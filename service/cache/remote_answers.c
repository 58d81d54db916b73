/* SPDX-License-Identifier: MIT */
/* Answers in Redis: what is found there, who waits for it, and what goes there; remote.h holds the contract. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/container.h"
#include "lib/step.h"
#include "service/cache/remote_internal.h"
#include "service/cache/replica_purges.h"

enum { REMOTE_MS_US = 1000, REMOTE_NUMBER_SIZE = 24 };

/* A question to Redis, and all who wait for the answer. */
struct remote_get {
	struct remote_get *next; /* in its bucket */
	struct remote *remote;
	struct cache_key key;
	uint64_t turn;                    /* of the purge log, when it was asked */
	struct redis_command left, value; /* PTTL, GET */
	int64_t left_ms;
	struct remote_taking taking;
	bool ended; /* those who wait are being told */
	struct cache_fetch *waiting;
};

static void count_result(const struct remote *remote, enum metrics_remote result)
{
	metrics_count(remote->options.metrics, METRIC_CACHE_REMOTE, result);
}

/* ---- asking for them ---- */

static struct remote_get **link_of(struct remote *remote, const struct cache_key *key)
{
	struct remote_get **link = &remote->gets[cache_key_hash(key) % REMOTE_BUCKETS];
	while (*link != NULL && !cache_key_equal(&(*link)->key, key))
		link = &(*link)->next;
	return link;
}

static void get_unlink(struct remote_get *get)
{
	struct remote_get **link = &get->remote->gets[cache_key_hash(&get->key) % REMOTE_BUCKETS];
	while (*link != get)
		link = &(*link)->next;
	*link = get->next;
}

static struct cache_fetch *get_take(struct remote_get *get)
{
	struct cache_fetch *fetch = get->waiting;
	if (fetch != NULL) {
		get->waiting = fetch->next;
		fetch->next = NULL;
		fetch->get = NULL;
	}
	return fetch;
}

/* Gives a result to one who waits, if its own rule wants it: aliases with other rules may wait together. */
static void give(const struct remote *remote, struct cache_fetch *fetch, struct store_value *value)
{
	const struct cache_wanted wanted = {
	    .key = &fetch->key, .rule = fetch->rule, .now_us = timers_now(&remote->options.worker->reactor->timers)};
	struct cache_hit hit;
	if (!cache_hit_of(value, &wanted, &hit) || !cache_rule_wants(fetch->rule, &hit.entry))
		return;
	cache_hit_drop(&fetch->hit); /* a stale one from memory */
	store_value_hold(value);
	fetch->hit = hit;
}

/* The result is known: everybody is told. Whoever is told may cancel others. */
static void get_end(struct remote_get *get, const struct cache_hit *hit, bool silent)
{
	get_unlink(get);
	get->ended = true;
	for (struct cache_fetch *fetch = get_take(get); fetch != NULL; fetch = get_take(get)) {
		fetch->silent = silent;
		if (hit->value != NULL)
			give(get->remote, fetch, hit->value);
		fetch->on_done(fetch);
	}
	redis_cancel(&get->left);
	redis_cancel(&get->value);
	free(get);
}

static void on_left(struct redis_command *command, const struct redis_reply *reply)
{
	struct remote_get *get = container_of(command, struct remote_get, left);
	get->left_ms = reply->kind == REDIS_INTEGER ? reply->integer : -1;
}

static void on_taken(struct remote_taking *taking, struct cache_hit *hit)
{
	struct remote_get *get = container_of(taking, struct remote_get, taking);
	struct store_value *found = hit->value;
	count_result(get->remote, found != NULL ? METRICS_REMOTE_HIT : METRICS_REMOTE_MISS);
	get_end(get, hit, false);
	store_value_drop(found);
}

static void on_value(struct redis_command *command, const struct redis_reply *reply)
{
	struct remote_get *get = container_of(command, struct remote_get, value);
	const struct cache_hit none = {.value = NULL};
	if (reply->kind == REDIS_SILENT || reply->kind == REDIS_ERROR) {
		count_result(get->remote, METRICS_REMOTE_SILENT);
		get_end(get, &none, true);
		return;
	}
	struct cache_fetch what = *get->waiting; /* the first of those who wait */
	what.turn = get->turn;
	get->taking.on_taken = on_taken;
	remote_take(get->remote, &get->taking, &what, get->left_ms, reply);
}

static bool get_send(struct remote_get *get, const struct cache_fetch *fetch)
{
	struct remote *remote = get->remote;
	struct remote_name name = remote_answer_name(remote, &fetch->tags, &fetch->key);
	const struct span left[] = {SPAN("PTTL"), remote_name_span(&name)};
	const struct span value[] = {SPAN("GET"), remote_name_span(&name)};
	get->turn = purge_log_mark(store_purges(remote->options.worker->cache->store)).turn;
	replica_purges_hurry(remote);
	get->left.on_reply = on_left;
	get->value.on_reply = on_value;
	if (!redis_send(remote->options.redis, &get->left, left, 2, 1, remote_deadline(remote)))
		return false;
	if (redis_send(remote->options.redis, &get->value, value, 2, 1, remote_deadline(remote)))
		return true;
	redis_cancel(&get->left);
	return false;
}

bool remote_fetch(struct remote *remote, struct cache_fetch *fetch)
{
	struct remote_get **link = link_of(remote, &fetch->key);
	struct remote_get *get = *link;
	if (get == NULL) {
		get = redis_readable(remote->options.redis) ? calloc(1, sizeof(*get)) : NULL;
		if (get == NULL)
			return false;
		get->remote = remote;
		get->key = fetch->key;
		if (!get_send(get, fetch)) {
			free(get);
			return false;
		}
		*link = get;
	}
	fetch->get = get;
	fetch->next = get->waiting;
	get->waiting = fetch;
	return true;
}

void remote_fetch_cancel(struct cache_fetch *fetch)
{
	struct remote_get *get = fetch->get;
	if (get == NULL)
		return;
	if (get->waiting == fetch && fetch->next == NULL && !get->ended) { /* the last one */
		get_unlink(get);
		redis_cancel(&get->left);
		redis_cancel(&get->value);
		remote_take_cancel(&get->taking);
		free(get);
	} else {
		struct cache_fetch **link = &get->waiting;
		while (*link != fetch)
			link = &(*link)->next;
		*link = fetch->next;
	}
	fetch->next = NULL;
	fetch->get = NULL;
	cache_hit_drop(&fetch->hit);
}

/* ---- keeping them ---- */

static void on_stored(void *context, const struct redis_reply *reply)
{
	struct remote *remote = context;
	count_result(remote, reply->kind == REDIS_STATUS ? METRICS_REMOTE_STORED : METRICS_REMOTE_NOT_STORED);
}

/* False: it was not sent. */
static bool send_parcel(struct remote *remote, const struct store_tags *tags, const struct cache_key *key,
			uint64_t life_us, struct span parcel)
{
	char life[REMOTE_NUMBER_SIZE];
	struct remote_name name = remote_answer_name(remote, tags, key);
	snprintf(life, sizeof(life), "%" PRIu64, life_us / REMOTE_MS_US);
	const struct span args[] = {SPAN("SET"), remote_name_span(&name), parcel, SPAN("PX"), span_of(life)};
	return remote_ask(remote, args, sizeof(args) / sizeof(args[0]), remote_deadline(remote), on_stored, remote);
}

void remote_put_packed(struct remote *remote, const struct store_tags *tags, const struct cache_key *key,
		       uint64_t life_us, struct span parcel)
{
	if (!redis_writable(remote->options.redis) || !send_parcel(remote, tags, key, life_us, parcel))
		count_result(remote, METRICS_REMOTE_NOT_STORED);
}

void remote_put(struct remote *remote, const struct store_tags *tags, const struct cache_key *key,
		const struct parcel *parcel)
{
	struct buf bytes;
	struct step_mark before = step_enter("compress");
	buf_init(&bytes, parcel->entry.len + REMOTE_OVERHEAD_MOST);
	if (redis_writable(remote->options.redis))
		parcel_encode(parcel, key, &bytes);
	step_leave(before);
	bool encoded = buf_len(&bytes) > 0 && !buf_failed(&bytes);
	if (!encoded || !send_parcel(remote, tags, key, parcel->life_us, buf_span(&bytes)))
		count_result(remote, METRICS_REMOTE_NOT_STORED);
	buf_fini(&bytes);
}
