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

#include "schemas/openai/chunk_deltas.h"
#include "schemas/openai/chunk_rejoin.h"
#include "service/answer/joint.h"
#include "tests/unit/seed.h"

enum { TEXT_MOST = 4096 };

static struct arena arena;
static struct arena scratch;
static struct joint joint;
static struct answer_identity identity; /* of the first chunk */
static bool named;
static char relayed[TEXT_MOST]; /* the data of the chunk that was relayed last */

static void begin(bool strict)
{
	arena_init(&arena, 0);
	arena_init(&scratch, 0);
	joint_init(&joint, &arena, strict);
	identity = (struct answer_identity){.created = -1};
	named = false;
}

static void end(void)
{
	joint_fini(&joint);
	arena_fini(&scratch);
	arena_fini(&arena);
}

static void keep(struct span data)
{
	assert_true(data.len < sizeof(relayed));
	memcpy(relayed, data.at, data.len);
	relayed[data.len] = '\0';
}

/* Reads a chunk; false when it is none. */
static bool read_deltas(const char *text, struct json *json, struct deltas *deltas)
{
	arena_reset(&scratch);
	return event_parse(span_of(text), &scratch, json) && openai_deltas_read(json, &scratch, deltas);
}

static void say(const char *text)
{
	struct json json;
	struct deltas deltas;
	bool read = read_deltas(text, &json, &deltas);
	bool again = joint.joined;
	if (read && !named)
		openai_identity_read(&json, &arena, &identity);
	named = true;
	joint_said(&joint, read ? &deltas : NULL);
	keep(again ? openai_chunk_rejoin(&json, &deltas, NULL, &identity, &scratch) : span_of(text));
}

static enum joint_step hear(const char *text)
{
	struct json json;
	struct deltas deltas;
	size_t heard[64];
	relayed[0] = '\0';
	if (!read_deltas(text, &json, &deltas))
		return JOINT_APART;
	enum joint_step step = joint_hear(&joint, &deltas, heard);
	if (step == JOINT_JOINED)
		keep(openai_chunk_rejoin(&json, &deltas, heard, &identity, &scratch));
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
	assert_false(joint_is_open(&joint));
	say(FIRST("{\"content\":\"Hel\"}"));
	assert_true(joint_is_open(&joint));
	joint_again(&joint);
	assert_int_equal(hear(SECOND("{\"role\":\"assistant\"}")), JOINT_BEHIND);
	assert_int_equal(hear(SECOND("{\"content\":\"H\"}")), JOINT_BEHIND);
	assert_int_equal(hear(SECOND("{\"content\":\"el\\u006co\"}")), JOINT_JOINED);
	assert_string_equal(relayed, FIRST("{\"content\":\"lo\"}"));
	say(SECOND("{\"role\":\"assistant\",\"content\":\" world\"}"));
	assert_string_equal(relayed, FIRST("{\"content\":\" world\"}"));
	assert_int_equal(joint_size(&joint), strlen("Hello world"));
	end();
}

static void the_role_is_left_out_wherever_it_stands(void **state)
{
	(void)state;
	begin(false);
	say(FIRST("{\"content\":\"a\"}"));
	joint_again(&joint);
	assert_int_equal(hear(SECOND("{\"content\":\"ab\",\"role\":\"assistant\"}")), JOINT_JOINED);
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
		joint_again(&joint);
		assert_int_equal(hear(apart[i]), JOINT_APART);
		end();
	}
}

static void an_end_where_the_text_ends_is_joined(void **state)
{
	(void)state;
	begin(true);
	say(FIRST("{\"content\":\"Hello\"}"));
	joint_again(&joint);
	assert_int_equal(hear(SECOND("{\"content\":\"Hello\"}")), JOINT_BEHIND);
	assert_int_equal(hear(FINISH("stop")), JOINT_JOINED);
	end();
}

static void a_strict_joint_is_between_chunks(void **state)
{
	(void)state;
	begin(true);
	say(FIRST("{\"content\":\"{\\\"a\\\":1\"}"));
	joint_again(&joint);
	assert_int_equal(hear(SECOND("{\"content\":\"{\\\"a\\\":12\"}")), JOINT_APART);
	joint_again(&joint);
	assert_int_equal(hear(SECOND("{\"content\":\"{\\\"a\\\"\"}")), JOINT_BEHIND);
	assert_int_equal(hear(SECOND("{\"content\":\":1\"}")), JOINT_BEHIND);
	assert_int_equal(hear(SECOND("{\"content\":\"2}\"}")), JOINT_JOINED);
	end();
}

#define CALL(rest) "{\"tool_calls\":[{\"index\":0," rest "}]}"

static void tool_calls_are_joined_between_chunks_whatever_their_id(void **state)
{
	(void)state;
	begin(false);
	say(FIRST(CALL("\"id\":\"c1\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}")));
	say(FIRST(CALL("\"function\":{\"arguments\":\"{\\\"x\\\"\"}")));
	assert_null(joint_plain_text(&joint).at);
	joint_again(&joint);
	assert_int_equal(hear(SECOND(CALL("\"id\":\"c2\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}"))),
			 JOINT_BEHIND);
	assert_int_equal(hear(SECOND(CALL("\"function\":{\"arguments\":\"{\\\"x\"}"))), JOINT_BEHIND);
	assert_int_equal(hear(SECOND(CALL("\"function\":{\"arguments\":\"\\\":\"}"))), JOINT_APART);
	joint_again(&joint);
	hear(SECOND(CALL("\"id\":\"c2\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}")));
	hear(SECOND(CALL("\"function\":{\"arguments\":\"{\\\"x\\\"\"}")));
	assert_int_equal(hear(SECOND(CALL("\"function\":{\"arguments\":\":1}\"}"))), JOINT_JOINED);
	end();
}

static void a_call_is_not_begun_twice(void **state)
{
	(void)state;
	begin(false);
	say(FIRST(CALL("\"id\":\"c1\",\"function\":{\"name\":\"f\"}")));
	joint_again(&joint);
	assert_int_equal(hear(SECOND(CALL("\"id\":\"c2\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}"))),
			 JOINT_APART);
	end();
}

static void without_again_it_goes_on(void **state)
{
	(void)state;
	begin(false);
	say(FIRST("{\"content\":\"one\"}"));
	assert_true(span_is(joint_plain_text(&joint), "one"));
	assert_int_equal(hear(SECOND("{\"role\":\"assistant\",\"content\":\"\"}")), JOINT_BEHIND);
	assert_int_equal(hear(SECOND("{\"content\":\" two\"}")), JOINT_JOINED);
	assert_string_equal(relayed, FIRST("{\"content\":\" two\"}"));
	assert_int_equal(joint.events, 2);
	end();
}

static void what_cannot_be_remembered_closes_it(void **state)
{
	static const char *const closing[] = {
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
		assert_false(joint_is_open(&joint));
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
	for (int i = 0; i < JOINT_MOST / PIECE; i++)
		say(data);
	assert_true(joint_is_open(&joint));
	say(data);
	say(data);
	assert_false(joint_is_open(&joint));
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
	enum joint_step step = JOINT_BEHIND;
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
	joint_again(&joint);
	at = 0;
	for (size_t next; at < len && step != JOINT_APART; at = next) {
		next = at + 1 + upto(len - at - 1);
		write_chunk(data, sizeof(data), text, at, next);
		if (step == JOINT_JOINED)
			say(data);
		else
			step = hear(data);
		if (step == JOINT_JOINED)
			read_chunk(got);
	}
	assert_int_equal(step, same ? JOINT_JOINED : JOINT_APART);
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
