/* SPDX-License-Identifier: MIT */
/*
 * Where the record of use is kept: a table of an SQLite database, in a file or in memory. Calls wait for files: no loop
 * of a worker may make them. A store is one thread's; several processes may add to one file.
 */
#ifndef SLUICE_SERVICE_USAGE_STORE_H
#define SLUICE_SERVICE_USAGE_STORE_H

#include "service/usage/table.h"

enum {
	USAGE_MEMORY_ROWS = 100000, /* kept without a file, at most */
	USAGE_FILE_ROWS = 10000000, /* in a file */
	USAGE_STORE_WHY_MAX = 256
};

struct usage_store;

/* path: of the file, which is made when it is first needed; borrowed. NULL = memory. most: rows of keys with one of
 * their own. wait_ms: for the lock of another process. NULL: out of memory. */
struct usage_store *usage_store_create(const char *path, uint64_t most, int wait_ms);
/* NULL is harmless. */
void usage_store_destroy(struct usage_store *store);

/* Adds all rows in one transaction. False: none was added. */
bool usage_store_add(struct usage_store *store, const struct usage_table *table);

/* Removes days before that one. False: it failed. */
bool usage_store_expire(struct usage_store *store, uint32_t day);

/* What rows are told apart by, in the order of columns. */
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

/* Visits rows in the order of their dimensions. *more: there are more behind them. False: the store does not answer. */
bool usage_store_find(struct usage_store *store, const struct usage_filter *filter, usage_visit visit, void *context,
		      bool *more);

/* Returns how many rows it has, about: other processes may add some. */
uint64_t usage_store_rows(const struct usage_store *store);

/* Says in words why the last call failed. */
const char *usage_store_why(const struct usage_store *store);

#endif
