/* SPDX-License-Identifier: MIT */
/* Looking for kept answers; fetch.h holds the contract. */
#include "service/cache/fetch.h"

bool cache_fetch_begin(struct cache_worker *worker, struct cache_fetch *fetch)
{
	fetch->silent = false;
	if (!cache_find(worker->cache, &fetch->key, timers_now(&worker->reactor->timers), &fetch->hit))
		fetch->hit.value = NULL;
	return true;
}

void cache_fetch_cancel(struct cache_fetch *fetch)
{
	(void)fetch;
}
