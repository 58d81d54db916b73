/* SPDX-License-Identifier: MIT */
/* The retry combinator: the same child again, after a wait, before commit. */
#include "tests/unit/service/fake_plan.h"

enum { FIRST_WAIT = 100000 }; /* the longest wait before the second try, microseconds */

static struct plan root;

static struct run *begin(size_t children, unsigned attempts)
{
	fake_root_source.options.attempts = attempts;
	return fake_setup(&root, &plan_kind_retry, children, true);
}

static void the_same_child_is_tried_again_within_the_step(void **state)
{
	(void)state;
	begin(1, 2);
	fake_error(0, ERROR_UPSTREAM_RESET, true);
	assert_string_equal(fake_text, "");
	fake_pass(FIRST_WAIT);
	assert_int_equal(fake_runs[0], 2);
	assert_int_equal(fake_leaf[0]->reason, CALL_RETRY);
	fake_chunk(0, CARRIES_CONTENT, "text");
	fake_end(0);
	assert_string_equal(fake_text, "chunk text;end;");
	fake_teardown();
}

static void the_steps_double_up_to_two_seconds(void **state)
{
	static const uint64_t steps[] = {100000, 200000, 400000, 800000, 1600000, 2000000, 2000000};
	(void)state;
	begin(1, 8);
	for (unsigned i = 0; i < 7; i++) {
		fake_error(0, ERROR_UPSTREAM_RESET, true);
		assert_int_equal(fake_runs[0], i + 1);
		assert_true(timers_wait(&fake_reactor.timers) <= steps[i]);
		fake_pass(steps[i]);
		assert_int_equal(fake_runs[0], i + 2);
	}
	fake_teardown();
}

static void the_waits_are_not_all_the_same(void **state)
{
	(void)state;
	uint64_t least = UINT64_MAX, most = 0;
	for (int i = 0; i < 64; i++) {
		begin(1, 2);
		fake_error(0, ERROR_UPSTREAM_RESET, true);
		uint64_t wait = timers_wait(&fake_reactor.timers);
		least = wait < least ? wait : least;
		most = wait > most ? wait : most;
		fake_pass(FIRST_WAIT);
		fake_teardown();
	}
	assert_true(least < FIRST_WAIT / 2 && most > FIRST_WAIT / 2);
}

static void attempts_count_the_first_and_then_the_failure_is_told_with_all_causes(void **state)
{
	(void)state;
	begin(1, 3);
	for (int i = 0; i < 3; i++) {
		fake_error(0, i == 1 ? ERROR_UPSTREAM_IDLE : ERROR_UPSTREAM_RESET, true);
		fake_pass(FAKE_SECOND);
	}
	assert_int_equal(fake_runs[0], 3);
	assert_string_equal(fake_text, "error upstream_idle;");
	assert_string_equal(fake_causes(), "a/0 upstream_reset;a/0 upstream_idle;a/0 upstream_reset;");
	fake_teardown();
}

static void two_tries_are_the_default(void **state)
{
	(void)state;
	begin(1, 0);
	for (int i = 0; i < 2; i++) {
		fake_error(0, ERROR_UPSTREAM_RESET, true);
		fake_pass(FAKE_SECOND);
	}
	assert_int_equal(fake_runs[0], 2);
	assert_string_equal(fake_text, "error upstream_reset;");
	fake_teardown();
}

static void several_children_take_turns(void **state)
{
	(void)state;
	begin(2, 4);
	for (int i = 0; i < 3; i++) {
		fake_error((size_t)i % 2, ERROR_UPSTREAM_RESET, true);
		fake_pass(FAKE_SECOND);
	}
	assert_int_equal(fake_runs[0], 2);
	assert_int_equal(fake_runs[1], 2);
	fake_teardown();
}

static void what_asking_again_cannot_mend_is_told_at_once(void **state)
{
	(void)state;
	begin(1, 3);
	fake_fail(0, (struct failure){.code = ERROR_UPSTREAM_TLS, .retryable = true});
	assert_string_equal(fake_text, "error upstream_tls;");
	fake_teardown();
	begin(2, 3);
	fake_fail(0, (struct failure){.code = ERROR_UPSTREAM_TLS, .retryable = true});
	fake_pass(FAKE_SECOND);
	assert_int_equal(fake_runs[1], 1);
	fake_teardown();
}

static struct failure busy(const char *retry_after)
{
	struct failure failure = failure_of(ERROR_UPSTREAM_BUSY);
	failure.retry_after = span_of(retry_after);
	return failure;
}

static void a_short_retry_after_is_waited_for(void **state)
{
	(void)state;
	begin(1, 2);
	fake_fail(0, busy("2"));
	fake_pass(2 * FAKE_SECOND - 1);
	assert_int_equal(fake_runs[0], 1);
	fake_pass(1);
	assert_int_equal(fake_runs[0], 2);
	fake_teardown();
}

static void a_long_retry_after_is_passed_on(void **state)
{
	(void)state;
	begin(1, 2);
	fake_fail(0, busy("3"));
	assert_string_equal(fake_text, "error upstream_busy;");
	assert_string_equal(fake_failure.retry_after.at, "3");
	fake_teardown();
}

static void a_refusal_that_does_not_say_when_it_is_over_is_passed_on(void **state)
{
	(void)state;
	begin(1, 3);
	fake_refuse(0, NULL);
	assert_string_equal(fake_text, "error upstream_unavailable;");
	fake_teardown();
	begin(1, 3);
	fake_refuse(0, "1");
	fake_pass(FAKE_SECOND);
	assert_int_equal(fake_runs[0], 2);
	assert_int_equal(fake_leaf[0]->reason, CALL_FIRST);
	fake_teardown();
}

static void a_refused_retry_tells_what_the_call_before_it_met(void **state)
{
	(void)state;
	begin(1, 2);
	fake_error(0, ERROR_UPSTREAM_RESET, true);
	fake_pass(FIRST_WAIT);
	fake_refuse(0, NULL);
	assert_string_equal(fake_text, "error upstream_reset;");
	assert_false(fake_failure.refused);
	assert_string_equal(fake_causes(), "a/0 upstream_reset;a/0 upstream_unavailable;");
	fake_teardown();
}

static void nothing_is_tried_again_after_content(void **state)
{
	(void)state;
	begin(1, 3);
	fake_chunk(0, CARRIES_CONTENT, "text");
	fake_error(0, ERROR_UPSTREAM_RESET, true);
	fake_pass(FAKE_SECOND);
	assert_int_equal(fake_runs[0], 1);
	assert_string_equal(fake_text, "chunk text;error upstream_reset;");
	fake_teardown();
}

static void early_events_of_a_failed_try_are_never_seen(void **state)
{
	(void)state;
	begin(1, 2);
	fake_chunk(0, CARRIES_ROLE, "role1");
	fake_error(0, ERROR_UPSTREAM_RESET, true);
	fake_pass(FIRST_WAIT);
	fake_chunk(0, CARRIES_ROLE, "role2");
	assert_string_equal(fake_text, "chunk role2;");
	fake_teardown();
}

static void cancel_ends_the_wait(void **state)
{
	(void)state;
	struct run *run = begin(1, 2);
	fake_error(0, ERROR_UPSTREAM_RESET, true);
	run->ops->cancel(run);
	assert_int_equal(timers_wait(&fake_reactor.timers), UINT64_MAX);
	fake_pass(FAKE_SECOND);
	assert_int_equal(fake_runs[0], 1);
	assert_string_equal(fake_text, "");
	fake_teardown();
}

static void pause_holds_for_the_try_that_comes(void **state)
{
	(void)state;
	struct run *run = begin(1, 2);
	fake_error(0, ERROR_UPSTREAM_RESET, true);
	run->ops->pause(run, true);
	fake_pass(FIRST_WAIT);
	assert_true(fake_leaf[0]->paused);
	fake_teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_same_child_is_tried_again_within_the_step),
	    cmocka_unit_test(the_steps_double_up_to_two_seconds),
	    cmocka_unit_test(the_waits_are_not_all_the_same),
	    cmocka_unit_test(attempts_count_the_first_and_then_the_failure_is_told_with_all_causes),
	    cmocka_unit_test(two_tries_are_the_default),
	    cmocka_unit_test(several_children_take_turns),
	    cmocka_unit_test(what_asking_again_cannot_mend_is_told_at_once),
	    cmocka_unit_test(a_short_retry_after_is_waited_for),
	    cmocka_unit_test(a_long_retry_after_is_passed_on),
	    cmocka_unit_test(a_refusal_that_does_not_say_when_it_is_over_is_passed_on),
	    cmocka_unit_test(a_refused_retry_tells_what_the_call_before_it_met),
	    cmocka_unit_test(nothing_is_tried_again_after_content),
	    cmocka_unit_test(early_events_of_a_failed_try_are_never_seen),
	    cmocka_unit_test(cancel_ends_the_wait),
	    cmocka_unit_test(pause_holds_for_the_try_that_comes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
