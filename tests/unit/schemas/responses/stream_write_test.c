/* SPDX-License-Identifier: MIT */
/* Streams of the Responses dialect out of deltas; tests/grammar/responses.h reads every one of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "schemas/responses/stream_write.h"
#include "tests/grammar/responses.h"
#include "tests/unit/seed.h"

static const struct span customs[] = {SPAN_INIT("sql")};
static const struct responses_echo echo = {.id = SPAN_INIT("resp_1"),
					   .model = SPAN_INIT("asked"),
					   .members = SPAN_INIT(",\"store\":false"),
					   .customs = customs,
					   .custom_count = 1};
static const struct answer_identity identity = {SPAN_INIT("id"), SPAN_INIT("model"), 1};

struct world {
	struct responses_stream stream;
	struct buf out;
};

static void start(struct world *world)
{
	responses_stream_init(&world->stream, &echo, 0);
	buf_init(&world->out, 1 << 20);
}

static void finish(struct world *world)
{
	responses_stream_fini(&world->stream);
	buf_fini(&world->out);
}

static bool add(struct world *world, const struct delta *list, size_t count)
{
	const struct usage none = USAGE_UNKNOWN;
	const struct deltas deltas = {list, count, 1};
	return responses_stream_add(&world->stream, &deltas, &none, &identity, &world->out);
}

static void one(struct world *world, enum part part, int64_t tool, const char *text, const char *name)
{
	const struct delta delta = {.part = part, .tool = tool, .text = span_of(text), .name = span_of(name)};
	assert_true(add(world, &delta, 1));
}

/* Reads what was written: each item as [KIND STATUS:TEXT], then the end. */
static void read_stream(const struct world *world, char told[2048])
{
	struct grammar grammar;
	char *text = strndup(buf_span(&world->out).at, buf_len(&world->out));
	if (!grammar_read(&grammar, text))
		fail_msg("%s in\n%s", grammar.fault, text);
	told[0] = '\0';
	for (int i = 0; i < grammar.count; i++) {
		const struct grammar_item *item = &grammar.items[i];
		bool completed = item->ended == NULL || strcmp(grammar_text(item->ended, "status"), "completed") == 0;
		snprintf(told + strlen(told), 2048 - strlen(told), "[%s%s%s%s:%s]", item->kind,
			 item->name == NULL ? "" : " ", item->name == NULL ? "" : item->name,
			 completed ? "" : " incomplete", item->text);
	}
	snprintf(told + strlen(told), 2048 - strlen(told), "%s", grammar.end);
	grammar_free(&grammar);
	free(text);
}

static bool has(const struct world *world, const char *part)
{
	return memmem(buf_span(&world->out).at, buf_len(&world->out), part, strlen(part)) != NULL;
}

static void check(struct world *world, const char *want)
{
	char told[2048];
	assert_true(responses_stream_end(&world->stream, &world->out));
	read_stream(world, told);
	assert_string_equal(told, want);
	finish(world);
}

static void text_reasoning_and_refusals_are_items_of_their_own(void **state)
{
	struct world world;
	(void)state;
	start(&world);
	one(&world, PART_ROLE, -1, "assistant", "");
	one(&world, PART_REASONING, -1, "hm", "reasoning");
	one(&world, PART_REASONING, -1, "!", "reasoning");
	one(&world, PART_TEXT, -1, "a", "");
	one(&world, PART_TEXT, -1, "b\"", "");
	one(&world, PART_FINISH, -1, "stop", "");
	check(&world, "[reasoning:hm!][message:ab\"]completed");
	start(&world);
	one(&world, PART_TEXT, -1, "Well, ", "");
	one(&world, PART_REFUSAL, -1, "no", "");
	one(&world, PART_FINISH, -1, "stop", "");
	check(&world, "[message:Well, ][message:no]completed");
	start(&world);
	check(&world, "completed"); /* nothing was said */
}

static void reasoning_under_two_names_is_told_once(void **state)
{
	const struct delta both[] = {
	    {.part = PART_TEXT, .tool = -1, .text = SPAN_INIT("so")},
	    {.part = PART_REASONING, .tool = -1, .text = SPAN_INIT("hm"), .name = SPAN_INIT("reasoning")},
	    {.part = PART_REASONING, .tool = -1, .text = SPAN_INIT("hm"), .name = SPAN_INIT("reasoning_content")}};
	struct world world;
	(void)state;
	start(&world);
	assert_true(add(&world, both, 3));
	check(&world, "[reasoning:hm][message:so]completed"); /* and before what was said */
}

static void the_first_finish_says_whether_the_answer_is_complete(void **state)
{
	static const struct {
		const char *first, *second, *told;
	} rows[] = {
	    {"stop", "length", "[message:a]completed"},
	    {"length", "stop", "[message incomplete:a]incomplete"},
	    {"content_filter", "", "[message incomplete:a]incomplete"},
	    {"tool_calls", "", "[message:a]completed"},
	    {"eos_token", "", "[message:a]completed"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world world;
		start(&world);
		one(&world, PART_TEXT, -1, "a", "");
		one(&world, PART_FINISH, -1, rows[i].first, "");
		one(&world, PART_FINISH, -1, rows[i].second, "");
		assert_true(responses_stream_end(&world.stream, &world.out));
		assert_int_equal(has(&world, "\"incomplete_details\":{\"reason\":\"max_output_tokens\"}"), i == 1);
		assert_int_equal(has(&world, "\"incomplete_details\":{\"reason\":\"content_filter\"}"), i == 2);
		char told[2048];
		read_stream(&world, told);
		assert_string_equal(told, rows[i].told);
		finish(&world);
	}
}

static void calls_go_on_beside_each_other(void **state)
{
	struct world world;
	(void)state;
	start(&world);
	one(&world, PART_TOOL_BEGIN, 0, "f", "t0");
	one(&world, PART_TOOL_ARGUMENTS, 0, "{\"a\":", "");
	one(&world, PART_TOOL_BEGIN, 1, "g", "t1");
	one(&world, PART_TOOL_ARGUMENTS, 1, "{}", "");
	one(&world, PART_TOOL_ARGUMENTS, 0, "1}", "");
	assert_true(has(&world, "\"output_index\":0,\"delta\":\"1}\"")); /* at once */
	one(&world, PART_TEXT, -1, "done", "");
	one(&world, PART_TOOL_ARGUMENTS, 1, " ", "");
	one(&world, PART_FINISH, -1, "stop", ""); /* although tools are called */
	check(&world, "[function_call f:{\"a\":1}][function_call g:{} ][message:done]completed");
}

static void a_call_begins_when_its_name_is_there(void **state)
{
	struct world world;
	(void)state;
	start(&world);
	one(&world, PART_TOOL_BEGIN, 3, "", "t"); /* the name comes later, and in pieces */
	one(&world, PART_TOOL_BEGIN, 3, "get_", "");
	one(&world, PART_TOOL_BEGIN, 3, "level", "");
	assert_false(has(&world, "output_item.added"));
	one(&world, PART_TOOL_ARGUMENTS, 3, "{}", "");
	assert_true(has(&world, "output_item.added"));
	check(&world, "[function_call get_level:{}]completed");
	start(&world);
	one(&world, PART_TOOL_ARGUMENTS, 0, "{\"a\"", ""); /* before the name */
	one(&world, PART_TOOL_BEGIN, 0, "f", "t");
	one(&world, PART_TOOL_ARGUMENTS, 0, ":1}", "");
	check(&world, "[function_call f:{\"a\":1}]completed");
	start(&world);
	one(&world, PART_TEXT, -1, "first", "");
	one(&world, PART_TOOL_BEGIN, 0, "f", "t"); /* no arguments at all */
	one(&world, PART_TOOL_BEGIN, 1, "g", "u");
	one(&world, PART_TOOL_ARGUMENTS, 1, "{}", "");
	check(&world, "[message:first][function_call f:][function_call g:{}]completed");
}

static void a_call_without_an_id_gets_one(void **state)
{
	struct world world;
	(void)state;
	start(&world);
	one(&world, PART_TOOL_BEGIN, 0, "f", "");
	one(&world, PART_TOOL_ARGUMENTS, 0, "{}", "");
	assert_true(has(&world, "\"call_id\":\"call_1_0\""));
	check(&world, "[function_call f:{}]completed");
}

static void of_an_incomplete_answer_the_last_item_is_incomplete(void **state)
{
	struct world world;
	(void)state;
	start(&world);
	one(&world, PART_TEXT, -1, "see", "");
	one(&world, PART_TOOL_BEGIN, 0, "f", "t0");
	one(&world, PART_TOOL_ARGUMENTS, 0, "{}", "");
	one(&world, PART_TOOL_BEGIN, 1, "g", "t1");
	one(&world, PART_TOOL_ARGUMENTS, 1, "{\"a", "");
	one(&world, PART_FINISH, -1, "length", "");
	check(&world, "[message:see][function_call f:{}][function_call g incomplete:{\"a]incomplete");
}

static void the_input_of_a_custom_tool_is_told_when_it_is_complete(void **state)
{
	struct world world;
	(void)state;
	start(&world);
	one(&world, PART_TOOL_BEGIN, 0, "sql", "t");
	one(&world, PART_TOOL_ARGUMENTS, 0, "{\"input\":\"SELECT ", "");
	one(&world, PART_TOOL_ARGUMENTS, 0, "\\\"x\\\"\"}", "");
	assert_false(has(&world, ".delta"));
	check(&world, "[custom_tool_call sql:SELECT \"x\"]completed");
	start(&world);
	one(&world, PART_TOOL_BEGIN, 0, "sql", "t");
	one(&world, PART_TOOL_ARGUMENTS, 0, "SELECT 1", ""); /* not as it was asked for */
	check(&world, "[custom_tool_call sql:SELECT 1]completed");
}

static void a_stream_that_fails_ends_with_the_error(void **state)
{
	const struct error_told told = {.code = ERROR_UPSTREAM_RESET, .message = SPAN_INIT("it broke")};
	char text[2048];
	struct world world;
	(void)state;
	for (int begun = 0; begun < 2; begun++) {
		start(&world);
		if (begun) {
			one(&world, PART_TEXT, -1, "a", "");
			one(&world, PART_TOOL_BEGIN, 0, "f", "t");
			one(&world, PART_TOOL_ARGUMENTS, 0, "{", "");
		}
		assert_true(responses_stream_fail(&world.stream, &told, &world.out));
		read_stream(&world, text);
		assert_string_equal(text, begun ? "[message:a][function_call f:{]failed" : "failed");
		assert_true(
		    has(&world, "\"error\":{\"message\":\"it broke\",\"param\":null,\"code\":\"upstream_reset\"}"));
		finish(&world);
	}
}

static void other_choices_are_not_told(void **state)
{
	struct world world;
	const struct delta list[] = {{.part = PART_TEXT, .choice = 0, .text = SPAN_INIT("a")},
				     {.part = PART_TEXT, .choice = 1, .text = SPAN_INIT("b")}};
	(void)state;
	start(&world);
	assert_true(add(&world, list, 2));
	check(&world, "[message:a]completed");
}

static void usage_that_comes_last_is_told_at_the_end(void **state)
{
	const struct usage usage = {4, 6, 10, 3, 0};
	const struct deltas none = {NULL, 0, 0};
	struct world world;
	(void)state;
	start(&world);
	one(&world, PART_TEXT, -1, "a", "");
	one(&world, PART_FINISH, -1, "stop", "");
	assert_true(responses_stream_add(&world.stream, &none, &usage, &identity, &world.out));
	assert_true(responses_stream_end(&world.stream, &world.out));
	assert_true(has(&world, "\"usage\":{\"input_tokens\":4,\"input_tokens_details\":{\"cached_tokens\":3},"
				"\"output_tokens\":6,\"output_tokens_details\":{\"reasoning_tokens\":0},"
				"\"total_tokens\":10}"));
	finish(&world);
}

/* What a stream's last event holds but for times, which may differ. */
static cJSON *response_of(const struct buf *out, bool stream)
{
	char *text = strndup(buf_span(out).at, buf_len(out));
	char *at = stream ? strstr(text, "event: response.completed\ndata: ") : text;
	assert_non_null(at);
	cJSON *json = cJSON_Parse(stream ? at + 32 : at);
	cJSON *response = stream ? cJSON_DetachItemFromObject(json, "response") : cJSON_Duplicate(json, true);
	assert_non_null(response);
	cJSON_Delete(json);
	cJSON_DeleteItemFromObject(response, "completed_at");
	free(text);
	return response;
}

static void a_whole_answer_is_what_the_stream_ends_with(void **state)
{
	const struct delta list[] = {
	    {.part = PART_TEXT, .tool = -1, .text = SPAN_INIT("see")},
	    {.part = PART_REASONING, .tool = -1, .text = SPAN_INIT("hm"), .name = SPAN_INIT("reasoning")},
	    {.part = PART_TOOL_BEGIN, .tool = 0, .text = SPAN_INIT("f"), .name = SPAN_INIT("t0")},
	    {.part = PART_TOOL_ARGUMENTS, .tool = 0, .text = SPAN_INIT("{}")},
	    {.part = PART_TOOL_BEGIN, .tool = 1, .text = SPAN_INIT("sql"), .name = SPAN_INIT("t1")},
	    {.part = PART_TOOL_ARGUMENTS, .tool = 1, .text = SPAN_INIT("{\"input\":\"x\"}")},
	    {.part = PART_FINISH, .tool = -1, .text = SPAN_INIT("tool_calls")}};
	const struct deltas deltas = {list, sizeof(list) / sizeof(list[0]), 1};
	const struct usage usage = {4, 6, 10, 0, 0};
	struct world streamed, whole;
	(void)state;
	start(&streamed);
	start(&whole);
	assert_true(responses_stream_add(&streamed.stream, &deltas, &usage, &identity, &streamed.out));
	assert_true(responses_stream_end(&streamed.stream, &streamed.out));
	assert_true(responses_stream_whole(&whole.stream, &deltas, &usage, &identity, &whole.out));
	cJSON *last = response_of(&streamed.out, true), *only = response_of(&whole.out, false);
	assert_true(cJSON_Compare(last, only, true));
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(only, "output")), 4);
	cJSON_Delete(last);
	cJSON_Delete(only);
	finish(&streamed);
	finish(&whole);
}

static void random_deltas_make_streams_that_follow_the_grammar(void **state)
{
	static const enum part parts[] = {PART_ROLE,       PART_TEXT,           PART_REFUSAL, PART_REASONING,
					  PART_TOOL_BEGIN, PART_TOOL_ARGUMENTS, PART_FINISH,  PART_LOGPROBS};
	static const char *const texts[] = {"", "x", "{\"a\":", "\xc3\xa9", "\n\"\\", "sql", "length"};
	const struct error_told told = {.code = ERROR_UPSTREAM_RESET};
	struct seed seed = seed_start();
	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct world world;
		char text[2048];
		start(&world);
		for (uint64_t i = seed_below(&seed, 30); i > 0; i--)
			one(&world, parts[seed_below(&seed, 8)], (int64_t)seed_below(&seed, 4),
			    texts[seed_below(&seed, 7)], texts[seed_below(&seed, 2)]);
		if (seed_below(&seed, 4) == 0)
			assert_true(responses_stream_fail(&world.stream, &told, &world.out));
		else
			assert_true(responses_stream_end(&world.stream, &world.out));
		read_stream(&world, text);
		finish(&world);
	}
}

static void the_grammar_finds_what_is_wrong(void **state)
{
	static const struct {
		const char *part, *instead;
	} faults[] = {
	    {"\"sequence_number\":3", "\"sequence_number\":4"},
	    {"event: response.output_text.done", "event: response.output_text.delta"},
	    {"\"output_index\":0", "\"output_index\":1"},
	    {"\"item_id\":\"msg_1_0\"", "\"item_id\":\"msg_1_1\""},
	    {"\"delta\":\"a\"", "\"delta\":\"b\""},
	    {"\"status\":\"in_progress\",\"role\"", "\"status\":\"completed\",\"role\""},
	    {"data: [DONE]\n\n", ""},
	    {"event: response.completed", "event: response.failed"},
	    {"\"content_index\":0", "\"content_index\":1"},
	    {"resp_1", "resp_2"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct world world;
		struct grammar grammar;
		start(&world);
		one(&world, PART_TEXT, -1, "a", "");
		assert_true(responses_stream_end(&world.stream, &world.out));
		char *text = strndup(buf_span(&world.out).at, buf_len(&world.out));
		char *at = strstr(text, faults[i].part), *odd = NULL;
		assert_non_null(at);
		assert_true(asprintf(&odd, "%.*s%s%s", (int)(at - text), text, faults[i].instead,
				     at + strlen(faults[i].part)) > 0);
		if (grammar_read(&grammar, odd))
			fail_msg("%s in place of %s passed", faults[i].instead, faults[i].part);
		grammar_free(&grammar);
		free(odd);
		free(text);
		finish(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_reasoning_and_refusals_are_items_of_their_own),
	    cmocka_unit_test(reasoning_under_two_names_is_told_once),
	    cmocka_unit_test(the_first_finish_says_whether_the_answer_is_complete),
	    cmocka_unit_test(calls_go_on_beside_each_other),
	    cmocka_unit_test(a_call_begins_when_its_name_is_there),
	    cmocka_unit_test(a_call_without_an_id_gets_one),
	    cmocka_unit_test(of_an_incomplete_answer_the_last_item_is_incomplete),
	    cmocka_unit_test(the_input_of_a_custom_tool_is_told_when_it_is_complete),
	    cmocka_unit_test(a_stream_that_fails_ends_with_the_error),
	    cmocka_unit_test(other_choices_are_not_told),
	    cmocka_unit_test(usage_that_comes_last_is_told_at_the_end),
	    cmocka_unit_test(a_whole_answer_is_what_the_stream_ends_with),
	    cmocka_unit_test(random_deltas_make_streams_that_follow_the_grammar),
	    cmocka_unit_test(the_grammar_finds_what_is_wrong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
