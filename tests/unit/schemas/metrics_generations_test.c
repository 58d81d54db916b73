/* SPDX-License-Identifier: MIT */
/* Counts belong to names: another configuration that has the names in another order finds them again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>

#include "schemas/metrics.h"

enum { WORKERS = 2 };

/* Before: the models m, n, the backends a, b. Later: n and b come first, o and c are new, and a has gone. */
static const char *const models_before[] = {"m", "n"}, *const models_later[] = {"n", "o", "m"};
static const char *const backends_before[] = {"a", "b"}, *const backends_later[] = {"b", "c"};
static const char *const endpoints[] = {"chat"};
enum { M_BEFORE = 0, N_BEFORE = 1, N_LATER = 0, O_LATER = 1, M_LATER = 2 };
enum { A_BEFORE = 0, B_BEFORE = 1, B_LATER = 0, C_LATER = 1 };

#define NAMES(models_, backends_)                                                                                    \
	{                                                                                                            \
		.models = (models_), .model_count = sizeof(models_) / sizeof((models_)[0]), .backends = (backends_), \
		.backend_count = sizeof(backends_) / sizeof((backends_)[0]), .endpoints = endpoints,                 \
		.endpoint_count = 1                                                                                  \
	}
static const struct metrics_names before = NAMES(models_before, backends_before);
static const struct metrics_names later = NAMES(models_later, backends_later);

static int setup(void **state)
{
	(void)state;
	return metrics_setup(WORKERS, &before) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	metrics_teardown();
	return 0;
}

static bool exposes(const char *line)
{
	struct buf out;
	char whole[256];
	buf_init(&out, 1 << 20);
	metrics_write_prometheus(&out);
	assert_false(buf_failed(&out));
	int len = snprintf(whole, sizeof(whole), "\n%s", line);
	bool found = memmem(buf_span(&out).at, buf_span(&out).len, whole, (size_t)len) != NULL;
	buf_fini(&out);
	return found;
}

static void counters_are_kept_under_their_names(void **state)
{
	(void)state;
	metrics_add(metrics_cells_of(0), 3, METRIC_CALLS, A_BEFORE, ERROR_NONE);
	metrics_add(metrics_cells_of(1), 4, METRIC_CALLS, B_BEFORE, ERROR_NONE);
	metrics_add(metrics_cells_of(0), 5, METRIC_REQUESTS, M_BEFORE, 0, ERROR_NONE);
	assert_true(metrics_take_over(&later));
	assert_int_equal(metrics_sum(METRIC_CALLS, B_LATER, ERROR_NONE, 0), 4);
	assert_int_equal(metrics_sum(METRIC_CALLS, C_LATER, ERROR_NONE, 0), 0);
	assert_int_equal(metrics_sum(METRIC_REQUESTS, M_LATER, 0, ERROR_NONE), 5);
	assert_true(exposes("sluice_requests_total{model=\"m\",endpoint=\"chat\",code=\"200\"} 5\n"));
	assert_true(exposes("sluice_calls_total{backend=\"b\",outcome=\"ok\"} 4\n"));
	assert_false(exposes("sluice_calls_total{backend=\"a\""));
}

static void both_configurations_count_at_the_same_time(void **state)
{
	struct metrics_cells *old = metrics_cells_of(0);
	(void)state;
	metrics_move(old, 2, METRIC_CALLS_IN_FLIGHT, B_BEFORE);
	assert_true(metrics_take_over(&later));
	struct metrics_cells *new = metrics_cells_of(0);
	assert_ptr_not_equal(old, new);
	metrics_move(new, 1, METRIC_CALLS_IN_FLIGHT, B_LATER);
	metrics_move(old, -1, METRIC_CALLS_IN_FLIGHT, B_BEFORE);
	metrics_move(new, 7, METRIC_CALLS_IN_FLIGHT, C_LATER);
	assert_int_equal(metrics_sum(METRIC_CALLS_IN_FLIGHT, B_LATER, 0, 0), 2);
	assert_int_equal(metrics_sum(METRIC_CALLS_IN_FLIGHT, C_LATER, 0, 0), 7);
}

static void a_retired_configuration_leaves_its_counts(void **state)
{
	unsigned first = metrics_generation();
	(void)state;
	metrics_add(metrics_cells_of(0), 3, METRIC_CALLS, B_BEFORE, ERROR_NONE);
	metrics_observe(metrics_cells_of(1), 1500, METRIC_CALL_FIRST_CONTENT, B_BEFORE);
	metrics_add(metrics_cells_of(0), 9, METRIC_TOKENS, METRICS_UNKNOWN, METRICS_TOKENS_PROMPT);
	metrics_add(metrics_cells_of(1), 2, METRIC_STREAM_EVENTS);
	assert_true(metrics_take_over(&later));
	metrics_add(metrics_cells_of(0), 1, METRIC_CALLS, B_LATER, ERROR_NONE);
	metrics_retire(first);
	assert_int_equal(metrics_sum(METRIC_CALLS, B_LATER, ERROR_NONE, 0), 4);
	assert_int_equal(metrics_sum(METRIC_CALL_FIRST_CONTENT, B_LATER, 0, 0), 1);
	assert_true(exposes("sluice_call_first_content_seconds_sum{backend=\"b\"} 0.001500\n"));
	assert_int_equal(metrics_sum(METRIC_TOKENS, METRICS_UNKNOWN, METRICS_TOKENS_PROMPT, 0), 9);
	assert_int_equal(metrics_sum(METRIC_STREAM_EVENTS, 0, 0, 0), 2);
}

static void the_middle_one_of_three_is_retired_first(void **state)
{
	unsigned first = metrics_generation();
	struct metrics_cells *old = metrics_cells_of(0);
	(void)state;
	assert_true(metrics_take_over(&later));
	unsigned second = metrics_generation();
	metrics_count(metrics_cells_of(0), METRIC_CALLS, B_LATER, ERROR_NONE);
	assert_true(metrics_take_over(&before));
	metrics_retire(second);
	metrics_count(old, METRIC_CALLS, B_BEFORE, ERROR_NONE);
	metrics_count(metrics_cells_of(0), METRIC_CALLS, B_BEFORE, ERROR_NONE);
	assert_int_equal(metrics_sum(METRIC_CALLS, B_BEFORE, ERROR_NONE, 0), 3);
	assert_int_equal(metrics_sum(METRIC_CALLS, A_BEFORE, ERROR_NONE, 0), 0);
	metrics_retire(first);
	assert_int_equal(metrics_sum(METRIC_CALLS, B_BEFORE, ERROR_NONE, 0), 3);
}

static void a_name_that_has_gone_begins_anew_when_it_returns(void **state)
{
	unsigned first = metrics_generation();
	(void)state;
	metrics_count(metrics_cells_of(0), METRIC_CALLS, A_BEFORE, ERROR_NONE);
	assert_true(metrics_take_over(&later));
	metrics_retire(first);
	assert_true(metrics_take_over(&before));
	assert_int_equal(metrics_sum(METRIC_CALLS, A_BEFORE, ERROR_NONE, 0), 0);
}

static void what_outlives_configurations_counts_in_cells_of_its_own(void **state)
{
	struct metrics_cells *process = metrics_cells_of_process(0);
	unsigned first = metrics_generation();
	(void)state;
	metrics_count(process, METRIC_CONNECTIONS);
	assert_true(metrics_take_over(&later));
	metrics_retire(first);
	metrics_count(process, METRIC_CONNECTIONS);
	assert_ptr_equal(metrics_cells_of_process(0), process);
	assert_int_equal(metrics_sum(METRIC_CONNECTIONS, 0, 0, 0), 2);
}

static void *count_many(void *cells)
{
	for (int i = 0; i < 100000; i++)
		metrics_count(cells, METRIC_CALLS, B_BEFORE, ERROR_NONE);
	return NULL;
}

static void workers_count_while_another_configuration_takes_over(void **state)
{
	unsigned first = metrics_generation();
	pthread_t threads[WORKERS];
	(void)state;
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_many, metrics_cells_of(i)), 0);
	assert_true(metrics_take_over(&later));
	exposes("");
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	metrics_retire(first);
	assert_int_equal(metrics_sum(METRIC_CALLS, B_LATER, ERROR_NONE, 0), 100000 * WORKERS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(counters_are_kept_under_their_names),
	    TEST(both_configurations_count_at_the_same_time),
	    TEST(a_retired_configuration_leaves_its_counts),
	    TEST(the_middle_one_of_three_is_retired_first),
	    TEST(a_name_that_has_gone_begins_anew_when_it_returns),
	    TEST(what_outlives_configurations_counts_in_cells_of_its_own),
	    TEST(workers_count_while_another_configuration_takes_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
