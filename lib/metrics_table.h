/* SPDX-License-Identifier: MIT */
/* What metrics.c, metrics_text.c and metrics_process.c share; nobody else includes it. */
#ifndef SLUICE_LIB_METRICS_TABLE_H
#define SLUICE_LIB_METRICS_TABLE_H

#include "lib/metrics.h"

enum metrics_type {
	METRICS_COUNTER,
	METRICS_GAUGE,
	METRICS_HISTOGRAM,
	METRICS_READ_COUNTER,
	METRICS_READ_GAUGE,
};

enum metrics_label {
#define METRICS_LABEL(symbol, name, help) METRICS_LABEL_##symbol,
#include "lib/metrics.def"
#undef METRICS_LABEL
	METRICS_LABEL_COUNT
};

struct metrics_row {
	enum metrics_type type;
	const char *name;
	const char *unit; /* "" = a number of things */
	enum metrics_label labels[3];
	const char *help;
};

struct metrics_label_row {
	const char *name;
	const char *help;
};

extern const struct metrics_row metrics_rows[METRIC_COUNT];
extern const struct metrics_label_row metrics_label_rows[METRICS_LABEL_COUNT];

/* How many values a label has: 1 for NONE. Of names one more than were given, for METRICS_UNKNOWN. */
uint32_t metrics_label_values(enum metrics_label label);
/* The text of a value, "" for METRICS_UNKNOWN; NULL when it is never printed. */
const char *metrics_label_text(enum metrics_label label, uint32_t value);

/* The cells of a series begin here, in every worker. */
uint32_t metrics_series(enum metric metric, uint32_t a, uint32_t b, uint32_t c);
/* The sum of one cell over all workers. */
uint64_t metrics_cell_sum(uint32_t index);

/* The value of a READ_… metric; false when the system does not tell. */
bool metrics_read(enum metric metric, double *value);

/* The same of those that the reader knows. */
bool metrics_ask_reader(enum metric metric, const uint32_t values[3], double *value);

#endif
