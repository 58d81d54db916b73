/* SPDX-License-Identifier: MIT */
/* The race combinator: all at once, the first content wins. */
#include "tests/unit/service/fake_plan.h"

static struct plan root;

static void all_children_start_for_the_same_reason(void **state)
{
	(void)state;
	fake_setup(&root, &plan_kind_race, 3, true);
	for (size_t i = 0; i < 3; i++) {
		assert_true(fake_leaf[i]->started);
		assert_int_equal(fake_leaf[i]->reason, CALL_FIRST);
	}
	fake_teardown();
}

static void the_first_content_wins_and_the_losers_are_cancelled_at_once(void **state)
{
	(void)state;
	fake_setup(&root, &plan_kind_race, 3, true);
	fake_chunk(0, CARRIES_ROLE, "role0");
	fake_chunk(1, CARRIES_ROLE, "role1");
	assert_string_equal(fake_text, "");
	fake_chunk(1, CARRIES_CONTENT, "text1");
	assert_true(fake_leaf[0]->cancelled && fake_leaf[2]->cancelled);
	assert_false(fake_leaf[1]->cancelled);
	fake_chunk(0, CARRIES_CONTENT, "late");
	fake_end(1);
	assert_string_equal(fake_text, "chunk role1;chunk text1;end;");
	fake_teardown();
}

static void a_failure_before_content_only_leaves_the_race(void **state)
{
	(void)state;
	fake_setup(&root, &plan_kind_race, 2, true);
	fake_error(0, ERROR_UPSTREAM_REJECTED, false);
	assert_string_equal(fake_text, "");
	fake_chunk(1, CARRIES_CONTENT, "text");
	fake_end(1);
	assert_string_equal(fake_text, "chunk text;end;");
	fake_teardown();
}

static void the_last_one_left_holds_nothing_back(void **state)
{
	(void)state;
	fake_setup(&root, &plan_kind_race, 2, true);
	fake_chunk(1, CARRIES_ROLE, "role");
	assert_string_equal(fake_text, "");
	fake_error(0, ERROR_UPSTREAM_RESET, true);
	assert_string_equal(fake_text, "chunk role;");
	fake_chunk(1, 0, "empty");
	assert_string_equal(fake_text, "chunk role;chunk empty;");
	fake_teardown();
}

static void it_fails_only_when_all_failed_with_the_most_telling(void **state)
{
	(void)state;
	fake_setup(&root, &plan_kind_race, 3, true);
	fake_error(1, ERROR_UPSTREAM_REJECTED, false);
	fake_error(0, ERROR_UPSTREAM_CONNECT, true);
	assert_string_equal(fake_text, "");
	fake_error(2, ERROR_UPSTREAM_IDLE, true);
	assert_string_equal(fake_text, "error upstream_rejected;");
	assert_string_equal(fake_causes(), "a/1 upstream_rejected;a/0 upstream_connect;a/2 upstream_idle;");
	fake_teardown();
}

static void a_failure_after_content_is_told_as_it_is(void **state)
{
	(void)state;
	fake_setup(&root, &plan_kind_race, 2, true);
	fake_chunk(0, CARRIES_CONTENT, "text");
	fake_error(0, ERROR_UPSTREAM_RESET, true);
	assert_string_equal(fake_text, "chunk text;error upstream_reset;");
	assert_string_equal(fake_causes(), "");
	fake_teardown();
}

static void a_whole_answer_wins(void **state)
{
	(void)state;
	fake_setup(&root, &plan_kind_race, 2, false);
	fake_body(1, "{}", 3);
	assert_true(fake_leaf[0]->cancelled);
	fake_end(1);
	assert_string_equal(fake_text, "body {};end;");
	fake_teardown();
}

static void an_empty_answer_that_ends_wins(void **state)
{
	(void)state;
	fake_setup(&root, &plan_kind_race, 2, true);
	fake_chunk(0, CARRIES_FINISH, "stop");
	fake_end(0);
	assert_true(fake_leaf[1]->cancelled);
	assert_string_equal(fake_text, "chunk stop;end;");
	fake_teardown();
}

static void pause_and_cancel_reach_all_who_run(void **state)
{
	(void)state;
	struct run *run = fake_setup(&root, &plan_kind_race, 3, true);
	fake_error(0, ERROR_UPSTREAM_RESET, true);
	run->ops->pause(run, true);
	assert_true(fake_leaf[1]->paused && fake_leaf[2]->paused);
	run->ops->cancel(run);
	assert_true(fake_leaf[1]->cancelled && fake_leaf[2]->cancelled);
	fake_chunk(1, CARRIES_CONTENT, "late");
	fake_error(2, ERROR_UPSTREAM_RESET, true);
	assert_string_equal(fake_text, "");
	fake_teardown();
}

static void the_winner_is_not_cancelled_once_it_has_ended(void **state)
{
	(void)state;
	struct run *run = fake_setup(&root, &plan_kind_race, 2, true);
	fake_chunk(0, CARRIES_CONTENT, "text");
	fake_end(0);
	run->ops->cancel(run);
	assert_false(fake_leaf[0]->cancelled);
	fake_teardown();
}

static void usage_that_a_loser_told_is_counted_but_never_told(void **state)
{
	static const char *const models[] = {"m"};
	struct metrics_names names = {0};
	(void)state;
	names.models = models;
	names.model_count = 1;
	assert_true(metrics_setup(1, &names));
	fake_worker.metrics = metrics_cells_of(0);
	fake_setup(&root, &plan_kind_race, 3, true);
	fake_send(0, (struct event){.kind = EVENT_USAGE, .usage = {10, 1, 11, -1, -1}});
	fake_send(0, (struct event){.kind = EVENT_USAGE, .usage = {10, 2, 12, -1, -1}});
	fake_send(1, (struct event){.kind = EVENT_USAGE, .usage = {100, 3, 103, -1, -1}});
	fake_send(2, (struct event){.kind = EVENT_USAGE, .usage = {1000, 4, 1004, -1, -1}});
	fake_error(2, ERROR_UPSTREAM_RESET, true);
	fake_chunk(1, CARRIES_CONTENT, "text");
	fake_end(1);
	assert_string_equal(fake_text, "usage 103;chunk text;end;");
	assert_int_equal(metrics_sum(METRIC_TOKENS, 0, METRICS_TOKENS_PROMPT, 0), 1010);
	assert_int_equal(metrics_sum(METRIC_TOKENS, 0, METRICS_TOKENS_COMPLETION, 0), 6);
	fake_teardown();
	/* what went up is the books' of whoever got it, also when the client leaves in the middle */
	struct run *run = fake_setup(&root, &plan_kind_race, 2, true);
	fake_send(0, (struct event){.kind = EVENT_USAGE, .usage = {10, 1, 11, -1, -1}});
	fake_chunk(0, CARRIES_CONTENT, "text");
	run->ops->cancel(run);
	assert_int_equal(metrics_sum(METRIC_TOKENS, 0, METRICS_TOKENS_COMPLETION, 0), 6);
	fake_teardown();
	fake_worker.metrics = NULL;
	metrics_teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_children_start_for_the_same_reason),
	    cmocka_unit_test(the_first_content_wins_and_the_losers_are_cancelled_at_once),
	    cmocka_unit_test(a_failure_before_content_only_leaves_the_race),
	    cmocka_unit_test(the_last_one_left_holds_nothing_back),
	    cmocka_unit_test(it_fails_only_when_all_failed_with_the_most_telling),
	    cmocka_unit_test(a_failure_after_content_is_told_as_it_is),
	    cmocka_unit_test(a_whole_answer_wins),
	    cmocka_unit_test(an_empty_answer_that_ends_wins),
	    cmocka_unit_test(pause_and_cancel_reach_all_who_run),
	    cmocka_unit_test(the_winner_is_not_cancelled_once_it_has_ended),
	    cmocka_unit_test(usage_that_a_loser_told_is_counted_but_never_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
