/* SPDX-License-Identifier: MIT */
/* What metrics.c and metrics_text.c share; nobody else includes it. */
#ifndef SLUICE_LIB_METRICS_INTERNAL_H
#define SLUICE_LIB_METRICS_INTERNAL_H

#include "lib/metrics.h"

/* Returns the table in use; NULL before set-up. */
const struct metrics_table *metrics_in_use(void);

/* How many values a label has in the latest generation: of given ones one more than were given, for METRICS_UNKNOWN. */
uint32_t metrics_label_values(unsigned label);
/* The text of a value, "" for METRICS_UNKNOWN; NULL when it is never printed. */
const char *metrics_label_text(unsigned label, uint32_t value);

/* Nobody takes over and nothing is retired in between. */
void metrics_lock(void);
void metrics_unlock(void);

/* The sum of one cell of a series over all workers and generations; locked. cell: 0, or of a histogram's. */
uint64_t metrics_cell_sum(unsigned metric, const uint32_t values[3], uint32_t cell);
/* As metrics_sum(); locked. */
uint64_t metrics_series_sum(unsigned metric, const uint32_t values[3]);

/* Reads a READ_… metric, of the process or by the reader; false when there is no value. */
bool metrics_read(unsigned metric, const uint32_t values[3], double *value);

#endif
