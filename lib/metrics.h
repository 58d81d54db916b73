/* SPDX-License-Identifier: MIT */
/*
 * Metrics: one table (metrics.def), cells per worker, summed when read.
 *
 * A worker asks for its cells once and counts in them without locks and without
 * sharing: a count is a table look-up, a load and a store. Labels are small
 * numbers: the index of a model, backend or endpoint in what metrics_setup()
 * was given, an error_code, or one of the enums below.
 *
 *   metrics_count(cells, METRIC_REQUESTS, model, ENDPOINT_CHAT, ERROR_NONE);
 *   metrics_add(cells, prompt_tokens, METRIC_TOKENS, model, METRICS_TOKENS_PROMPT);
 *   metrics_move(cells, +1, METRIC_EXCHANGES);   … later: metrics_move(cells, -1, METRIC_EXCHANGES);
 *   metrics_observe(cells, elapsed_us, METRIC_REQUEST_DURATION, ENDPOINT_CHAT);
 *
 * There must be as many labels as the metric's row has (asserted). With cells
 * that are NULL nothing is counted, so code under test needs no set-up.
 */
#ifndef SLUICE_LIB_METRICS_H
#define SLUICE_LIB_METRICS_H

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/errors.h"

enum metric {
#define METRIC(symbol, type, name, unit, label1, label2, label3, help) METRIC_##symbol,
#include "lib/metrics.def"
#undef METRIC
	METRIC_COUNT
};

/* A model, backend or endpoint that is not known (yet): printed with an empty label. */
#define METRICS_UNKNOWN UINT32_MAX

enum metrics_tokens { METRICS_TOKENS_PROMPT, METRICS_TOKENS_COMPLETION };
enum metrics_attempt {
	METRICS_ATTEMPT_FIRST,
	METRICS_ATTEMPT_RETRY,
	METRICS_ATTEMPT_FALLBACK,
	METRICS_ATTEMPT_HEDGE,
	METRICS_ATTEMPT_RESUME
};

enum metrics_resume { METRICS_RESUME_JOINED, METRICS_RESUME_DIVERGED, METRICS_RESUME_FAILED };
/* What the cache had to do with an answer. */
enum metrics_cache {
	METRICS_CACHE_HIT,
	METRICS_CACHE_STALE,
	METRICS_CACHE_MISS,
	METRICS_CACHE_PARTIAL,
	METRICS_CACHE_COLLAPSED,
	METRICS_CACHE_BYPASS
};

/* As logs and metrics say it. */
const char *metrics_cache_name(enum metrics_cache cache);

/* What became of an input of embeddings. */
enum metrics_input { METRICS_INPUT_HIT, METRICS_INPUT_STALE, METRICS_INPUT_MISS, METRICS_INPUT_REPEATED };

/* Whether a complete answer was kept. */
enum metrics_kept {
	METRICS_KEPT_YES,
	METRICS_KEPT_TOO_LARGE,
	METRICS_KEPT_UNFINISHED,
	METRICS_KEPT_STAND_IN,
	METRICS_KEPT_FORM,
	METRICS_KEPT_NO_MEMORY,
	METRICS_KEPT_PURGED
};

/* What Redis had to do with a kept answer. */
enum metrics_remote {
	METRICS_REMOTE_HIT,
	METRICS_REMOTE_MISS,
	METRICS_REMOTE_SILENT,
	METRICS_REMOTE_CORRUPT,
	METRICS_REMOTE_STORED,
	METRICS_REMOTE_NOT_STORED
};

/* Who among the replicas asks the backend. */
enum metrics_lease {
	METRICS_LEASE_MINE,
	METRICS_LEASE_TAKEN,
	METRICS_LEASE_ANSWERED,
	METRICS_LEASE_SILENT,
	METRICS_LEASE_LOST
};
/* What came of a command for Redis. */
enum metrics_redis_result {
	METRICS_REDIS_OK,
	METRICS_REDIS_ERROR,
	METRICS_REDIS_TIMEOUT,
	METRICS_REDIS_LOST,
	METRICS_REDIS_REFUSED
};
enum metrics_redis_kind { METRICS_REDIS_READ, METRICS_REDIS_WRITE, METRICS_REDIS_SCRIPT };

/* Work that helper threads do. */
enum metrics_offload {
	METRICS_OFFLOAD_DECODE,
	METRICS_OFFLOAD_KEEP,
	METRICS_OFFLOAD_MERGE,
	METRICS_OFFLOAD_VOTE,
	METRICS_OFFLOAD_METRICS,
	METRICS_OFFLOAD_GUNZIP,
	METRICS_OFFLOAD_ANSWER,
	METRICS_OFFLOAD_RECAST,
	METRICS_OFFLOAD_INFLATE
};
enum metrics_wait_end { METRICS_WAIT_FULL, METRICS_WAIT_TIMEOUT, METRICS_WAIT_DISPLACED, METRICS_WAIT_LEFT };
enum metrics_balance { METRICS_BALANCE_HEALTHY, METRICS_BALANCE_PANIC };
enum metrics_skip { METRICS_SKIP_UNHEALTHY, METRICS_SKIP_LOAD };
enum metrics_handshake { METRICS_HANDSHAKE_DONE, METRICS_HANDSHAKE_FAILED };
enum metrics_probe { METRICS_PROBE_ALIVE, METRICS_PROBE_DEAD };

/* Where a metric's cells are. */
struct metrics_place {
	uint32_t offset;
	uint32_t stride[3]; /* cells from one value of a label to the next */
	uint32_t last[3];   /* the last value of a label; what is beyond it counts as it */
	unsigned labels;
};

struct metrics_cells {
	const struct metrics_place *places; /* by enum metric */
	_Atomic uint64_t *values;
};

/* What labels may say. Borrows only during the call. */
struct metrics_names {
	const char *const *models;
	size_t model_count;
	const char *const *backends;
	size_t backend_count;
	const char *const *endpoints;
	size_t endpoint_count;
	const char *const *targets;
	size_t target_count;
	const char *const *breakers; /* states */
	size_t breaker_count;
	const char *const *refusals; /* reasons */
	size_t refusal_count;
};

/*
 * Who knows the values of READ_… metrics that are not the system's; asked by any thread that writes the metrics.
 * values: of the metric's labels. False = there is no such value.
 */
struct metrics_reader {
	bool (*read)(void *context, enum metric metric, const uint32_t values[3], double *value);
	void *context;
};

/* Once, before threads. workers: sets of cells, besides one for the control thread. False when out of memory. */
bool metrics_setup(unsigned workers, const struct metrics_names *names);
/* When no thread counts any more. Also forgets the reader. */
void metrics_teardown(void);

/* After set-up, before threads. */
void metrics_set_reader(struct metrics_reader reader);

/*
 * The cells of a worker, 0 to workers-1, or of the control thread (workers);
 * NULL before set-up and for others. Only one thread may count in them.
 */
struct metrics_cells *metrics_cells_of(unsigned worker);

/* Appends all of it in the Prometheus text format 0.0.4. Any thread, any time after set-up. */
void metrics_write_prometheus(struct buf *out);

/* Appends the reference of all metrics as Markdown (sluice --describe metrics). */
void metrics_describe(struct buf *out);

/* The sum of one series over all workers: for tests and admin. Of a histogram: how many were observed. */
uint64_t metrics_sum(enum metric metric, uint32_t a, uint32_t b, uint32_t c);

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

static inline void metrics_add_at(struct metrics_cells *cells, uint64_t by, enum metric metric, unsigned labels,
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
static inline void metrics_observe_at(struct metrics_cells *cells, uint64_t microseconds, enum metric metric,
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

/* What every call to a backend counts. backend: its index. */
static inline void metrics_call_started(struct metrics_cells *cells, size_t backend)
{
	metrics_move(cells, 1, METRIC_CALLS_IN_FLIGHT, backend);
}

static inline void metrics_call_gone(struct metrics_cells *cells, size_t backend)
{
	metrics_move(cells, -1, METRIC_CALLS_IN_FLIGHT, backend);
}

static inline void metrics_call_judged(struct metrics_cells *cells, size_t backend, enum error_code outcome)
{
	metrics_count(cells, METRIC_CALLS, backend, outcome);
}

/* Tokens that a backend told; less than 0 = it did not. */
static inline void metrics_count_tokens(struct metrics_cells *cells, size_t model, int64_t prompt, int64_t completion)
{
	if (prompt > 0)
		metrics_add(cells, prompt, METRIC_TOKENS, model, METRICS_TOKENS_PROMPT);
	if (completion > 0)
		metrics_add(cells, completion, METRIC_TOKENS, model, METRICS_TOKENS_COMPLETION);
}

static inline void metrics_first_content(struct metrics_cells *cells, size_t backend, uint64_t microseconds)
{
	metrics_observe(cells, microseconds, METRIC_CALL_FIRST_CONTENT, backend);
}

#endif
