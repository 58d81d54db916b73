/* SPDX-License-Identifier: MIT */
/*
 * The cache as one worker sees it, and looking for a kept answer in it: in memory at once, and behind that, where
 * there is one, in the store that replicas share, which answers later or not at all.
 */
#ifndef SLUICE_SERVICE_CACHE_FETCH_H
#define SLUICE_SERVICE_CACHE_FETCH_H

#include "lib/reactor.h"
#include "service/cache/cache.h"
#include "service/loop/offload.h"

struct remote;
struct repeats;
struct remote_get;

/* What a worker needs to use the cache. */
struct cache_worker {
	struct cache *cache; /* of the process */
	struct reactor *reactor;
	struct remote *remote;        /* the worker's way to what replicas share; NULL = nothing is shared */
	struct repeats *repeats;      /* requests that hit before; NULL = they are not remembered */
	struct offload_port *offload; /* helpers for what would hold a turn; NULL = there are none */
};

/* One search, embedded in its owner. Zero-initialised means not under way. */
struct cache_fetch {
	/* from the owner */
	struct cache_key key;
	struct store_tags tags;
	const struct config_cache_rule *rule;
	struct offload_owner owner;                 /* whose work it is to open a large answer */
	void (*on_done)(struct cache_fetch *fetch); /* once, never inside cache_fetch_begin */
	/* the result: its value NULL = there is none; else the owner gives it back by cache_hit_drop */
	struct cache_hit hit;
	uint64_t turn; /* of the purge log, when the shared store was asked */
	bool silent;   /* the shared store did not answer: it is not worth asking it again soon */
	/* of remote.h */
	struct remote_get *get; /* NULL = not under way */
	struct cache_fetch *next;
};

/* True: the result is there. False: on_done will tell of it, unless the fetch is cancelled. Stale answers are results.
 */
bool cache_fetch_begin(struct cache_worker *worker, struct cache_fetch *fetch);

/*
 * Keeps an answer, wherever answers are kept, for the time that the rule says. One that renews takes the place of what
 * other replicas keep.
 */
enum cache_adopted cache_keep(struct cache_worker *worker, const struct cache_keeping *keeping,
			      const struct cache_entry *entry);

/* An answer on its way into the cache. */
struct cache_packed {
	struct cache_lives lives;
	struct buf entry;
	struct buf parcel; /* for what replicas share; empty = it is made when it is sent */
};

/*
 * Makes an entry of an answer, and a parcel if it shares. Thread-safe, and most of the work of keeping one; the buffers
 * tell whether memory ran out.
 */
void cache_pack(const struct cache_keeping *keeping, const struct cache_entry *entry, bool shares,
		struct cache_packed *packed);
void cache_packed_fini(struct cache_packed *packed);

/* As cache_keep, for what was packed. */
enum cache_adopted cache_keep_packed(struct cache_worker *worker, const struct cache_keeping *keeping,
				     const struct cache_packed *packed);

/*
 * A renewal brought an answer that is not kept: what is kept under its key, here and elsewhere, goes all the same.
 * digest: of the answer that is spared; 0 = none is.
 */
void cache_renew(struct cache_worker *worker, const struct cache_keeping *keeping, uint64_t digest);

/* The owner has no more interest. Harmless when it is not under way. */
void cache_fetch_cancel(struct cache_fetch *fetch);

#endif
