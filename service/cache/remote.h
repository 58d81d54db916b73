/* SPDX-License-Identifier: MIT */
/*
 * A worker's way to the cache that replicas share, in Redis. One answer is one
 * key:
 *
 *   PREFIX:1:MODEL:TENANT:{KEY}             the answer, a parcel (parcel.h), with its time to live
 *   PREFIX:1:MODEL:TENANT:{KEY}:lease…      who asks the backend for it right now (lease.h)
 *
 * MODEL and TENANT are hashes, so that what belongs to one of them can be found; KEY is the cache's key in
 * hexadecimal, and the braces keep all that belongs to it on one node of a cluster.
 *
 * Nothing here is waited for longer than the budget; without Redis all of it is as if nothing was kept.
 */
#ifndef SLUICE_SERVICE_CACHE_REMOTE_H
#define SLUICE_SERVICE_CACHE_REMOTE_H

#include "clients/redis/redis.h"
#include "schemas/metrics.h"
#include "service/cache/fetch.h"
#include "service/cache/parcel.h"
#include "service/cache/remote_name.h"

struct cache_purge;
struct remote;

struct remote_options {
	struct cache_worker *worker; /* borrows; its cache and reactor are there */
	struct redis *redis;         /* borrows */
	const struct config *config;
	const char *prefix;            /* of all keys; borrows */
	uint64_t budget_us;            /* how long one command may take */
	struct metrics_cells *metrics; /* borrows; NULL = nothing is counted */
	bool watches;                  /* this worker looks for the purges of other replicas */
};

/* NULL: out of memory. */
struct remote *remote_create(const struct remote_options *options);

/* No fetch and no lease may be under way. */
void remote_destroy(struct remote *remote);

/* Asks for an answer; searches for the same key are one. False: Redis is not to be had, no on_done follows. */
bool remote_fetch(struct remote *remote, struct cache_fetch *fetch);
void remote_fetch_cancel(struct cache_fetch *fetch);

/* Sends an answer, and forgets about it. */
void remote_put(struct remote *remote, const struct store_tags *tags, const struct cache_key *key,
		const struct parcel *parcel);

/* The same for a parcel that was encoded, with its life. */
void remote_put_packed(struct remote *remote, const struct store_tags *tags, const struct cache_key *key,
		       uint64_t life_us, struct span parcel);

/* ---- for those who ask for more than answers ---- */

struct redis *remote_redis(const struct remote *remote);
const struct remote_options *remote_options_of(const struct remote *remote);

/* How many streams are being read by replica_purges_hurry. */
unsigned *remote_hurries(struct remote *remote);

/* Purges that are under way (purge.h). */
struct cache_purge **remote_purges(struct remote *remote);
struct reactor *remote_reactor(const struct remote *remote);
struct metrics_cells *remote_metrics(const struct remote *remote);

/* The reply to what was asked; also REDIS_SILENT. */
typedef void (*remote_told)(void *context, const struct redis_reply *reply);

/* Sends a command whose key is args[1]. on_told comes once, unless remote_destroy is first. False: not sent. */
bool remote_ask(struct remote *remote, const struct span *args, size_t count, uint64_t deadline_us, remote_told on_told,
		void *context);

/* The same, and nobody wants to know what became of it. */
bool remote_tell(struct remote *remote, const struct span *args, size_t count);

/* The same for a script that takes one argument. */
bool remote_tell_script(struct remote *remote, const struct redis_script *script, struct span key, struct span arg);

/* When a command that is sent now must have its reply. */
uint64_t remote_deadline(const struct remote *remote);

/* What Redis has under an answer's name, on its way into memory. Embedded in its owner, zero-initialised. */
struct remote_taking {
	/* From the owner: called once, the last that touches the taking. hit: its value NULL = there is none, else the
	 * owner gives it back by cache_hit_drop. */
	void (*on_taken)(struct remote_taking *taking, struct cache_hit *hit);
	/* its own */
	struct remote *remote;
	struct cache_fetch what;
	int64_t left_ms;
	uint64_t replied_us;
	struct opening *opening; /* by a helper; NULL = none is under way */
};

/*
 * Takes what GET said under the answer's name, with what PTTL said just before, into the store in memory. There is none
 * unless it is good by what->rule and was not purged; what is not whole is removed from Redis. A small one is opened in
 * the turn, and on_taken is called inside this call; a large one by a helper thread, on behalf of what->owner.
 * what: with its turn.
 */
void remote_take(struct remote *remote, struct remote_taking *taking, const struct cache_fetch *what, int64_t left_ms,
		 const struct redis_reply *reply);

/* The owner has no more interest. Harmless when none is under way. */
void remote_take_cancel(struct remote_taking *taking);

#endif
