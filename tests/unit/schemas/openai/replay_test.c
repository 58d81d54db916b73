/* SPDX-License-Identifier: MIT */
/* A kept answer, given again: whole with a fresh id, and as chunks that amount to the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/json_canonical.h"
#include "schemas/assembly.h"
#include "schemas/openai/chunk_deltas.h"
#include "schemas/openai/replay.h"
#include "schemas/openai/answer_write.h"

static struct arena arena;
static struct assembly assembly;
static char chunks[65536];
static size_t count;

static bool find_marks(struct span body, struct answer_marks *marks)
{
	struct json json;
	if (!event_parse(body, &arena, &json))
		return false;
	*marks = openai_replay_marks(&json);
	return true;
}

static void assemble(struct span data)
{
	struct json json;
	struct deltas deltas;
	assert_true(event_parse(data, &arena, &json));
	assert_true(openai_deltas_read(&json, &arena, &deltas));
	assembly_add(&assembly, &deltas);
}

static bool note(void *context, struct span data, unsigned carries)
{
	(void)carries;
	count++;
	if (context != NULL)
		assemble(data);
	strncat(chunks, data.at, data.len);
	strcat(chunks, "\n");
	return count != (context == NULL ? 2 : SIZE_MAX);
}

static struct span canonical(struct span text)
{
	struct json json;
	struct json_error error;
	struct buf out;
	buf_init(&out, 1 << 20);
	assert_true(json_parse(&json, &arena, text, 64, &error));
	json_write_canonical(&json, 0, &arena, &out);
	struct span copy = arena_copy(&arena, buf_span(&out));
	buf_fini(&out);
	return copy;
}

static void replay(struct answer_replay *replay, struct buf *out)
{
	chunks[0] = '\0';
	count = 0;
	assembly_init(&assembly, 1 << 20);
	assert_true(openai_replay_chunks(replay, &arena, note, chunks));
	struct answer_identity identity = {.id = SPAN("i"), .model = SPAN("m"), .created = 7};
	assert_true(openai_answer_write(&assembly, replay->endpoint, &identity, &USAGE_UNKNOWN, out));
	assembly_fini(&assembly);
}

#define HEAD "{\"id\":\"i\",\"object\":\"chat.completion\",\"created\":7,\"model\":\"m\",\"choices\":["

#define TEXT_HEAD "{\"id\":\"i\",\"object\":\"text_completion\",\"created\":7,\"model\":\"m\",\"choices\":["

static void chunks_amount_to_the_answer(void **state)
{
	static const char *const answers[] = {
	    HEAD "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"h\\u00e9 "
		 "\\\"llo\\n\"},\"finish_reason\":\"stop\"}]}",
	    HEAD "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c1\","
		 "\"type\":\"function\","
		 "\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}},{\"id\":\"c2\",\"type\":\"function\","
		 "\"function\":{\"name\":"
		 "\"g\",\"arguments\":\"{}\"}}]},\"finish_reason\":\"tool_calls\"}]}",
	    HEAD "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"a\",\"reasoning_content\":\"why\"},"
		 "\"finish_reason\":"
		 "\"stop\",\"sluice_target\":\"a/"
		 "x\"},{\"index\":1,\"message\":{\"role\":\"assistant\",\"content\":\"b\"},\"finish_reason\":"
		 "\"length\",\"sluice_target\":\"b/y\"}]}",
	    HEAD "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":\"no\"},\"finish_"
		 "reason\":\"stop\"}]}",
	    HEAD "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"ab\"},\"logprobs\":{\"content\":[{"
		 "\"token\":"
		 "\"a\"},{\"token\":\"b\"}],\"refusal\":null},\"finish_reason\":\"stop\"}]}",
	    HEAD "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":\"no\"},\"logprobs\":{"
		 "\"content\":null,\"refusal\":[{\"token\":\"no\"}]},\"finish_reason\":\"stop\"}]}",
	    TEXT_HEAD "{\"index\":0,\"text\":\"h\\u00e9 llo\",\"logprobs\":null,\"finish_reason\":\"stop\"}]}",
	    TEXT_HEAD
	    "{\"index\":0,\"text\":\"ab\",\"logprobs\":{\"tokens\":[\"a\",\"b\"],\"token_logprobs\":[null,-1.5],"
	    "\"top_logprobs\":null},\"finish_reason\":\"length\"}]}",
	    TEXT_HEAD "{\"index\":0,\"text\":\"\",\"logprobs\":{\"tokens\":[\"<end>\"]},\"finish_reason\":\"stop\"}]}",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct buf out;
		bool chat = strstr(answers[i], "text_completion") == NULL;
		struct answer_replay ask = {.endpoint = chat ? ENDPOINT_CHAT : ENDPOINT_COMPLETIONS,
					    .body = span_of(answers[i]),
					    .created = -1};
		buf_init(&out, 65536);
		replay(&ask, &out);
		struct span got = canonical(buf_span(&out)), want = canonical(ask.body);
		if (!span_equal(got, want))
			fail_msg("\n got %.*s\nwant %.*s", SPAN_ARG(got), SPAN_ARG(want));
		buf_fini(&out);
	}
}

static void long_texts_come_in_pieces_of_whole_characters(void **state)
{
	static char body[32768];
	size_t used = (size_t)snprintf(body, sizeof(body),
				       HEAD "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"");
	struct buf out;
	(void)state;
	for (int i = 0; i < 3000; i++)
		used += (size_t)snprintf(body + used, sizeof(body) - used, "%s", i % 2 == 0 ? "\xe2\x82\xac" : "x");
	snprintf(body + used, sizeof(body) - used, "\"},\"finish_reason\":\"stop\"}]}");
	struct answer_replay ask = {.endpoint = ENDPOINT_CHAT, .body = span_of(body), .created = -1};
	buf_init(&out, 65536);
	replay(&ask, &out);
	struct span got = canonical(buf_span(&out)), want = canonical(ask.body);
	assert_true(span_equal(got, want));
	assert_true(count > 6);
	buf_fini(&out);
}

static void the_id_and_the_time_are_fresh(void **state)
{
	static const char body[] =
	    "{\"id\":\"old\",\"created\":7,\"model\":\"m\",\"system_fingerprint\":\"fp\",\"choices\":[{\"index\":0,"
	    "\"message\":{\"role\":\"assistant\",\"content\":\"a\"},\"logprobs\":{\"content\":[1]},"
	    "\"finish_reason\":\"stop\"}],\"usage\":{\"total_tokens\":3}}";
	struct answer_replay ask = {
	    .endpoint = ENDPOINT_CHAT, .body = span_of(body), .id = SPAN("new"), .created = 99, .include_usage = true};
	struct buf out;
	(void)state;
	buf_init(&out, 65536);
	assert_true(find_marks(ask.body, &ask.marks));
	assert_true(openai_replay_whole(&ask, &out));
	assert_true(span_is(
	    buf_span(&out),
	    "{\"id\":\"new\",\"created\":99,\"model\":\"m\",\"system_fingerprint\":\"fp\",\"choices\":[{\"index\":0,"
	    "\"message\":{\"role\":\"assistant\",\"content\":\"a\"},\"logprobs\":{\"content\":[1]},"
	    "\"finish_reason\":\"stop\"}],\"usage\":{\"total_tokens\":3}}"));
	buf_reset(&out);
	replay(&ask, &out);
	assert_null(strstr(chunks, "old"));
	assert_int_equal(count, 4);
	assert_non_null(strstr(chunks, "{\"content\":\"a\"},\"logprobs\":{\"content\":[1]}"));
	assert_non_null(strstr(chunks, "\"choices\":[],\"usage\":{\"total_tokens\":3}}\n"));
	buf_fini(&out);
}

static void what_an_engine_put_beside_the_usage_is_told_with_it(void **state)
{
	static char body[40000];
	static char large[20000];
	struct answer_replay ask = {.endpoint = ENDPOINT_CHAT, .created = -1, .include_usage = true};
	struct buf out;
	(void)state;
	memset(large, 'x', sizeof(large) - 1);
	snprintf(body, sizeof(body),
		 "{\"timings\":{\"predicted_ms\":1.50},\"choices\":[{\"message\":{\"content\":\"a\"}}],"
		 "\"trace\":\"%s\",\"usage\":{\"total_tokens\":3},\"cost\":0}",
		 large);
	ask.body = span_of(body);
	buf_init(&out, 65536);
	replay(&ask, &out);
	assert_non_null(strstr(chunks, "\"choices\":[],\"usage\":{\"total_tokens\":3},"
				       "\"timings\":{\"predicted_ms\":1.50},\"cost\":0}\n"));
	ask.include_usage = false;
	buf_reset(&out);
	replay(&ask, &out);
	assert_null(strstr(chunks, "timings"));
	buf_fini(&out);
}

/* Wherever id and time stand, and whatever they are; and those of what is inside are left alone. */
static void only_the_id_and_the_time_are_replaced(void **state)
{
	static const char *const cases[][2] = {
	    {"{}", "{}"},
	    {"{\"id\":null}", "{\"id\":\"new\"}"},
	    {" { \"created\" : 1.5e3 , \"id\" : {\"id\":1} } ", " { \"created\" : 99 , \"id\" : \"new\" } "},
	    {"{\"a\":{\"id\":1,\"created\":2},\"created\":[3]}", "{\"a\":{\"id\":1,\"created\":2},\"created\":99}"},
	    {"{\"\\u0069d\":\"x\",\"b\":1}", "{\"\\u0069d\":\"new\",\"b\":1}"},
	};
	struct buf out;
	(void)state;
	buf_init(&out, 65536);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct answer_replay ask = {
		    .endpoint = ENDPOINT_CHAT, .body = span_of(cases[i][0]), .id = SPAN("new"), .created = 99};
		assert_true(find_marks(ask.body, &ask.marks));
		buf_reset(&out);
		assert_true(openai_replay_whole(&ask, &out));
		assert_true(span_is(buf_span(&out), cases[i][1]));
		ask.id.at = NULL;
		ask.created = -1;
		buf_reset(&out);
		assert_true(openai_replay_whole(&ask, &out));
		assert_true(span_equal(buf_span(&out), ask.body));
	}
	struct answer_replay empty = {
	    .body = SPAN("{\"created\":7}"),
	    .id = SPAN("new"),
	    .created = 99,
	    .marks = {.id = {11, 11}, .created = {11, 12}}}; /* nowhere, where the other begins */
	buf_reset(&out);
	assert_true(openai_replay_whole(&empty, &out));
	assert_true(span_is(buf_span(&out), "{\"created\":99}"));
	struct answer_marks marks;
	assert_false(find_marks(SPAN("[{\"id\":1}]"), &marks));
	assert_false(find_marks(SPAN("{\"id\":1"), &marks));
	assert_false(find_marks(SPAN("{\"id\":1,\"id\":2}"), &marks));
	buf_fini(&out);
}

static void completions_are_text(void **state)
{
	static const char body[] = "{\"id\":\"c\",\"object\":\"text_completion\",\"choices\":[{\"text\":\"abc\","
				   "\"index\":0,\"finish_reason\":\"stop\"}]}";
	struct answer_replay ask = {.endpoint = ENDPOINT_COMPLETIONS, .body = span_of(body), .created = -1};
	(void)state;
	chunks[0] = '\0';
	count = 0;
	assembly_init(&assembly, 1024);
	assert_true(openai_replay_chunks(&ask, &arena, note, chunks));
	assembly_fini(&assembly);
	assert_string_equal(
	    chunks,
	    "{\"id\":\"c\",\"object\":\"text_completion\",\"choices\":[{\"index\":0,\"text\":\"abc\",\"logprobs\":null,"
	    "\"finish_reason\":null}]}\n{\"id\":\"c\",\"object\":\"text_completion\",\"choices\":[{\"index\":0,"
	    "\"text\":"
	    "\"\",\"logprobs\":null,\"finish_reason\":\"stop\"}]}\n");
}

/* A chunk is read in one turn of a loop, so its values are bounded: many log probabilities come in several. */
static void many_log_probabilities_are_told_in_parts(void **state)
{
	enum { TOKENS = 300 };
	struct buf body, out;
	(void)state;
	buf_init(&body, 65536);
	buf_init(&out, 65536);
	buf_append(&body,
		   SPAN(HEAD "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"abc\"},\"logprobs\":{"
			     "\"content\":["));
	for (int i = 0; i < TOKENS; i++)
		buf_printf(&body, "%s{\"token\":\"%d\"}", i == 0 ? "" : ",", i);
	buf_append(&body, SPAN("],\"refusal\":null},\"finish_reason\":\"stop\"}]}"));
	struct answer_replay ask = {.endpoint = ENDPOINT_CHAT, .body = buf_span(&body), .created = -1};
	replay(&ask, &out);
	assert_int_equal(count, 5); /* the role, three parts, the end */
	struct span want = canonical(buf_span(&body)), got = canonical(buf_span(&out));
	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.at, want.at, want.len);
	buf_fini(&body);
	buf_fini(&out);
}

static void content_of_parts_is_told_as_it_is(void **state)
{
	static const char body[] = HEAD "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":[{\"type\":"
					"\"text\",\"text\":\"a\"}]},\"finish_reason\":\"stop\"}]}";
	struct answer_replay ask = {.endpoint = ENDPOINT_CHAT, .body = span_of(body), .created = -1};
	(void)state;
	chunks[0] = '\0';
	count = 0;
	assembly_init(&assembly, 1024);
	assert_true(openai_replay_chunks(&ask, &arena, note, chunks));
	assembly_fini(&assembly);
	assert_non_null(strstr(chunks, "\"delta\":{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":"
				       "\"a\"}]},"));
	assert_null(strstr(chunks, "\"content\":null"));
}

static void it_stops_when_told_and_refuses_what_is_none(void **state)
{
	static const char *const none[] = {
	    "[]", "{}", "{\"choices\":[]}", "{\"choices\":[1]}", "{\"choices\":[{\"index\":0}]}", "x"};
	struct answer_replay ask = {
	    .endpoint = ENDPOINT_CHAT,
	    .body = SPAN(HEAD "{\"index\":0,\"message\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}"),
	    .created = -1};
	(void)state;
	chunks[0] = '\0';
	count = 0;
	assert_false(openai_replay_chunks(&ask, &arena, note, NULL));
	assert_int_equal(count, 2);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		count = 0;
		ask.body = span_of(none[i]);
		assert_false(openai_replay_chunks(&ask, &arena, note, NULL));
		assert_int_equal(count, 0);
	}
}

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(chunks_amount_to_the_answer),
	    cmocka_unit_test(long_texts_come_in_pieces_of_whole_characters),
	    cmocka_unit_test(the_id_and_the_time_are_fresh),
	    cmocka_unit_test(what_an_engine_put_beside_the_usage_is_told_with_it),
	    cmocka_unit_test(only_the_id_and_the_time_are_replaced),
	    cmocka_unit_test(completions_are_text),
	    cmocka_unit_test(many_log_probabilities_are_told_in_parts),
	    cmocka_unit_test(content_of_parts_is_told_as_it_is),
	    cmocka_unit_test(it_stops_when_told_and_refuses_what_is_none),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
