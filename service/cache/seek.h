/* SPDX-License-Identifier: MIT */
/*
 * Finding an answer by its key alone, for people who look: in memory, and else in Redis, whose names of answers are
 * gone through for it. That takes as long as there are names: it is not for exchanges.
 */
#ifndef SLUICE_SERVICE_CACHE_SEEK_H
#define SLUICE_SERVICE_CACHE_SEEK_H

#include "service/cache/remote.h"

/* One search, embedded in its owner, zero-initialised but for what it takes. */
struct cache_seek {
	struct cache_key key;
	void (*on_done)(struct cache_seek *seek); /* once, never inside cache_seek_begin */
	/* the result: its value NULL = there is none; else the owner gives it back by cache_hit_drop */
	struct cache_hit hit;
	/* its own */
	struct cache_worker *worker;
	struct redis_scan scan;
	struct cache_fetch fetch;
	struct task end;
	bool found; /* its name */
};

/* True: the result is there. False: on_done tells, unless cancelled. */
bool cache_seek_begin(struct cache_worker *worker, struct cache_seek *seek);

/* The owner has no more interest. Harmless when it is not under way. */
void cache_seek_cancel(struct cache_seek *seek);

#endif
