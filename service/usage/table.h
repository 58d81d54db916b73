/* SPDX-License-Identifier: MIT */
/*
 * Counts of use by day, key, tenant, model and target: a hash table with a bound. When it is full, what belongs to a
 * key that has no row yet is counted under the key USAGE_OTHER, so that sums stay right. One thread's at a time.
 */
#ifndef SLUICE_SERVICE_USAGE_TABLE_H
#define SLUICE_SERVICE_USAGE_TABLE_H

#include <stdint.h>

#include "lib/span.h"

/* The key of what is counted together for want of room; its tenant is empty. No key can be called so. */
#define USAGE_OTHER "(other)"

/* What is counted. */
enum usage_unit {
	USAGE_REQUESTS,
	USAGE_CALLS,       /* of backends */
	USAGE_ESTIMATED,   /* of these, those whose usage was not told */
	USAGE_INPUT,       /* tokens in all */
	USAGE_CACHE_READ,  /* of these */
	USAGE_CACHE_WRITE, /* of these */
	USAGE_OUTPUT,
	USAGE_SPEND, /* billionths of a dollar */
	USAGE_UNITS
};

struct usage_counts {
	uint64_t of[USAGE_UNITS];
};

/* Who used what. */
struct usage_subject {
	uint32_t day;            /* since 1970-01-01, UTC */
	uint64_t hash;           /* of key and tenant: usage_hash() */
	struct span key, tenant; /* id of the key; empty = nobody was asked for one */
	const char *model;       /* names of the configuration: the same name by the same pointer; NULL = none */
	const char *target;
};

struct usage_row {
	struct usage_subject subject;
	struct usage_counts counts;
	char text[]; /* of the key and the tenant */
};

struct usage_table {
	struct usage_row **slots; /* NULL = empty */
	size_t size;              /* of slots: a power of 2, or 0 */
	size_t count;             /* rows */
	size_t most;              /* rows, besides those of USAGE_OTHER */
};

/* Returns the hash of who pays. */
uint64_t usage_hash(struct span key, struct span tenant);

/* Starts empty; allocates nothing. most: rows of keys that have one of their own. */
void usage_table_init(struct usage_table *table, size_t most);
/* Frees all rows; the table is empty and usable again. */
void usage_table_fini(struct usage_table *table);

/* Adds counts. subject: texts are copied, names are borrowed for the life of the table. False: out of memory, nothing
 * was counted. */
bool usage_table_add(struct usage_table *table, const struct usage_subject *subject, const struct usage_counts *counts);

#endif
