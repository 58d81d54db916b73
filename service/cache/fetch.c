/* SPDX-License-Identifier: MIT */
/* The cache as a worker sees it: memory first, then what replicas share; fetch.h holds the contract. */
#include "service/cache/fetch.h"

#include "service/cache/remote.h"

bool cache_fetch_begin(struct cache_worker *worker, struct cache_fetch *fetch)
{
	const struct cache_wanted wanted = {
	    .key = &fetch->key, .rule = fetch->rule, .now_us = timers_now(&worker->reactor->timers)};
	fetch->get = NULL;
	bool found = cache_find(worker->cache, &wanted, &fetch->hit);
	if (found && fetch->hit.ttl_us > 0)
		return true;
	if (!found)
		fetch->hit.value = NULL;
	fetch->silent = worker->remote == NULL || !remote_fetch(worker->remote, fetch);
	if (!fetch->silent && found)
		cache_hit_drop(&fetch->hit); /* the shared store may have a newer one, and has this one too */
	return fetch->silent;
}

void cache_fetch_cancel(struct cache_fetch *fetch)
{
	if (fetch->get != NULL)
		remote_fetch_cancel(fetch);
}
