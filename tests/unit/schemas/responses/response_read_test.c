/* SPDX-License-Identifier: MIT */
/* Answers of backends of the Responses dialect: what the events of a stream and whole responses say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "schemas/responses/response_read.h"
#include "schemas/sse.h"

struct world {
	struct responses_reader reader;
	struct arena arena;
	struct answer_reading reading;
	char told[4096]; /* what the deltas say, one after the other */
};

static void start(struct world *world)
{
	*world = (struct world){.told = ""};
	responses_reader_begin(&world->reader);
	arena_init(&world->arena, 0);
}

static void finish(struct world *world)
{
	arena_fini(&world->arena);
}

static void tell(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void tell(struct world *world, const char *format, ...)
{
	size_t used = strlen(world->told);
	va_list list;
	va_start(list, format);
	vsnprintf(world->told + used, sizeof(world->told) - used, format, list);
	va_end(list);
}

static void tell_deltas(struct world *world)
{
	const struct deltas *deltas = &world->reading.told->deltas;
	for (size_t i = 0; i < deltas->count; i++) {
		const struct delta *delta = &deltas->list[i];
		switch (delta->part) {
		case PART_ROLE:
			tell(world, "<%.*s>", SPAN_ARG(delta->text));
			break;
		case PART_TEXT:
			tell(world, "%.*s", SPAN_ARG(delta->text));
			break;
		case PART_REFUSAL:
			tell(world, "!%.*s!", SPAN_ARG(delta->text));
			break;
		case PART_REASONING:
			tell(world, "(%.*s)", SPAN_ARG(delta->text));
			break;
		case PART_TOOL_BEGIN:
			tell(world, "[%d %.*s %.*s]", (int)delta->tool, SPAN_ARG(delta->name), SPAN_ARG(delta->text));
			break;
		case PART_TOOL_ARGUMENTS:
			tell(world, "{%d %.*s}", (int)delta->tool, SPAN_ARG(delta->text));
			break;
		case PART_FINISH:
			tell(world, " end:%.*s", SPAN_ARG(delta->text));
			break;
		default:
			break;
		}
	}
}

/* Reads an event, as often as it says more. */
static enum stream_step hear(struct world *world, const char *data)
{
	const struct sse_event sse = {.data = span_of(data), .name = SPAN("")};
	enum stream_step step;
	do {
		arena_reset(&world->arena);
		step = responses_reader_read(&world->reader, &sse, &world->arena, &world->reading);
		if (step == STREAM_EVENT)
			tell_deltas(world);
		if (step == STREAM_EVENT && (world->reading.carries & CARRIES_USAGE) != 0)
			tell(world, " usage:%d+%d cached:%d", (int)world->reading.usage.prompt_tokens,
			     (int)world->reading.usage.completion_tokens, (int)world->reading.usage.cache_read);
	} while (world->reading.more);
	return step;
}

#define EVENT(type, more) "{\"type\":\"response." type "\"," more "}"
#define RESPONSE "\"response\":{\"id\":\"resp_1\",\"model\":\"gpt\",\"created_at\":7,\"status\":\"in_progress\"}"
#define ITEM(place, item) "\"output_index\":" #place ",\"item\":{" item "}"
#define DELTA(place, text) "\"output_index\":" #place ",\"delta\":\"" text "\""
#define DONE                                                                                       \
	EVENT("completed", "\"response\":{\"status\":\"completed\",\"usage\":{\"input_tokens\":9," \
			   "\"input_tokens_details\":{\"cached_tokens\":4},\"output_tokens\":3,\"total_tokens\":12}}")

static void check(const char *const *events, size_t count, const char *told)
{
	struct world world;
	start(&world);
	for (size_t i = 0; i < count; i++) {
		enum stream_step step = hear(&world, events[i]);
		assert_true(step == STREAM_EVENT || step == STREAM_NOTHING);
	}
	assert_true(world.reader.finished);
	assert_int_equal(hear(&world, "[DONE]"), STREAM_END);
	assert_string_equal(world.told, told);
	finish(&world);
}

#define CHECK(told, ...)                                                 \
	do {                                                             \
		static const char *const events[] = {__VA_ARGS__};       \
		check(events, sizeof(events) / sizeof(events[0]), told); \
	} while (0)

static void text_and_usage_are_told_once(void **state)
{
	(void)state;
	CHECK("<assistant>Hello world end:stop usage:9+3 cached:4", EVENT("created", RESPONSE),
	      EVENT("in_progress", RESPONSE), EVENT("output_item.added", ITEM(0, "\"type\":\"message\"")),
	      EVENT("content_part.added", "\"output_index\":0,\"part\":{\"type\":\"output_text\",\"text\":\"\"}"),
	      EVENT("output_text.delta", DELTA(0, "Hello ")), EVENT("output_text.delta", DELTA(0, "world")),
	      EVENT("output_text.done", "\"output_index\":0,\"text\":\"Hello world\""),
	      EVENT("output_item.done", ITEM(0, "\"type\":\"message\",\"content\":[]")), DONE, DONE);
}

static void an_item_has_its_reasoning_or_its_summary(void **state)
{
	(void)state;
	CHECK("<assistant>(hm)(sum)yes!no! end:length", EVENT("created", RESPONSE),
	      EVENT("reasoning_text.delta", DELTA(0, "hm")), EVENT("reasoning_summary_text.delta", DELTA(0, "HM")),
	      EVENT("reasoning_summary_text.delta", DELTA(1, "sum")), EVENT("reasoning.delta", DELTA(1, "SUM")),
	      EVENT("output_text.delta", DELTA(2, "yes")), EVENT("refusal.delta", DELTA(2, "no")),
	      EVENT("incomplete", "\"response\":{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":"
				  "\"max_output_tokens\"}}"));
}

static void calls_are_numbered_by_themselves_and_may_overlap(void **state)
{
	(void)state;
	CHECK("<assistant>[0 c1 f][1 c2 g]{1 x}{0 {\"a\":1}}[2 c3 h]{2 {}} end:tool_calls", EVENT("created", RESPONSE),
	      EVENT("output_item.added", ITEM(0, "\"type\":\"reasoning\"")),
	      EVENT("output_item.added", ITEM(1, "\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":\"f\"")),
	      EVENT("output_item.added", ITEM(2, "\"type\":\"custom_tool_call\",\"call_id\":\"c2\",\"name\":\"g\"")),
	      EVENT("custom_tool_call_input.delta", DELTA(2, "x")),
	      EVENT("function_call_arguments.delta", DELTA(1, "{\\\"a\\\":1}")),
	      EVENT("output_item.done", ITEM(1, "\"type\":\"function_call\",\"arguments\":\"{}\"")),
	      EVENT("output_item.added", ITEM(3, "\"type\":\"function_call\",\"call_id\":\"c3\",\"name\":\"h\"")),
	      EVENT("output_item.done", ITEM(3, "\"type\":\"function_call\",\"arguments\":\"{}\"")),
	      EVENT("completed", "\"response\":{\"status\":\"completed\"}"));
}

static void what_is_new_says_nothing(void **state)
{
	(void)state;
	CHECK("<assistant> end:stop", EVENT("of_tomorrow", "\"x\":1"), EVENT("created", RESPONSE),
	      EVENT("output_item.added", ITEM(0, "\"type\":\"web_search_call\"")),
	      EVENT("output_text.annotation.added", "\"output_index\":0"),
	      EVENT("completed", "\"response\":{\"status\":\"completed\"}"));
}

static void failures_are_errors(void **state)
{
	(void)state;
	static const char *const events[] = {
	    EVENT("failed", "\"response\":{\"status\":\"failed\",\"error\":{\"code\":\"rate_limit_exceeded\","
			    "\"message\":\"words\"}}"),
	    "{\"type\":\"error\",\"code\":\"rate_limit_exceeded\",\"message\":\"words\",\"param\":null}",
	    "{\"type\":\"error\",\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"words\"}}"};
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		struct world world;
		start(&world);
		assert_int_equal(hear(&world, events[i]), STREAM_EVENT);
		assert_int_equal(world.reading.carries, CARRIES_ERROR);
		assert_true(span_is(world.reading.error->message, "words"));
		assert_true(span_is(world.reading.error->code, "rate_limit_exceeded"));
		assert_false(world.reader.finished);
		finish(&world);
	}
}

static void what_is_no_event_breaks_the_stream(void **state)
{
	(void)state;
	static const char *const broken[] = {"no json",
					     "[]",
					     "{}",
					     "{\"type\":\"response.created\"}",
					     "{\"type\":\"response.completed\"}",
					     EVENT("output_item.added", "\"output_index\":0"),
					     EVENT("output_item.added", ITEM(-1, "\"type\":\"function_call\"")),
					     EVENT("output_item.added", ITEM(256, "\"type\":\"function_call\"")),
					     EVENT("function_call_arguments.delta", DELTA(0, "x"))};
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		struct world world;
		start(&world);
		assert_int_equal(hear(&world, broken[i]), STREAM_BROKEN);
		finish(&world);
	}
}

static void a_whole_response_is_told(void **state)
{
	(void)state;
	struct world world;
	start(&world);
	assert_true(responses_response_read(
	    SPAN("{\"id\":\"resp_1\",\"model\":\"gpt\",\"created_at\":7,\"status\":\"completed\",\"error\":null,"
		 "\"output\":["
		 "{\"type\":\"reasoning\",\"summary\":[{\"type\":\"summary_text\",\"text\":\"hm\"}]},{\"type\":"
		 "\"message\","
		 "\"content\":[{\"type\":\"output_text\",\"text\":\"a\"},{\"type\":\"refusal\",\"refusal\":\"no\"}]},"
		 "{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\",\"arguments\":\"{}\"},{\"type\":\"new\"}"
		 "],"
		 "\"usage\":{\"input_tokens\":3,\"output_tokens\":4,\"total_tokens\":7}}"),
	    &world.arena, &world.reading));
	tell_deltas(&world);
	assert_string_equal(world.told, "<assistant>(hm)a!no![0 c f]{0 {}} end:tool_calls");
	assert_true(span_is(world.reading.told->identity.id, "resp_1"));
	assert_int_equal(world.reading.told->identity.created, 7);
	assert_int_equal(world.reading.usage.total_tokens, 7);
	assert_int_equal(world.reading.carries, CARRIES_ROLE | CARRIES_CONTENT | CARRIES_FINISH | CARRIES_USAGE);
	assert_true(
	    responses_response_read(SPAN("{\"status\":\"failed\",\"error\":{\"message\":\"words\"},\"output\":[]}"),
				    &world.arena, &world.reading));
	assert_true((world.reading.carries & CARRIES_ERROR) != 0);
	assert_true(responses_response_read(SPAN("{\"object\":\"list\"}"), &world.arena, &world.reading));
	assert_int_equal(world.reading.carries, CARRIES_NO_CHOICE);
	assert_false(responses_response_read(SPAN("[]"), &world.arena, &world.reading));
	finish(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_and_usage_are_told_once),
	    cmocka_unit_test(an_item_has_its_reasoning_or_its_summary),
	    cmocka_unit_test(calls_are_numbered_by_themselves_and_may_overlap),
	    cmocka_unit_test(what_is_new_says_nothing),
	    cmocka_unit_test(failures_are_errors),
	    cmocka_unit_test(what_is_no_event_breaks_the_stream),
	    cmocka_unit_test(a_whole_response_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
