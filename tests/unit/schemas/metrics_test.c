/* SPDX-License-Identifier: MIT */
/* Counting in cells, and the text that comes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "schemas/metrics.h"

enum { WORKERS = 3 };

static const char *const models[] = {"small", "a \"b\"\\\n"};
static const char *const backends[] = {"alpha", "beta"};
static const char *const endpoints[] = {"chat", "embeddings"};

static const char *const targets[] = {"alpha/m", "beta/m"};
static const char *const breakers[] = {"closed", "open"};
static const char *const refusals[] = {"ok", "open"};

static const struct metrics_names names = {.models = models,
					   .model_count = 2,
					   .backends = backends,
					   .backend_count = 2,
					   .endpoints = endpoints,
					   .endpoint_count = 2,
					   .targets = targets,
					   .target_count = 2,
					   .breakers = breakers,
					   .breaker_count = 2,
					   .refusals = refusals,
					   .refusal_count = 2};

static char text[1 << 20];

static const char *exposition(void)
{
	struct buf out;
	buf_init(&out, sizeof(text) - 1);
	metrics_write_prometheus(&out);
	assert_false(buf_failed(&out));
	snprintf(text, sizeof(text), "%.*s", SPAN_ARG(buf_span(&out)));
	buf_fini(&out);
	return text;
}

static void expect_line(const char *line)
{
	char whole[512];
	snprintf(whole, sizeof(whole), "\n%s\n", line);
	if (strstr(exposition(), whole) == NULL)
		fail_msg("no line %s in:\n%s", line, text);
}

static void expect_no(const char *part)
{
	if (strstr(exposition(), part) != NULL)
		fail_msg("%s appears in:\n%s", part, text);
}

static int setup(void **state)
{
	(void)state;
	return metrics_setup(WORKERS, &names) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	metrics_teardown();
	return 0;
}

static void counts_of_all_workers_are_summed(void **state)
{
	(void)state;
	for (unsigned i = 0; i <= WORKERS; i++)
		metrics_add(metrics_cells_of(i), 10 + i, METRIC_STREAM_EVENTS);
	expect_line("sluice_stream_events_total 46");
	assert_int_equal(metrics_sum(METRIC_STREAM_EVENTS, 0, 0, 0), 46);
	assert_null(metrics_cells_of(WORKERS + 1));
}

static void labels_choose_the_series(void **state)
{
	(void)state;
	struct metrics_cells *cells = metrics_cells_of(0);
	metrics_count(cells, METRIC_REQUESTS, 0, 0, ERROR_NONE);
	metrics_count(cells, METRIC_REQUESTS, 0, 1, ERROR_INTERNAL);
	metrics_add(cells, 5, METRIC_REQUESTS, 1, 0, ERROR_NONE);
	metrics_count(cells, METRIC_CALLS, 1, ERROR_UPSTREAM_IDLE);
	metrics_count(cells, METRIC_CALLS, 0, ERROR_NONE);
	metrics_add(cells, 7, METRIC_TOKENS, 0, METRICS_TOKENS_COMPLETION);
	metrics_count(cells, METRIC_ATTEMPTS, 0, METRICS_ATTEMPT_FALLBACK);
	metrics_count(cells, METRIC_ERRORS, ERROR_OVERLOADED);
	expect_line("sluice_requests_total{model=\"small\",endpoint=\"chat\",code=\"200\"} 1");
	expect_line("sluice_requests_total{model=\"small\",endpoint=\"embeddings\",code=\"internal_error\"} 1");
	expect_line("sluice_requests_total{model=\"a \\\"b\\\"\\\\\\n\",endpoint=\"chat\",code=\"200\"} 5");
	expect_line("sluice_calls_total{backend=\"beta\",outcome=\"upstream_idle\"} 1");
	expect_line("sluice_calls_total{backend=\"alpha\",outcome=\"ok\"} 1");
	expect_line("sluice_tokens_total{model=\"small\",type=\"completion\"} 7");
	expect_line("sluice_attempts_total{model=\"small\",reason=\"fallback\"} 1");
	expect_line("sluice_errors_total{code=\"overloaded\"} 1");
	expect_line("sluice_errors_total{code=\"internal_error\"} 0");
	expect_no("outcome=\"internal_error\"");
}

static void no_two_series_share_a_cell(void **state)
{
	(void)state;
	struct metrics_cells *cells = metrics_cells_of(1);
	for (uint32_t m = 0; m < 2; m++)
		for (uint32_t e = 0; e < 2; e++)
			for (uint32_t c = 0; c < ERROR_COUNT; c++)
				metrics_add(cells, 1 + m + 10 * e + 100 * c, METRIC_REQUESTS, m, e, c);
	metrics_observe(cells, 1, METRIC_REQUEST_DURATION, 0);
	metrics_move(cells, 1, METRIC_CONNECTIONS);
	for (uint32_t m = 0; m < 2; m++)
		for (uint32_t e = 0; e < 2; e++)
			for (uint32_t c = 0; c < ERROR_COUNT; c++)
				assert_int_equal(metrics_sum(METRIC_REQUESTS, m, e, c), 1 + m + 10 * e + 100 * c);
}

static void what_is_unknown_has_a_series_of_its_own(void **state)
{
	(void)state;
	struct metrics_cells *cells = metrics_cells_of(0);
	expect_no("model=\"\"");
	expect_no("backend=\"\"");
	expect_no("endpoint=\"\"");
	metrics_count(cells, METRIC_REQUESTS, METRICS_UNKNOWN, 0, ERROR_MODEL_NOT_FOUND);
	metrics_count(cells, METRIC_REQUESTS, 2, 0, ERROR_MODEL_NOT_FOUND);
	metrics_count(cells, METRIC_REQUESTS, 4000000, 0, ERROR_MODEL_NOT_FOUND);
	metrics_count(cells, METRIC_REQUESTS, SIZE_MAX, 0, ERROR_MODEL_NOT_FOUND);
	expect_line("sluice_requests_total{model=\"\",endpoint=\"chat\",code=\"model_not_found\"} 4");
	assert_int_equal(metrics_sum(METRIC_REQUESTS, 0, 0, ERROR_MODEL_NOT_FOUND), 0);
	assert_int_equal(metrics_sum(METRIC_REQUESTS, 1, 0, ERROR_MODEL_NOT_FOUND), 0);
}

static void gauges_go_down_even_in_another_worker(void **state)
{
	(void)state;
	metrics_move(metrics_cells_of(0), 3, METRIC_EXCHANGES);
	metrics_move(metrics_cells_of(1), -2, METRIC_EXCHANGES);
	expect_line("sluice_exchanges_in_flight 1");
	metrics_move(metrics_cells_of(1), -2, METRIC_EXCHANGES);
	expect_line("sluice_exchanges_in_flight -1");
}

static void histograms_are_cumulative_with_sum_and_count(void **state)
{
	(void)state;
	metrics_observe(metrics_cells_of(0), 0, METRIC_REQUEST_DURATION, 0);
	metrics_observe(metrics_cells_of(0), 1000, METRIC_REQUEST_DURATION, 0);
	metrics_observe(metrics_cells_of(1), 1001, METRIC_REQUEST_DURATION, 0);
	metrics_observe(metrics_cells_of(2), 600000000, METRIC_REQUEST_DURATION, 0);
	metrics_observe(metrics_cells_of(2), 600000001, METRIC_REQUEST_DURATION, 0);
	expect_line("sluice_request_duration_seconds_bucket{endpoint=\"chat\",le=\"0.001\"} 2");
	expect_line("sluice_request_duration_seconds_bucket{endpoint=\"chat\",le=\"0.0025\"} 3");
	expect_line("sluice_request_duration_seconds_bucket{endpoint=\"chat\",le=\"300\"} 3");
	expect_line("sluice_request_duration_seconds_bucket{endpoint=\"chat\",le=\"600\"} 4");
	expect_line("sluice_request_duration_seconds_bucket{endpoint=\"chat\",le=\"+Inf\"} 5");
	expect_line("sluice_request_duration_seconds_sum{endpoint=\"chat\"} 1200.002002");
	expect_line("sluice_request_duration_seconds_count{endpoint=\"chat\"} 5");
	expect_line("sluice_request_duration_seconds_count{endpoint=\"embeddings\"} 0");
	assert_int_equal(metrics_sum(METRIC_REQUEST_DURATION, 0, 0, 0), 5);
}

static bool read_breakers(void *context, unsigned metric, const uint32_t values[3], double *value)
{
	*value = *(const double *)context + values[0] + 10 * values[1];
	return metric == METRIC_BREAKER || metric == METRIC_BREAKER_CHANGES;
}

static void what_another_module_knows_is_asked_for_when_read(void **state)
{
	(void)state;
	double base = 0;
	metrics_set_reader((struct metrics_reader){read_breakers, &base});
	expect_line("sluice_breaker_state{target=\"alpha/m\"} 0");
	expect_line("sluice_breaker_state{target=\"beta/m\"} 1");
	expect_line("sluice_breaker_transitions_total{target=\"alpha/m\",state=\"open\"} 10");
	expect_no("sluice_breaker_transitions_total{target=\"alpha/m\",state=\"closed\"}");
	expect_no("sluice_calls_refused_total{");
	base = 2;
	expect_line("sluice_breaker_state{target=\"alpha/m\"} 2");
	metrics_set_reader((struct metrics_reader){NULL, NULL});
	expect_no("sluice_breaker_state{");
}

static void bounds_ascend(void **state)
{
	(void)state;
	for (size_t i = 1; i < METRICS_BUCKETS; i++)
		assert_true(metrics_bounds[i] > metrics_bounds[i - 1]);
}

static void a_call_is_in_flight_until_it_ends(void **state)
{
	(void)state;
	struct metrics_cells *cells = metrics_cells_of(0);
	metrics_call_started(cells, 1);
	expect_line("sluice_calls_in_flight{backend=\"beta\"} 1");
	metrics_first_content(cells, 1, 200000);
	metrics_call_gone(cells, 1);
	metrics_call_judged(cells, 1, ERROR_NONE);
	expect_line("sluice_calls_in_flight{backend=\"beta\"} 0");
	expect_line("sluice_calls_total{backend=\"beta\",outcome=\"ok\"} 1");
	expect_line("sluice_call_first_content_seconds_bucket{backend=\"beta\",le=\"0.25\"} 1");
}

static void the_process_is_described(void **state)
{
	(void)state;
	expect_line("sluice_info{version=\"" SLUICE_VERSION "\"} 1");
	expect_line("sluice_log_dropped_total 0");
	const char *start = strstr(exposition(), "\nprocess_start_time_seconds ");
	assert_non_null(start);
	double when = 0;
	assert_int_equal(sscanf(start, " process_start_time_seconds %lf", &when), 1);
	assert_true(when > (double)time(NULL) - 3600 && when <= (double)time(NULL) + 2);
	const char *memory = strstr(text, "\nprocess_resident_memory_bytes ");
	assert_non_null(memory);
	unsigned long bytes = 0;
	assert_int_equal(sscanf(memory, " process_resident_memory_bytes %lu", &bytes), 1);
	assert_true(bytes > 100000);
	const char *fds = strstr(text, "\nprocess_open_fds ");
	assert_non_null(fds);
	unsigned count = 0;
	assert_int_equal(sscanf(fds, " process_open_fds %u", &count), 1);
	assert_in_range(count, 3, 1000);
}

static void every_metric_has_help_type_and_a_reference(void **state)
{
	(void)state;
	static const char *const all[] = {
#define METRIC(symbol, type, name, unit, label1, label2, label3, help) name,
#include "schemas/metrics.def"
#undef METRIC
	};
	struct buf reference;
	buf_init(&reference, 1 << 20);
	metrics_describe(&reference);
	exposition();
	for (size_t i = 0; i < METRIC_COUNT; i++) {
		char part[256];
		snprintf(part, sizeof(part), "# HELP %s ", all[i]);
		assert_non_null(strstr(text, part));
		snprintf(part, sizeof(part), "# TYPE %s ", all[i]);
		assert_non_null(strstr(text, part));
		snprintf(part, sizeof(part), "| `%s` |", all[i]);
		assert_non_null(memmem(buf_span(&reference).at, buf_len(&reference), part, strlen(part)));
	}
	buf_fini(&reference);
}

static void promtool_accepts_the_text(void **state)
{
	(void)state;
	if (system("command -v promtool >/dev/null 2>&1") != 0)
		skip();
	metrics_count(metrics_cells_of(0), METRIC_REQUESTS, 1, METRICS_UNKNOWN, ERROR_INTERNAL);
	FILE *promtool = popen("promtool check metrics", "we");
	assert_non_null(promtool);
	fputs(exposition(), promtool);
	assert_int_equal(pclose(promtool), 0);
}

static void counting_without_cells_is_harmless(void **state)
{
	(void)state;
	metrics_count(NULL, METRIC_STREAM_EVENTS);
	metrics_observe(NULL, 1, METRIC_FIRST_CONTENT, 0);
	assert_int_equal(metrics_sum(METRIC_STREAM_EVENTS, 0, 0, 0), 0);
}

static void *count_many(void *context)
{
	struct metrics_cells *cells = context;
	for (int i = 0; i < 100000; i++) {
		metrics_count(cells, METRIC_CALLS, 0, ERROR_NONE);
		metrics_observe(cells, (uint64_t)i, METRIC_FIRST_CONTENT, 1);
	}
	return NULL;
}

static void nothing_is_lost_between_threads(void **state)
{
	(void)state;
	pthread_t threads[WORKERS];
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_many, metrics_cells_of(i)), 0);
	exposition(); /* under TSan: reading meanwhile is no race */
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(metrics_sum(METRIC_CALLS, 0, ERROR_NONE, 0), 100000 * WORKERS);
	assert_int_equal(metrics_sum(METRIC_FIRST_CONTENT, 1, 0, 0), 100000 * WORKERS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(counts_of_all_workers_are_summed),
	    TEST(labels_choose_the_series),
	    TEST(no_two_series_share_a_cell),
	    TEST(what_is_unknown_has_a_series_of_its_own),
	    TEST(gauges_go_down_even_in_another_worker),
	    TEST(histograms_are_cumulative_with_sum_and_count),
	    TEST(what_another_module_knows_is_asked_for_when_read),
	    TEST(bounds_ascend),
	    TEST(a_call_is_in_flight_until_it_ends),
	    TEST(the_process_is_described),
	    TEST(every_metric_has_help_type_and_a_reference),
	    TEST(promtool_accepts_the_text),
	    TEST(counting_without_cells_is_harmless),
	    TEST(nothing_is_lost_between_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
