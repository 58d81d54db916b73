/* SPDX-License-Identifier: MIT */
/* Finding answers by their keys; seek.h holds the contract. */
#include "service/cache/seek.h"

#include "lib/container.h"

static void seek_done(struct cache_seek *seek)
{
	seek->hit = seek->fetch.hit;
	seek->fetch.hit.value = NULL;
	seek->on_done(seek);
}

static void on_fetched(struct cache_fetch *fetch)
{
	seek_done(container_of(fetch, struct cache_seek, fetch));
}

/* The name is known: the answer is fetched as for an exchange, once the scan is out of the way. */
static void on_named(struct task *task)
{
	struct cache_seek *seek = container_of(task, struct cache_seek, end);
	redis_scan_cancel(&seek->scan);
	if (!seek->found || cache_fetch_begin(seek->worker, &seek->fetch))
		seek_done(seek);
}

static void on_keys(struct redis_scan *scan, const struct span *keys, size_t count)
{
	struct cache_seek *seek = container_of(scan, struct cache_seek, scan);
	for (size_t i = 0; i < count && !seek->found; i++)
		seek->found = remote_read_name(seek->worker->remote, keys[i], &seek->fetch.tags);
	if (seek->found)
		task_queue(seek->worker->reactor, &seek->end);
}

static void on_end(struct redis_scan *scan, bool complete)
{
	struct cache_seek *seek = container_of(scan, struct cache_seek, scan);
	(void)complete;
	task_queue(seek->worker->reactor, &seek->end);
}

bool cache_seek_begin(struct cache_worker *worker, struct cache_seek *seek)
{
	seek->worker = worker;
	seek->found = false;
	seek->fetch = (struct cache_fetch){.key = seek->key, .on_done = on_fetched};
	const struct cache_wanted any = {.key = &seek->key, .now_us = timers_now(&worker->reactor->timers)};
	if (cache_find(worker->cache, &any, &seek->hit))
		return true;
	seek->hit.value = NULL;
	if (worker->remote == NULL)
		return true;
	const struct remote_wanted wanted = {.has_key = true, .key = seek->key};
	struct remote_name pattern = remote_pattern(worker->remote, &wanted);
	seek->scan = (struct redis_scan){.on_keys = on_keys, .on_end = on_end};
	seek->end = (struct task){.run = on_named};
	return !redis_scan_start(remote_redis(worker->remote), &seek->scan, remote_name_span(&pattern));
}

void cache_seek_cancel(struct cache_seek *seek)
{
	if (seek->worker == NULL || seek->worker->remote == NULL)
		return;
	redis_scan_cancel(&seek->scan);
	task_drop(seek->worker->reactor, &seek->end);
	cache_fetch_cancel(&seek->fetch);
}
