/* SPDX-License-Identifier: MIT */
/* The table of the service's metrics; metrics.h holds the contract. */
#include "schemas/metrics.h"

#include "lib/log.h"
#include "lib/process.h"

enum label {
#define METRICS_LABEL(symbol, name, values, help) LABEL_##symbol,
#include "schemas/metrics.def"
#undef METRICS_LABEL
	LABEL_COUNT
};

static const struct metrics_row rows[METRIC_COUNT] = {
#define METRIC(symbol_, type_, name_, unit_, label1_, label2_, label3_, help_) \
	[METRIC_##symbol_] = {                                                 \
	    .type = METRICS_##type_,                                           \
	    .name = (name_),                                                   \
	    .unit = (unit_),                                                   \
	    .labels = {LABEL_##label1_, LABEL_##label2_, LABEL_##label3_},     \
	    .help = (help_),                                                   \
	},
#include "schemas/metrics.def"
#undef METRIC
};

/* ---- the values of labels, in the order of their enums ---- */

static const char *const no_names[] = {""};
static const char *const version_names[] = {SLUICE_VERSION};
static const char *const token_names[] = {"prompt", "completion"};
static const char *const attempt_names[] = {"first", "retry", "fallback", "hedge", "resume"};
static const char *const resume_names[] = {"joined", "diverged", "failed"};
static const char *const cache_names[] = {"hit", "stale", "miss", "partial", "collapsed", "bypass"};
static const char *const input_names[] = {"hit", "stale", "miss", "repeated"};
static const char *const remote_names[] = {"hit", "miss", "silent", "corrupt", "stored", "not_stored"};
static const char *const lease_names[] = {"mine", "taken", "answered", "silent", "lost"};
static const char *const kept_names[] = {"stored", "too_large", "unfinished", "stand_in",
					 "form",   "no_memory", "purged"};
static const char *const handshake_names[] = {"done", "failed"};
static const char *const probe_names[] = {"alive", "dead"};
static const char *const balance_names[] = {"healthy", "panic"};
static const char *const skip_names[] = {"unhealthy", "load"};
static const char *const redis_result_names[] = {"ok", "error", "timeout", "lost", "refused"};
static const char *const redis_kind_names[] = {"read", "write", "script"};
static const char *const offload_names[] = {"decode", "keep",   "merge",  "vote",    "metrics",
					    "gunzip", "answer", "recast", "inflate", "translate"};
static const char *key_names[METRICS_KEYS_MOST + 2] = {[METRICS_KEYS_OTHER] = "other", [METRICS_KEYS_TOKEN] = "token"};
static const char *const wait_end_names[] = {"full", "timeout", "displaced", "left"};

#define ERROR(symbol, scope, status, type, code, retryable, blame, text) [ERROR_##symbol] = (code),
static const char *const code_names[ERROR_COUNT] = {
    [ERROR_NONE] = "200",
#include "lib/errors.def"
};
static const char *const outcome_names[ERROR_COUNT] = {
    [ERROR_NONE] = "ok",
#include "lib/errors.def"
};
static const char *const error_names[ERROR_COUNT] = {
    [ERROR_NONE] = NULL,
#include "lib/errors.def"
};
#undef ERROR

#define VALUES(list) .values = list##_names, .count = sizeof(list##_names) / sizeof(list##_names[0])
#define GIVEN .given = true

static const struct metrics_label labels[LABEL_COUNT] = {
#define METRICS_LABEL(symbol_, name_, values_, help_) [LABEL_##symbol_] = {.name = (name_), .help = (help_), values_},
#include "schemas/metrics.def"
#undef METRICS_LABEL
};
_Static_assert((int)LABEL_NONE == (int)METRICS_NO_LABEL, "the label that stands for none comes first");

static bool read_of_process(unsigned metric, double *value)
{
	switch (metric) {
	case METRIC_INFO:
		*value = 1;
		return true;
	case METRIC_LOG_DROPPED:
		*value = (double)log_dropped();
		return true;
	case METRIC_PROCESS_CPU:
		return process_cpu_seconds(value);
	case METRIC_PROCESS_MEMORY:
		return process_resident_bytes(value);
	case METRIC_PROCESS_FDS:
		return process_open_fds(value);
	case METRIC_PROCESS_MAX_FDS:
		return process_max_fds(value);
	case METRIC_PROCESS_START:
		return process_start_seconds(value);
	default:
		return false;
	}
}

static const struct metrics_table table = {
    .rows = rows, .count = METRIC_COUNT, .labels = labels, .label_count = LABEL_COUNT, .read = read_of_process};

void metrics_name_key(uint32_t number, const char *text)
{
	if (number < METRICS_KEYS_MOST)
		__atomic_store_n(&key_names[number], text, __ATOMIC_RELEASE);
}

const char *metrics_cache_name(enum metrics_cache cache)
{
	return cache_names[cache];
}

enum { GIVEN_LABELS = 6 };

static void list_given(const struct metrics_names *names, struct metrics_given given[GIVEN_LABELS])
{
	given[0] = (struct metrics_given){LABEL_MODEL, names->models, names->model_count};
	given[1] = (struct metrics_given){LABEL_BACKEND, names->backends, names->backend_count};
	given[2] = (struct metrics_given){LABEL_ENDPOINT, names->endpoints, names->endpoint_count};
	given[3] = (struct metrics_given){LABEL_TARGET, names->targets, names->target_count};
	given[4] = (struct metrics_given){LABEL_BREAKER, names->breakers, names->breaker_count};
	given[5] = (struct metrics_given){LABEL_REFUSAL, names->refusals, names->refusal_count};
}

bool metrics_setup(unsigned workers, const struct metrics_names *names)
{
	struct metrics_given given[GIVEN_LABELS];
	list_given(names, given);
	return metrics_setup_table(&table, workers, given, GIVEN_LABELS);
}

bool metrics_take_over(const struct metrics_names *names)
{
	struct metrics_given given[GIVEN_LABELS];
	list_given(names, given);
	return metrics_take_over_given(given, GIVEN_LABELS);
}

void metrics_describe(struct buf *out)
{
	metrics_describe_table(&table, out);
}
