/* SPDX-License-Identifier: MIT */
/*
 * Whether and when a target's call starts: the limit's queue (replaced here), the
 * breaker (the real one), and the one resend behind a dead connection.
 */
#include "tests/unit/service/fake_target.h"

#include "service/health/health.h"
#include "service/health/limit.h"

/* The limit, replaced: it says what the test wants. */
static enum limit_verdict fake_verdict;
static struct limit_waiter *fake_waiter;
static unsigned fake_abandoned, fake_left;
static bool fake_overloaded;
static uint64_t fake_first_content;

enum limit_verdict limit_enter(struct limit *limit, struct limit_waiter *waiter, uint64_t now_us)
{
	(void)limit, (void)now_us;
	fake_waiter = waiter;
	return fake_verdict;
}

void limit_abandon(struct limit_waiter *waiter, uint64_t now_us)
{
	(void)now_us;
	assert_ptr_equal(waiter, fake_waiter);
	fake_abandoned++;
}

void limit_leave(struct limit *limit, struct queue_lane *place, uint64_t first_content_us, bool overloaded,
		 uint64_t now_us)
{
	(void)limit, (void)place, (void)now_us;
	fake_left++;
	fake_overloaded = overloaded;
	fake_first_content = first_content_us;
}

void limit_report(struct limit *limit, struct limit_report *report)
{
	(void)limit;
	*report = (struct limit_report){0};
}

uint64_t limit_estimate_us(struct limit *limit, uint64_t now_us)
{
	(void)limit, (void)now_us;
	return 6500000;
}

static struct limit *const limits[] = {(struct limit *)&fake_verdict};
static struct config_target targets[1];

/* A breaker that opens at the second failure in a row, for four seconds. */
static void gate(enum limit_verdict verdict, bool stream)
{
	fake_verdict = verdict;
	fake_abandoned = fake_left = 0;
	fake_overloaded = false;
	fake_first_content = 0;
	calls_started = 0;
	prepare(stream);
	backend.breaker = (struct config_breaker){.enabled = true,
						  .window_us = 60 * SECOND,
						  .calls = 10,
						  .percent = 50,
						  .consecutive = 2,
						  .unreachable = 3,
						  .wait_us = 4 * SECOND,
						  .wait_most_us = 300 * SECOND};
	targets[0] = (struct config_target){.backend = &backend, .model = "real", .name = "b/real"};
	config.targets = targets;
	config.target_count = 1;
	config.retries = (struct config_budget){.percent = 20, .least = 1};
	worker.limits = limits;
	worker.health = health_create(&config, 1, NULL);
	assert_non_null(worker.health);
}

static void ungate(void)
{
	finish();
	health_destroy(worker.health);
	worker.health = NULL;
	worker.limits = NULL;
}

static unsigned running_calls(void)
{
	struct health_view view;
	struct health_use use = {.target = 0, .stream = request.stream};
	health_view(worker.health, &use, fake_now, &view);
	return view.running;
}

static void turn(void)
{
	reactor_run_tasks(&reactor);
}

static void a_call_with_a_place_starts_at_once_and_gives_it_back_once(void **state)
{
	(void)state;
	gate(LIMIT_GO, true);
	start();
	assert_int_equal(calls_started, 1);
	assert_int_equal(running_calls(), 1);
	call_head(200, "text/event-stream");
	pass(3 * SECOND);
	call_bytes("data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"hi\"},"
		   "\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
	assert_int_equal(fake_left, 1);
	assert_int_equal(fake_first_content, 3 * SECOND);
	assert_false(fake_overloaded);
	assert_int_equal(running_calls(), 0);
	call_done(ERROR_NONE);
	ungate();
	assert_int_equal(fake_left, 1);
}

static void a_full_queue_is_a_refusal_that_says_when_to_come_back(void **state)
{
	(void)state;
	gate(LIMIT_FULL, true);
	start();
	assert_string_equal(seen, "");
	turn();
	assert_string_equal(seen, "error queue_full;");
	assert_string_equal(last_retry_after, "7");
	assert_true(last_refused && last_retryable);
	assert_int_equal(shared.attempts, 0);
	ungate();
	assert_int_equal(calls_started + fake_left + fake_abandoned, 0);
}

static void one_who_waited_starts_when_a_place_is_free(void **state)
{
	(void)state;
	gate(LIMIT_QUEUED, true);
	start();
	assert_int_equal(calls_started, 0);
	assert_int_equal(shared.attempts, 0);
	fake_waiter->on_settled(fake_waiter, true);
	assert_int_equal(calls_started, 1);
	assert_int_equal(shared.attempts, 1);
	call_head(200, "text/event-stream");
	call_done(ERROR_UPSTREAM_RESET);
	assert_int_equal(fake_left, 1);
	ungate();
}

static void waiting_too_long_is_a_refusal(void **state)
{
	(void)state;
	gate(LIMIT_QUEUED, true);
	start();
	fake_waiter->on_settled(fake_waiter, false);
	turn();
	assert_string_equal(seen, "error queue_timeout;");
	assert_string_equal(last_retry_after, "7");
	ungate();
	assert_int_equal(fake_left, 0);
}

static void one_whose_place_in_the_queue_was_taken_is_told_that_it_is_full(void **state)
{
	(void)state;
	gate(LIMIT_QUEUED, true);
	start();
	fake_waiter->displaced = true;
	fake_waiter->on_settled(fake_waiter, false);
	turn();
	assert_string_equal(seen, "error queue_full;");
	ungate();
}

static void cancel_leaves_the_queue(void **state)
{
	(void)state;
	gate(LIMIT_QUEUED, true);
	start();
	run->ops->cancel(run);
	assert_int_equal(fake_abandoned, 1);
	assert_int_equal(calls_started, 0);
	ungate();
	assert_string_equal(seen, "");
}

static void cancel_between_a_refusal_and_its_telling_silences_it(void **state)
{
	(void)state;
	gate(LIMIT_FULL, true);
	start();
	run->ops->cancel(run);
	turn();
	assert_string_equal(seen, "");
	ungate();
}

static void a_pause_is_remembered_until_the_call_starts(void **state)
{
	(void)state;
	gate(LIMIT_QUEUED, true);
	start();
	run->ops->pause(run, true);
	fake_waiter->on_settled(fake_waiter, true);
	assert_true(call.paused);
	pass(60 * SECOND); /* no silence is counted meanwhile */
	assert_string_equal(seen, "");
	run->ops->pause(run, false);
	assert_false(call.paused);
	pass(31 * SECOND);
	assert_string_equal(seen, "error upstream_first_content;");
	assert_true(fake_overloaded);
	ungate();
}

static void fail_one(void)
{
	start();
	call_head(200, "text/event-stream");
	call_done(ERROR_UPSTREAM_RESET);
	seen[0] = '\0';
	shared.failed = NULL; /* another request */
}

static void an_open_breaker_refuses_says_why_and_gives_the_place_back(void **state)
{
	(void)state;
	gate(LIMIT_GO, true);
	fail_one();
	fail_one();
	calls_started = fake_left = shared.attempts = 0;
	start();
	turn();
	assert_string_equal(seen, "error upstream_unavailable;");
	assert_non_null(strstr(last_message, "b/real"));
	assert_non_null(strstr(last_message, "out of service"));
	assert_non_null(strstr(last_message, "upstream_reset"));
	assert_in_range(atoi(last_retry_after), 2, 4);
	assert_true(last_refused);
	assert_int_equal(calls_started, 0);
	assert_int_equal(shared.attempts, 0);
	assert_int_equal(fake_left, 1);
	ungate();
}

static void a_busy_backend_cools_down_as_long_as_it_asked(void **state)
{
	(void)state;
	gate(LIMIT_GO, true);
	start();
	call_refusal(529, "30", NULL, NULL);
	assert_string_equal(seen, "error upstream_busy;");
	assert_string_equal(last_retry_after, "30");
	assert_true(fake_overloaded);
	pass(10 * SECOND);
	seen[0] = '\0';
	start();
	turn();
	assert_string_equal(seen, "error upstream_unavailable;");
	assert_string_equal(last_retry_after, "20");
	assert_non_null(strstr(last_message, "asked for a pause"));
	ungate();
}

static void a_repeat_beyond_the_budget_is_refused(void **state)
{
	static const struct run_failed before = {.target = &source, .backend = true};
	(void)state;
	gate(LIMIT_GO, true);
	context.reason = CALL_RETRY;
	shared.failed = &before;
	start();
	struct run *first = run;
	start();
	turn();
	assert_string_equal(seen, "error upstream_unavailable;");
	assert_non_null(strstr(last_message, "budget"));
	assert_int_equal(shared.attempts, 1);
	first->ops->cancel(first);
	ungate();
	context.reason = CALL_FIRST;
}

/* The budget here allows one scout. */
static void begin_diverted(struct run **scout)
{
	gate(LIMIT_GO, true);
	context.reason = CALL_FALLBACK;
	shared.started_us = fake_now;
	start();
	*scout = run;
	start();
	turn();
	assert_int_equal(calls_started, 1);
	assert_string_equal(seen, "");
}

static void end_diverted(struct run *scout)
{
	scout->ops->cancel(scout);
	ungate();
	context.reason = CALL_FIRST;
	shared.timed_out = false;
}

static void a_call_from_elsewhere_waits_for_the_scout_and_no_longer_than_a_second(void **state)
{
	struct run *scout;
	(void)state;
	begin_diverted(&scout);
	pass(SECOND - 1);
	assert_int_equal(calls_started, 1);
	pass(60000);
	assert_int_equal(calls_started, 2);
	end_diverted(scout);
}

static void a_call_from_a_silent_backend_is_not_sent_to_another_silent_one(void **state)
{
	struct run *scout;
	(void)state;
	begin_diverted(&scout);
	shared.timed_out = true;
	pass(SECOND + 60000);
	turn();
	assert_int_equal(calls_started, 1);
	assert_string_equal(seen, "error upstream_unavailable;");
	assert_true(last_refused);
	end_diverted(scout);
}

static void a_call_that_is_held_can_be_cancelled(void **state)
{
	struct run *scout;
	(void)state;
	begin_diverted(&scout);
	run->ops->cancel(run);
	pass(2 * SECOND);
	assert_int_equal(calls_started, 1);
	assert_int_equal(running_calls(), 1);
	end_diverted(scout);
}

static void a_client_that_leaves_is_no_failure_of_the_target(void **state)
{
	(void)state;
	gate(LIMIT_GO, true);
	for (int i = 0; i < 5; i++) {
		start();
		assert_int_equal(running_calls(), 1);
		run->ops->cancel(run);
		assert_int_equal(running_calls(), 0);
	}
	assert_int_equal(calls_started, 5);
	assert_int_equal(fake_left, 5);
	ungate();
}

static void a_call_that_finds_no_memory_gives_all_back(void **state)
{
	(void)state;
	gate(LIMIT_GO, true);
	calls_fail = true;
	start();
	turn();
	calls_fail = false;
	assert_string_equal(seen, "error overloaded;");
	assert_int_equal(running_calls(), 0);
	assert_int_equal(fake_left, 1);
	ungate();
}

static void a_dead_pooled_connection_costs_one_resend_and_no_attempt(void **state)
{
	(void)state;
	gate(LIMIT_GO, true);
	start();
	call_stale();
	assert_int_equal(calls_started, 2);
	assert_int_equal(shared.attempts, 1);
	assert_int_equal(shared.open_calls, 1);
	assert_non_null(strstr(call.body, "\"model\":\"real\""));
	assert_string_equal(seen, "");
	call_stale();
	assert_int_equal(calls_started, 2);
	assert_string_equal(seen, "error upstream_reset;");
	assert_int_equal(shared.open_calls, 0);
	assert_int_equal(fake_left, 1);
	ungate();
}

static void a_dead_connection_that_was_fresh_is_a_failure(void **state)
{
	(void)state;
	gate(LIMIT_GO, true);
	start();
	call_done(ERROR_UPSTREAM_RESET);
	assert_int_equal(calls_started, 1);
	assert_string_equal(seen, "error upstream_reset;");
	ungate();
}

static void a_backend_says_whether_it_should_be_asked_again_and_no_more(void **state)
{
	(void)state;
	gate(LIMIT_GO, true);
	start();
	call_refusal(500, NULL, NULL, "false");
	assert_true(last_retryable && !last_again);
	ungate();
	gate(LIMIT_GO, true);
	start();
	call_refusal(400, NULL, NULL, "true");
	assert_true(!last_retryable && last_again);
	ungate();
}

static void retry_after_in_milliseconds_goes_first(void **state)
{
	(void)state;
	gate(LIMIT_GO, true);
	start();
	call_refusal(429, "30", "1500", NULL);
	assert_string_equal(last_retry_after, "2");
	ungate();
	gate(LIMIT_GO, true);
	start();
	call_refusal(429, "30", "soon", NULL);
	assert_string_equal(last_retry_after, "30");
	ungate();
}

static void repetitions_are_told_to_the_backend(void **state)
{
	(void)state;
	gate(LIMIT_GO, true);
	context.retries_before = -1;
	start();
	assert_null(strstr(call.fields, "x-stainless-retry-count"));
	run->ops->cancel(run);
	context.reason = CALL_FALLBACK;
	start();
	assert_non_null(strstr(call.fields, "x-stainless-retry-count: 1;"));
	run->ops->cancel(run);
	context.reason = CALL_FIRST;
	context.retries_before = 2;
	start();
	assert_non_null(strstr(call.fields, "x-stainless-retry-count: 3;"));
	ungate();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_call_with_a_place_starts_at_once_and_gives_it_back_once),
	    cmocka_unit_test(a_full_queue_is_a_refusal_that_says_when_to_come_back),
	    cmocka_unit_test(one_who_waited_starts_when_a_place_is_free),
	    cmocka_unit_test(waiting_too_long_is_a_refusal),
	    cmocka_unit_test(one_whose_place_in_the_queue_was_taken_is_told_that_it_is_full),
	    cmocka_unit_test(cancel_leaves_the_queue),
	    cmocka_unit_test(cancel_between_a_refusal_and_its_telling_silences_it),
	    cmocka_unit_test(a_pause_is_remembered_until_the_call_starts),
	    cmocka_unit_test(an_open_breaker_refuses_says_why_and_gives_the_place_back),
	    cmocka_unit_test(a_busy_backend_cools_down_as_long_as_it_asked),
	    cmocka_unit_test(a_repeat_beyond_the_budget_is_refused),
	    cmocka_unit_test(a_call_from_elsewhere_waits_for_the_scout_and_no_longer_than_a_second),
	    cmocka_unit_test(a_call_from_a_silent_backend_is_not_sent_to_another_silent_one),
	    cmocka_unit_test(a_call_that_is_held_can_be_cancelled),
	    cmocka_unit_test(a_client_that_leaves_is_no_failure_of_the_target),
	    cmocka_unit_test(a_call_that_finds_no_memory_gives_all_back),
	    cmocka_unit_test(a_dead_pooled_connection_costs_one_resend_and_no_attempt),
	    cmocka_unit_test(a_dead_connection_that_was_fresh_is_a_failure),
	    cmocka_unit_test(a_backend_says_whether_it_should_be_asked_again_and_no_more),
	    cmocka_unit_test(retry_after_in_milliseconds_goes_first),
	    cmocka_unit_test(repetitions_are_told_to_the_backend),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
