/* SPDX-License-Identifier: MIT */
/*
 * Metrics as text: the Prometheus exposition format 0.0.4, and the reference
 * page. A series of two or more labels, or of METRICS_UNKNOWN, appears once it
 * was counted in; the others always, so that rates have a beginning.
 */
#include "lib/metrics_internal.h"

#include <stdio.h>

enum { MICROSECONDS = 1000000 };

static const struct metrics_row *row_of(unsigned metric)
{
	return &metrics_in_use()->rows[metric];
}

static const char *type_name(enum metrics_type type)
{
	static const char *const names[] = {"counter", "gauge", "histogram", "counter", "gauge"};
	return names[type];
}

/* A label's value between quotes: \ " and line ends are escaped. */
static void write_label_text(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n')
			buf_append(out, SPAN("\\n"));
		else if (*text == '"' || *text == '\\')
			buf_append(out, (struct span){(char[]){'\\', *text}, 2});
		else
			buf_append(out, (struct span){text, 1});
	}
}

/* {name="text",…} with an additional bound when it is not NULL; nothing without labels. */
static void write_labels(struct buf *out, const struct metrics_row *row, const uint32_t values[3], const char *bound)
{
	const char *before = "{";
	for (int i = 0; i < 3 && row->labels[i] != METRICS_NO_LABEL; i++) {
		buf_printf(out, "%s%s=\"", before, metrics_in_use()->labels[row->labels[i]].name);
		write_label_text(out, metrics_label_text(row->labels[i], values[i]));
		buf_append(out, SPAN("\""));
		before = ",";
	}
	if (bound != NULL)
		buf_printf(out, "%sle=\"%s\"", before, bound);
	if (bound != NULL || *before == ',')
		buf_append(out, SPAN("}"));
}

enum { BOUND_MAX = 32 };

/* Seconds without needless zeros: "0.0025", "10". */
static void format_bound(char text[BOUND_MAX], uint64_t microseconds)
{
	int len = snprintf(text, BOUND_MAX, "%llu.%06llu", (unsigned long long)(microseconds / MICROSECONDS),
			   (unsigned long long)(microseconds % MICROSECONDS));
	while (len > 1 && text[len - 1] == '0')
		len--;
	if (len > 0 && text[len - 1] == '.')
		len--;
	text[len] = '\0';
}

static void write_histogram(struct buf *out, unsigned metric, const uint32_t values[3])
{
	const struct metrics_row *row = row_of(metric);
	uint64_t count = 0;
	for (uint32_t i = 0; i <= METRICS_BUCKETS; i++) {
		char bound[BOUND_MAX] = "+Inf";
		if (i < METRICS_BUCKETS)
			format_bound(bound, metrics_bounds[i]);
		count += metrics_cell_sum(metric, values, i);
		buf_printf(out, "%s_bucket", row->name);
		write_labels(out, row, values, bound);
		buf_printf(out, " %llu\n", (unsigned long long)count);
	}
	uint64_t sum = metrics_cell_sum(metric, values, METRICS_BUCKETS + 1);
	buf_printf(out, "%s_sum", row->name);
	write_labels(out, row, values, NULL);
	buf_printf(out, " %llu.%06llu\n%s_count", (unsigned long long)(sum / MICROSECONDS),
		   (unsigned long long)(sum % MICROSECONDS), row->name);
	write_labels(out, row, values, NULL);
	buf_printf(out, " %llu\n", (unsigned long long)count);
}

/* Is the series ever printed? *counted_only: not while it is 0. */
static bool is_named(const struct metrics_row *row, const uint32_t values[3], bool *counted_only)
{
	*counted_only = row->labels[1] != METRICS_NO_LABEL;
	for (int i = 0; i < 3 && row->labels[i] != METRICS_NO_LABEL; i++) {
		const char *text = metrics_label_text(row->labels[i], values[i]);
		if (text == NULL)
			return false;
		*counted_only = *counted_only || *text == '\0';
	}
	return true;
}

static void write_counted(struct buf *out, unsigned metric, const uint32_t values[3], bool counted_only)
{
	const struct metrics_row *row = row_of(metric);
	uint64_t sum = metrics_series_sum(metric, values);
	if (counted_only && sum == 0)
		return;
	if (row->type == METRICS_HISTOGRAM) {
		write_histogram(out, metric, values);
		return;
	}
	buf_printf(out, "%s", row->name);
	write_labels(out, row, values, NULL);
	buf_printf(out, " %lld\n", (long long)sum);
}

static void write_read(struct buf *out, unsigned metric, const uint32_t values[3], bool counted_only)
{
	double value = 0;
	if (!metrics_read(metric, values, &value))
		return;
	if (counted_only && value == 0)
		return;
	buf_printf(out, "%s", row_of(metric)->name);
	write_labels(out, row_of(metric), values, NULL);
	buf_printf(out, " %.15g\n", value);
}

/* Most series of several labels are never counted in: these cost one sum each, and no words. */
static bool is_silent(const struct metrics_row *row, unsigned metric, const uint32_t values[3])
{
	bool read = row->type == METRICS_READ_COUNTER || row->type == METRICS_READ_GAUGE;
	return !read && row->labels[1] != METRICS_NO_LABEL && metrics_series_sum(metric, values) == 0;
}

static void write_series(struct buf *out, unsigned metric, const uint32_t values[3])
{
	const struct metrics_row *row = row_of(metric);
	bool counted_only = false;
	if (is_silent(row, metric, values) || !is_named(row, values, &counted_only))
		return;
	if (row->type == METRICS_READ_COUNTER || row->type == METRICS_READ_GAUGE)
		write_read(out, metric, values, counted_only);
	else
		write_counted(out, metric, values, counted_only);
}

static void write_metric(struct buf *out, unsigned metric)
{
	const struct metrics_row *row = row_of(metric);
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name, type_name(row->type));
	uint32_t values[3];
	for (values[0] = 0; values[0] < metrics_label_values(row->labels[0]); values[0]++) {
		if (metrics_label_text(row->labels[0], values[0]) == NULL)
			continue; /* of keys, most have no name yet */
		for (values[1] = 0; values[1] < metrics_label_values(row->labels[1]); values[1]++)
			for (values[2] = 0; values[2] < metrics_label_values(row->labels[2]); values[2]++)
				write_series(out, metric, values);
	}
}

void metrics_write_prometheus(struct buf *out)
{
	metrics_lock();
	for (unsigned i = 0; metrics_in_use() != NULL && i < metrics_in_use()->count; i++)
		write_metric(out, i);
	metrics_unlock();
}

static void describe_metric(struct buf *out, const struct metrics_table *table, const struct metrics_row *row)
{
	buf_printf(out, "| `%s` | %s | ", row->name, type_name(row->type));
	for (int i = 0; i < 3 && row->labels[i] != METRICS_NO_LABEL; i++)
		buf_printf(out, "%s`%s`", i == 0 ? "" : ", ", table->labels[row->labels[i]].name);
	buf_printf(out, " | %s | %s |\n", row->unit, row->help);
}

void metrics_describe_table(const struct metrics_table *table, struct buf *out)
{
	buf_append(out, SPAN("# Metrics\n\nServed at `GET /metrics` in the Prometheus text format.\n\n"
			     "| metric | type | labels | unit | meaning |\n|---|---|---|---|---|\n"));
	for (unsigned i = 0; i < table->count; i++)
		describe_metric(out, table, &table->rows[i]);
	buf_append(out, SPAN("\nLabels have a bounded set of values; nothing that a client sends becomes one.\n\n"
			     "| label | value |\n|---|---|\n"));
	for (unsigned i = METRICS_NO_LABEL + 1; i < table->label_count; i++)
		buf_printf(out, "| `%s` | %s |\n", table->labels[i].name, table->labels[i].help);
	buf_append(out, SPAN("\nBuckets of histograms, in seconds:"));
	for (size_t i = 0; i < METRICS_BUCKETS; i++) {
		char bound[BOUND_MAX];
		format_bound(bound, metrics_bounds[i]);
		buf_printf(out, " %s%s", bound, i + 1 < METRICS_BUCKETS ? "," : ".\n");
	}
}
