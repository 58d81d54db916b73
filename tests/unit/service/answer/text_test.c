/* SPDX-License-Identifier: MIT */
/* What answers say is gathered, whatever form they come in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/json.h"
#include "schemas/openai/chunk_deltas.h"
#include "service/answer/text.h"
#include "tests/unit/arena_fixture.h"

/* Adds a chunk or a whole answer of the OpenAI dialect. */
static bool add(struct answer_text *text, struct span data)
{
	struct json json;
	struct deltas deltas;
	assert_true(event_parse(data, &arena, &json));
	assert_true(openai_deltas_read(&json, &arena, &deltas));
	return answer_text_add(text, &deltas);
}

static void completions_and_refusals_are_text_too(void **state)
{
	struct answer_text answer;
	(void)state;
	answer_text_init(&answer, 1024);
	assert_true(add(&answer, SPAN("{\"choices\":[{\"text\":\"a\"}]}")));
	assert_true(add(&answer, SPAN("{\"choices\":[{\"delta\":{\"refusal\":\"b\"}}]}")));
	assert_true(span_is(buf_span(&answer.content), "ab"));
	answer_text_fini(&answer);
}

/* Two lists of parts would otherwise agree, as answers that say nothing. */
static void content_in_parts_is_no_text(void **state)
{
	struct answer_text answer;
	(void)state;
	answer_text_init(&answer, 1024);
	assert_false(
	    add(&answer, SPAN("{\"choices\":[{\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}}]}")));
	assert_true(add(&answer, SPAN("{\"choices\":[{\"message\":{\"content\":[],\"refusal\":null}}]}")));
	answer_text_fini(&answer);
}

static void more_tool_calls_than_can_be_told_apart_are_refused(void **state)
{
	struct answer_text answer;
	(void)state;
	answer_text_init(&answer, 1024);
	assert_true(
	    add(&answer,
		SPAN("{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":15,\"function\":{\"name\":\"f\"}}]}}]}")));
	assert_false(
	    add(&answer,
		SPAN("{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":16,\"function\":{\"name\":\"f\"}}]}}]}")));
	assert_false(
	    add(&answer,
		SPAN("{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":-1,\"function\":{\"name\":\"f\"}}]}}]}")));
	answer_text_fini(&answer);
}

static struct span key_of(const char *data, struct buf *out)
{
	struct answer_text text;
	answer_text_init(&text, 1024);
	assert_true(add(&text, span_of(data)));
	buf_reset(out);
	answer_text_write_key(&text, false, &arena, out);
	answer_text_fini(&text);
	return buf_span(out);
}

static void calls_of_different_tools_are_different_answers(void **state)
{
	static const char *const pairs[][2] = {
	    {"{\"choices\":[{\"message\":{\"tool_calls\":[{\"type\":\"custom\",\"custom\":{\"name\":\"a\"}}]}}]}",
	     "{\"choices\":[{\"message\":{\"tool_calls\":[{\"type\":\"custom\",\"custom\":{\"name\":\"b\"}}]}}]}"},
	    {"{\"choices\":[{\"message\":{\"function_call\":{\"name\":\"a\",\"arguments\":\"{}\"}}}]}",
	     "{\"choices\":[{\"message\":{\"function_call\":{\"name\":\"b\",\"arguments\":\"{}\"}}}]}"},
	};
	struct buf one, other;
	(void)state;
	buf_init(&one, 1024);
	buf_init(&other, 1024);
	for (size_t i = 0; i < 2; i++)
		assert_false(span_equal(key_of(pairs[i][0], &one), key_of(pairs[i][1], &other)));
	buf_fini(&one);
	buf_fini(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(completions_and_refusals_are_text_too, setup, teardown),
	    cmocka_unit_test_setup_teardown(content_in_parts_is_no_text, setup, teardown),
	    cmocka_unit_test_setup_teardown(calls_of_different_tools_are_different_answers, setup, teardown),
	    cmocka_unit_test_setup_teardown(more_tool_calls_than_can_be_told_apart_are_refused, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
