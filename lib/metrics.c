/* SPDX-License-Identifier: MIT */
/* The cells and where each series lies in them; metrics.h holds the contract. */
#include "lib/metrics_internal.h"

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
};

static const struct metrics_table *table;
static struct metrics_place *places;          /* by metric */
static struct metrics_name_list *given_names; /* by label */
static struct metrics_reader value_reader;
static struct metrics_cells *cells_of;
static unsigned cells_count; /* workers and the control thread */

const struct metrics_table *metrics_in_use(void)
{
	return table;
}

uint32_t metrics_label_values(unsigned label)
{
	return table->labels[label].given ? given_names[label].count + 1 : table->labels[label].count;
}

const char *metrics_label_text(unsigned label, uint32_t value)
{
	if (table->labels[label].given)
		return value < given_names[label].count ? given_names[label].names[value] : "";
	return table->labels[label].values[value];
}

static bool copy_names(unsigned label, const char *const *names, size_t count)
{
	struct metrics_name_list *list = &given_names[label];
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
		place->labels += row->labels[i] != METRICS_NO_LABEL;
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

bool metrics_setup_table(const struct metrics_table *all, unsigned workers, const struct metrics_given *given,
			 size_t given_count)
{
	uint64_t total = 0;
	table = all;
	places = calloc(table->count, sizeof(*places));
	given_names = calloc(table->label_count, sizeof(*given_names));
	bool done = places != NULL && given_names != NULL;
	for (size_t i = 0; done && i < given_count; i++)
		done = copy_names(given[i].label, given[i].names, given[i].count);
	for (unsigned i = 0; done && i < table->count; i++)
		done = lay_out(&table->rows[i], &places[i], &total);
	done = done && create_cells(workers, total);
	if (!done)
		metrics_teardown();
	return done;
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
	for (unsigned i = 0; i < cells_count; i++)
		free((void *)cells_of[i].values);
	free(cells_of);
	cells_of = NULL;
	cells_count = 0;
	for (unsigned label = 0; given_names != NULL && label < table->label_count; label++) {
		for (uint32_t i = 0; i < given_names[label].count; i++)
			free(given_names[label].names[i]);
		free(given_names[label].names);
	}
	free(given_names);
	free(places);
	given_names = NULL;
	places = NULL;
	table = NULL;
}

struct metrics_cells *metrics_cells_of(unsigned worker)
{
	return worker < cells_count ? &cells_of[worker] : NULL;
}

uint32_t metrics_series(unsigned metric, uint32_t a, uint32_t b, uint32_t c)
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

uint64_t metrics_sum(unsigned metric, uint32_t a, uint32_t b, uint32_t c)
{
	if (table == NULL)
		return 0;
	uint32_t series = metrics_series(metric, a, b, c);
	if (table->rows[metric].type != METRICS_HISTOGRAM)
		return metrics_cell_sum(series);
	uint64_t count = 0;
	for (uint32_t i = 0; i <= METRICS_BUCKETS; i++)
		count += metrics_cell_sum(series + i);
	return count;
}
