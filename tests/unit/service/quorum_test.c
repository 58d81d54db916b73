/* SPDX-License-Identifier: MIT */
/* The quorum combinator: what agrees, when it is decided, and what a client then sees. */
#include "tests/unit/service/fake_plan.h"

static struct plan root;

#define CHUNK(text) "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text "\"}}]}"
#define BODY(text) "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"" text "\"}}],\"usage\":{\"total_tokens\":1}}"

static struct run *begin(size_t count, unsigned agree, bool stream)
{
	fake_root_source.options = (struct config_plan_options){.agree = agree};
	return fake_setup(&root, &plan_kind_quorum, count, stream);
}

static void turn(void)
{
	reactor_run_tasks(&fake_reactor);
}

static void answer(size_t leaf, const char *body)
{
	fake_body(leaf, body, 10);
	fake_end(leaf);
	turn();
}

static void say(size_t leaf, const char *first, const char *second)
{
	fake_chunk(leaf, CARRIES_ROLE | CARRIES_CONTENT, first);
	if (second != NULL)
		fake_chunk(leaf, CARRIES_CONTENT, second);
	fake_end(leaf);
	turn();
}

static void two_of_three_decide_and_the_third_is_cancelled(void **state)
{
	(void)state;
	begin(3, 0, false);
	answer(2, BODY("a"));
	assert_string_equal(fake_text, "");
	answer(0, BODY("a"));
	assert_true(fake_leaf[1]->cancelled);
	assert_non_null(strstr(fake_text, "body {"));
	assert_non_null(strstr(fake_text, "end;"));
	fake_teardown();
}

static void the_answer_waits_for_as_many_as_asked_for(void **state)
{
	(void)state;
	begin(3, 3, false);
	answer(0, BODY("a"));
	answer(1, BODY("a"));
	assert_string_equal(fake_text, "");
	answer(2, BODY("a"));
	assert_non_null(strstr(fake_text, "end;"));
	fake_teardown();
}

static void white_space_around_it_does_not_count_and_within_it_does(void **state)
{
	(void)state;
	begin(2, 2, false);
	answer(0, BODY("a b"));
	answer(1, BODY(" \\na b\\t "));
	assert_non_null(strstr(fake_text, "end;"));
	fake_teardown();
	begin(2, 2, false);
	answer(0, BODY("a b"));
	answer(1, BODY("a  b"));
	assert_string_equal(fake_text, "error no_quorum;");
	fake_teardown();
}

static void unicode_is_not_normalised_and_escapes_do_not_count(void **state)
{
	(void)state;
	begin(2, 2, false);
	answer(0, BODY("\xc3\xa9"));
	answer(1, BODY("\\u00e9"));
	assert_non_null(strstr(fake_text, "end;"));
	fake_teardown();
	begin(2, 2, false);
	answer(0, BODY("\xc3\xa9"));
	answer(1, BODY("e\xcc\x81"));
	assert_string_equal(fake_text, "error no_quorum;");
	fake_teardown();
}

static void ask_for_json(void)
{
	static struct json_error error;
	assert_true(json_parse(&fake_request.json, &fake_arena,
			       SPAN("{\"response_format\":{\"type\":\"json_object\"}}"), 8, &error));
}

static void json_is_compared_by_what_it_means_when_it_was_asked_for(void **state)
{
	static const char first[] = BODY("{\\\"a\\\":1,\\\"b\\\":[1.0,\\\"x\\\"]}");
	static const char second[] = BODY("{ \\\"b\\\" : [1, \\\"x\\\"],\\n \\\"a\\\":1e0 }");
	(void)state;
	for (int asked = 0; asked < 2; asked++) {
		begin(2, 2, false);
		if (asked == 1)
			ask_for_json();
		answer(0, first);
		answer(1, second);
		assert_true((strstr(fake_text, "end;") != NULL) == (asked == 1));
		fake_teardown();
	}
}

static void tool_calls_count_but_their_ids_do_not(void **state)
{
#define CALL(id, arguments)                                                          \
	"{\"choices\":[{\"message\":{\"content\":null,\"tool_calls\":[{\"id\":\"" id \
	"\",\"function\":{\"name\":\"f\",\"arguments\":\"" arguments "\"}}]}}]}"
	(void)state;
	begin(2, 2, false);
	answer(0, CALL("1", "{\\\"a\\\":1,\\\"b\\\":2}"));
	answer(1, CALL("2", "{\\\"b\\\":2, \\\"a\\\":1}"));
	assert_non_null(strstr(fake_text, "end;"));
	fake_teardown();
	begin(2, 2, false);
	answer(0, CALL("1", "{\\\"a\\\":1}"));
	answer(1, CALL("1", "{\\\"a\\\":2}"));
	assert_string_equal(fake_text, "error no_quorum;");
	fake_teardown();
}

static void usage_is_the_sum_of_all_who_told_it(void **state)
{
	(void)state;
	begin(3, 2, false);
	answer(0, BODY("a"));
	fake_send(1, (struct event){.kind = EVENT_USAGE, .usage = {5, 5, 5, -1, -1}});
	answer(2, BODY("a"));
	assert_non_null(strstr(fake_text, "\"total_tokens\":25"));
	fake_teardown();
}

static void a_streaming_client_gets_the_chosen_answers_own_events(void **state)
{
	(void)state;
	begin(3, 2, true);
	fake_request.include_usage = true;
	fake_chunk(0, CARRIES_USAGE | CARRIES_NO_CHOICE, "{}");
	say(0, CHUNK("a"), CHUNK("b"));
	say(1, CHUNK("x"), NULL);
	assert_string_equal(fake_text, "");
	fake_send(2, (struct event){.kind = EVENT_USAGE, .usage = {1, 2, 3, -1, -1}});
	say(2, CHUNK("ab"), NULL);
	assert_memory_equal(fake_text, "chunk " CHUNK("a") ";chunk " CHUNK("b") ";chunk {",
			    strlen("chunk " CHUNK("a") ";chunk " CHUNK("b") ";chunk {"));
	assert_non_null(strstr(fake_text, "\"total_tokens\":3"));
	assert_non_null(strstr(fake_text, ";end;"));
	fake_teardown();
}

static void a_pause_holds_the_chosen_answer_back(void **state)
{
	(void)state;
	struct run *run = begin(2, 2, true);
	say(0, CHUNK("a"), NULL);
	run->ops->pause(run, true);
	assert_true(fake_leaf[1]->paused);
	say(1, CHUNK("a"), NULL);
	assert_string_equal(fake_text, "");
	run->ops->pause(run, false);
	turn();
	assert_string_equal(fake_text, "chunk " CHUNK("a") ";end;");
	fake_teardown();
}

static void as_soon_as_too_few_can_agree_it_fails_with_every_cause(void **state)
{
	(void)state;
	begin(4, 3, false);
	answer(0, BODY("a"));
	fake_error(1, ERROR_UPSTREAM_RESET, true);
	assert_string_equal(fake_text, "");
	answer(2, BODY("b"));
	assert_string_equal(fake_text, "error no_quorum;");
	assert_true(fake_leaf[3]->cancelled);
	assert_true(fake_failure.retryable);
	assert_string_equal(fake_causes(), "a/1 upstream_reset;a/0 no_quorum;a/2 no_quorum;");
	fake_teardown();
}

static void a_client_that_backends_find_at_fault_is_told_so(void **state)
{
	(void)state;
	begin(2, 2, false);
	fake_error(0, ERROR_UPSTREAM_REJECTED, false);
	assert_string_equal(fake_text, "error upstream_rejected;");
	assert_true(fake_leaf[1]->cancelled);
	fake_teardown();
}

static void an_answer_that_cannot_be_read_is_a_failure_of_its_own(void **state)
{
	(void)state;
	begin(3, 2, false);
	answer(0, "{\"choices\":[]}");
	assert_string_equal(fake_text, "");
	answer(1, BODY("a"));
	answer(2, BODY("a"));
	assert_non_null(strstr(fake_text, "end;"));
	fake_teardown();
}

static void cancel_reaches_all_and_nothing_follows(void **state)
{
	(void)state;
	struct run *run = begin(3, 2, false);
	fake_body(0, BODY("a"), 1);
	fake_end(0);
	fake_body(1, BODY("a"), 1);
	fake_end(1); /* decided, not told yet */
	run->ops->cancel(run);
	turn();
	assert_string_equal(fake_text, "");
	assert_true(fake_leaf[2]->cancelled);
	fake_teardown();
}

static void what_cannot_be_compared_is_refused_when_the_plan_is_built(void **state)
{
	(void)state;
	struct run *run = begin(3, 2, false);
	assert_true(root.compares && root.gathers);
	fake_root_source.options.agree = 4;
	assert_non_null(plan_kind_quorum.prepare(&root, &fake_arena));
	fake_root_source.options.agree = 2;
	fake_plan[1].width = 2;
	assert_non_null(plan_kind_quorum.prepare(&root, &fake_arena));
	run->ops->cancel(run);
	fake_teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(two_of_three_decide_and_the_third_is_cancelled),
	    cmocka_unit_test(the_answer_waits_for_as_many_as_asked_for),
	    cmocka_unit_test(white_space_around_it_does_not_count_and_within_it_does),
	    cmocka_unit_test(unicode_is_not_normalised_and_escapes_do_not_count),
	    cmocka_unit_test(json_is_compared_by_what_it_means_when_it_was_asked_for),
	    cmocka_unit_test(tool_calls_count_but_their_ids_do_not),
	    cmocka_unit_test(usage_is_the_sum_of_all_who_told_it),
	    cmocka_unit_test(a_streaming_client_gets_the_chosen_answers_own_events),
	    cmocka_unit_test(a_pause_holds_the_chosen_answer_back),
	    cmocka_unit_test(as_soon_as_too_few_can_agree_it_fails_with_every_cause),
	    cmocka_unit_test(a_client_that_backends_find_at_fault_is_told_so),
	    cmocka_unit_test(an_answer_that_cannot_be_read_is_a_failure_of_its_own),
	    cmocka_unit_test(cancel_reaches_all_and_nothing_follows),
	    cmocka_unit_test(what_cannot_be_compared_is_refused_when_the_plan_is_built),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
