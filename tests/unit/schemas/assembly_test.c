/* SPDX-License-Identifier: MIT */
/* Events become the whole answer that they amount to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/json.h"
#include "schemas/assembly.h"
#include "schemas/openai/chunk_deltas.h"
#include "schemas/openai/answer_write.h"

enum { MOST = 64 };

static struct assembly assembly;
static struct buf out;

static int set_up(void **state)
{
	(void)state;
	assembly_init(&assembly, MOST);
	buf_init(&out, 65536);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	assembly_fini(&assembly);
	buf_fini(&out);
	return 0;
}

/* Adds a chunk of the OpenAI dialect. */
static void add_data(struct span data)
{
	struct arena scratch;
	struct json json;
	struct deltas deltas;
	arena_init(&scratch, 0);
	if (event_parse(data, &scratch, &json) && openai_deltas_read(&json, &scratch, &deltas))
		assembly_add(&assembly, &deltas);
	else
		assembly_fail(&assembly, false);
	arena_fini(&scratch);
}

static void add(const char *choices)
{
	char text[1024];
	snprintf(text, sizeof(text), "{\"id\":\"x\",\"choices\":[%s]}", choices);
	add_data(span_of(text));
}

static bool write_answer(enum endpoint endpoint)
{
	struct answer_identity identity = {.id = SPAN("i"), .model = SPAN("m"), .created = 7};
	return openai_answer_write(&assembly, endpoint, &identity, &USAGE_UNKNOWN, &out);
}

static void check(const char *choices)
{
	char want[2048];
	snprintf(want, sizeof(want),
		 "{\"id\":\"i\",\"object\":\"chat.completion\",\"created\":7,\"model\":\"m\",\"choices\":[%s]}",
		 choices);
	assert_true(write_answer(ENDPOINT_CHAT));
	assert_int_equal(buf_len(&out), strlen(want));
	assert_memory_equal(buf_span(&out).at, want, strlen(want));
}

static void texts_are_joined_by_choice(void **state)
{
	(void)state;
	add("{\"index\":1,\"delta\":{\"role\":\"assistant\",\"content\":\"b\"},\"sluice_target\":\"b/y\"}");
	add("{\"index\":0,\"delta\":{\"content\":\"a\\u00e4\",\"reasoning_content\":\"why\"}}");
	add("{\"index\":0,\"delta\":{\"content\":\"\\\"c\"}},{\"index\":1,\"delta\":{\"content\":null,\"refusal\":"
	    "\"no\"}}");
	add("{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"},{\"index\":1,\"delta\":{},\"finish_reason\":"
	    "\"stop\"}");
	check("{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"a\xc3\xa4\\\"c\",\"reasoning_content\":"
	      "\"why\"},"
	      "\"finish_reason\":\"length\"},"
	      "{\"index\":1,\"message\":{\"role\":\"assistant\",\"content\":\"b\",\"refusal\":\"no\"},"
	      "\"finish_reason\":\"stop\",\"sluice_target\":\"b/y\"}");
}

static void calls_of_tools_are_joined_by_their_index(void **state)
{
	(void)state;
	add("{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\"c2\",\"type\":\"function\",\"function\":{"
	    "\"name\":"
	    "\"g\",\"arguments\":\"\"}}]}}");
	add("{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"function\":{\"name\":\"f\","
	    "\"arguments\":\"{\"}}]"
	    "}}");
	add("{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"}\"}}]},\"finish_"
	    "reason\":\"tool_"
	    "calls\"}");
	check("{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,\"tool_calls\":["
	      "{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},"
	      "{\"id\":\"c2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"\"}}]},"
	      "\"finish_reason\":\"tool_calls\"}");
}

static void check_text(const char *choices)
{
	char want[2048];
	snprintf(want, sizeof(want),
		 "{\"id\":\"i\",\"object\":\"text_completion\",\"created\":7,\"model\":\"m\",\"choices\":[%s]}",
		 choices);
	assert_true(write_answer(ENDPOINT_COMPLETIONS));
	assert_int_equal(buf_len(&out), strlen(want));
	assert_memory_equal(buf_span(&out).at, want, strlen(want));
}

static void pieces_of_a_completion_are_a_completion(void **state)
{
	(void)state;
	add("{\"index\":0,\"text\":\"a\\u00e4\",\"logprobs\":null,\"finish_reason\":null}");
	add("{\"index\":0,\"text\":\"b\",\"finish_reason\":null}");
	add("{\"index\":0,\"text\":\"\",\"finish_reason\":\"stop\"}");
	check_text("{\"index\":0,\"text\":\"a\xc3\xa4"
		   "b\",\"logprobs\":null,\"finish_reason\":\"stop\"}");
}

/* As they were written, each list by its name; null says nothing. */
static void log_probabilities_are_joined_list_by_list(void **state)
{
	(void)state;
	add("{\"index\":0,\"text\":\"a\",\"logprobs\":{\"tokens\":[\"a\"],\"token_logprobs\":[-1.0],\"top\":null}}");
	add("{\"index\":0,\"text\":\"\",\"logprobs\":{\"token_logprobs\":[],\"tokens\":[]}}");
	add("{\"index\":0,\"text\":\"bc\",\"logprobs\":{\"token_logprobs\":[ 2e0,null],\"tokens\":[\"b\",\"c\"]},"
	    "\"finish_reason\":\"stop\"}");
	check_text("{\"index\":0,\"text\":\"abc\",\"logprobs\":{\"tokens\":[\"a\",\"b\",\"c\"],\"token_logprobs\":"
		   "[-1.0, 2e0,null],\"top\":null},\"finish_reason\":\"stop\"}");
}

static void log_probabilities_that_are_no_lists_are_not_written(void **state)
{
	(void)state;
	add("{\"index\":0,\"text\":\"a\",\"logprobs\":{\"tokens\":1}}");
	assert_false(write_answer(ENDPOINT_CHAT));
}

static void other_lists_and_texts_of_a_message_are_joined(void **state)
{
	(void)state;
	add("{\"index\":0,\"delta\":{\"content\":\"a\",\"images\":[{\"b\":1}],\"thinking\":\"\\u00e4\"}}");
	add("{\"index\":0,\"delta\":{\"images\":[2, 3],\"thinking\":\"z\",\"more\":null,\"score\":1}}");
	add("{\"index\":0,\"delta\":{\"audio\":{\"id\":\"x\"}},\"finish_reason\":\"stop\"}");
	check("{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"a\",\"images\":[{\"b\":1},2, 3],"
	      "\"thinking\":\"\\u00e4z\"},\"finish_reason\":\"stop\"}");
}

static void other_members_of_a_call_are_kept(void **state)
{
	(void)state;
	add("{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"more\":{\"sign\":\"s\"},\"function\":{"
	    "\"name\":\"f\",\"arguments\":\"{}\"}},{\"index\":1,\"id\":\"d\",\"type\":\"custom\",\"custom\":{"
	    "\"name\":\"g\"}}]},\"finish_reason\":\"tool_calls\"}");
	check("{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c\","
	      "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"},\"more\":{\"sign\":\"s\"}},"
	      "{\"id\":\"d\",\"type\":\"custom\",\"custom\":{\"name\":\"g\",\"input\":\"\"}}]},\"finish_reason\":"
	      "\"tool_calls\"}");
}

/* As of functions: name once, the text in pieces. */
static void calls_of_custom_tools_and_of_before_tools_are_joined(void **state)
{
	(void)state;
	add("{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"type\":\"custom\",\"custom\":{"
	    "\"name\":\"g\",\"input\":\"a\"}}]}}");
	add("{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"custom\":{\"input\":\"b\"}}]}}");
	add("{\"index\":1,\"delta\":{\"function_call\":{\"name\":\"f\",\"arguments\":\"{\"}}}");
	add("{\"index\":1,\"delta\":{\"function_call\":{\"arguments\":\"}\"}},\"finish_reason\":\"function_call\"}");
	check(
	    "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c\","
	    "\"type\":\"custom\",\"custom\":{\"name\":\"g\",\"input\":\"ab\"}}]},\"finish_reason\":null},{\"index\":1,"
	    "\"message\":{\"role\":\"assistant\",\"content\":null,\"function_call\":{\"name\":\"f\",\"arguments\":"
	    "\"{}\"}},\"finish_reason\":\"function_call\"}");
}

/* Some engines send the same text in both places. */
static void a_text_beside_a_delta_is_not_doubled(void **state)
{
	(void)state;
	add("{\"index\":0,\"text\":\"Hel\",\"delta\":{\"content\":\"Hel\"}}");
	add("{\"index\":0,\"delta\":{\"content\":\"lo\"},\"text\":\"lo\",\"finish_reason\":\"stop\"}");
	check("{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hello\"},\"finish_reason\":\"stop\"}");
}

/* An answer that lacks some of what was generated must not look like one. */
static void what_cannot_be_joined_is_not_written(void **state)
{
	static const char *const deltas[] = {
	    "{\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}",
	    "{\"reasoning\":{\"text\":\"a\"}}",
	    "{\"tool_calls\":[{\"index\":\"0\",\"function\":{\"arguments\":\"x\"}}]}",
	    "{\"tool_calls\":[{\"index\":0,\"more\":{\"x\":1}}]}",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(deltas) / sizeof(deltas[0]); i++) {
		char choice[256];
		snprintf(choice, sizeof(choice), "{\"index\":0,\"delta\":%s,\"finish_reason\":\"stop\"}", deltas[i]);
		add(choice);
		add(choice);
		if (write_answer(ENDPOINT_CHAT))
			fail_msg("%s", deltas[i]);
		tear_down(state);
		set_up(state);
	}
}

static void what_is_too_long_is_not_written_at_all(void **state)
{
	(void)state;
	char text[MOST + 64];
	snprintf(text, sizeof(text), "{\"index\":0,\"delta\":{\"content\":\"%0*d\"}}", MOST, 0);
	add(text);
	add("{\"index\":0,\"delta\":{\"content\":\"\"}}");
	assert_true(write_answer(ENDPOINT_CHAT));
	buf_reset(&out);
	add("{\"index\":0,\"delta\":{\"content\":\"1\"}}");
	assert_false(write_answer(ENDPOINT_CHAT));
	assert_int_equal(buf_len(&out), 0);
}

static void nothing_or_what_is_no_chunk_is_not_written(void **state)
{
	(void)state;
	assert_false(write_answer(ENDPOINT_CHAT));
	add("{\"index\":0,\"delta\":{\"content\":\"1\"}}");
	add_data(SPAN("{\"choices\":1}"));
	assert_false(write_answer(ENDPOINT_CHAT));
}

static void choices_beyond_all_measure_are_given_up(void **state)
{
	(void)state;
	for (int i = 0; i < 4096; i++) {
		char text[64];
		snprintf(text, sizeof(text), "{\"index\":%d,\"delta\":{}}", i);
		add(text);
	}
	assert_false(assembly.failed);
	add("{\"index\":5000,\"delta\":{}}");
	assert_true(assembly.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(texts_are_joined_by_choice, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(calls_of_tools_are_joined_by_their_index, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(pieces_of_a_completion_are_a_completion, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(log_probabilities_are_joined_list_by_list, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(log_probabilities_that_are_no_lists_are_not_written, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(other_lists_and_texts_of_a_message_are_joined, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(other_members_of_a_call_are_kept, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(calls_of_custom_tools_and_of_before_tools_are_joined, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_text_beside_a_delta_is_not_doubled, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_cannot_be_joined_is_not_written, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_is_too_long_is_not_written_at_all, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(nothing_or_what_is_no_chunk_is_not_written, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(choices_beyond_all_measure_are_given_up, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
