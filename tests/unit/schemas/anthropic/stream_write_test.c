/* SPDX-License-Identifier: MIT */
/*
 * Streams of the Anthropic dialect out of deltas. Every stream is checked by its grammar: one message_start, blocks one
 * after the other with indices from 0, one message_delta, one message_stop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "schemas/anthropic/stream_write.h"
#include "tests/unit/seed.h"

static const struct answer_identity identity = {SPAN_INIT("id"), SPAN_INIT("model"), 1};

struct world {
	struct anthropic_stream stream;
	struct buf out;
	char told[4096]; /* by the grammar: what the blocks hold */
};

static void start(struct world *world)
{
	*world = (struct world){.told = ""};
	anthropic_stream_init(&world->stream, 0);
	buf_init(&world->out, 1 << 20);
}

static bool add(struct world *world, const struct delta *list, size_t count)
{
	const struct usage none = USAGE_UNKNOWN;
	const struct deltas deltas = {list, count, 1};
	return anthropic_stream_add(&world->stream, &deltas, &none, &identity, &world->out);
}

static bool one(struct world *world, enum part part, int64_t tool, const char *text, const char *name)
{
	const struct delta delta = {.part = part, .tool = tool, .text = span_of(text), .name = span_of(name)};
	return add(world, &delta, 1);
}

static void tell(struct world *world, const char *format, const char *at, size_t len)
{
	size_t used = strlen(world->told);
	snprintf(world->told + used, sizeof(world->told) - used, format, (int)len, at);
}

/* Returns what is between the quotation marks behind a name. */
static struct span value_of(const char *event, const char *name)
{
	const char *at = strstr(event, name);
	assert_non_null(at);
	at += strlen(name);
	const char *end = at;
	while (*end != '"' || end[-1] == '\\')
		end++;
	return (struct span){at, (size_t)(end - at)};
}

/* Reads the stream, and traps where it does not follow the grammar. */
static void check_grammar(struct world *world)
{
	char *text = strndup(buf_span(&world->out).at, buf_len(&world->out)), *rest = text, *event;
	int starts = 0, ends = 0, stops = 0, open = -1, next = 0;
	while ((event = strsep(&rest, "\n")) != NULL && rest != NULL) {
		char *data = strsep(&rest, "\n"), *blank = strsep(&rest, "\n");
		assert_int_equal(strncmp(event, "event: ", 7), 0);
		struct span type = value_of(data, "data: {\"type\":\"");
		assert_true(span_is(type, event + 7));
		assert_string_equal(blank, "");
		assert_int_equal(stops, 0);
		const char *index = strstr(data, "\"index\":");
		if (span_is(type, "message_start")) {
			assert_int_equal(starts++, 0);
		} else if (span_is(type, "content_block_start")) {
			assert_int_equal(open, -1);
			assert_int_equal(atoi(index + 8), next);
			open = next++;
			struct span block = value_of(data, "\"content_block\":{\"type\":\"");
			tell(world, "[%.*s", block.at, block.len);
			if (span_is(block, "tool_use")) {
				struct span name = value_of(data, "\"name\":\"");
				tell(world, " %.*s", name.at, name.len);
			}
			tell(world, ":%.*s", "", 0);
		} else if (span_is(type, "content_block_delta")) {
			assert_int_equal(atoi(index + 8), open);
			struct span what = value_of(data, "\"delta\":{\"type\":\"");
			struct span piece = value_of(data, span_is(what, "text_delta")       ? "\"text\":\""
							   : span_is(what, "thinking_delta") ? "\"thinking\":\""
											     : "\"partial_json\":\"");
			tell(world, "%.*s|", piece.at, piece.len);
		} else if (span_is(type, "content_block_stop")) {
			assert_int_equal(atoi(index + 8), open);
			open = -1;
			tell(world, "%.*s]", "", 0);
		} else if (span_is(type, "message_delta")) {
			assert_int_equal(open, -1);
			assert_int_equal(ends++, 0);
			struct span reason = value_of(data, "\"stop_reason\":\"");
			tell(world, "%.*s", reason.at, reason.len);
		} else {
			assert_true(span_is(type, "message_stop"));
			assert_int_equal(ends, 1);
			stops++;
		}
		assert_int_equal(starts, 1);
	}
	assert_int_equal(stops, 1);
	free(text);
}

static void check(struct world *world, const char *told)
{
	assert_true(anthropic_stream_end(&world->stream, &world->out));
	check_grammar(world);
	if (told != NULL)
		assert_string_equal(world->told, told);
	anthropic_stream_fini(&world->stream);
	buf_fini(&world->out);
}

static void text_thinking_and_refusals_are_blocks_of_their_own(void **state)
{
	struct world world;
	(void)state;
	start(&world);
	one(&world, PART_ROLE, -1, "assistant", "");
	one(&world, PART_REASONING, -1, "hm", "reasoning");
	one(&world, PART_REASONING, -1, "!", "reasoning");
	one(&world, PART_TEXT, -1, "a", "");
	one(&world, PART_TEXT, -1, "b\"", "");
	one(&world, PART_FINISH, -1, "length", "");
	check(&world, "[thinking:hm|!|][text:a|b\\\"|]max_tokens");
	start(&world);
	one(&world, PART_REFUSAL, -1, "no", "");
	one(&world, PART_FINISH, -1, "stop", "");
	check(&world, "[text:no|]refusal");
	start(&world);
	check(&world, "end_turn"); /* nothing was said */
	start(&world);
	one(&world, PART_FINISH, -1, "stop", "");
	one(&world, PART_FINISH, -1, "length", ""); /* of two the first counts */
	check(&world, "end_turn");
	start(&world);
	one(&world, PART_FINISH, -1, "eos_token", "");
	check(&world, "eos_token");
}

static void calls_are_told_one_after_the_other_also_when_they_come_mixed(void **state)
{
	struct world world;
	(void)state;
	start(&world);
	one(&world, PART_TOOL_BEGIN, 0, "f", "t0");
	one(&world, PART_TOOL_ARGUMENTS, 0, "{", "");
	one(&world, PART_TOOL_BEGIN, 1, "g", "t1");
	one(&world, PART_TOOL_ARGUMENTS, 1, "{}", "");
	one(&world, PART_TOOL_ARGUMENTS, 0, "}", "");
	one(&world, PART_FINISH, -1, "tool_calls", "");
	check(&world, "[tool_use f:{|}|][tool_use g:{}|]tool_use");
	start(&world);
	one(&world, PART_TOOL_BEGIN, 3, "", "t"); /* the name comes later, and in pieces */
	one(&world, PART_TOOL_BEGIN, 3, "get_", "");
	one(&world, PART_TOOL_BEGIN, 3, "level", "");
	one(&world, PART_TOOL_ARGUMENTS, 3, "{}", "");
	one(&world, PART_FINISH, -1, "stop", ""); /* although a tool is called */
	check(&world, "[tool_use get_level:{}|]tool_use");
	start(&world);
	one(&world, PART_TOOL_ARGUMENTS, 0, "{\"a\"", ""); /* before the name */
	one(&world, PART_TOOL_BEGIN, 0, "f", "t");
	one(&world, PART_TOOL_ARGUMENTS, 0, ":1}", "");
	check(&world, "[tool_use f:{\\\"a\\\":1}|]tool_use");
	start(&world);
	one(&world, PART_TEXT, -1, "first", "");
	one(&world, PART_TOOL_BEGIN, 0, "f", "t"); /* no arguments at all */
	check(&world, "[text:first|][tool_use f:]tool_use");
}

static void arguments_behind_a_text_that_ended_their_block_are_a_failure(void **state)
{
	struct world world;
	(void)state;
	start(&world);
	one(&world, PART_TOOL_BEGIN, 0, "f", "t");
	one(&world, PART_TOOL_ARGUMENTS, 0, "{", "");
	one(&world, PART_TEXT, -1, "and", "");
	one(&world, PART_TOOL_ARGUMENTS, 0, "}", "");
	assert_false(anthropic_stream_end(&world.stream, &world.out));
	anthropic_stream_fini(&world.stream);
	buf_fini(&world.out);
}

/* "Cannot be told" is the backend's fault, and no lack of memory. */
static void what_cannot_be_told_is_not_taken_for_a_lack_of_memory(void **state)
{
	struct world world;
	static char name[2000];
	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	start(&world);
	assert_false(one(&world, PART_TOOL_BEGIN, 0, name, "t"));
	assert_false(buf_failed(&world.out));
	assert_false(anthropic_stream_end(&world.stream, &world.out));
	assert_false(buf_failed(&world.out));
	anthropic_stream_fini(&world.stream);
	buf_fini(&world.out);
	start(&world);
	buf_fini(&world.out);
	buf_init(&world.out, 16);
	assert_false(one(&world, PART_TEXT, -1, "a", ""));
	assert_true(buf_failed(&world.out));
	anthropic_stream_fini(&world.stream);
	buf_fini(&world.out);
}

static void a_long_word_for_the_end_is_told_whole(void **state)
{
	struct world world;
	char word[600];
	(void)state;
	memset(word, 'w', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	start(&world);
	one(&world, PART_TEXT, -1, "a", "");
	one(&world, PART_FINISH, -1, word, "");
	char told[700];
	snprintf(told, sizeof(told), "[text:a|]%s", word);
	check(&world, told);
}

static void other_choices_are_not_told(void **state)
{
	struct world world;
	const struct delta list[] = {{.part = PART_TEXT, .choice = 0, .text = SPAN_INIT("a")},
				     {.part = PART_TEXT, .choice = 1, .text = SPAN_INIT("b")}};
	(void)state;
	start(&world);
	assert_true(add(&world, list, 2));
	check(&world, "[text:a|]end_turn");
}

static void random_deltas_make_streams_that_follow_the_grammar(void **state)
{
	static const enum part parts[] = {PART_ROLE,       PART_TEXT,           PART_REFUSAL, PART_REASONING,
					  PART_TOOL_BEGIN, PART_TOOL_ARGUMENTS, PART_FINISH,  PART_LOGPROBS};
	static const char *const texts[] = {"", "x", "{\"a\":", "\xc3\xa9", "\n\"\\"};
	struct seed seed = seed_start();
	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct world world;
		bool good = true;
		start(&world);
		for (uint64_t i = seed_below(&seed, 30); i > 0 && good; i--)
			good = one(&world, parts[seed_below(&seed, 8)], (int64_t)seed_below(&seed, 4),
				   texts[seed_below(&seed, 5)], texts[seed_below(&seed, 2)]);
		assert_true(good);
		if (anthropic_stream_end(&world.stream, &world.out))
			check_grammar(&world);
		anthropic_stream_fini(&world.stream);
		buf_fini(&world.out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_thinking_and_refusals_are_blocks_of_their_own),
	    cmocka_unit_test(calls_are_told_one_after_the_other_also_when_they_come_mixed),
	    cmocka_unit_test(arguments_behind_a_text_that_ended_their_block_are_a_failure),
	    cmocka_unit_test(what_cannot_be_told_is_not_taken_for_a_lack_of_memory),
	    cmocka_unit_test(a_long_word_for_the_end_is_told_whole),
	    cmocka_unit_test(other_choices_are_not_told),
	    cmocka_unit_test(random_deltas_make_streams_that_follow_the_grammar),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
