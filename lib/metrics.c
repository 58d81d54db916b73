/* SPDX-License-Identifier: MIT */
/*
 * The cells, where each series lies in them, and generations of them; metrics.h holds the contract. A generation
 * numbers the values of given labels as its configuration does; the latest one's numbers are those of readers.
 */
#include "lib/metrics_internal.h"

#include <pthread.h>
#include <stdlib.h>

enum { METRICS_CELLS_MAX = 1 << 27, METRICS_PADDING = 8 /* cells: keeps workers off each other's cache lines */ };

const uint64_t metrics_bounds[METRICS_BUCKETS] = {
    1000,    2500,    5000,    10000,    25000,    50000,    100000,    250000,    500000,
    1000000, 2500000, 5000000, 10000000, 30000000, 60000000, 300000000, 600000000,
};

/* Copies of the names of a label's values. */
struct metrics_name_list {
	char **names;
	uint32_t count;
	uint32_t *own; /* by value of the latest generation: its number here, METRICS_UNKNOWN = none; NULL = the same */
};

struct metrics_generation {
	struct metrics_generation *earlier; /* NULL = this is generation 0 */
	unsigned number;
	struct metrics_place *places;    /* by metric */
	struct metrics_name_list *given; /* by label */
	struct metrics_cells *cells;     /* by worker; the last are the control thread's */
};

static const struct metrics_table *table;
static unsigned cells_count; /* workers and the control thread */
static struct metrics_reader value_reader;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the list, against threads that read */
static struct metrics_generation *latest;                /* the others behind it */

const struct metrics_table *metrics_in_use(void)
{
	return table;
}

void metrics_lock(void)
{
	pthread_mutex_lock(&lock);
}

void metrics_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

static uint32_t count_values(const struct metrics_generation *generation, unsigned label)
{
	return table->labels[label].given ? generation->given[label].count + 1 : table->labels[label].count;
}

uint32_t metrics_label_values(unsigned label)
{
	return count_values(latest, label);
}

const char *metrics_label_text(unsigned label, uint32_t value)
{
	if (table->labels[label].given)
		return value < latest->given[label].count ? latest->given[label].names[value] : "";
	return __atomic_load_n(&table->labels[label].values[value], __ATOMIC_ACQUIRE);
}

/* ---- a generation ---- */

static void destroy_generation(struct metrics_generation *generation)
{
	for (unsigned i = 0; generation->cells != NULL && i < cells_count; i++)
		free((void *)generation->cells[i].values);
	for (unsigned label = 0; generation->given != NULL && label < table->label_count; label++) {
		struct metrics_name_list *list = &generation->given[label];
		for (uint32_t i = 0; i < list->count; i++)
			free(list->names[i]);
		free(list->names);
		free(list->own);
	}
	free(generation->cells);
	free(generation->given);
	free(generation->places);
	free(generation);
}

static bool copy_names(struct metrics_name_list *list, const char *const *names, size_t count)
{
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
static bool lay_out(struct metrics_generation *generation, unsigned metric, uint64_t *total)
{
	const struct metrics_row *row = &table->rows[metric];
	struct metrics_place *place = &generation->places[metric];
	uint64_t size = row->type == METRICS_HISTOGRAM ? METRICS_BUCKETS + 2 : 1;
	*place = (struct metrics_place){.offset = (uint32_t)*total};
	for (int i = 2; i >= 0; i--) {
		uint32_t values = count_values(generation, row->labels[i]);
		place->stride[i] = (uint32_t)size;
		place->last[i] = values - 1;
		place->labels += row->labels[i] != METRICS_NO_LABEL;
		size *= values;
		if (size > METRICS_CELLS_MAX)
			return false;
	}
	*total += size;
	return *total <= METRICS_CELLS_MAX;
}

static bool create_cells(struct metrics_generation *generation, uint64_t total)
{
	generation->cells = calloc(cells_count, sizeof(*generation->cells));
	for (unsigned i = 0; generation->cells != NULL && i < cells_count; i++) {
		/* Pages of series that are never counted are never touched. */
		_Atomic uint64_t *values = calloc(total + METRICS_PADDING, sizeof(*values));
		if (values == NULL)
			return false;
		generation->cells[i] = (struct metrics_cells){generation->places, values};
	}
	return generation->cells != NULL;
}

static bool fill_generation(struct metrics_generation *generation, const struct metrics_given *given,
			    size_t given_count)
{
	uint64_t total = 0;
	generation->places = calloc(table->count, sizeof(*generation->places));
	generation->given = calloc(table->label_count, sizeof(*generation->given));
	bool done = generation->places != NULL && generation->given != NULL;
	for (size_t i = 0; done && i < given_count; i++)
		done = copy_names(&generation->given[given[i].label], given[i].names, given[i].count);
	for (unsigned i = 0; done && i < table->count; i++)
		done = lay_out(generation, i, &total);
	return done && create_cells(generation, total);
}

/* NULL: out of memory. */
static struct metrics_generation *create_generation(const struct metrics_given *given, size_t given_count)
{
	struct metrics_generation *generation = calloc(1, sizeof(*generation));
	if (generation == NULL || fill_generation(generation, given, given_count))
		return generation;
	destroy_generation(generation);
	return NULL;
}

/* ---- one generation takes over from another ---- */

static uint32_t find_name(const struct metrics_name_list *list, const char *name)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (strcmp(list->names[i], name) == 0)
			return i;
	return METRICS_UNKNOWN;
}

/* Returns the list's numbers of the values of another list, which has a last one for those that are unknown. NULL: out
 * of memory. */
static uint32_t *number_anew(const struct metrics_name_list *list, const struct metrics_name_list *by)
{
	uint32_t *own = calloc((size_t)by->count + 1, sizeof(*own));
	for (uint32_t i = 0; own != NULL && i < by->count; i++)
		own[i] = find_name(list, by->names[i]);
	if (own != NULL)
		own[by->count] = list->count;
	return own;
}

/* Numbers the values of all earlier generations by the next one's. False when out of memory; then nothing changed. */
static bool number_earlier(const struct metrics_generation *next)
{
	size_t labels = table->label_count, count = 0, done = 0;
	for (struct metrics_generation *at = latest; at != NULL; at = at->earlier)
		count++;
	uint32_t **own = calloc(count * labels + 1, sizeof(*own));
	if (own == NULL)
		return false;
	for (const struct metrics_generation *at = latest; at != NULL; at = at->earlier)
		for (unsigned label = 0; label < labels; label++, done++)
			if ((own[done] = number_anew(&at->given[label], &next->given[label])) == NULL)
				goto out;
	done = 0;
	for (struct metrics_generation *at = latest; at != NULL; at = at->earlier)
		for (unsigned label = 0; label < labels; label++, done++) {
			free(at->given[label].own);
			at->given[label].own = own[done];
		}
	free(own);
	return true;
out:
	while (done > 0)
		free(own[--done]);
	free(own);
	return false;
}

bool metrics_take_over_given(const struct metrics_given *given, size_t given_count)
{
	struct metrics_generation *next = create_generation(given, given_count);
	if (next == NULL)
		return false;
	metrics_lock();
	bool done = number_earlier(next);
	if (done) {
		next->number = latest == NULL ? 0 : latest->number + 1;
		next->earlier = latest;
		latest = next;
	}
	metrics_unlock();
	if (!done)
		destroy_generation(next);
	return done;
}

unsigned metrics_generation(void)
{
	return latest == NULL ? 0 : latest->number;
}

/* The cells of a series, by values of the latest generation, begin at *index in every worker. False: it has none. */
static bool find_series(const struct metrics_generation *generation, unsigned metric, const uint32_t values[3],
			uint32_t *index)
{
	uint32_t own[3] = {values[0], values[1], values[2]};
	for (int i = 0; i < 3; i++) {
		unsigned label = table->rows[metric].labels[i];
		if (!table->labels[label].given || generation->given[label].own == NULL)
			continue;
		uint32_t most = latest->given[label].count;
		own[i] = generation->given[label].own[values[i] < most ? values[i] : most];
		if (own[i] == METRICS_UNKNOWN)
			return false;
	}
	*index = metrics_index(&generation->places[metric], own[0], own[1], own[2]);
	return true;
}

static uint64_t sum_of_generation(const struct metrics_generation *generation, uint32_t index)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < cells_count; i++)
		sum += atomic_load_explicit(&generation->cells[i].values[index], memory_order_relaxed);
	return sum;
}

/* Adds what a generation counted in a series to the latest one's cells of the control thread. */
static void keep_series(const struct metrics_generation *generation, unsigned metric, const uint32_t values[3])
{
	_Atomic uint64_t *kept = latest->cells[cells_count - 1].values;
	uint32_t from = 0, to = 0;
	if (!find_series(generation, metric, values, &from) || !find_series(latest, metric, values, &to))
		return;
	uint32_t cells = table->rows[metric].type == METRICS_HISTOGRAM ? METRICS_BUCKETS + 2 : 1;
	for (uint32_t i = 0; i < cells; i++)
		if (sum_of_generation(generation, from + i) != 0) /* so that no page is touched for nothing */
			metrics_bump(&kept[to + i], sum_of_generation(generation, from + i));
}

static void keep_metric(const struct metrics_generation *generation, unsigned metric)
{
	const struct metrics_row *row = &table->rows[metric];
	uint32_t values[3];
	for (values[0] = 0; values[0] < metrics_label_values(row->labels[0]); values[0]++)
		for (values[1] = 0; values[1] < metrics_label_values(row->labels[1]); values[1]++)
			for (values[2] = 0; values[2] < metrics_label_values(row->labels[2]); values[2]++)
				keep_series(generation, metric, values);
}

void metrics_retire(unsigned generation)
{
	struct metrics_generation *after = latest;
	metrics_lock();
	while (after->earlier != NULL && after->earlier->number != generation)
		after = after->earlier;
	struct metrics_generation *retired = after->earlier;
	assert(retired != NULL && generation != 0);
	for (unsigned i = 0; i < table->count; i++)
		keep_metric(retired, i);
	after->earlier = retired->earlier;
	metrics_unlock();
	destroy_generation(retired);
}

/* ---- all generations ---- */

bool metrics_setup_table(const struct metrics_table *all, unsigned workers, const struct metrics_given *given,
			 size_t given_count)
{
	table = all;
	cells_count = workers + 1;
	if (metrics_take_over_given(NULL, 0) && metrics_take_over_given(given, given_count))
		return true;
	metrics_teardown();
	return false;
}

void metrics_set_reader(struct metrics_reader reader)
{
	value_reader = reader;
}

bool metrics_read(unsigned metric, const uint32_t values[3], double *value)
{
	return table->read(metric, value) ||
	       (value_reader.read != NULL && value_reader.read(value_reader.context, metric, values, value));
}

void metrics_teardown(void)
{
	value_reader = (struct metrics_reader){NULL, NULL};
	while (latest != NULL) {
		struct metrics_generation *earlier = latest->earlier;
		destroy_generation(latest);
		latest = earlier;
	}
	cells_count = 0;
	table = NULL;
}

struct metrics_cells *metrics_cells_of(unsigned worker)
{
	return worker < cells_count ? &latest->cells[worker] : NULL;
}

struct metrics_cells *metrics_cells_of_process(unsigned worker)
{
	const struct metrics_generation *at = latest;
	while (at != NULL && at->earlier != NULL)
		at = at->earlier;
	return at != NULL && worker < cells_count ? &at->cells[worker] : NULL;
}

uint64_t metrics_cell_sum(unsigned metric, const uint32_t values[3], uint32_t cell)
{
	uint64_t sum = 0;
	uint32_t index = 0;
	for (const struct metrics_generation *at = latest; at != NULL; at = at->earlier)
		if (find_series(at, metric, values, &index))
			sum += sum_of_generation(at, index + cell);
	return sum;
}

uint64_t metrics_series_sum(unsigned metric, const uint32_t values[3])
{
	if (table->rows[metric].type != METRICS_HISTOGRAM)
		return metrics_cell_sum(metric, values, 0);
	uint64_t count = 0;
	for (uint32_t i = 0; i <= METRICS_BUCKETS; i++)
		count += metrics_cell_sum(metric, values, i);
	return count;
}

uint64_t metrics_sum(unsigned metric, uint32_t a, uint32_t b, uint32_t c)
{
	uint64_t sum = 0;
	metrics_lock();
	if (table != NULL)
		sum = metrics_series_sum(metric, (uint32_t[]){a, b, c});
	metrics_unlock();
	return sum;
}
