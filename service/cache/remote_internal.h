/* SPDX-License-Identifier: MIT */
/* The inside of a worker's way to Redis (remote.h): remote.c (commands, and what belongs to it), remote_answers.c
 * (answers), remote_take.c (what is found there becomes a value in memory). */
#ifndef SLUICE_SERVICE_CACHE_REMOTE_INTERNAL_H
#define SLUICE_SERVICE_CACHE_REMOTE_INTERNAL_H

#include "service/cache/parcel_open.h"
#include "service/cache/purge_log.h"
#include "service/cache/remote.h"

enum { REMOTE_BUCKETS = 256, REMOTE_OVERHEAD_MOST = 4096 /* bytes of an entry besides the answer */ };

struct errand;
struct replica_purges;

struct remote {
	struct remote_options options;
	struct buf room;                             /* for what is inflated */
	struct remote_get *gets[REMOTE_BUCKETS];     /* under way, by key */
	struct errand *errands;                      /* under way */
	struct replica_purges *watches[PURGE_KINDS]; /* NULL = another worker's business */
	unsigned hurries;                            /* streams that are being read in a hurry */
	struct cache_purge *purges;                  /* under way */
};

/* The most bytes of an entry. */
static inline size_t remote_entry_most(const struct remote *remote)
{
	return remote->options.config->cache.entry + REMOTE_OVERHEAD_MOST;
}

#endif
