/* SPDX-License-Identifier: MIT */
/* Finding the row of a field table by a member's name without looking at all rows. */
#ifndef SLUICE_SCHEMAS_FIELD_INDEX_H
#define SLUICE_SCHEMAS_FIELD_INDEX_H

#include <stdatomic.h>

#include "lib/span.h"

struct field;
struct field_table;

enum { FIELD_INDEX_SLOTS = 128 }; /* a power of two, twice the rows of the largest table */

/* Of one table, made when it is first used. Zeroed before. Threads may share it. */
struct field_index {
	atomic_int state;
	unsigned char slots[FIELD_INDEX_SLOTS]; /* row + 1; 0 = free */
};

/* The row of that name, or NULL. */
const struct field *field_index_find(const struct field_table *table, struct span name);

#endif
