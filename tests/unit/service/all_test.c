/* SPDX-License-Identifier: MIT */
/* The all combinator: choices of several answers, gathered into one. */
#include "tests/unit/service/fake_plan.h"

static struct plan root;

#define CHUNK(index, text) \
	"{\"id\":\"x\",\"model\":\"b\",\"choices\":[{\"index\":" #index ",\"delta\":{\"content\":\"" text "\"}}]}"

static void chunks_are_reindexed_and_say_their_target(void **state)
{
	(void)state;
	fake_setup(&root, &plan_kind_all, 2, true);
	fake_chunk(1, CARRIES_CONTENT, CHUNK(0, "b"));
	assert_non_null(strstr(fake_text, "\"index\":1"));
	assert_non_null(strstr(fake_text, "\"sluice_target\":\"a/1\""));
	assert_non_null(strstr(fake_text, "\"id\":\"chatcmpl-x\""));
	assert_non_null(strstr(fake_text, "\"model\":\"m\""));
	fake_chunk(0, CARRIES_CONTENT, CHUNK(0, "a"));
	assert_non_null(strstr(fake_text, "\"index\":0"));
	fake_end(0);
	assert_null(strstr(fake_text, "end;"));
	fake_end(1);
	assert_non_null(strstr(fake_text, "end;"));
	fake_teardown();
}

static void whole_answers_become_one(void **state)
{
	(void)state;
	fake_setup(&root, &plan_kind_all, 2, false);
	fake_body(1,
		  "{\"id\":\"2\",\"model\":\"n\",\"choices\":[{\"index\":0,\"message\":{\"content\":\"B\"}}],"
		  "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}",
		  1);
	fake_end(1);
	assert_string_equal(fake_text, "");
	fake_body(0,
		  "{\"id\":\"1\",\"model\":\"n\",\"choices\":[{\"index\":0,\"message\":{\"content\":\"A\"}}],"
		  "\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":20,\"total_tokens\":30}}",
		  1);
	fake_end(0);
	const char *a = strstr(fake_text, "\"A\"");
	const char *b = strstr(fake_text, "\"B\"");
	assert_non_null(a);
	assert_non_null(b);
	assert_true(a < b);
	assert_non_null(strstr(fake_text, "\"total_tokens\":33"));
	assert_non_null(strstr(fake_text, "end;"));
	fake_teardown();
}

static void one_failure_fails_the_whole_and_aborts_the_rest(void **state)
{
	(void)state;
	fake_setup(&root, &plan_kind_all, 3, true);
	fake_chunk(0, CARRIES_CONTENT, CHUNK(0, "a"));
	fake_error(1, ERROR_UPSTREAM_IDLE, true);
	assert_true(fake_leaf[0]->cancelled);
	assert_true(fake_leaf[2]->cancelled);
	assert_non_null(strstr(fake_text, "error upstream_idle;"));
	size_t before = strlen(fake_text);
	fake_chunk(2, CARRIES_CONTENT, CHUNK(0, "late"));
	fake_end(0);
	assert_int_equal(strlen(fake_text), before);
	fake_teardown();
}

static void usage_is_summed_and_told_only_when_asked(void **state)
{
	(void)state;
	for (int asked = 0; asked < 2; asked++) {
		fake_setup(&root, &plan_kind_all, 2, true);
		fake_request.include_usage = asked == 1;
		for (size_t i = 0; i < 2; i++) {
			fake_send(i, (struct event){.kind = EVENT_USAGE, .usage = {1, 2, 3, -1, -1}});
			fake_end(i);
		}
		if (asked == 1)
			assert_non_null(strstr(fake_text, "\"total_tokens\":6"));
		else
			assert_string_equal(fake_text, "usage 6;end;");
		fake_teardown();
	}
}

static void pause_and_cancel_reach_every_child(void **state)
{
	(void)state;
	struct run *run = fake_setup(&root, &plan_kind_all, 2, true);
	run->ops->pause(run, true);
	assert_true(fake_leaf[0]->paused && fake_leaf[1]->paused);
	run->ops->cancel(run);
	assert_true(fake_leaf[0]->cancelled && fake_leaf[1]->cancelled);
	fake_teardown();
}

static void a_chunk_without_choices_is_an_invalid_answer(void **state)
{
	(void)state;
	fake_setup(&root, &plan_kind_all, 1, true);
	fake_chunk(0, CARRIES_CONTENT, "[]");
	assert_string_equal(fake_text, "error upstream_invalid_response;");
	fake_teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(chunks_are_reindexed_and_say_their_target),
	    cmocka_unit_test(whole_answers_become_one),
	    cmocka_unit_test(one_failure_fails_the_whole_and_aborts_the_rest),
	    cmocka_unit_test(usage_is_summed_and_told_only_when_asked),
	    cmocka_unit_test(pause_and_cancel_reach_every_child),
	    cmocka_unit_test(a_chunk_without_choices_is_an_invalid_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
