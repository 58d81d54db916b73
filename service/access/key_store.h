/* SPDX-License-Identifier: MIT */
/*
 * Where keys live that are managed at run time: records by id, each with the version of the store in which it changed
 * last. A store knows nothing of what a record says. Records are never removed, so that versions only grow.
 *
 *   key_store_sqlite.c  a file of this machine
 *   key_store_redis.c   one hash of a Redis server or cluster, for all replicas
 *
 * Calls wait for files or for Redis: no loop of a worker may make them. A store is one thread's.
 */
#ifndef SLUICE_SERVICE_ACCESS_KEY_STORE_H
#define SLUICE_SERVICE_ACCESS_KEY_STORE_H

#include <stdint.h>

#include "lib/span.h"

struct config;
struct key_store;
struct loop;
struct redis_shared;

enum {
	KEY_STORE_WHY_MAX = 256,
	KEY_STORE_RECORD_MAX = 128 << 10, /* bytes of a record */
	KEY_STORE_KEYS_MAX = 100000
};

struct key_store_item {
	struct span id; /* API_KEY_ID characters */
	uint64_t version;
	struct span record;
};

/* Hears of a record, which lives during the call. */
typedef void (*key_store_visit)(void *context, const struct key_store_item *item);

enum key_store_put {
	KEY_STORE_DONE,
	KEY_STORE_CONFLICT, /* the record has changed meanwhile, or there is one already */
	KEY_STORE_FAILED    /* key_store_why() says why; it may have been stored all the same */
};

struct key_store_ops {
	bool (*read)(struct key_store *store, uint64_t since, key_store_visit visit, void *context, uint64_t *version);
	enum key_store_put (*put)(struct key_store *store, const struct key_store_item *item, uint64_t *version);
	void (*destroy)(struct key_store *store);
};

/* The head of every store. */
struct key_store {
	const struct key_store_ops *ops;
	char why[KEY_STORE_WHY_MAX];
};

/* How a store is opened. */
struct key_store_options {
	const struct config *config; /* borrows */
	struct redis_shared *redis;  /* borrows; NULL = there is no Redis */
	struct loop *loop;           /* of the store's thread, which runs it between calls; borrows */
	unsigned wait_ms;            /* how long a call may wait */
	bool creates;                /* an SQLite file that is not there may be made at any time */
};

/* Opens the store of the configuration, which has one. It need not answer yet. NULL: out of memory. */
struct key_store *key_store_create(const struct key_store_options *options);
/* NULL is harmless. */
void key_store_destroy(struct key_store *store);

/*
 * Visits the records that changed after the version `since`, 0: all of them, some perhaps twice. *version: what has
 * been seen; less than since: the store went back in time, and nothing was visited. False: it does not answer.
 */
bool key_store_read(struct key_store *store, uint64_t since, key_store_visit visit, void *context, uint64_t *version);

/* Stores a record; item->version is that of the record it replaces, 0: it is new. *version: that of the new record. */
enum key_store_put key_store_put(struct key_store *store, const struct key_store_item *item, uint64_t *version);

/* Says in words why the last call failed. */
const char *key_store_why(const struct key_store *store);

/* One of each kind; key_store_create() chooses. */
struct key_store *key_store_sqlite_create(const struct key_store_options *options);
struct key_store *key_store_redis_create(const struct key_store_options *options);

#endif
