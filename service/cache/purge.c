/* SPDX-License-Identifier: MIT */
/* Purging everywhere; purge.h holds the contract. */
#include "service/cache/purge.h"

#include <fnmatch.h>

#include "lib/container.h"
#include "service/cache/replica_purges.h"

enum { PURGE_REPLY_US = 5000000 };

static void purge_end(struct cache_purge *purge)
{
	*purge->back = purge->next;
	if (purge->next != NULL)
		purge->next->back = purge->back;
	redis_scan_cancel(&purge->scan);
	purge->on_done(purge);
}

static void purge_check(struct cache_purge *purge)
{
	if (purge->scanned && purge->unanswered == 0)
		purge_end(purge);
}

static void on_removed(void *context, const struct redis_reply *reply)
{
	struct cache_purge *purge = context;
	purge->unanswered--;
	if (reply->kind == REDIS_INTEGER)
		purge->in_redis += (size_t)reply->integer;
	else
		purge->complete = false;
	purge_check(purge);
}

/* Only what was asked for: who sends something else could have anything removed, of anybody's. */
static bool is_wanted(const struct cache_purge *purge, struct span key)
{
	const struct remote *remote = purge->worker->remote;
	struct remote_wanted wanted = purge_wanted(remote, &purge->filter);
	struct remote_name pattern = remote_pattern(remote, &wanted), name = {.len = 0};
	if (key.len >= REMOTE_NAME_SIZE || memchr(key.at, '\0', key.len) != NULL)
		return false;
	remote_name_add(&name, key);
	return fnmatch(pattern.text, name.text, 0) == 0;
}

/* One by one: the nodes of a cluster take keys of one slot only. */
static void on_keys(struct redis_scan *scan, const struct span *keys, size_t count)
{
	struct cache_purge *purge = container_of(scan, struct cache_purge, scan);
	struct remote *remote = purge->worker->remote;
	uint64_t deadline_us = timers_now(&purge->worker->reactor->timers) + PURGE_REPLY_US;
	for (size_t i = 0; i < count; i++) {
		const struct span args[] = {SPAN("UNLINK"), keys[i]};
		if (is_wanted(purge, keys[i]) && remote_ask(remote, args, 2, deadline_us, on_removed, purge))
			purge->unanswered++;
		else
			purge->complete = false;
	}
}

static void on_end(struct redis_scan *scan, bool complete)
{
	struct cache_purge *purge = container_of(scan, struct cache_purge, scan);
	purge->scanned = true;
	purge->complete &= complete;
	purge_check(purge);
}

/* Redis' own answers go once every process that hears of purges will refuse them. */
static void purge_scan(struct cache_purge *purge)
{
	struct remote *remote = purge->worker->remote;
	struct remote_wanted wanted = purge_wanted(remote, &purge->filter);
	struct remote_name pattern = remote_pattern(remote, &wanted);
	purge->scan = (struct redis_scan){.on_keys = on_keys, .on_end = on_end};
	if (redis_scan_start(remote_redis(remote), &purge->scan, remote_name_span(&pattern)))
		return;
	purge->complete = false;
	purge_end(purge);
}

/* This process has heard of its own purge: what it keeps from here on is of after it. */
static void on_caught_up(void *context, const struct redis_reply *reply)
{
	struct cache_purge *purge = context;
	purge->complete &= replica_purges_take(purge->worker->remote, reply);
	purge_scan(purge);
}

static void on_announced(void *context, const struct redis_reply *reply)
{
	struct cache_purge *purge = context;
	purge->complete &= reply->kind == REDIS_BYTES;
	if (replica_purges_ask(purge->worker->remote, on_caught_up, purge))
		return;
	purge->complete = false;
	purge_scan(purge);
}

bool cache_purge_begin(struct cache_worker *worker, struct cache_purge *purge)
{
	struct remote *remote = worker->remote;
	purge->worker = worker;
	purge->in_memory = store_purge(worker->cache->store, &purge->filter);
	purge->complete = remote == NULL;
	struct store_filter said = purge->filter;
	if (said.model != NULL)
		said.model = &purge->named; /* what stands for it here need not be known elsewhere */
	if (remote == NULL || !replica_purges_announce(remote, &said, on_announced, purge))
		return true;
	purge->complete = true;
	purge->back = remote_purges(remote);
	purge->next = *purge->back;
	if (purge->next != NULL)
		purge->next->back = &purge->next;
	*purge->back = purge;
	return false;
}

void cache_purge_end_all(struct cache_purge **purges)
{
	while (*purges != NULL) {
		(*purges)->complete = false;
		purge_end(*purges);
	}
}
