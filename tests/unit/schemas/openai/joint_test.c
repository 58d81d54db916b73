/* SPDX-License-Identifier: MIT */
/* Two streams are joined where they agree, and nowhere else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "schemas/openai/joint.h"
#include "tests/unit/seed.h"

enum { TEXT_MOST = 4096 };

static struct arena arena;
static struct arena scratch;
static struct openai_joint joint;
static char relayed[TEXT_MOST]; /* the data of the chunk that was relayed last */

static void begin(bool strict)
{
	arena_init(&arena, 0);
	arena_init(&scratch, 0);
	openai_joint_init(&joint, &arena, strict);
}

static void end(void)
{
	openai_joint_fini(&joint);
	arena_fini(&scratch);
	arena_fini(&arena);
}

static void keep(struct span data)
{
	assert_true(data.len < sizeof(relayed));
	memcpy(relayed, data.at, data.len);
	relayed[data.len] = '\0';
}

static void say(const char *text)
{
	struct span data = span_of(text);
	arena_reset(&scratch);
	openai_joint_said(&joint, &data, &scratch);
	keep(data);
}

static enum openai_joint_step hear(const char *text)
{
	struct span data = span_of(text);
	arena_reset(&scratch);
	relayed[0] = '\0';
	enum openai_joint_step step = openai_joint_hear(&joint, &data, &scratch);
	if (step == OPENAI_JOINT_JOINED)
		keep(data);
	return step;
}

#define FIRST(delta) "{\"id\":\"one\",\"created\":1,\"model\":\"m1\",\"choices\":[{\"index\":0,\"delta\":" delta "}]}"
#define SECOND(delta) "{\"id\":\"two\",\"created\":2,\"model\":\"m2\",\"choices\":[{\"index\":0,\"delta\":" delta "}]}"
#define FINISH(reason)                                                                                             \
	"{\"id\":\"two\",\"created\":2,\"model\":\"m2\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":" \
	"\"" reason "\"}]}"

static void text_is_joined_within_a_chunk(void **state)
{
	(void)state;
	begin(false);
	say(FIRST("{\"role\":\"assistant\",\"content\":\"\"}"));
	assert_false(openai_joint_is_open(&joint));
	say(FIRST("{\"content\":\"Hel\"}"));
	assert_true(openai_joint_is_open(&joint));
	openai_joint_again(&joint);
	assert_int_equal(hear(SECOND("{\"role\":\"assistant\"}")), OPENAI_JOINT_BEHIND);
	assert_int_equal(hear(SECOND("{\"content\":\"H\"}")), OPENAI_JOINT_BEHIND);
	assert_int_equal(hear(SECOND("{\"content\":\"el\\u006co\"}")), OPENAI_JOINT_JOINED);
	assert_string_equal(relayed, FIRST("{\"content\":\"lo\"}"));
	say(SECOND("{\"role\":\"assistant\",\"content\":\" world\"}"));
	assert_string_equal(relayed, FIRST("{\"content\":\" world\"}"));
	assert_int_equal(openai_joint_size(&joint), strlen("Hello world"));
	end();
}

static void the_role_is_left_out_wherever_it_stands(void **state)
{
	(void)state;
	begin(false);
	say(FIRST("{\"content\":\"a\"}"));
	openai_joint_again(&joint);
	assert_int_equal(hear(SECOND("{\"content\":\"ab\",\"role\":\"assistant\"}")), OPENAI_JOINT_JOINED);
	assert_string_equal(relayed, FIRST("{\"content\":\"b\"}"));
	say(SECOND("{\"role\":\"assistant\"}"));
	assert_string_equal(relayed, FIRST("{}"));
	end();
}

static void what_ends_or_differs_too_soon_is_apart(void **state)
{
	static const char *const apart[] = {
	    SECOND("{\"content\":\"Hex\"}"),
	    SECOND("{\"reasoning\":\"Hello\"}"),
	    SECOND("{\"content\":\"Hel\",\"audio\":{\"id\":\"a\"}}"),
	    FINISH("stop"),
	    "[1]",
	    "{\"choices\":[{\"index\":0,\"delta\":{}},{\"index\":1,\"delta\":{}}]}",
	    "{\"choices\":[{\"index\":0,\"delta\":{\"content\":7}}]}",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(apart) / sizeof(apart[0]); i++) {
		begin(false);
		say(FIRST("{\"content\":\"Hello\"}"));
		openai_joint_again(&joint);
		assert_int_equal(hear(apart[i]), OPENAI_JOINT_APART);
		end();
	}
}

static void an_end_where_the_text_ends_is_joined(void **state)
{
	(void)state;
	begin(true);
	say(FIRST("{\"content\":\"Hello\"}"));
	openai_joint_again(&joint);
	assert_int_equal(hear(SECOND("{\"content\":\"Hello\"}")), OPENAI_JOINT_BEHIND);
	assert_int_equal(hear(FINISH("stop")), OPENAI_JOINT_JOINED);
	end();
}

static void a_strict_joint_is_between_chunks(void **state)
{
	(void)state;
	begin(true);
	say(FIRST("{\"content\":\"{\\\"a\\\":1\"}"));
	openai_joint_again(&joint);
	assert_int_equal(hear(SECOND("{\"content\":\"{\\\"a\\\":12\"}")), OPENAI_JOINT_APART);
	openai_joint_again(&joint);
	assert_int_equal(hear(SECOND("{\"content\":\"{\\\"a\\\"\"}")), OPENAI_JOINT_BEHIND);
	assert_int_equal(hear(SECOND("{\"content\":\":1\"}")), OPENAI_JOINT_BEHIND);
	assert_int_equal(hear(SECOND("{\"content\":\"2}\"}")), OPENAI_JOINT_JOINED);
	end();
}

#define CALL(rest) "{\"tool_calls\":[{\"index\":0," rest "}]}"

static void tool_calls_are_joined_between_chunks_whatever_their_id(void **state)
{
	(void)state;
	begin(false);
	say(FIRST(CALL("\"id\":\"c1\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}")));
	say(FIRST(CALL("\"function\":{\"arguments\":\"{\\\"x\\\"\"}")));
	assert_null(openai_joint_plain_text(&joint).at);
	openai_joint_again(&joint);
	assert_int_equal(hear(SECOND(CALL("\"id\":\"c2\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}"))),
			 OPENAI_JOINT_BEHIND);
	assert_int_equal(hear(SECOND(CALL("\"function\":{\"arguments\":\"{\\\"x\"}"))), OPENAI_JOINT_BEHIND);
	assert_int_equal(hear(SECOND(CALL("\"function\":{\"arguments\":\"\\\":\"}"))), OPENAI_JOINT_APART);
	openai_joint_again(&joint);
	hear(SECOND(CALL("\"id\":\"c2\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}")));
	hear(SECOND(CALL("\"function\":{\"arguments\":\"{\\\"x\\\"\"}")));
	assert_int_equal(hear(SECOND(CALL("\"function\":{\"arguments\":\":1}\"}"))), OPENAI_JOINT_JOINED);
	end();
}

static void a_call_is_not_begun_twice(void **state)
{
	(void)state;
	begin(false);
	say(FIRST(CALL("\"id\":\"c1\",\"function\":{\"name\":\"f\"}")));
	openai_joint_again(&joint);
	assert_int_equal(hear(SECOND(CALL("\"id\":\"c2\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}"))),
			 OPENAI_JOINT_APART);
	end();
}

static void without_again_it_goes_on(void **state)
{
	(void)state;
	begin(false);
	say(FIRST("{\"content\":\"one\"}"));
	assert_true(span_is(openai_joint_plain_text(&joint), "one"));
	assert_int_equal(hear(SECOND("{\"role\":\"assistant\",\"content\":\"\"}")), OPENAI_JOINT_BEHIND);
	assert_int_equal(hear(SECOND("{\"content\":\" two\"}")), OPENAI_JOINT_JOINED);
	assert_string_equal(relayed, FIRST("{\"content\":\" two\"}"));
	assert_int_equal(joint.chunks, 2);
	end();
}

static void what_cannot_be_remembered_closes_it(void **state)
{
	static const char *const closing[] = {
	    FIRST("{\"function_call\":{\"name\":\"f\"}}"),
	    FIRST("{\"images\":[{\"type\":\"image_url\"}]}"),
	    FIRST("{\"reasoning_details\":[{\"text\":\"x\"}]}"),
	    FIRST("{\"tool_calls\":[{\"index\":99,\"function\":{\"name\":\"f\"}}]}"),
	    "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}},{\"index\":1,\"delta\":{\"content\":\"b\"}}]}",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(closing) / sizeof(closing[0]); i++) {
		begin(false);
		say(FIRST("{\"content\":\"a\"}"));
		say(closing[i]);
		assert_string_equal(relayed, closing[i]);
		assert_false(openai_joint_is_open(&joint));
		end();
	}
}

static void too_much_closes_it(void **state)
{
	enum { PIECE = 1000 };
	char piece[PIECE + 1], data[2 * PIECE];
	(void)state;
	memset(piece, 'x', PIECE);
	piece[PIECE] = '\0';
	snprintf(data, sizeof(data), FIRST("{\"content\":\"%s\"}"), piece);
	begin(false);
	for (int i = 0; i < OPENAI_JOINT_MOST / PIECE; i++)
		say(data);
	assert_true(openai_joint_is_open(&joint));
	say(data);
	say(data);
	assert_false(openai_joint_is_open(&joint));
	end();
}

/* A chunk of text[from..to) as a model server would write it, in bytes that need an escape now and then. */
static void write_chunk(char *out, size_t size, const char *text, size_t from, size_t to)
{
	size_t used = (size_t)snprintf(out, size, "{\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"");
	for (size_t i = from; i < to; i++)
		used += (size_t)snprintf(out + used, size - used, text[i] == '"' ? "\\%c" : "%c", text[i]);
	snprintf(out + used, size - used, "\"}}]}");
}

/* The text of a relayed chunk. */
static void read_chunk(char *text)
{
	const char *at = strstr(relayed, "\"content\":\"");
	assert_non_null(at);
	for (at += strlen("\"content\":\""); *at != '"'; at++) {
		at += *at == '\\';
		text += strlen(text);
		text[0] = *at;
		text[1] = '\0';
	}
}

static struct seed seed;

static size_t upto(size_t most)
{
	return (size_t)seed_below(&seed, most + 1);
}

/* However both answers are cut into chunks, and wherever the first breaks off: the client reads the second's text. */
static void one_round(bool same)
{
	char text[64] = "", got[64] = "", data[512];
	size_t len = 2 + upto(40), cut = 1 + upto(len - 2), at = 0, differs = same ? len : upto(cut - 1);
	enum openai_joint_step step = OPENAI_JOINT_BEHIND;
	for (size_t i = 0; i < len; i++)
		text[i] = "ab\" "[upto(3)];
	begin(false);
	for (size_t next; at < cut; at = next) {
		next = at + 1 + upto(cut - at - 1);
		write_chunk(data, sizeof(data), text, at, next);
		say(data);
		read_chunk(got);
	}
	if (!same)
		text[differs] = 'c';
	openai_joint_again(&joint);
	at = 0;
	for (size_t next; at < len && step != OPENAI_JOINT_APART; at = next) {
		next = at + 1 + upto(len - at - 1);
		write_chunk(data, sizeof(data), text, at, next);
		if (step == OPENAI_JOINT_JOINED)
			say(data);
		else
			step = hear(data);
		if (step == OPENAI_JOINT_JOINED)
			read_chunk(got);
	}
	assert_int_equal(step, same ? OPENAI_JOINT_JOINED : OPENAI_JOINT_APART);
	if (same)
		assert_string_equal(got, text);
	end();
}

static void any_cut_of_any_text_is_joined(void **state)
{
	(void)state;
	seed = seed_start();
	for (int i = 0; i < 5000; i++)
		one_round(i % 2 == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_is_joined_within_a_chunk),
	    cmocka_unit_test(the_role_is_left_out_wherever_it_stands),
	    cmocka_unit_test(what_ends_or_differs_too_soon_is_apart),
	    cmocka_unit_test(an_end_where_the_text_ends_is_joined),
	    cmocka_unit_test(a_strict_joint_is_between_chunks),
	    cmocka_unit_test(tool_calls_are_joined_between_chunks_whatever_their_id),
	    cmocka_unit_test(a_call_is_not_begun_twice),
	    cmocka_unit_test(without_again_it_goes_on),
	    cmocka_unit_test(what_cannot_be_remembered_closes_it),
	    cmocka_unit_test(too_much_closes_it),
	    cmocka_unit_test(any_cut_of_any_text_is_joined),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
