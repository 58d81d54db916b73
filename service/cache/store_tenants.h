/* SPDX-License-Identifier: MIT */
/*
 * Inside of the store: who has what in a shard, and who must give something up.
 * Each tenant has queues of its own (store.c tells their rules). Under pressure
 * the one with the most bytes for each hit gives up: so a flood of large answers
 * evicts itself, under however many names it comes, and not what others ask for.
 *
 * Serves all tenants of the process; hits count half each time the shard's bytes
 * were replaced four times, so nobody lives on the past. Under the shard's lock.
 */
#ifndef SLUICE_SERVICE_CACHE_STORE_TENANTS_H
#define SLUICE_SERVICE_CACHE_STORE_TENANTS_H

#include "service/cache/store.h"

struct store_entry {
	struct store_entry *next; /* in its bucket */
	struct store_entry *newer, *older;
	struct cache_key key;
	struct store_value *value;
	struct store_tenant *tenant;
	bool main;
	uint8_t uses;
};

struct store_queue {
	struct store_entry *newest, *oldest;
	size_t bytes;
};

struct store_tenant {
	uint64_t name;
	struct store_tenant *next, *previous; /* a ring */
	struct store_tenant *in_bucket;
	struct store_queue small, main;
	uint64_t hits;  /* lately */
	uint64_t epoch; /* when they were halved last */
};

enum { STORE_TENANT_BUCKETS = 64 };

struct store_tenants {
	struct store_tenant *buckets[STORE_TENANT_BUCKETS];
	struct store_tenant *hand; /* who is looked at next; NULL = there is none */
	size_t most;               /* bytes of the shard */
	size_t bytes;              /* of all */
	size_t fresh;              /* added since the epoch began */
	uint64_t epoch;            /* how often hits were halved so far */
};

/* Bytes of the entry with all that belongs to it. */
size_t store_entry_bytes(const struct store_entry *entry);

/* Puts an entry into its tenant's small or main queue. False: out of memory. */
bool store_tenants_add(struct store_tenants *tenants, struct store_entry *entry);
/* Takes it out; its tenant goes with its last entry. */
void store_tenants_remove(struct store_tenants *tenants, struct store_entry *entry);
/* Moves it to the end of its tenant's main queue, unused. */
void store_tenants_move_to_main(struct store_entry *entry);
/* It was asked for. */
void store_tenants_hit(struct store_tenants *tenants, struct store_entry *entry);

/* Who must give something up: of some that are looked at in turn, the one with the most bytes for each hit. NULL when
 * there is none. */
struct store_tenant *store_tenants_victim(struct store_tenants *tenants);

#endif
