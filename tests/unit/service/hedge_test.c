/* SPDX-License-Identifier: MIT */
/* The hedge combinator: when a spare starts, who wins, and what bounds it. */
#include "tests/unit/service/fake_plan.h"

#include "service/health/health.h"

enum { AFTER = 200000 };

static struct plan root;
static struct config config;
static struct config_model model = {.name = "m"};

/* percent: spares allowed per 100 requests; less than 0 = no health at all, every spare is allowed. */
static struct run *begin(size_t count, uint64_t after_us, int percent)
{
	fake_root_source.options =
	    (struct config_plan_options){.after_us = after_us, .hedges = percent < 0 ? 0 : (unsigned)percent};
	config = (struct config){.models = &model, .model_count = 1};
	fake_worker.config = &config;
	fake_worker.health = percent < 0 ? NULL : health_create(&config, 1, NULL);
	return fake_setup(&root, &plan_kind_hedge, count, true);
}

static void done(void)
{
	fake_teardown();
	if (fake_worker.health != NULL)
		health_destroy(fake_worker.health);
	fake_worker.health = NULL;
}

static void a_spare_starts_when_the_first_is_slow_and_not_before(void **state)
{
	(void)state;
	begin(2, AFTER, -1);
	fake_pass(AFTER - 1);
	assert_null(fake_leaf[1]);
	fake_pass(1);
	assert_true(fake_leaf[1]->started);
	assert_int_equal(fake_leaf[1]->reason, CALL_HEDGE);
	assert_false(fake_leaf[0]->cancelled);
	done();
}

static void the_first_content_wins_and_the_loser_is_cancelled(void **state)
{
	(void)state;
	begin(2, AFTER, -1);
	fake_chunk(0, CARRIES_ROLE, "role0");
	fake_pass(AFTER);
	fake_chunk(1, CARRIES_ROLE, "role1");
	fake_chunk(1, CARRIES_CONTENT, "text1");
	assert_true(fake_leaf[0]->cancelled);
	fake_end(1);
	assert_string_equal(fake_text, "chunk role1;chunk text1;end;");
	done();
}

static void content_in_time_needs_no_spare(void **state)
{
	(void)state;
	begin(2, AFTER, -1);
	fake_chunk(0, CARRIES_CONTENT, "text");
	assert_int_equal(timers_wait(&fake_reactor.timers), UINT64_MAX);
	fake_pass(10 * AFTER);
	assert_null(fake_leaf[1]);
	done();
}

static void each_further_spare_is_as_much_later(void **state)
{
	(void)state;
	begin(3, AFTER, -1);
	fake_pass(AFTER);
	assert_null(fake_leaf[2]);
	fake_pass(AFTER);
	assert_true(fake_leaf[2]->started);
	assert_int_equal(timers_wait(&fake_reactor.timers), UINT64_MAX);
	done();
}

static void without_a_time_of_its_own_it_is_half_a_second_while_too_little_is_known(void **state)
{
	(void)state;
	begin(2, 0, -1);
	fake_pass(499999);
	assert_null(fake_leaf[1]);
	fake_pass(1);
	assert_true(fake_leaf[1]->started);
	done();
}

/* How long a hedge without a time of its own waits for a request that streams, or does not. */
static uint64_t waits(bool stream)
{
	fake_request.stream = stream;
	struct run *run = plan_create_run(&root, &fake_context, &fake_sink);
	run->ops->start(run);
	uint64_t wait_us = timers_wait(&fake_reactor.timers);
	run->ops->cancel(run);
	return wait_us;
}

/* A whole answer's first content comes when all of it was generated: it must not delay the spares of streams. */
static void without_a_time_of_its_own_it_is_the_models_live_p95_of_such_answers(void **state)
{
	(void)state;
	begin(2, AFTER, 5);
	fake_pass(10 * AFTER); /* the first run's spare is over */
	fake_root_source.options.after_us = 0;
	static const struct health_kind streamed = {.stream = true}, whole = {.stream = false};
	for (int i = 0; i < 1000; i++) {
		health_model_content(fake_worker.health, 0, &streamed, 40000, FAKE_SECOND);
		health_model_content(fake_worker.health, 0, &whole, 4 * FAKE_SECOND, FAKE_SECOND);
	}
	assert_in_range(waits(true), 39000, 43000);
	assert_in_range(waits(false), 3990000, 4300000);
	done();
}

static void spares_beyond_the_budget_do_not_start(void **state)
{
	unsigned spares = 0;
	(void)state;
	begin(2, AFTER, 5);
	for (int i = 0; i < 400; i++) {
		memset(fake_leaf, 0, sizeof(fake_leaf));
		struct run *run = plan_create_run(&root, &fake_context, &fake_sink);
		run->ops->start(run);
		fake_pass(AFTER);
		spares += fake_leaf[1] != NULL;
		run->ops->cancel(run);
	}
	assert_in_range(spares, 10, 20);
	done();
}

static void with_no_budget_there_are_no_spares(void **state)
{
	(void)state;
	begin(2, AFTER, 0);
	fake_pass(10 * AFTER);
	assert_null(fake_leaf[1]);
	done();
}

static void a_failure_starts_the_next_at_once_as_a_fallback(void **state)
{
	(void)state;
	begin(3, AFTER, 0);
	fake_error(0, ERROR_UPSTREAM_RESET, true);
	assert_true(fake_leaf[1]->started);
	assert_int_equal(fake_leaf[1]->reason, CALL_FALLBACK);
	fake_chunk(1, CARRIES_CONTENT, "text");
	fake_end(1);
	assert_string_equal(fake_text, "chunk text;end;");
	done();
}

static void a_failure_while_a_spare_runs_starts_nobody(void **state)
{
	(void)state;
	begin(3, AFTER, -1);
	fake_pass(AFTER);
	fake_error(0, ERROR_UPSTREAM_RESET, true);
	assert_null(fake_leaf[2]);
	assert_string_equal(fake_text, "");
	fake_error(1, ERROR_UPSTREAM_IDLE, true);
	assert_true(fake_leaf[2]->started);
	fake_error(2, ERROR_UPSTREAM_CONNECT, true);
	assert_string_equal(fake_text, "error upstream_idle;");
	assert_string_equal(fake_causes(), "a/0 upstream_reset;a/1 upstream_idle;a/2 upstream_connect;");
	done();
}

static void what_nobody_can_mend_is_told_at_once_unless_a_spare_runs(void **state)
{
	(void)state;
	begin(2, AFTER, -1);
	fake_error(0, ERROR_UPSTREAM_REJECTED, false);
	assert_string_equal(fake_text, "error upstream_rejected;");
	assert_int_equal(timers_wait(&fake_reactor.timers), UINT64_MAX);
	done();
	begin(2, AFTER, -1);
	fake_pass(AFTER);
	fake_error(0, ERROR_UPSTREAM_REJECTED, false);
	fake_chunk(1, CARRIES_CONTENT, "text");
	assert_string_equal(fake_text, "chunk text;");
	done();
}

static void cancel_stops_all_and_the_clock(void **state)
{
	(void)state;
	struct run *run = begin(3, AFTER, -1);
	fake_pass(AFTER);
	run->ops->cancel(run);
	assert_true(fake_leaf[0]->cancelled && fake_leaf[1]->cancelled);
	assert_int_equal(timers_wait(&fake_reactor.timers), UINT64_MAX);
	done();
}

static void a_spare_that_wins_is_counted(void **state)
{
	static const char *const models[] = {"m"};
	struct metrics_names names = {0};
	(void)state;
	names.models = models;
	names.model_count = 1;
	assert_true(metrics_setup(1, &names));
	fake_worker.metrics = metrics_cells_of(0);
	for (size_t winner = 0; winner < 2; winner++) {
		begin(2, AFTER, -1);
		fake_pass(AFTER);
		fake_chunk(winner, CARRIES_CONTENT, "text");
		fake_end(winner);
		assert_int_equal(metrics_sum(METRIC_HEDGES_WON, 0, 0, 0), winner);
		done();
	}
	fake_worker.metrics = NULL;
	metrics_teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_spare_starts_when_the_first_is_slow_and_not_before),
	    cmocka_unit_test(the_first_content_wins_and_the_loser_is_cancelled),
	    cmocka_unit_test(content_in_time_needs_no_spare),
	    cmocka_unit_test(each_further_spare_is_as_much_later),
	    cmocka_unit_test(without_a_time_of_its_own_it_is_half_a_second_while_too_little_is_known),
	    cmocka_unit_test(without_a_time_of_its_own_it_is_the_models_live_p95_of_such_answers),
	    cmocka_unit_test(spares_beyond_the_budget_do_not_start),
	    cmocka_unit_test(with_no_budget_there_are_no_spares),
	    cmocka_unit_test(a_failure_starts_the_next_at_once_as_a_fallback),
	    cmocka_unit_test(a_failure_while_a_spare_runs_starts_nobody),
	    cmocka_unit_test(what_nobody_can_mend_is_told_at_once_unless_a_spare_runs),
	    cmocka_unit_test(cancel_stops_all_and_the_clock),
	    cmocka_unit_test(a_spare_that_wins_is_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
