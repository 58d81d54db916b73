/* SPDX-License-Identifier: MIT */
/* What plans need of answers: details added to a backend's error, and usage put in place of a backend's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "schemas/openai/answer_merge.h"
#include "schemas/openai/answer_read.h"
#include "schemas/backend_retry_after.h"
#include "schemas/openai/error_write.h"

static struct arena arena;
static struct buf out;
static char text[1024];

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 0);
	buf_init(&out, sizeof(text));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_fini(&out);
	arena_fini(&arena);
	return 0;
}

static const char *written(void)
{
	snprintf(text, sizeof(text), "%.*s", SPAN_ARG(buf_span(&out)));
	return text;
}

static void details_become_the_last_member_of_a_backends_error(void **state)
{
	(void)state;
	assert_true(openai_error_add_details(SPAN("{ \"error\": {\"message\":\"m\"} , \"x\": 1e400}"), SPAN("[1]"),
					     &arena, &out));
	assert_string_equal(written(), "{ \"error\": {\"message\":\"m\",\"details\":[1]} , \"x\": 1e400}");
}

static void an_error_that_has_no_room_for_details_is_left_alone(void **state)
{
	static const char *const bodies[] = {
	    "{}", "{\"error\":\"text\"}", "{\"error\":{}}", "{\"error\":", "[]", "{\"error\":{\"details\":[]}}"};
	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		assert_false(openai_error_add_details(span_of(bodies[i]), SPAN("[1]"), &arena, &out));
	assert_string_equal(written(), "");
}

static const struct usage three = {1, 2, 3, -1, -1};

static void usage_is_put_in_place_of_the_answers_own(void **state)
{
	(void)state;
	assert_true(
	    openai_answer_write_usage(SPAN("{\"usage\":{\"total_tokens\":9},\"choices\":[{}]}"), &three, &arena, &out));
	assert_string_equal(
	    written(), "{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3},\"choices\":[{}]}");
}

static void usage_is_added_where_there_is_none(void **state)
{
	(void)state;
	assert_true(openai_answer_write_usage(SPAN("{\"choices\":[{}]}"), &three, &arena, &out));
	assert_string_equal(
	    written(), "{\"choices\":[{}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}");
}

static void usage_that_nobody_told_changes_nothing(void **state)
{
	static const struct usage unknown = {-1, -1, -1, -1, -1};
	(void)state;
	assert_true(openai_answer_write_usage(SPAN("{\"choices\":[{}]}"), &unknown, &arena, &out));
	assert_string_equal(written(), "{\"choices\":[{}]}");
	assert_false(openai_answer_write_usage(SPAN("{\"choices\":[]}"), &unknown, &arena, &out));
}

static void milliseconds_go_before_seconds_when_they_are_a_number(void **state)
{
	static const struct {
		const char *milliseconds, *seconds, *told;
	} cases[] = {{"1500", "9", "2"}, {"0", "9", "0"},     {"", "9", "9"}, {"x", "9", "9"},
		     {"-5", "9", "0"},   {"1e9", "", "3600"}, {"5s", "", ""}, {"", "", ""}};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span told =
		    backend_retry_after_read(span_of(cases[i].milliseconds), span_of(cases[i].seconds), 0, &arena);
		assert_true(span_is(told, cases[i].told));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(details_become_the_last_member_of_a_backends_error, setup, teardown),
	    cmocka_unit_test_setup_teardown(an_error_that_has_no_room_for_details_is_left_alone, setup, teardown),
	    cmocka_unit_test_setup_teardown(usage_is_put_in_place_of_the_answers_own, setup, teardown),
	    cmocka_unit_test_setup_teardown(usage_is_added_where_there_is_none, setup, teardown),
	    cmocka_unit_test_setup_teardown(usage_that_nobody_told_changes_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(milliseconds_go_before_seconds_when_they_are_a_number, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
