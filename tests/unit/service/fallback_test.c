/* SPDX-License-Identifier: MIT */
/* The fallback combinator: who takes over when, and what a client may see of it. */
#include "tests/unit/service/fake_plan.h"

static struct plan root;

static void only_the_first_child_starts(void **state)
{
	(void)state;
	fake_setup(&root, &plan_kind_fallback, 2, true);
	assert_true(fake_leaf[0]->started);
	assert_null(fake_leaf[1]);
	fake_teardown();
}

static void a_failure_before_content_is_invisible(void **state)
{
	(void)state;
	fake_setup(&root, &plan_kind_fallback, 2, true);
	fake_chunk(0, CARRIES_ROLE, "role0");
	fake_error(0, ERROR_UPSTREAM_RESET, true);
	assert_true(fake_leaf[1]->started);
	fake_chunk(1, CARRIES_ROLE, "role1");
	fake_chunk(1, CARRIES_CONTENT, "text1");
	fake_end(1);
	assert_string_equal(fake_text, "chunk role1;chunk text1;end;");
	fake_teardown();
}

static void early_events_come_out_in_order_once_content_comes(void **state)
{
	(void)state;
	fake_setup(&root, &plan_kind_fallback, 2, true);
	fake_chunk(0, CARRIES_ROLE, "role");
	fake_chunk(0, 0, "empty");
	assert_string_equal(fake_text, "");
	fake_chunk(0, CARRIES_CONTENT, "text");
	assert_string_equal(fake_text, "chunk role;chunk empty;chunk text;");
	fake_teardown();
}

static void a_failure_after_content_is_told(void **state)
{
	(void)state;
	fake_setup(&root, &plan_kind_fallback, 2, true);
	fake_chunk(0, CARRIES_CONTENT, "text");
	fake_error(0, ERROR_UPSTREAM_RESET, true);
	assert_null(fake_leaf[1]);
	assert_string_equal(fake_text, "chunk text;error upstream_reset;");
	fake_teardown();
}

static void a_failure_that_nobody_can_mend_is_told_at_once(void **state)
{
	(void)state;
	fake_setup(&root, &plan_kind_fallback, 2, true);
	fake_error(0, ERROR_UPSTREAM_REJECTED, false);
	assert_null(fake_leaf[1]);
	assert_string_equal(fake_text, "error upstream_rejected;");
	fake_teardown();
}

static void the_most_telling_failure_is_told_when_all_fail_with_every_cause(void **state)
{
	(void)state;
	fake_setup(&root, &plan_kind_fallback, 3, true);
	fake_error(0, ERROR_UPSTREAM_CONNECT, true);
	fake_error(1, ERROR_UPSTREAM_IDLE, true);
	fake_error(2, ERROR_UPSTREAM_RESET, true);
	assert_string_equal(fake_text, "error upstream_idle;");
	assert_string_equal(fake_causes(), "a/0 upstream_connect;a/1 upstream_idle;a/2 upstream_reset;");
	fake_teardown();
}

static void of_failures_that_tell_as_much_it_is_the_last(void **state)
{
	(void)state;
	fake_setup(&root, &plan_kind_fallback, 2, true);
	fake_fail(0, (struct failure){.code = ERROR_UPSTREAM_STATUS, .status = 500, .retryable = true});
	fake_fail(1, (struct failure){.code = ERROR_UPSTREAM_STATUS, .status = 503, .retryable = true});
	assert_int_equal(fake_failure.status, 503);
	fake_teardown();
}

static void of_two_refusals_the_one_that_is_over_sooner_is_told(void **state)
{
	(void)state;
	fake_setup(&root, &plan_kind_fallback, 3, true);
	fake_refuse(0, "9");
	fake_refuse(1, "4");
	fake_refuse(2, "7");
	assert_string_equal(fake_text, "error upstream_unavailable;");
	assert_string_equal(fake_failure.retry_after.at, "4");
	assert_true(fake_failure.refused);
	fake_teardown();
}

static void a_child_after_a_call_is_extra_and_one_after_a_refusal_is_not(void **state)
{
	(void)state;
	fake_setup(&root, &plan_kind_fallback, 3, true);
	fake_refuse(0, "9");
	assert_int_equal(fake_leaf[1]->reason, CALL_FIRST);
	fake_error(1, ERROR_UPSTREAM_RESET, true);
	assert_int_equal(fake_leaf[2]->reason, CALL_FALLBACK);
	assert_int_equal(fake_context.reason, CALL_FIRST);
	fake_teardown();
}

static void a_failure_behind_an_early_event_of_the_last_child_still_tells_all_causes(void **state)
{
	(void)state;
	fake_setup(&root, &plan_kind_fallback, 2, true);
	fake_error(0, ERROR_UPSTREAM_FIRST_CONTENT, true);
	fake_chunk(1, CARRIES_ROLE, "role");
	fake_error(1, ERROR_UPSTREAM_CONNECT, true);
	assert_string_equal(fake_text, "chunk role;error upstream_first_content;");
	assert_string_equal(fake_causes(), "a/0 upstream_first_content;a/1 upstream_connect;");
	fake_teardown();
}

static void a_refusal_is_told_without_a_buffer_of_the_child_that_told_it(void **state)
{
	(void)state;
	char body[] = "{\"error\":{}}";
	fake_setup(&root, &plan_kind_fallback, 2, true);
	fake_fail(0, (struct failure){
			 .code = ERROR_UPSTREAM_STATUS, .status = 500, .retryable = true, .body = span_of(body)});
	memset(body, 'x', sizeof(body) - 1);
	fake_error(1, ERROR_UPSTREAM_CONNECT, true);
	assert_string_equal(fake_failure.body.at, "{\"error\":{}}");
	fake_teardown();
}

static void the_last_child_holds_nothing_back(void **state)
{
	(void)state;
	fake_setup(&root, &plan_kind_fallback, 2, true);
	fake_error(0, ERROR_UPSTREAM_CONNECT, true);
	fake_chunk(1, CARRIES_ROLE, "role");
	assert_string_equal(fake_text, "chunk role;");
	fake_teardown();
}

static void an_empty_answer_still_ends(void **state)
{
	(void)state;
	fake_setup(&root, &plan_kind_fallback, 2, true);
	fake_chunk(0, CARRIES_ROLE, "role");
	fake_chunk(0, CARRIES_FINISH, "stop");
	fake_end(0);
	assert_string_equal(fake_text, "chunk role;chunk stop;end;");
	fake_teardown();
}

static void pause_reaches_a_child_started_later(void **state)
{
	(void)state;
	struct run *run = fake_setup(&root, &plan_kind_fallback, 2, true);
	run->ops->pause(run, true);
	assert_true(fake_leaf[0]->paused);
	fake_error(0, ERROR_UPSTREAM_CONNECT, true);
	assert_true(fake_leaf[1]->paused);
	run->ops->pause(run, false);
	assert_false(fake_leaf[1]->paused);
	fake_teardown();
}

static void cancel_stops_the_child_and_all_events(void **state)
{
	(void)state;
	struct run *run = fake_setup(&root, &plan_kind_fallback, 2, true);
	run->ops->cancel(run);
	assert_true(fake_leaf[0]->cancelled);
	fake_chunk(0, CARRIES_CONTENT, "late");
	fake_error(0, ERROR_UPSTREAM_CONNECT, true);
	assert_null(fake_leaf[1]);
	assert_string_equal(fake_text, "");
	fake_teardown();
}

static void a_whole_answer_commits(void **state)
{
	(void)state;
	fake_setup(&root, &plan_kind_fallback, 2, false);
	fake_body(0, "{", -1);
	fake_error(0, ERROR_UPSTREAM_TRUNCATED, true);
	assert_null(fake_leaf[1]);
	assert_string_equal(fake_text, "body {;error upstream_truncated;");
	fake_teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_the_first_child_starts),
	    cmocka_unit_test(a_failure_before_content_is_invisible),
	    cmocka_unit_test(early_events_come_out_in_order_once_content_comes),
	    cmocka_unit_test(a_failure_after_content_is_told),
	    cmocka_unit_test(a_failure_that_nobody_can_mend_is_told_at_once),
	    cmocka_unit_test(the_most_telling_failure_is_told_when_all_fail_with_every_cause),
	    cmocka_unit_test(of_failures_that_tell_as_much_it_is_the_last),
	    cmocka_unit_test(of_two_refusals_the_one_that_is_over_sooner_is_told),
	    cmocka_unit_test(a_child_after_a_call_is_extra_and_one_after_a_refusal_is_not),
	    cmocka_unit_test(a_failure_behind_an_early_event_of_the_last_child_still_tells_all_causes),
	    cmocka_unit_test(a_refusal_is_told_without_a_buffer_of_the_child_that_told_it),
	    cmocka_unit_test(the_last_child_holds_nothing_back),
	    cmocka_unit_test(an_empty_answer_still_ends),
	    cmocka_unit_test(pause_reaches_a_child_started_later),
	    cmocka_unit_test(cancel_stops_the_child_and_all_events),
	    cmocka_unit_test(a_whole_answer_commits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
