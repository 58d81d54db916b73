/* SPDX-License-Identifier: MIT */
/* Usage within chunks: counts replaced, and hidden with what stands beside it kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schemas/openai/usage_edit.h"

static struct arena arena;
static struct buf out;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 0);
	buf_init(&out, 4096);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	buf_fini(&out);
	return 0;
}

static void counts_are_replaced_and_other_bytes_stay(void **state)
{
	struct usage usage = {10, 20, -1, -1, -1};
	(void)state;
	assert_true(openai_usage_replace(SPAN("{\"x\":1.0,\"usage\":{\"prompt_tokens\": 1,\"details\":{\"a\":[]},"
					      "\"completion_tokens\":2,\"total_tokens\":3}}"),
					 &usage, &arena, &out));
	assert_true(span_is(buf_span(&out), "{\"x\":1.0,\"usage\":{\"prompt_tokens\": 10,\"details\":{\"a\":[]},"
					    "\"completion_tokens\":20,\"total_tokens\":3}}"));
	buf_reset(&out);
	assert_false(openai_usage_replace(SPAN("{\"usage\":null}"), &usage, &arena, &out));
	assert_false(openai_usage_replace(SPAN("[]"), &usage, &arena, &out));
}

static bool hide(struct span data)
{
	struct json json;
	struct json_error error;
	assert_true(json_parse(&json, &arena, data, 8, &error));
	return openai_usage_hide(&json, ENDPOINT_CHAT, &out);
}

static void what_stands_beside_hidden_usage_is_kept(void **state)
{
	(void)state;
	assert_true(hide(SPAN("{\"id\":\"i\",\"choices\":[],\"usage\":{\"total_tokens\":3},"
			      "\"timings\":{\"predicted_ms\":1.50}}")));
	assert_true(span_is(buf_span(&out),
			    "{\"id\":\"i\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":null}],"
			    "\"usage\":null,\"timings\":{\"predicted_ms\":1.50}}"));
	buf_reset(&out);
	assert_true(hide(SPAN("{\"usage\":{\"total_tokens\":3},\"timings\":{}}"))); /* some engines have no choices */
	assert_true(span_is(buf_span(&out), "{\"usage\":null,\"timings\":{},\"choices\":[{\"index\":0,\"delta\":{},"
					    "\"finish_reason\":null}]}"));
	buf_reset(&out);
	assert_false(hide(SPAN("{\"id\":\"i\",\"object\":\"o\",\"created\":1,\"model\":\"m\","
			       "\"system_fingerprint\":\"f\",\"choices\":[],\"usage\":{},\"x\":null}")));
	assert_int_equal(buf_len(&out), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(counts_are_replaced_and_other_bytes_stay, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_stands_beside_hidden_usage_is_kept, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
