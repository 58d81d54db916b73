/* SPDX-License-Identifier: MIT */
/*
 * The metrics of the service: metrics.def declares them and their labels, the enums below are the values of labels.
 * lib/metrics.h says how they are counted. The values of labels are for counting only: code that decides has enums of
 * its own.
 */
#ifndef SLUICE_SCHEMAS_METRICS_H
#define SLUICE_SCHEMAS_METRICS_H

#include "lib/errors.h"
#include "lib/metrics.h"

enum metric {
#define METRIC(symbol, type, name, unit, label1, label2, label3, help) METRIC_##symbol,
#include "schemas/metrics.def"
#undef METRIC
	METRIC_COUNT
};

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
	METRICS_OFFLOAD_INFLATE,
	METRICS_OFFLOAD_TRANSLATE
};
enum metrics_wait_end { METRICS_WAIT_FULL, METRICS_WAIT_TIMEOUT, METRICS_WAIT_DISPLACED, METRICS_WAIT_LEFT };
enum metrics_balance { METRICS_BALANCE_HEALTHY, METRICS_BALANCE_PANIC };
enum metrics_skip { METRICS_SKIP_UNHEALTHY, METRICS_SKIP_LOAD };
enum metrics_handshake { METRICS_HANDSHAKE_DONE, METRICS_HANDSHAKE_FAILED };
enum metrics_probe { METRICS_PROBE_ALIVE, METRICS_PROBE_DEAD };

/* Values of the label `key`: numbers of keys, then two more. */
enum { METRICS_KEYS_MOST = 1000, METRICS_KEYS_OTHER = METRICS_KEYS_MOST, METRICS_KEYS_TOKEN };

/* Names a key from now on, or has it printed no more (NULL). Any thread. text: borrows, until it has another one. */
void metrics_name_key(uint32_t number, const char *text);

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

/* Sets the service's metrics up; as metrics_setup_table(). Ended by metrics_teardown(). */
bool metrics_setup(unsigned workers, const struct metrics_names *names);
/* Begins a generation for the names of another configuration; as metrics_take_over_given(). */
bool metrics_take_over(const struct metrics_names *names);

/* Appends the reference of all metrics as Markdown (sluice --describe metrics). */
void metrics_describe(struct buf *out);

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
