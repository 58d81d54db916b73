/* SPDX-License-Identifier: MIT */
/*
 * Where the record of use is kept.
 *
 *   store_sqlite.c  a table of an SQLite database, in a file or in memory; several processes may add to one file
 *   store_redis.c   hashes of a Redis server or cluster, for all replicas
 *
 * Calls wait for files or for Redis: no loop of a worker may make them. A store is one thread's.
 */
#ifndef SLUICE_SERVICE_USAGE_STORE_H
#define SLUICE_SERVICE_USAGE_STORE_H

#include "service/usage/table.h"

enum {
	USAGE_MEMORY_ROWS = 100000,      /* kept without a file, at most */
	USAGE_FILE_ROWS = 10000000,      /* in a file */
	USAGE_REDIS_DAY_ROWS = 20000,    /* of one day in Redis */
	USAGE_REDIS_FOUND_ROWS = 200000, /* that a question to Redis may find */
	USAGE_STORE_WHY_MAX = 256
};

struct loop;
struct redis_shared;
struct usage_store;

/* The columns that identify a row, in their order. */
enum usage_dimension { USAGE_DAY, USAGE_KEY, USAGE_TENANT, USAGE_MODEL, USAGE_TARGET, USAGE_DIMENSIONS };

/* The values of a row by dimension; {NULL,0} = that dimension is summed up. Of the day: its number. */
struct usage_place {
	int64_t day;
	struct span of[USAGE_DIMENSIONS];
};

/* Which rows are wanted. */
struct usage_filter {
	uint32_t from, to; /* days, both included */
	struct span
	    only[USAGE_DIMENSIONS]; /* that value; {NULL,0} = any; of USAGE_TENANT also those below; not of the day */
	unsigned by;                /* bits of dimensions; others are summed up */
	bool after;                 /* only rows behind that place, in all dimensions of by */
	struct usage_place place;
	uint64_t limit; /* rows, at most */
};

struct usage_found {
	struct usage_place place; /* texts live during the visit */
	struct usage_counts counts;
};
typedef void (*usage_visit)(void *context, const struct usage_found *found);

struct usage_store_ops {
	bool (*add)(struct usage_store *store, struct usage_table *table);
	bool (*expire)(struct usage_store *store, uint32_t day);
	bool (*find)(struct usage_store *store, const struct usage_filter *filter, usage_visit visit, void *context,
		     bool *more);
	void (*destroy)(struct usage_store *store);
};

/* The head of every store. */
struct usage_store {
	const struct usage_store_ops *ops;
	uint64_t rows, waiting;
	char why[USAGE_STORE_WHY_MAX];
};

/* path: of the file, which is made when it is first needed; borrowed. NULL = memory. most: rows of keys with one of
 * their own. wait_ms: for the lock of another process. NULL: out of memory. */
struct usage_store *usage_store_sqlite_create(const char *path, uint64_t most, int wait_ms);

/* How a store in Redis is opened. */
struct usage_redis_options {
	struct redis_shared *redis; /* borrows */
	struct loop *loop;          /* of the store's thread; it is turned during calls; borrows */
	const char *prefix;         /* of names in Redis; copied */
	uint64_t most;              /* rows of one day with a key of their own */
	uint64_t found_most;        /* rows that one question may find */
	unsigned wait_ms;           /* for Redis, each time that it is asked */
};

/* Redis need not answer yet. NULL: out of memory or descriptors. */
struct usage_store *usage_store_redis_create(const struct usage_redis_options *options);

/* NULL is harmless. */
void usage_store_destroy(struct usage_store *store);

/*
 * Adds all rows of the table, and what waits. Takes them out of the table once they are stored, or once only the store
 * can know whether they are: then they wait in it for the next call, and count once whatever became of the first one.
 * False: not all is stored.
 */
bool usage_store_add(struct usage_store *store, struct usage_table *table);

/* Returns how many rows wait in the store. */
uint64_t usage_store_waiting(const struct usage_store *store);

/* Removes days before that one. False: it failed. */
bool usage_store_expire(struct usage_store *store, uint32_t day);

/* Visits rows in the order of their dimensions. *more: there are more behind them. False: the store does not
 * answer, or finds more than it can sum up. */
bool usage_store_find(struct usage_store *store, const struct usage_filter *filter, usage_visit visit, void *context,
		      bool *more);

/* Returns how many rows it has, about: other processes may add some. */
uint64_t usage_store_rows(const struct usage_store *store);

/* Says in words why the last call failed. */
const char *usage_store_why(const struct usage_store *store);

#endif
