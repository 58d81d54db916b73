/* SPDX-License-Identifier: MIT */
/* Rows of use that are summed up by the dimensions of a question, for stores that cannot sum up themselves. One
 * thread's. */
#ifndef SLUICE_SERVICE_USAGE_SUMS_H
#define SLUICE_SERVICE_USAGE_SUMS_H

#include "lib/buf.h"
#include "service/usage/store.h"

enum { USAGE_SUMS_NAME_MAX = 1 << 16 };

struct usage_sums {
	const struct usage_filter *filter; /* borrowed */
	struct usage_table rows;           /* their keys are the values of a row by dimension */
	struct buf name;                   /* of the row that is added */
	uint64_t most;
};

/* filter: borrows. most: rows that it may have. */
void usage_sums_init(struct usage_sums *sums, const struct usage_filter *filter, uint64_t most);
void usage_sums_fini(struct usage_sums *sums);

enum usage_sums_added { USAGE_SUMS_ADDED, USAGE_SUMS_FULL, USAGE_SUMS_NO_MEMORY };

/* Adds a row, which has all dimensions, unless the filter leaves it out. */
enum usage_sums_added usage_sums_add(struct usage_sums *sums, const struct usage_found *row);

/* Returns whether it has all rows that are wanted, given that the rows of all days up to that one were added. */
bool usage_sums_is_complete(const struct usage_sums *sums);

/* Visits the rows in the order of their dimensions, as many as the filter wants. *more: there are more. False: out of
 * memory. */
bool usage_sums_visit(const struct usage_sums *sums, usage_visit visit, void *context, bool *more);

#endif
