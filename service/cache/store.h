/* SPDX-License-Identifier: MIT */
/*
 * Cached answers in memory, shared by all workers: a hash table in shards, each
 * with its lock, its share of the bytes and its order of eviction (S3-FIFO: new
 * values have to be asked for again before they push out those that were, so
 * that a scan of requests nobody repeats evicts little but itself).
 *
 * Values are immutable and counted: whoever got one may read it while it is
 * evicted or replaced. Times are microseconds of any clock of the caller's that
 * does not jump.
 */
#ifndef SLUICE_SERVICE_CACHE_STORE_H
#define SLUICE_SERVICE_CACHE_STORE_H

#include <stdatomic.h>

#include "lib/span.h"
#include "service/cache/purge_log.h"

struct store;

struct store_value {
	_Atomic unsigned users;
	uint64_t stored_us;
	uint64_t fresh_until_us; /* from then on it is stale */
	uint64_t expires_us;     /* from then on it is gone */
	struct store_tags tags;
	uint64_t digest; /* what renewals go by */
	size_t len;
	bool evicted; /* it was in the store, and was read when it left */
	char bytes[];
};

struct store_totals {
	uint64_t entries;
	uint64_t bytes;     /* with all that belongs to the entries */
	uint64_t evictions; /* since the start */
	uint64_t expired;
};

/* bytes: the most that all values take, overhead included; less when the ledger allows less. NULL: out of memory. */
struct store *store_create(size_t bytes);
void store_destroy(struct store *store);

/* A copy of bytes as a value with one user; NULL when out of memory. */
struct store_value *store_value_create(struct span bytes);

/* One user more; one less. */
void store_value_hold(struct store_value *value);
void store_value_drop(struct store_value *value);

/* Thread-safe. The value of that key, with one user more for the caller; NULL when there is none that has not expired.
 */
struct store_value *store_get(struct store *store, const struct cache_key *key, uint64_t now_us);

/*
 * Thread-safe. Puts a value in, in the place of the one with that key; what is too much is evicted, the value itself
 * if need be. The caller keeps its own use of it. turn: of the purge log, when the value's call began; taken: when it
 * was asked for elsewhere. Returns false, and leaves the store as it is, when it was purged since.
 */
bool store_put(struct store *store, const struct cache_key *key, struct store_value *value, uint64_t turn, bool taken);

/* Thread-safe. Notes the purge in the log, then removes what the filter says; how many. */
size_t store_purge(struct store *store, const struct store_filter *filter);

/* Thread-safe. Removes what the filter says, which the log knows already; how many. */
size_t store_remove(struct store *store, const struct store_filter *filter);

/* The log of all purges of this store. */
struct purge_log *store_purges(const struct store *store);

/* Thread-safe. Evicts about that many bytes, from all shards alike. */
void store_yield(struct store *store, size_t bytes);

/* Thread-safe. */
struct store_totals store_totals(struct store *store);

#endif
