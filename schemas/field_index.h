/* SPDX-License-Identifier: MIT */
/* Finding the row of a field table by a member's name without looking at all rows. */
#ifndef SLUICE_SCHEMAS_FIELD_INDEX_H
#define SLUICE_SCHEMAS_FIELD_INDEX_H

#include <stdatomic.h>
#include <stdint.h>

#include "lib/span.h"

struct field;
struct field_table;

enum { FIELD_INDEX_SLOTS = 128 }; /* a power of two, twice the rows of the largest table */

/* Of one table, made when it is first used. Zeroed before. Threads may share it. */
struct field_index {
	atomic_int state;
	uint64_t required;                        /* bit per row: its member must be there */
	uint64_t excluding;                       /* bit per row: its member must not be beside another one */
	unsigned char slots[FIELD_INDEX_SLOTS];   /* row + 1; 0 = free */
	unsigned char lengths[FIELD_INDEX_SLOTS]; /* bytes of the row's name; 0: 256 or more */
};

/* The table's index, NULL when there is none (yet). */
const struct field_index *field_index_of(const struct field_table *table);

/* The row of that name, or NULL. */
const struct field *field_index_find(const struct field_table *table, struct span name);

#endif
