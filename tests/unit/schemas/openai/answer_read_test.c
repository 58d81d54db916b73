/* SPDX-License-Identifier: MIT */
/* Answers of the OpenAI dialect: what chunks carry, repairs, lanes, merging, and the errors backends tell. */
#include "schemas/openai/answer_merge.h"
#include "schemas/openai/answer_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct arena arena;
static struct openai_stream stream;
static struct answer_reading chunk;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 0);
	stream = (struct openai_stream){.endpoint = ENDPOINT_CHAT};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static void expect_carries(const char *data, unsigned carries)
{
	assert_true(openai_chunk_read(&stream, span_of(data), &arena, &chunk));
	if (chunk.carries != carries)
		fail_msg("%s: carries %u, not %u", data, chunk.carries, carries);
}

/* Reads data and compares its repaired form; NULL: it needs no repair. */
static void expect_repaired(const char *data, const char *want)
{
	assert_true(openai_chunk_read(&stream, span_of(data), &arena, &chunk));
	if (want == NULL) {
		if (chunk.repaired.at != NULL)
			fail_msg("%s: repaired to %.*s", data, SPAN_ARG(chunk.repaired));
		return;
	}
	if (!span_is(chunk.repaired, want))
		fail_msg("\n got %.*s\nwant %s", SPAN_ARG(chunk.repaired), want);
}

#define DELTA(members) "{\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{" members "},\"finish_reason\":null}]}"

static void what_is_no_object_is_no_chunk(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "[DONE]", "[]", "\"x\"", "{", "{\"a\":1,\"a\":2}", "null"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(openai_chunk_read(&stream, span_of(bad[i]), &arena, &chunk));
}

static void content_is_anything_generated(void **state)
{
	(void)state;
	expect_carries(DELTA("\"role\":\"assistant\",\"content\":\"\""), CARRIES_ROLE);
	expect_carries(DELTA("\"role\":\"assistant\",\"content\":\"x\""), CARRIES_ROLE | CARRIES_CONTENT);
	expect_carries(DELTA(""), 0);
	expect_carries(DELTA("\"content\":null"), 0);
	expect_carries(DELTA("\"content\":\"x\""), CARRIES_CONTENT);
	expect_carries(DELTA("\"content\":\" \""), CARRIES_CONTENT);
	expect_carries(DELTA("\"content\":\"\\u0000\""), CARRIES_CONTENT);
	expect_carries(DELTA("\"reasoning_content\":\"x\""), CARRIES_CONTENT);
	expect_carries(DELTA("\"reasoning\":\"x\""), CARRIES_CONTENT);
	expect_carries(DELTA("\"refusal\":\"x\""), CARRIES_CONTENT);
	expect_carries(DELTA("\"refusal\":\"\",\"reasoning\":null"), 0);
	expect_carries(DELTA("\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"f\"}}]"), CARRIES_CONTENT);
	expect_carries(DELTA("\"tool_calls\":[]"), 0);
	expect_carries(DELTA("\"tool_calls\":null"), 0);
	expect_carries(DELTA("\"function_call\":{\"name\":\"f\"}"), CARRIES_CONTENT);
	expect_carries(DELTA("\"audio\":{\"data\":\"x\"}"), CARRIES_CONTENT);
	expect_carries(DELTA("\"other\":\"x\""), CARRIES_CONTENT);
	expect_carries("{\"choices\":[{\"index\":0,\"text\":\"x\"}]}", 0);
}

static void completions_stream_text(void **state)
{
	(void)state;
	stream.endpoint = ENDPOINT_COMPLETIONS;
	expect_carries("{\"choices\":[{\"index\":0,\"text\":\"x\",\"finish_reason\":null}]}", CARRIES_CONTENT);
	assert_false(openai_stream_is_finished(&stream));
	expect_carries("{\"choices\":[{\"index\":0,\"text\":\"\",\"finish_reason\":\"length\"}]}", CARRIES_FINISH);
	assert_null(chunk.repaired.at);
	assert_true(openai_stream_is_finished(&stream));
	expect_carries("{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}", 0);
}

static void usage_and_finish_are_found(void **state)
{
	(void)state;
	expect_carries("{\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":7,\"total_tokens\":12}}",
		       CARRIES_NO_CHOICE | CARRIES_USAGE);
	assert_int_equal(chunk.usage.prompt_tokens, 5);
	assert_int_equal(chunk.usage.completion_tokens, 7);
	assert_int_equal(chunk.usage.total_tokens, 12);
	expect_carries("{\"usage\":{\"prompt_tokens\":-5,\"completion_tokens\":null,\"total_tokens\":1.5}}",
		       CARRIES_NO_CHOICE | CARRIES_USAGE);
	assert_int_equal(chunk.usage.prompt_tokens, -1);
	assert_int_equal(chunk.usage.completion_tokens, -1);
	assert_int_equal(chunk.usage.total_tokens, -1);
	expect_carries("{\"choices\":null,\"usage\":null}", CARRIES_NO_CHOICE);
	expect_carries("{\"choices\":[{\"delta\":{\"role\":\"assistant\"},\"finish_reason\":\"stop\"}],\"usage\":{}}",
		       CARRIES_ROLE | CARRIES_FINISH | CARRIES_USAGE);
	expect_carries("{\"choices\":[{\"delta\":{},\"finish_reason\":\"\"}]}", 0);
}

static void errors_are_what_sdks_raise_on(void **state)
{
	(void)state;
	expect_carries("{\"error\":{\"message\":\"out\\nof memory\",\"code\":503}}", CARRIES_NO_CHOICE | CARRIES_ERROR);
	assert_true(span_is(chunk.error->message, "out\nof memory"));
	assert_int_equal(chunk.error->status, 503);
	expect_carries("{\"error\":\"overloaded\",\"status\":429}", CARRIES_NO_CHOICE | CARRIES_ERROR);
	assert_true(span_is(chunk.error->message, "overloaded"));
	assert_int_equal(chunk.error->status, 429);
	expect_carries("{\"error\":{\"status\":400,\"code\":\"bad\"}}", CARRIES_NO_CHOICE | CARRIES_ERROR);
	assert_true(span_is(chunk.error->message, "{\"status\":400,\"code\":\"bad\"}"));
	assert_int_equal(chunk.error->status, 400);
	expect_carries("{\"error\":{\"code\":200,\"status\":999}}", CARRIES_NO_CHOICE | CARRIES_ERROR);
	assert_int_equal(chunk.error->status, 0);
	expect_carries("{\"object\":\"error\",\"message\":\"m\",\"code\":500}", CARRIES_NO_CHOICE | CARRIES_ERROR);
	assert_true(span_is(chunk.error->message, "m") && chunk.error->status == 500);
	expect_carries("{\"detail\":\"m\"}", CARRIES_NO_CHOICE | CARRIES_ERROR);
	expect_carries("{\"code\":1102,\"msg\":\"m\"}", CARRIES_NO_CHOICE | CARRIES_ERROR);
	expect_carries("{\"type\":\"ping\"}", CARRIES_NO_CHOICE);
	expect_carries("{\"message\":\"\"}", CARRIES_NO_CHOICE);
	expect_carries("{\"error\":null}", CARRIES_NO_CHOICE);
	expect_carries("{\"error\":\"\"}", CARRIES_NO_CHOICE);
	expect_carries("{\"error\":false}", CARRIES_NO_CHOICE);
	assert_null(chunk.error);
}

static void a_first_delta_without_role_gets_one(void **state)
{
	(void)state;
	expect_repaired(
	    "{ \"choices\": [ { \"delta\" : { \"content\":\"x\" } , \"index\":3 } ] }",
	    "{ \"choices\": [ { \"delta\" : {\"role\":\"assistant\", \"content\":\"x\" } , \"index\":3 } ] }");
	expect_repaired("{\"choices\":[{\"index\":3,\"delta\":{\"content\":\"x\"}}]}", NULL);
	expect_repaired("{\"choices\":[{\"index\":4,\"delta\":{}},{\"index\":3,\"delta\":{}}]}",
			"{\"choices\":[{\"index\":4,\"delta\":{\"role\":\"assistant\"}},{\"index\":3,\"delta\":{}}]}");
	expect_repaired("{\"choices\":[{\"index\":5,\"delta\":{\"content\":\"\",\"role\":null}}]}",
			"{\"choices\":[{\"index\":5,\"delta\":{\"content\":\"\",\"role\":\"assistant\"}}]}");
	expect_repaired("{\"choices\":[{\"index\":6,\"delta\":{\"role\":\"assistant\"}}]}", NULL);
	expect_repaired("{\"choices\":[{\"index\":6,\"delta\":{\"content\":\"x\"}}]}", NULL);
}

static void a_tool_call_without_index_gets_one(void **state)
{
	(void)state;
	expect_repaired(DELTA("\"role\":\"assistant\""), NULL);
	expect_repaired(DELTA("\"tool_calls\":[{\"index\":0,\"id\":\"a\"}]"), NULL);
	expect_repaired(DELTA("\"tool_calls\":[ {\"id\":\"b\"},{\"index\":null,\"id\":\"c\"},7]"),
			DELTA("\"tool_calls\":[ {\"index\":1,\"id\":\"b\"},{\"index\":2,\"id\":\"c\"},7]"));
	stream = (struct openai_stream){.endpoint = ENDPOINT_CHAT};
	expect_repaired(DELTA("\"tool_calls\":[{\"id\":\"a\"}],\"role\":null"),
			DELTA("\"tool_calls\":[{\"index\":0,\"id\":\"a\"}],\"role\":\"assistant\""));
}

/* Two calls in two chunks both got index 0: clients joined their arguments. */
static void tool_calls_of_several_chunks_stay_apart(void **state)
{
	(void)state;
	expect_repaired(DELTA("\"role\":\"assistant\""), NULL);
	expect_repaired(DELTA("\"tool_calls\":[{\"id\":\"a\"}]"), DELTA("\"tool_calls\":[{\"index\":0,\"id\":\"a\"}]"));
	expect_repaired(DELTA("\"tool_calls\":[{\"x\":1}]"), DELTA("\"tool_calls\":[{\"index\":0,\"x\":1}]"));
	expect_repaired(DELTA("\"tool_calls\":[{\"id\":\"b\"}]"), DELTA("\"tool_calls\":[{\"index\":1,\"id\":\"b\"}]"));
	expect_repaired(DELTA("\"tool_calls\":[{\"id\":\"\",\"x\":2}]"),
			DELTA("\"tool_calls\":[{\"index\":1,\"id\":\"\",\"x\":2}]"));
}

static void a_stream_is_finished_when_every_choice_is(void **state)
{
	(void)state;
	assert_false(openai_stream_is_finished(&stream));
	expect_carries(
	    "{\"choices\":[{\"index\":0,\"delta\":{\"role\":\"a\"}},{\"index\":127,\"delta\":{\"role\":\"a\"}}]}",
	    CARRIES_ROLE);
	assert_false(openai_stream_is_finished(&stream));
	expect_carries("{\"choices\":[{\"index\":127,\"delta\":{},\"finish_reason\":\"stop\"}]}", CARRIES_FINISH);
	assert_false(openai_stream_is_finished(&stream));
	expect_carries("{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}", CARRIES_FINISH);
	assert_true(openai_stream_is_finished(&stream));
}

static void an_index_out_of_range_harms_nothing(void **state)
{
	(void)state;
	expect_repaired("{\"choices\":[{\"index\":128,\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}",
			NULL);
	expect_repaired("{\"choices\":[{\"index\":-1,\"delta\":{},\"finish_reason\":\"stop\"}]}", NULL);
	expect_repaired("{\"choices\":[{\"index\":9223372036854775807,\"delta\":{}}]}", NULL);
	assert_false(openai_stream_is_finished(&stream));
	expect_carries("{\"choices\":[null,1,[],{\"delta\":[]},{\"delta\":null}]}", 0);
}

static void expect_lane(const char *data, const char *want)
{
	struct answer_lane lane = {SPAN("gathered"), SPAN("m"), SPAN("fast/\"q\""), 2};
	struct buf out;
	buf_init(&out, 4096);
	assert_int_equal(openai_chunk_write_lane(span_of(data), &lane, &arena, &out), want != NULL);
	if (want != NULL && !span_is(buf_span(&out), want))
		fail_msg("\n got %.*s\nwant %s", SPAN_ARG(buf_span(&out)), want);
	if (want == NULL)
		assert_int_equal(buf_len(&out), 0);
	buf_fini(&out);
}

#define TARGET "\"sluice_target\":\"fast/\\\"q\\\"\""

static void a_chunk_is_rewritten_for_its_lane(void **state)
{
	(void)state;
	expect_lane("{ \"id\":\"a\", \"model\" : \"b\",\"choices\":[{\"index\":1,\"delta\":{\"index\":5}} , "
		    "{\"delta\":{} }],\"x\":1e0}",
		    "{ \"id\":\"gathered\", \"model\" : \"m\",\"choices\":[{\"index\":3,\"delta\":{\"index\":5}," TARGET
		    "} , {\"index\":3,\"delta\":{} ," TARGET "}],\"x\":1e0}");
	expect_lane("{\"choices\":[{}]}",
		    "{\"id\":\"gathered\",\"model\":\"m\",\"choices\":[{\"index\":2," TARGET "}]}");
	expect_lane("{\"choices\":[{\"sluice_target\":\"old\",\"index\":-4}],\"model\":null,\"id\":7}",
		    "{\"choices\":[{" TARGET ",\"index\":2}],\"model\":\"m\",\"id\":\"gathered\"}");
	expect_lane("{\"choices\":[{\"index\":9223372036854775807}],\"model\":0,\"id\":0}",
		    "{\"choices\":[{\"index\":2," TARGET "}],\"model\":\"m\",\"id\":\"gathered\"}");
	expect_lane("{\"id\":\"a\",\"choices\":[]}", NULL);
	expect_lane("{\"id\":\"a\"}", NULL);
	expect_lane("{\"choices\":[7]}", NULL);
	expect_lane("[]", NULL);
}

static void whole_answers_are_read(void **state)
{
	(void)state;
	struct answer_reading answer;
	assert_true(
	    openai_answer_read(ENDPOINT_CHAT,
			       SPAN("{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"x\"},"
				    "\"finish_reason\":\"stop\"}],\"usage\":{\"total_tokens\":3}}"),
			       &arena, &answer));
	assert_int_equal(answer.carries, CARRIES_ROLE | CARRIES_CONTENT | CARRIES_FINISH | CARRIES_USAGE);
	assert_int_equal(answer.usage.total_tokens, 3);
	assert_true(
	    openai_answer_read(ENDPOINT_COMPLETIONS, SPAN("{\"choices\":[{\"text\":\"x\"}]}"), &arena, &answer));
	assert_int_equal(answer.carries, CARRIES_CONTENT);
	assert_true(openai_answer_read(ENDPOINT_EMBEDDINGS, SPAN("{\"data\":[{\"embedding\":[0.1]}],\"usage\":{}}"),
				       &arena, &answer));
	assert_int_equal(answer.carries, CARRIES_CONTENT | CARRIES_USAGE);
	assert_true(
	    openai_answer_read(ENDPOINT_CHAT, SPAN("{\"error\":{\"message\":\"m\",\"code\":400}}"), &arena, &answer));
	assert_int_equal(answer.carries, CARRIES_NO_CHOICE | CARRIES_ERROR);
	assert_true(span_is(answer.error->message, "m"));
	assert_int_equal(answer.error->status, 400);
	assert_false(openai_answer_read(ENDPOINT_CHAT, SPAN("[]"), &arena, &answer));
}

static void answers_merge_into_one(void **state)
{
	(void)state;
	struct span bodies[] = {
	    SPAN("{\"id\":\"a\",\"object\":\"chat.completion\",\"model\":\"x\",\"choices\":[ "
		 "{\"index\":0,\"m\":1},{\"index\":1} ],"
		 "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3},\"z\":1}"),
	    SPAN("{\"choices\":[{\"index\":0,\"n\":\"\\ud83d\\ude00\"}]}"),
	    SPAN("{\"choices\":[{\"m\":3}\n],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":20,\"total_tokens\":"
		 "30}}"),
	};
	struct answer_lane lanes[] = {{SPAN("g"), SPAN("m"), SPAN("t0"), 0},
				      {SPAN("g"), SPAN("m"), SPAN("t1"), 0},
				      {SPAN("g"), SPAN("m"), {NULL, 0}, 0}};
	struct buf out;
	buf_init(&out, 4096);
	assert_true(openai_answers_merge(bodies, lanes, 3, &arena, &out));
	const char *want =
	    "{\"id\":\"g\",\"object\":\"chat.completion\",\"model\":\"m\",\"choices\":[ "
	    "{\"index\":0,\"m\":1,\"sluice_target\":\"t0\"},"
	    "{\"index\":1,\"sluice_target\":\"t0\"} ,{\"index\":2,\"n\":\"\\ud83d\\ude00\",\"sluice_target\":\"t1\"},"
	    "{\"index\":3,\"m\":3}\n],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":22,\"total_tokens\":33},"
	    "\"z\":1}";
	if (!span_is(buf_span(&out), want))
		fail_msg("\n got %.*s\nwant %s", SPAN_ARG(buf_span(&out)), want);
	assert_int_equal(lanes[2].index_base, 3);
	buf_reset(&out);
	assert_true(openai_answers_merge(bodies + 1, lanes, 2, &arena, &out));
	want = "{\"id\":\"g\",\"model\":\"m\",\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":20,\"total_"
	       "tokens\":30},"
	       "\"choices\":[{\"index\":0,\"n\":\"\\ud83d\\ude00\",\"sluice_target\":\"t0\"},"
	       "{\"index\":1,\"m\":3,\"sluice_target\":\"t1\"}\n]}";
	if (!span_is(buf_span(&out), want))
		fail_msg("\n got %.*s\nwant %s", SPAN_ARG(buf_span(&out)), want);
	buf_reset(&out);
	bodies[1] = SPAN("{\"error\":1}");
	assert_false(openai_answers_merge(bodies, lanes, 3, &arena, &out));
	assert_int_equal(buf_len(&out), 0);
	buf_fini(&out);
}

static void one_answer_keeps_its_usage_bytes(void **state)
{
	(void)state;
	struct span body = SPAN(
	    "{\"id\":\"a\",\"choices\":[{\"index\":0}],\"usage\":{\"total_tokens\":1,\"details\":{}},\"model\":\"x\"}");
	struct answer_lane lane = {SPAN("g"), SPAN("m"), {NULL, 0}, 9};
	struct buf out;
	buf_init(&out, 4096);
	assert_true(openai_answers_merge(&body, &lane, 1, &arena, &out));
	assert_true(span_is(buf_span(&out), "{\"id\":\"g\",\"choices\":[{\"index\":0}],\"usage\":{\"total_tokens\":1,"
					    "\"details\":{}},\"model\":\"m\"}"));
	buf_fini(&out);
}

static void a_usage_chunk_is_written(void **state)
{
	(void)state;
	struct usage usage = {3, 4, -1, -1, -1};
	struct buf out;
	buf_init(&out, 4096);
	openai_usage_chunk_write(&out, ENDPOINT_CHAT, SPAN("i"), SPAN("m"), 1700000000, &usage);
	assert_true(span_is(
	    buf_span(&out),
	    "{\"id\":\"i\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"m\",\"choices\":[],"
	    "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,\"total_tokens\":7}}"));
	assert_true(openai_chunk_read(&stream, buf_span(&out), &arena, &chunk));
	assert_int_equal(chunk.carries, CARRIES_NO_CHOICE | CARRIES_USAGE);
	buf_fini(&out);
}

static void usage_adds_what_is_known(void **state)
{
	(void)state;
	struct usage a = USAGE_UNKNOWN, b = {5, -1, INT64_MAX, 2, -1};
	usage_add(&a, &b);
	assert_int_equal(a.prompt_tokens, 5);
	assert_int_equal(a.completion_tokens, -1);
	usage_add(&a, &b);
	assert_int_equal(a.prompt_tokens, 10);
	assert_true(a.total_tokens == INT64_MAX);
	assert_int_equal(a.cache_read, 4);
	assert_int_equal(a.cache_write, -1);
}

static void a_failed_generation_is_an_error(void **state)
{
	(void)state;
	expect_carries("{\"choices\":[{\"delta\":{},\"finish_reason\":\"error\"}]}", CARRIES_FINISH | CARRIES_ERROR);
	assert_true(chunk.error->choice && span_is(chunk.error->type, "error"));
	expect_carries("{\"choices\":[{\"delta\":{},\"finish_reason\":\"abort\"}]}", CARRIES_FINISH | CARRIES_ERROR);
	expect_carries("{\"choices\":[{\"delta\":{},\"error\":{\"message\":\"oom\",\"code\":503}}]}", CARRIES_ERROR);
	assert_true(chunk.error->choice && span_is(chunk.error->message, "oom") && chunk.error->status == 503);
	expect_carries("{\"choices\":[{\"finish_reason\":\"error\",\"delta\":{},\"error\":{\"message\":\"oom\"}}]}",
		       CARRIES_FINISH | CARRIES_ERROR);
	assert_true(span_is(chunk.error->message, "oom"));
	expect_carries("{\"choices\":[{\"delta\":{},\"error\":null,\"finish_reason\":\"stop\"}]}", CARRIES_FINISH);
}

static void whatever_is_in_a_delta_was_generated(void **state)
{
	(void)state;
	expect_carries("{\"choices\":[{\"delta\":{\"reasoning_details\":[{\"text\":\"x\"}]}}]}", CARRIES_CONTENT);
	expect_carries("{\"choices\":[{\"delta\":{\"thinking_blocks\":[{}]}}]}", CARRIES_CONTENT);
	expect_carries("{\"choices\":[{\"delta\":{\"images\":[{}],\"role\":\"assistant\"}}]}",
		       CARRIES_CONTENT | CARRIES_ROLE);
	expect_carries("{\"choices\":[{\"delta\":{\"content\":null,\"images\":[]}}]}", 0);
}

static void exhaustion_is_told(void **state)
{
	(void)state;
	for (size_t limit = 1; limit < 3000; limit += 16) {
		struct arena small;
		arena_init(&small, limit);
		stream = (struct openai_stream){.endpoint = ENDPOINT_CHAT};
		bool read = openai_chunk_read(&stream, SPAN(DELTA("\"tool_calls\":[{\"id\":\"a\"}]")), &small, &chunk);
		assert_int_equal(read, !arena_failed(&small));
		if (read)
			assert_non_null(chunk.repaired.at);
		arena_fini(&small);
	}
}

static void every_endpoint_has_its_path(void **state)
{
	(void)state;
	assert_string_equal(openai_endpoint_path(ENDPOINT_CHAT), "/chat/completions");
	assert_string_equal(openai_endpoint_path(ENDPOINT_COMPLETIONS), "/completions");
	assert_string_equal(openai_endpoint_path(ENDPOINT_EMBEDDINGS), "/embeddings");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(what_is_no_object_is_no_chunk),
	    TEST(content_is_anything_generated),
	    TEST(completions_stream_text),
	    TEST(usage_and_finish_are_found),
	    TEST(errors_are_what_sdks_raise_on),
	    TEST(a_first_delta_without_role_gets_one),
	    TEST(a_tool_call_without_index_gets_one),
	    TEST(tool_calls_of_several_chunks_stay_apart),
	    TEST(a_stream_is_finished_when_every_choice_is),
	    TEST(an_index_out_of_range_harms_nothing),
	    TEST(a_chunk_is_rewritten_for_its_lane),
	    TEST(whole_answers_are_read),
	    TEST(answers_merge_into_one),
	    TEST(one_answer_keeps_its_usage_bytes),
	    TEST(a_usage_chunk_is_written),
	    TEST(usage_adds_what_is_known),
	    TEST(a_failed_generation_is_an_error),
	    TEST(whatever_is_in_a_delta_was_generated),
	    TEST(exhaustion_is_told),
	    TEST(every_endpoint_has_its_path),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
