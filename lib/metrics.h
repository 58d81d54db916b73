/* SPDX-License-Identifier: MIT */
/*
 * Metrics: one table, cells per worker, summed when read.
 *
 * A worker asks for its cells once and counts in them without locks and without
 * sharing: a count is a table look-up, a load and a store. Labels are small
 * numbers: the index of a value in the label's list.
 *
 *   metrics_count(cells, METRIC_REQUESTS, model, ENDPOINT_CHAT, ERROR_NONE);
 *   metrics_add(cells, prompt_tokens, METRIC_TOKENS, model, METRICS_TOKENS_PROMPT);
 *   metrics_move(cells, +1, METRIC_EXCHANGES);   … later: metrics_move(cells, -1, METRIC_EXCHANGES);
 *   metrics_observe(cells, elapsed_us, METRIC_REQUEST_DURATION, ENDPOINT_CHAT);
 *
 * There must be as many labels as the metric's row has (asserted). With cells
 * that are NULL nothing is counted, so code under test needs no set-up.
 *
 * A count belongs to the names of its labels' values. A given label has other values, in another order, when another
 * configuration takes over: then there is another generation of cells, which numbers them anew. Reading adds what all
 * generations counted under the same names, in the order of the latest; a retired one leaves its counts to that. So an
 * index lives no longer than its generation, and counting costs what an index into an array does. What lives as long
 * as the process counts in cells of generation 0, which knows no values of given labels.
 */
#ifndef SLUICE_LIB_METRICS_H
#define SLUICE_LIB_METRICS_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"

enum metrics_type {
	METRICS_COUNTER,
	METRICS_GAUGE,
	METRICS_HISTOGRAM,
	METRICS_READ_COUNTER,
	METRICS_READ_GAUGE,
};

/* A label. Its values are a bounded set, known at set-up. */
struct metrics_label {
	const char *name;
	const char *help;
	const char *const *values; /* NULL among them: not printed. A text may take the place of NULL at any time */
	uint32_t count;
	bool given; /* set-up names the values; there is one more, METRICS_UNKNOWN */
};

enum { METRICS_LABELS_MOST = 3, METRICS_NO_LABEL = 0 /* the index of the label that stands for none */ };

struct metrics_row {
	enum metrics_type type;
	const char *name;
	const char *unit; /* "" = a number of things */
	unsigned labels[METRICS_LABELS_MOST];
	const char *help;
};

/* All metrics of a program. A metric and a label are known by their indexes. */
struct metrics_table {
	const struct metrics_row *rows;
	unsigned count;
	const struct metrics_label *labels;
	unsigned label_count;
	/* Reads a READ_… metric of the process; false when there is no value. */
	bool (*read)(unsigned metric, double *value);
};

/* A value of a given label that is not known (yet): printed as an empty one. */
#define METRICS_UNKNOWN UINT32_MAX

/* Where a metric's cells are. */
struct metrics_place {
	uint32_t offset;
	uint32_t stride[3]; /* cells from one value of a label to the next */
	uint32_t last[3];   /* the last value of a label; what is beyond it counts as it */
	unsigned labels;
};

struct metrics_cells {
	const struct metrics_place *places; /* by metric */
	_Atomic uint64_t *values;
};

/* The values of a given label. */
struct metrics_given {
	unsigned label;
	const char *const *names;
	size_t count;
};

/*
 * Who knows the values of READ_… metrics that are not the system's; asked by any thread that writes the metrics.
 * values: of the metric's labels. False = there is no such value.
 */
struct metrics_reader {
	bool (*read)(void *context, unsigned metric, const uint32_t values[3], double *value);
	void *context;
};

/*
 * Once, before threads. table: stays until teardown. workers: sets of cells, besides one for the control thread. given:
 * borrows during the call; makes generation 1. False when out of memory.
 */
bool metrics_setup_table(const struct metrics_table *table, unsigned workers, const struct metrics_given *given,
			 size_t given_count);
/* When no thread counts any more. Also forgets the reader. */
void metrics_teardown(void);

/*
 * Another configuration takes over: begins a generation with those values, which is the latest. Cells of earlier ones
 * may be counted in until they are retired. READ_… metrics are read by the latest values from here on. Control thread
 * only. False when out of memory; then nothing has changed.
 */
bool metrics_take_over_given(const struct metrics_given *given, size_t given_count);
/* The number of the latest generation; 0 before set-up. */
unsigned metrics_generation(void);
/*
 * Retires a generation, neither 0 nor the latest, in whose cells no thread counts any more: what it counted under names
 * that the latest knows stays, the rest is forgotten. Control thread only.
 */
void metrics_retire(unsigned generation);

/* After set-up, before threads. */
void metrics_set_reader(struct metrics_reader reader);

/*
 * The cells of a worker, 0 to workers-1, or of the control thread (workers), in the latest generation;
 * NULL before set-up and for others. Only one thread may count in them.
 */
struct metrics_cells *metrics_cells_of(unsigned worker);
/* The same in generation 0, for what outlives configurations and counts by no given label. */
struct metrics_cells *metrics_cells_of_process(unsigned worker);

/* Appends all of it in the Prometheus text format 0.0.4. Any thread, any time after set-up. */
void metrics_write_prometheus(struct buf *out);

/* Appends the reference of all metrics as Markdown. */
void metrics_describe_table(const struct metrics_table *table, struct buf *out);

/* The sum of one series over all workers and generations, by values of the latest: for tests and admin. Of a
 * histogram: how many were observed. */
uint64_t metrics_sum(unsigned metric, uint32_t a, uint32_t b, uint32_t c);

/* Upper bounds of histogram buckets in microseconds, ascending, without the infinite one. */
enum { METRICS_BUCKETS = 17 };
extern const uint64_t metrics_bounds[METRICS_BUCKETS];

static inline uint32_t metrics_index(const struct metrics_place *place, uint32_t a, uint32_t b, uint32_t c)
{
	return place->offset + (a < place->last[0] ? a : place->last[0]) * place->stride[0] +
	       (b < place->last[1] ? b : place->last[1]) * place->stride[1] +
	       (c < place->last[2] ? c : place->last[2]) * place->stride[2];
}

/* Only its own worker writes a cell: no locked instruction is needed. */
static inline void metrics_bump(_Atomic uint64_t *cell, uint64_t by)
{
	atomic_store_explicit(cell, atomic_load_explicit(cell, memory_order_relaxed) + by, memory_order_relaxed);
}

static inline void metrics_add_at(struct metrics_cells *cells, uint64_t by, unsigned metric, unsigned labels,
				  uint32_t a, uint32_t b, uint32_t c)
{
	if (cells == NULL)
		return;
	const struct metrics_place *place = &cells->places[metric];
	assert(place->labels == labels);
	(void)labels;
	metrics_bump(&cells->values[metrics_index(place, a, b, c)], by);
}

/* A histogram's series: METRICS_BUCKETS + 1 cells, not cumulative, then the sum in microseconds. */
static inline void metrics_observe_at(struct metrics_cells *cells, uint64_t microseconds, unsigned metric,
				      unsigned labels, uint32_t a)
{
	if (cells == NULL)
		return;
	const struct metrics_place *place = &cells->places[metric];
	assert(place->labels == labels);
	(void)labels;
	_Atomic uint64_t *series = &cells->values[metrics_index(place, a, 0, 0)];
	unsigned bucket = 0;
	while (bucket < METRICS_BUCKETS && microseconds > metrics_bounds[bucket])
		bucket++;
	metrics_bump(&series[bucket], 1);
	metrics_bump(&series[METRICS_BUCKETS + 1], microseconds);
}

/* The macros below pass a metric and its labels on to these, by their number. */
#define metrics_add0(cells, by, metric) metrics_add_at(cells, by, metric, 0, 0, 0, 0)
#define metrics_add1(cells, by, metric, a) metrics_add_at(cells, by, metric, 1, (uint32_t)(a), 0, 0)
#define metrics_add2(cells, by, metric, a, b) metrics_add_at(cells, by, metric, 2, (uint32_t)(a), (uint32_t)(b), 0)
#define metrics_add3(cells, by, metric, a, b, c) \
	metrics_add_at(cells, by, metric, 3, (uint32_t)(a), (uint32_t)(b), (uint32_t)(c))
#define METRICS_PICK(metric, a, b, c, name, ...) name

/* COUNTER: metrics_add(cells, by, metric, labels…). */
#define metrics_add(cells, by, ...)                                                          \
	METRICS_PICK(__VA_ARGS__, metrics_add3, metrics_add2, metrics_add1, metrics_add0, 0) \
	(cells, (uint64_t)(by), __VA_ARGS__)

/* COUNTER: one more. metrics_count(cells, metric, labels…). */
#define metrics_count(cells, ...) metrics_add(cells, 1, __VA_ARGS__)

/* GAUGE: up or down. metrics_move(cells, by, metric, labels…); another worker may take back what this one added. */
#define metrics_move(cells, by, ...) metrics_add(cells, (int64_t)(by), __VA_ARGS__)

/* HISTOGRAM, of one label. metrics_observe(cells, microseconds, metric, label). */
#define metrics_observe(cells, microseconds, metric, label) \
	metrics_observe_at(cells, microseconds, metric, 1, (uint32_t)(label))

/* HISTOGRAM without a label. */
#define metrics_observe_alone(cells, microseconds, metric) metrics_observe_at(cells, microseconds, metric, 0, 0)

#endif
