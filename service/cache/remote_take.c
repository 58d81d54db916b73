/* SPDX-License-Identifier: MIT */
/* What Redis has under an answer's name, taken into memory or removed; remote.h holds the contract. */
#include "lib/step.h"
#include "service/cache/remote_internal.h"

enum { REMOTE_MS_US = 1000 };

/* Removes what is no answer. */
static void discard(struct remote *remote, const struct remote_name *name)
{
	const struct span args[] = {SPAN("UNLINK"), remote_name_span(name)};
	remote_tell(remote, args, 2);
}

/*
 * How long a parcel lives on by the rule of who reads it; without one, by that of who wrote it. Its age is the part of
 * its life that is over, by Redis' clock. Returns false when it is over.
 */
static bool measure(const struct cache_fetch *what, const struct parcel *parcel, uint64_t left_us,
		    struct cache_lives *lives)
{
	uint64_t fresh_us = parcel->fresh_us, life_us = parcel->life_us;
	if (left_us > parcel->life_us)
		left_us = parcel->life_us;
	lives->age_us = parcel->life_us - left_us;
	if (what->rule != NULL) {
		fresh_us = cache_fresh_us(what->rule, &what->key);
		life_us = fresh_us + what->rule->stale_us;
	}
	lives->fresh_us = (int64_t)fresh_us - (int64_t)lives->age_us;
	lives->left_us = life_us > lives->age_us ? life_us - lives->age_us : 0;
	return lives->left_us > 0;
}

/* The rule of who reads it, too, is for answers like this. */
static bool is_wanted(const struct remote *remote, const struct cache_fetch *what, const struct cache_entry *entry)
{
	return entry->body.len <= remote->options.config->cache.entry && cache_rule_wants(what->rule, entry);
}

/* What a whole parcel holds, put into memory. CACHE_NOT_ONE: it is no entry. opened: its value is taken. */
static enum cache_adopted adopt(struct remote *remote, const struct cache_fetch *what, const struct opened *opened,
				uint64_t left_us, struct cache_hit *hit)
{
	struct cache *cache = remote->options.worker->cache;
	const struct parcel *parcel = &opened->parcel;
	struct cache_keeping keeping = {
	    .key = what->key, .tags = what->tags, .began = {.turn = what->turn}, .taken = true};
	struct cache_entry entry;
	struct cache_lives lives;
	if (!cache_entry_decode(parcel->entry, &entry)) {
		store_value_drop(opened->value);
		return CACHE_NOT_ONE;
	}
	const struct purge_subject subject = {.key = &what->key, .tags = &what->tags, .digest = entry.digest};
	memcpy(keeping.began.seen, parcel->seen, sizeof(parcel->seen));
	if (!measure(what, parcel, left_us, &lives) || !is_wanted(remote, what, &entry) ||
	    purge_log_forbids_taking(store_purges(cache->store), &keeping.began, &subject)) {
		store_value_drop(opened->value);
		return CACHE_PURGED;
	}
	return cache_adopt_value(cache, &keeping, &lives, opened->value,
				 timers_now(&remote->options.worker->reactor->timers), hit);
}

/* The parcel was opened; its value is taken. */
static void take_opened(struct remote_taking *taking, int64_t left_ms, const struct opened *opened)
{
	struct remote *remote = taking->remote;
	struct cache_hit hit = {.value = NULL};
	enum cache_adopted adopted = CACHE_NOT_ONE;
	uint64_t left_us = left_ms > INT64_MAX / REMOTE_MS_US ? UINT64_MAX : (uint64_t)left_ms * REMOTE_MS_US;
	if (opened->value != NULL)
		adopted = adopt(remote, &taking->what, opened, left_us, &hit);
	else if (opened->parcel.too_large)
		adopted = CACHE_PURGED; /* here; another replica may take larger ones */
	if (adopted == CACHE_NOT_ONE) {
		struct remote_name name = remote_answer_name(remote, &taking->what.tags, &taking->what.key);
		metrics_count(remote->options.metrics, METRIC_CACHE_REMOTE, METRICS_REMOTE_CORRUPT);
		discard(remote, &name);
	}
	if (adopted != CACHE_ADOPTED)
		hit.value = NULL;
	taking->on_taken(taking, &hit);
}

static void take_none(struct remote_taking *taking)
{
	struct cache_hit none = {.value = NULL};
	taking->on_taken(taking, &none);
}

/* What no helper could open stays in Redis. */
static void on_opened(void *context, const struct opened *opened, bool refused)
{
	struct remote_taking *taking = context;
	uint64_t waited_us = timers_now(&taking->remote->options.worker->reactor->timers) - taking->replied_us;
	int64_t left_ms = taking->left_ms - (int64_t)(waited_us / REMOTE_MS_US);
	taking->opening = NULL;
	if (refused)
		take_none(taking);
	else
		take_opened(taking, left_ms < 0 ? 0 : left_ms, opened);
}

static void open_in_turn(struct remote_taking *taking, struct span bytes)
{
	struct remote *remote = taking->remote;
	struct opened opened;
	struct step_mark before = step_enter("inflate");
	parcel_open(bytes, &taking->what.key, remote_entry_most(remote), &remote->room, &opened);
	take_opened(taking, taking->left_ms, &opened);
	step_leave(before);
}

void remote_take(struct remote *remote, struct remote_taking *taking, const struct cache_fetch *what, int64_t left_ms,
		 const struct redis_reply *reply)
{
	const struct cache_worker *worker = remote->options.worker;
	taking->remote = remote;
	taking->what = *what;
	taking->left_ms = left_ms;
	taking->opening = NULL;
	if (reply->kind != REDIS_BYTES || left_ms <= 0) {
		take_none(taking);
		return;
	}
	if (opening_is_worth(worker->offload, reply->text)) {
		taking->replied_us = timers_now(&worker->reactor->timers);
		taking->opening = opening_begin(worker->offload, &what->owner, reply->text, &what->key,
						remote_entry_most(remote), on_opened, taking);
	}
	if (taking->opening == NULL)
		open_in_turn(taking, reply->text);
}

void remote_take_cancel(struct remote_taking *taking)
{
	if (taking->opening != NULL)
		opening_cancel(taking->opening);
	taking->opening = NULL;
}
