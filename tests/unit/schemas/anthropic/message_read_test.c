/* SPDX-License-Identifier: MIT */
/* Answers of backends of the Anthropic dialect: what the events of a stream, whole messages and errors say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "schemas/anthropic/message_read.h"
#include "schemas/sse.h"

struct world {
	struct anthropic_reader reader;
	struct arena arena;
	struct answer_reading reading;
	char told[4096]; /* what the deltas say, one after the other */
};

static void start(struct world *world)
{
	*world = (struct world){.told = ""};
	anthropic_reader_begin(&world->reader);
	arena_init(&world->arena, 0);
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
		struct span text = delta->text;
		switch (delta->part) {
		case PART_ROLE:
			tell(world, "<%.*s>", SPAN_ARG(text));
			break;
		case PART_TEXT:
			tell(world, "%.*s", SPAN_ARG(text));
			break;
		case PART_REASONING:
			tell(world, "(%.*s)", SPAN_ARG(text));
			break;
		case PART_TOOL_BEGIN:
			tell(world, "[%d %.*s %.*s]", (int)delta->tool, SPAN_ARG(delta->name), SPAN_ARG(text));
			break;
		case PART_TOOL_ARGUMENTS:
			tell(world, "{%d %.*s}", (int)delta->tool, SPAN_ARG(text));
			break;
		case PART_FINISH:
			tell(world, " end:%.*s", SPAN_ARG(text));
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
		step = anthropic_reader_read(&world->reader, &sse, &world->arena, &world->reading);
		if (step == STREAM_EVENT)
			tell_deltas(world);
		if (step == STREAM_EVENT && (world->reading.carries & CARRIES_USAGE) != 0)
			tell(world, " usage:%d+%d read:%d write:%d", (int)world->reading.usage.prompt_tokens,
			     (int)world->reading.usage.completion_tokens, (int)world->reading.usage.cache_read,
			     (int)world->reading.usage.cache_write);
	} while (world->reading.more);
	return step;
}

#define BEGIN(usage)                                                                                             \
	"{\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\"," \
	"\"model\":\"claude\",\"content\":[],\"usage\":" usage "}}"
#define OPEN(index, block) "{\"type\":\"content_block_start\",\"index\":" #index ",\"content_block\":" block "}"
#define DELTA(index, delta) "{\"type\":\"content_block_delta\",\"index\":" #index ",\"delta\":" delta "}"
#define TEXT(index, text) DELTA(index, "{\"type\":\"text_delta\",\"text\":\"" text "\"}")
#define INPUT(index, text) DELTA(index, "{\"type\":\"input_json_delta\",\"partial_json\":\"" text "\"}")
#define CLOSE(index) "{\"type\":\"content_block_stop\",\"index\":" #index "}"
#define END(reason, usage) "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"" reason "\"},\"usage\":" usage "}"
#define STOP "{\"type\":\"message_stop\"}"
#define TOOL(id, name) "{\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"" name "\",\"input\":{}}"

static void finish(struct world *world)
{
	arena_fini(&world->arena);
}

/* Hears a stream to its end. */
static void check(const char *const *events, size_t count, const char *told)
{
	struct world world;
	start(&world);
	for (size_t i = 0; i < count; i++) {
		enum stream_step step = hear(&world, events[i]);
		assert_true(step == STREAM_EVENT || step == STREAM_NOTHING);
		assert_false(anthropic_reader_is_finished(&world.reader));
	}
	assert_int_equal(hear(&world, STOP), STREAM_END);
	assert_true(anthropic_reader_is_finished(&world.reader));
	assert_string_equal(world.told, told);
	finish(&world);
}

#define CHECK(told, ...)                                                 \
	do {                                                             \
		static const char *const events[] = {__VA_ARGS__};       \
		check(events, sizeof(events) / sizeof(events[0]), told); \
	} while (0)

static void text_and_usage_are_told(void **state)
{
	(void)state;
	CHECK("<assistant>Hello world end:stop usage:17+6 read:4 write:3",
	      BEGIN("{\"input_tokens\":10,\"cache_read_input_tokens\":4,\"cache_creation_input_tokens\":3,"
		    "\"output_tokens\":1}"),
	      OPEN(0, "{\"type\":\"text\",\"text\":\"\"}"), "{\"type\":\"ping\"}", TEXT(0, "Hello "), TEXT(0, "world"),
	      CLOSE(0), END("end_turn", "{\"output_tokens\":6}"));
}

static void thinking_is_reasoning_and_its_signature_is_left_to_the_bytes(void **state)
{
	(void)state;
	CHECK("<assistant>(hm)yes end:length usage:-1+2 read:-1 write:-1", BEGIN("{}"),
	      OPEN(0, "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}"),
	      DELTA(0, "{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}"),
	      DELTA(0, "{\"type\":\"signature_delta\",\"signature\":\"abc\"}"), CLOSE(0),
	      OPEN(1, "{\"type\":\"redacted_thinking\",\"data\":\"x\"}"), CLOSE(1),
	      OPEN(2, "{\"type\":\"text\",\"text\":\"y\"}"), TEXT(2, "es"), CLOSE(2),
	      END("max_tokens", "{\"output_tokens\":2}"));
}

static void calls_are_numbered_by_themselves_and_have_arguments(void **state)
{
	(void)state;
	CHECK("<assistant>a[0 t1 f]{0 {\"x\"}{0 :1}}[1 t2 g]{1 {}}[2 t3 h]{2 {\"y\":2}} end:tool_calls usage:-1+-1 "
	      "read:-1 write:-1",
	      BEGIN("{}"), OPEN(0, "{\"type\":\"text\",\"text\":\"a\"}"), CLOSE(0), OPEN(1, TOOL("t1", "f")),
	      INPUT(1, ""), INPUT(1, "{\\\"x\\\""), INPUT(1, ":1}"), CLOSE(1), OPEN(2, TOOL("t2", "g")), CLOSE(2),
	      OPEN(3, "{\"type\":\"tool_use\",\"id\":\"t3\",\"name\":\"h\",\"input\":{\"y\":2}}"), CLOSE(3),
	      END("tool_use", "{}"));
}

/* A backend that runs tools by itself, or signs its thoughts, may tell no text for long. */
static void blocks_without_text_show_that_the_backend_works(void **state)
{
	(void)state;
	static const char *const working[] = {
	    OPEN(0, "{\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":\"web_search\",\"input\":{}}"), INPUT(0, "{}"),
	    CLOSE(0), DELTA(1, "{\"type\":\"signature_delta\",\"signature\":\"x\"}")};
	struct world world;
	start(&world);
	for (size_t i = 0; i < sizeof(working) / sizeof(working[0]); i++) {
		assert_int_equal(hear(&world, working[i]), STREAM_NOTHING);
		assert_true(world.reading.alive);
	}
	assert_int_equal(hear(&world, "{\"type\":\"ping\"}"), STREAM_NOTHING);
	assert_false(world.reading.alive);
	finish(&world);
}

static void tools_of_the_backend_and_what_is_new_say_nothing(void **state)
{
	(void)state;
	CHECK("<assistant>ok end:pause_turn usage:-1+-1 read:-1 write:-1", BEGIN("{}"),
	      OPEN(0, "{\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":\"web_search\",\"input\":{}}"),
	      INPUT(0, "{\\\"q\\\":1}"), CLOSE(0), OPEN(1, "{\"type\":\"web_search_tool_result\",\"content\":[]}"),
	      CLOSE(1), "{\"type\":\"of_tomorrow\",\"x\":1}", OPEN(2, "{\"type\":\"text\",\"text\":\"ok\"}"),
	      DELTA(2, "{\"type\":\"citations_delta\",\"citation\":{}}"), CLOSE(2), END("pause_turn", "{}"),
	      END("end_turn", "{}"));
}

static void what_is_no_event_breaks_the_stream(void **state)
{
	(void)state;
	static const char *const broken[] = {"no json",
					     "[]",
					     "{}",
					     "{\"type\":1}",
					     "{\"type\":\"message_start\"}",
					     "{\"type\":\"content_block_start\",\"index\":0}",
					     OPEN(-1, "{\"type\":\"text\"}"),
					     OPEN(0.5, "{\"type\":\"tool_use\"}"),
					     "{\"type\":\"content_block_delta\",\"index\":0}",
					     INPUT(-1, "x")};
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		struct world world;
		start(&world);
		assert_int_equal(hear(&world, broken[i]), STREAM_BROKEN);
		finish(&world);
	}
}

static void a_stream_without_its_end_is_not_finished(void **state)
{
	(void)state;
	struct world world;
	start(&world);
	hear(&world, BEGIN("{}"));
	hear(&world, END("end_turn", "{}"));
	assert_false(anthropic_reader_is_finished(&world.reader));
	finish(&world);
	start(&world); /* nor one that never said why */
	hear(&world, BEGIN("{}"));
	assert_int_equal(hear(&world, STOP), STREAM_END);
	assert_false(anthropic_reader_is_finished(&world.reader));
	finish(&world);
}

static void errors_have_the_status_that_their_type_means(void **state)
{
	(void)state;
	static const struct {
		const char *type;
		int status;
	} rows[] = {{"overloaded_error", 529}, {"rate_limit_error", 429}, {"invalid_request_error", 400},
		    {"api_error", 500},        {"timeout_error", 504},    {"of_tomorrow", 0}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char data[256];
		struct world world;
		start(&world);
		snprintf(data, sizeof(data), "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":\"no\"}}",
			 rows[i].type);
		assert_int_equal(hear(&world, data), STREAM_EVENT);
		assert_int_equal(world.reading.carries, CARRIES_ERROR);
		assert_int_equal(world.reading.error->status, rows[i].status);
		assert_true(span_is(world.reading.error->message, "no"));
		assert_false(world.reading.error->object);
		finish(&world);
	}
}

static void a_reason_that_is_a_failure_is_one(void **state)
{
	(void)state;
	struct world world;
	start(&world);
	hear(&world, BEGIN("{}"));
	assert_int_equal(hear(&world, END("error", "{}")), STREAM_EVENT);
	assert_int_equal(world.reading.carries, CARRIES_ERROR);
	assert_true(world.reading.error->choice);
	assert_true(anthropic_message_read(SPAN("{\"type\":\"message\",\"content\":[],\"stop_reason\":\"abort\"}"),
					   &world.arena, &world.reading));
	assert_true((world.reading.carries & CARRIES_ERROR) != 0);
	finish(&world);
}

static void a_whole_message_is_told(void **state)
{
	(void)state;
	struct world world;
	start(&world);
	assert_true(anthropic_message_read(
	    SPAN("{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude\",\"content\":["
		 "{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"s\"},{\"type\":\"text\",\"text\":\"a\"},"
		 "{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{\"x\": 1}},{\"type\":\"tomorrow\"}],"
		 "\"stop_reason\":\"tool_use\",\"usage\":{\"input_tokens\":3,\"output_tokens\":4}}"),
	    &world.arena, &world.reading));
	tell_deltas(&world);
	assert_string_equal(world.told, "<assistant>(hm)a[0 t f]{0 {\"x\": 1}} end:tool_calls");
	assert_true(span_is(world.reading.told->identity.id, "msg_1"));
	assert_true(span_is(world.reading.told->identity.model, "claude"));
	assert_int_equal(world.reading.usage.total_tokens, 7);
	assert_int_equal(world.reading.carries, CARRIES_ROLE | CARRIES_CONTENT | CARRIES_FINISH | CARRIES_USAGE);
	finish(&world);
	start(&world);
	assert_true(anthropic_message_read(SPAN("{\"object\":\"list\"}"), &world.arena, &world.reading));
	assert_int_equal(world.reading.carries, CARRIES_NO_CHOICE);
	assert_false(anthropic_message_read(SPAN("[]"), &world.arena, &world.reading));
	finish(&world);
}

/* An answer with many quotations has a block of text for each. */
static void any_number_of_blocks_may_follow_each_other(void **state)
{
	(void)state;
	enum { BLOCKS = 1000 };
	struct world world;
	char event[256];
	start(&world);
	for (int i = 0; i < BLOCKS; i++) {
		world.told[0] = '\0';
		snprintf(event, sizeof event, OPEN(% d, "%s"), i,
			 i % 3 == 0 ? TOOL("t", "f") : "{\"type\":\"text\",\"text\":\"\"}");
		assert_int_equal(hear(&world, event), i % 3 == 0 ? STREAM_EVENT : STREAM_NOTHING);
		snprintf(event, sizeof event, i % 3 == 0 ? INPUT(% d, "1") : TEXT(% d, "1"), i);
		assert_int_equal(hear(&world, event), STREAM_EVENT);
		snprintf(event, sizeof event, CLOSE(% d), i);
		assert_int_equal(hear(&world, event), STREAM_NOTHING);
	}
	assert_string_equal(world.told, "[333 t f]{333 1}");
	finish(&world);
}

static void arguments_of_calls_may_come_by_turns_but_not_of_too_many(void **state)
{
	(void)state;
	struct world world;
	char event[256];
	start(&world);
	for (int i = 0; i <= TOOL_BLOCKS_OPEN; i++) {
		snprintf(event, sizeof event, OPEN(% d, TOOL("t", "f")), i);
		assert_int_equal(hear(&world, event), i < TOOL_BLOCKS_OPEN ? STREAM_EVENT : STREAM_BROKEN);
	}
	world.told[0] = '\0';
	assert_int_equal(hear(&world, INPUT(3, "a")), STREAM_EVENT);
	assert_int_equal(hear(&world, INPUT(1, "b")), STREAM_EVENT);
	assert_int_equal(hear(&world, INPUT(3, "c")), STREAM_EVENT);
	assert_int_equal(hear(&world, CLOSE(3)), STREAM_NOTHING);
	assert_int_equal(hear(&world, OPEN(40, TOOL("t", "f"))), STREAM_EVENT);
	assert_int_equal(hear(&world, INPUT(3, "lost")), STREAM_NOTHING);
	assert_string_equal(world.told, "{3 a}{1 b}{3 c}[32 t f]");
	finish(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(blocks_without_text_show_that_the_backend_works),
	    cmocka_unit_test(any_number_of_blocks_may_follow_each_other),
	    cmocka_unit_test(arguments_of_calls_may_come_by_turns_but_not_of_too_many),
	    cmocka_unit_test(text_and_usage_are_told),
	    cmocka_unit_test(thinking_is_reasoning_and_its_signature_is_left_to_the_bytes),
	    cmocka_unit_test(calls_are_numbered_by_themselves_and_have_arguments),
	    cmocka_unit_test(tools_of_the_backend_and_what_is_new_say_nothing),
	    cmocka_unit_test(what_is_no_event_breaks_the_stream),
	    cmocka_unit_test(a_stream_without_its_end_is_not_finished),
	    cmocka_unit_test(errors_have_the_status_that_their_type_means),
	    cmocka_unit_test(a_reason_that_is_a_failure_is_one),
	    cmocka_unit_test(a_whole_message_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
