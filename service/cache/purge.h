/* SPDX-License-Identifier: MIT */
/*
 * Removing answers wherever they are: from this process's memory at once, from Redis little by little, and from the
 * memory of the other replicas, which look every second whether somebody has purged (replica_purges.h). Calls that
 * began before keep nothing (purge_log.h).
 */
#ifndef SLUICE_SERVICE_CACHE_PURGE_H
#define SLUICE_SERVICE_CACHE_PURGE_H

#include "service/cache/remote.h"

/* One purge, embedded in its owner, zero-initialised but for what it takes. Must stay until it is done. */
struct cache_purge {
	struct store_filter filter; /* what it points to must stay, too; model: by cache_model */
	uint32_t named;             /* with filter.model: the model that was named, by which replicas hear */
	void (*on_done)(struct cache_purge *purge); /* once, never inside cache_purge_begin */
	/* the result */
	size_t in_memory; /* removed from this process's memory */
	size_t in_redis;
	bool complete; /* nothing can have been left out */
	/* its own */
	struct cache_worker *worker;
	struct redis_scan scan;
	size_t unanswered; /* removals */
	bool scanned;
	struct cache_purge *next;
	struct cache_purge **back;
};

/* True: done. False: on_done tells. */
bool cache_purge_begin(struct cache_worker *worker, struct cache_purge *purge);

/* Ends all of the list, incomplete, since their worker ends. */
void cache_purge_end_all(struct cache_purge **purges);

#endif
