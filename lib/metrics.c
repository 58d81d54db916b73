/* SPDX-License-Identifier: MIT */
/* The cells and where each series lies in them; metrics.h holds the contract. */
#include "lib/metrics_table.h"

#include <stdlib.h>

enum { METRICS_CELLS_MAX = 1 << 27, METRICS_PADDING = 8 /* cells: keeps workers off each other's cache lines */ };

const struct metrics_row metrics_rows[METRIC_COUNT] = {
#define METRIC(symbol_, type_, name_, unit_, label1_, label2_, label3_, help_)                     \
	[METRIC_##symbol_] = {                                                                     \
	    .type = METRICS_##type_,                                                               \
	    .name = (name_),                                                                       \
	    .unit = (unit_),                                                                       \
	    .labels = {METRICS_LABEL_##label1_, METRICS_LABEL_##label2_, METRICS_LABEL_##label3_}, \
	    .help = (help_),                                                                       \
	},
#include "lib/metrics.def"
#undef METRIC
};

const struct metrics_label_row metrics_label_rows[METRICS_LABEL_COUNT] = {
#define METRICS_LABEL(symbol_, name_, help_) [METRICS_LABEL_##symbol_] = {(name_), (help_)},
#include "lib/metrics.def"
#undef METRICS_LABEL
};

const uint64_t metrics_bounds[METRICS_BUCKETS] = {
    1000,    2500,    5000,    10000,    25000,    50000,    100000,    250000,    500000,
    1000000, 2500000, 5000000, 10000000, 30000000, 60000000, 300000000, 600000000,
};

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
static const char *const offload_names[] = {"decode", "keep",   "merge",  "vote",   "metrics",
					    "gunzip", "answer", "recast", "inflate"};
static const char *const wait_end_names[] = {"full", "timeout", "displaced", "left"};

/* Copies of the names of a label's values. */
struct metrics_name_list {
	char **names;
	uint32_t count;
};

static struct metrics_place places[METRIC_COUNT];
static struct metrics_name_list label_names[METRICS_LABEL_COUNT]; /* of those that metrics_setup is given */
static struct metrics_reader value_reader;
static struct metrics_cells *cells_of;
static unsigned cells_count; /* workers and the control thread */

const char *metrics_cache_name(enum metrics_cache cache)
{
	return cache_names[cache];
}

uint32_t metrics_label_values(enum metrics_label label)
{
	switch (label) {
	case METRICS_LABEL_MODEL:
	case METRICS_LABEL_BACKEND:
	case METRICS_LABEL_ENDPOINT:
	case METRICS_LABEL_TARGET:
	case METRICS_LABEL_BREAKER:
	case METRICS_LABEL_REFUSAL:
		return label_names[label].count + 1;
	case METRICS_LABEL_CODE:
	case METRICS_LABEL_OUTCOME:
	case METRICS_LABEL_ERROR:
		return ERROR_COUNT;
	case METRICS_LABEL_TOKENS:
		return sizeof(token_names) / sizeof(token_names[0]);
	case METRICS_LABEL_ATTEMPT:
		return sizeof(attempt_names) / sizeof(attempt_names[0]);
	case METRICS_LABEL_RESUME:
		return sizeof(resume_names) / sizeof(resume_names[0]);
	case METRICS_LABEL_CACHE:
		return sizeof(cache_names) / sizeof(cache_names[0]);
	case METRICS_LABEL_INPUT:
		return sizeof(input_names) / sizeof(input_names[0]);
	case METRICS_LABEL_KEPT:
		return sizeof(kept_names) / sizeof(kept_names[0]);
	case METRICS_LABEL_REMOTE:
		return sizeof(remote_names) / sizeof(remote_names[0]);
	case METRICS_LABEL_LEASE:
		return sizeof(lease_names) / sizeof(lease_names[0]);
	case METRICS_LABEL_HANDSHAKE:
		return sizeof(handshake_names) / sizeof(handshake_names[0]);
	case METRICS_LABEL_PROBE:
		return sizeof(probe_names) / sizeof(probe_names[0]);
	case METRICS_LABEL_BALANCE:
		return sizeof(balance_names) / sizeof(balance_names[0]);
	case METRICS_LABEL_SKIP:
		return sizeof(skip_names) / sizeof(skip_names[0]);
	case METRICS_LABEL_WAIT_END:
		return sizeof(wait_end_names) / sizeof(wait_end_names[0]);
	case METRICS_LABEL_REDIS_RESULT:
		return sizeof(redis_result_names) / sizeof(redis_result_names[0]);
	case METRICS_LABEL_OFFLOAD:
		return sizeof(offload_names) / sizeof(offload_names[0]);
	case METRICS_LABEL_REDIS_KIND:
		return sizeof(redis_kind_names) / sizeof(redis_kind_names[0]);
	default:
		return 1;
	}
}

static const char *error_text(enum metrics_label label, uint32_t value)
{
	if (value != ERROR_NONE)
		return error_row((enum error_code)value)->code;
	if (label == METRICS_LABEL_CODE)
		return "200";
	return label == METRICS_LABEL_OUTCOME ? "ok" : NULL;
}

const char *metrics_label_text(enum metrics_label label, uint32_t value)
{
	switch (label) {
	case METRICS_LABEL_MODEL:
	case METRICS_LABEL_BACKEND:
	case METRICS_LABEL_ENDPOINT:
	case METRICS_LABEL_TARGET:
	case METRICS_LABEL_BREAKER:
	case METRICS_LABEL_REFUSAL:
		return value < label_names[label].count ? label_names[label].names[value] : "";
	case METRICS_LABEL_CODE:
	case METRICS_LABEL_OUTCOME:
	case METRICS_LABEL_ERROR:
		return error_text(label, value);
	case METRICS_LABEL_TOKENS:
		return token_names[value];
	case METRICS_LABEL_ATTEMPT:
		return attempt_names[value];
	case METRICS_LABEL_RESUME:
		return resume_names[value];
	case METRICS_LABEL_CACHE:
		return cache_names[value];
	case METRICS_LABEL_INPUT:
		return input_names[value];
	case METRICS_LABEL_KEPT:
		return kept_names[value];
	case METRICS_LABEL_REMOTE:
		return remote_names[value];
	case METRICS_LABEL_LEASE:
		return lease_names[value];
	case METRICS_LABEL_HANDSHAKE:
		return handshake_names[value];
	case METRICS_LABEL_PROBE:
		return probe_names[value];
	case METRICS_LABEL_BALANCE:
		return balance_names[value];
	case METRICS_LABEL_SKIP:
		return skip_names[value];
	case METRICS_LABEL_WAIT_END:
		return wait_end_names[value];
	case METRICS_LABEL_REDIS_RESULT:
		return redis_result_names[value];
	case METRICS_LABEL_OFFLOAD:
		return offload_names[value];
	case METRICS_LABEL_REDIS_KIND:
		return redis_kind_names[value];
	case METRICS_LABEL_VERSION:
		return SLUICE_VERSION;
	default:
		return "";
	}
}

static bool copy_names(enum metrics_label label, const char *const *names, size_t count)
{
	struct metrics_name_list *list = &label_names[label];
	if (count >= METRICS_CELLS_MAX)
		return false;
	list->names = calloc(count + 1, sizeof(*list->names));
	if (list->names == NULL)
		return false;
	for (; list->count < count; list->count++) {
		list->names[list->count] = strdup(names[list->count]);
		if (list->names[list->count] == NULL)
			return false;
	}
	return true;
}

/* The cells of one metric, behind the first *total. False when there would be too many. */
static bool lay_out(const struct metrics_row *row, struct metrics_place *place, uint64_t *total)
{
	uint64_t size = row->type == METRICS_HISTOGRAM ? METRICS_BUCKETS + 2 : 1;
	*place = (struct metrics_place){.offset = (uint32_t)*total};
	for (int i = 2; i >= 0; i--) {
		uint32_t values = metrics_label_values(row->labels[i]);
		place->stride[i] = (uint32_t)size;
		place->last[i] = values - 1;
		place->labels += row->labels[i] != METRICS_LABEL_NONE;
		size *= values;
		if (size > METRICS_CELLS_MAX)
			return false;
	}
	*total += size;
	return *total <= METRICS_CELLS_MAX;
}

static bool create_cells(unsigned workers, uint64_t total)
{
	cells_of = calloc((size_t)workers + 1, sizeof(*cells_of));
	if (cells_of == NULL)
		return false;
	for (; cells_count <= workers; cells_count++) {
		/* Pages of series that are never counted are never touched. */
		_Atomic uint64_t *values = calloc(total + METRICS_PADDING, sizeof(*values));
		if (values == NULL)
			return false;
		cells_of[cells_count] = (struct metrics_cells){places, values};
	}
	return true;
}

bool metrics_setup(unsigned workers, const struct metrics_names *names)
{
	uint64_t total = 0;
	bool done = copy_names(METRICS_LABEL_MODEL, names->models, names->model_count) &&
		    copy_names(METRICS_LABEL_BACKEND, names->backends, names->backend_count) &&
		    copy_names(METRICS_LABEL_ENDPOINT, names->endpoints, names->endpoint_count) &&
		    copy_names(METRICS_LABEL_TARGET, names->targets, names->target_count) &&
		    copy_names(METRICS_LABEL_BREAKER, names->breakers, names->breaker_count) &&
		    copy_names(METRICS_LABEL_REFUSAL, names->refusals, names->refusal_count);
	for (size_t i = 0; done && i < METRIC_COUNT; i++)
		done = lay_out(&metrics_rows[i], &places[i], &total);
	done = done && create_cells(workers, total);
	if (!done)
		metrics_teardown();
	return done;
}

void metrics_set_reader(struct metrics_reader reader)
{
	value_reader = reader;
}

bool metrics_ask_reader(enum metric metric, const uint32_t values[3], double *value)
{
	return value_reader.read != NULL && value_reader.read(value_reader.context, metric, values, value);
}

void metrics_teardown(void)
{
	value_reader = (struct metrics_reader){NULL, NULL};
	for (unsigned i = 0; i < cells_count; i++)
		free((void *)cells_of[i].values);
	free(cells_of);
	cells_of = NULL;
	cells_count = 0;
	for (size_t label = 0; label < METRICS_LABEL_COUNT; label++) {
		for (uint32_t i = 0; i < label_names[label].count; i++)
			free(label_names[label].names[i]);
		free(label_names[label].names);
		label_names[label] = (struct metrics_name_list){NULL, 0};
	}
}

struct metrics_cells *metrics_cells_of(unsigned worker)
{
	return worker < cells_count ? &cells_of[worker] : NULL;
}

uint32_t metrics_series(enum metric metric, uint32_t a, uint32_t b, uint32_t c)
{
	return metrics_index(&places[metric], a, b, c);
}

uint64_t metrics_cell_sum(uint32_t index)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < cells_count; i++)
		sum += atomic_load_explicit(&cells_of[i].values[index], memory_order_relaxed);
	return sum;
}

uint64_t metrics_sum(enum metric metric, uint32_t a, uint32_t b, uint32_t c)
{
	uint32_t series = metrics_series(metric, a, b, c);
	if (metrics_rows[metric].type != METRICS_HISTOGRAM)
		return metrics_cell_sum(series);
	uint64_t count = 0;
	for (uint32_t i = 0; i <= METRICS_BUCKETS; i++)
		count += metrics_cell_sum(series + i);
	return count;
}
