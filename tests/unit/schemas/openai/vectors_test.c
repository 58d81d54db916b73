/* SPDX-License-Identifier: MIT */
/* Answers of vectors, taken apart while they come: wherever they are cut into pieces, and whatever is wrong with them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "lib/json.h"
#include "schemas/openai/vectors.h"

enum { MOST = 1 << 20 };

#define ITEM(index, vector) "{\"object\":\"embedding\",\"index\":" #index ",\"embedding\":" vector "}"

/* Feeds the text in pieces of at most so many bytes. */
static bool feed(struct embedding_vectors *vectors, struct span text, size_t count, size_t piece)
{
	assert_true(openai_vectors_init(vectors, count, MOST));
	for (size_t at = 0; at < text.len; at += piece) {
		size_t left = text.len - at;
		openai_vectors_feed(vectors, (struct span){text.at + at, left < piece ? left : piece});
	}
	return openai_vectors_end(vectors);
}

static bool is_taken(const char *text, size_t count)
{
	struct embedding_vectors vectors;
	bool whole = feed(&vectors, span_of(text), count, MOST);
	openai_vectors_fini(&vectors);
	bool bytewise = feed(&vectors, span_of(text), count, 1);
	openai_vectors_fini(&vectors);
	assert_int_equal(whole, bytewise);
	return whole;
}

static void vectors_are_found_by_their_index(void **state)
{
	static const char body[] =
	    " {\"object\":\"list\",\"id\":\"data\",\"x\":[\"]\",{\"data\":[]}],\"data\" : [ " ITEM(
		1, "[1e-9,-0.0,9007199254740993]") " , "
						   "{\"x\":[{}],\"index\":0 , \"embedding\" : \"A{\\\"]AA\"} "
						   "],\"model\":\"a\\\"b\",\"usage\":{\"prompt_tokens\":7}}\n";
	(void)state;
	for (size_t piece = 1; piece <= sizeof(body); piece++) {
		struct embedding_vectors vectors;
		assert_true(feed(&vectors, SPAN(body), 2, piece));
		assert_true(span_is(vectors.model, "\"a\\\"b\""));
		assert_int_equal(vectors.usage.prompt_tokens, 7);
		assert_true(span_is(openai_vectors_at(&vectors, 0), "\"x\":[{}],\"embedding\":\"A{\\\"]AA\""));
		assert_true(span_is(openai_vectors_at(&vectors, 1), "\"embedding\":[1e-9,-0.0,9007199254740993]"));
		openai_vectors_fini(&vectors);
	}
}

static void odd_answers_are_refused(void **state)
{
	static const char *const odd[] = {
	    "",
	    "[]",
	    "{}",
	    "{\"data\":[]}",
	    "{\"data\":{}}",
	    "{\"data\":[" ITEM(0, "[1]") "]}",
	    "{\"data\":[" ITEM(0, "[1]") "," ITEM(1, "[1]") "," ITEM(2, "[1]") "]}",
	    "{\"data\":[" ITEM(0, "[1]") "," ITEM(0, "[1]") "]}",
	    "{\"data\":[" ITEM(1, "[1]") "," ITEM(2, "[1]") "]}",
	    "{\"data\":[" ITEM(0, "[1]") "," ITEM(-1, "[1]") "]}",
	    "{\"data\":[" ITEM(0, "[1]") "," ITEM(1.5, "[1]") "]}",
	    "{\"data\":[" ITEM(0, "[1]") ",{\"index\":\"1\",\"embedding\":[1]}]}",
	    "{\"data\":[" ITEM(0, "[1]") "," ITEM(99999999999999999999, "[1]") "]}",
	    "{\"data\":[" ITEM(0, "[1]") "," ITEM(1, "[]") "]}",
	    "{\"data\":[" ITEM(0, "[1]") "," ITEM(1, "\"\"") "]}",
	    "{\"data\":[" ITEM(0, "[1]") "," ITEM(1, "null") "]}",
	    "{\"data\":[" ITEM(0, "[1]") "," ITEM(1, "{\"a\":1}") "]}",
	    "{\"data\":[" ITEM(0, "[1]") "," ITEM(1, "[1,null]") "]}",
	    "{\"data\":[" ITEM(0, "[1]") "," ITEM(1, "[[1]]") "]}",
	    "{\"data\":[" ITEM(0, "[1]") ",{\"index\":1}]}",
	    "{\"data\":[" ITEM(0, "[1]") ",{\"embedding\":[1]}]}",
	    "{\"data\":[" ITEM(0, "[1]") ",1]}",
	    "{\"data\":[" ITEM(0, "[1]") ",{\"object\":\"other\",\"index\":1,\"embedding\":[1]}]}",
	    "{\"error\":{\"message\":\"no\"},\"data\":[" ITEM(0, "[1]") "," ITEM(1, "[1]") "]}",
	    "{\"data\":[" ITEM(0, "[1]") "," ITEM(1, "[1]") "]",
	    "{\"data\":[" ITEM(0, "[1]") "," ITEM(1, "[NaN]") "]}",
	    "{\"data\":[" ITEM(0, "[1]") "," ITEM(1, "[1]") ",]}",
	    "{\"data\":[," ITEM(0, "[1]") "," ITEM(1, "[1]") "]}",
	    "{\"data\":[" ITEM(0, "[1]") ",," ITEM(1, "[1]") "]}",
	    "{\"data\":[" ITEM(0, "[1]") " " ITEM(1, "[1]") "]}",
	    "{\"data\":[" ITEM(0, "[1]") "," ITEM(1, "[1]") "]}}",
	    "{\"data\":[" ITEM(0, "[1]") "," ITEM(1, "[1]") "],\"data\":[]}",
	    "[{\"data\":[" ITEM(0, "[1]") "," ITEM(1, "[1]") "]}]",
	    "{\"x\":{\"data\":[" ITEM(0, "[1]") "," ITEM(1, "[1]") "]}}",
	    "{\"datb\":[" ITEM(0, "[1]") "," ITEM(1, "[1]") "]}",
	    "{\"data\":[" ITEM(0, "[1]") "," ITEM(1, "[1]") "]} x",
	    "{\"data\":[" ITEM(0, "[1,]") "," ITEM(1, "[1]") "]}",
	    "{\"data\":[" ITEM(0, "[01]") "," ITEM(1, "[1]") "]}",
	};
	(void)state;
	assert_true(is_taken("{\"error\":null,\"data\":[" ITEM(0, "[1]") "," ITEM(1, "[1]") "]}", 2));
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		if (is_taken(odd[i], 2))
			fail_msg("taken: %s", odd[i]);
}

static void too_much_is_known_from_what_is_odd(void **state)
{
	static const char body[] = "{\"data\":[" ITEM(0, "[1,2,3,4,5,6,7,8,9]") "]}";
	struct embedding_vectors vectors;
	(void)state;
	for (size_t most = 1; most < 200; most++) {
		assert_true(openai_vectors_init(&vectors, 1, most));
		openai_vectors_feed(&vectors, SPAN(body));
		if (!openai_vectors_end(&vectors))
			assert_true(vectors.too_large);
		else
			assert_true(most > 30);
		openai_vectors_fini(&vectors);
	}
	assert_true(openai_vectors_init(&vectors, 2, MOST));
	openai_vectors_feed(&vectors, SPAN(body));
	assert_false(openai_vectors_end(&vectors) || vectors.too_large);
	openai_vectors_fini(&vectors);
}

/* Whatever bytes a backend sends: what is taken is a JSON document of exactly as many vectors, in any pieces. */
static void damaged_answers_never_yield_nonsense(void **state)
{
	static const char good[] = "{\"object\":\"list\",\"data\":[" ITEM(0, "[0.5,-1]") "," ITEM(
	    1, "\"AA\\u0041=\"") "],"
				 "\"model\":\"m\",\"usage\":{\"prompt_tokens\":2,\"total_tokens\":2}}";
	static const char bytes[] = "{}[]\",:0123456789eE.-\\truefalsn x\x80\xff";
	unsigned seed = (unsigned)time(NULL);
	size_t taken = 0;
	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	for (int round = 0; round < 100000; round++) {
		char body[sizeof(good)];
		struct span text = {body, sizeof(good) - 1};
		struct embedding_vectors vectors;
		struct json json;
		struct json_error error;
		struct arena arena;
		memcpy(body, good, sizeof(good));
		for (int i = 0; i <= round % 3; i++)
			body[(size_t)rand() % (sizeof(good) - 1)] = bytes[(size_t)rand() % (sizeof(bytes) - 1)];
		if (round % 7 == 0)
			text.len = (size_t)rand() % text.len;
		arena_init(&arena, 0);
		if (feed(&vectors, text, 2, 1 + (size_t)rand() % 40)) {
			taken++;
			if (!json_parse_relaxed(&json, &arena, text, &JSON_DEPTH(64), &error))
				fail_msg("%s at %zu: %.*s", error.what, error.offset, SPAN_ARG(text));
			uint32_t data = json_member(&json, 0, "data");
			assert_int_equal(json.nodes[data].count, 2);
			assert_true(openai_vectors_at(&vectors, 0).len > 0 && openai_vectors_at(&vectors, 1).len > 0);
		}
		openai_vectors_fini(&vectors);
		arena_fini(&arena);
	}
	assert_true(taken > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(vectors_are_found_by_their_index),
	    cmocka_unit_test(odd_answers_are_refused),
	    cmocka_unit_test(too_much_is_known_from_what_is_odd),
	    cmocka_unit_test(damaged_answers_never_yield_nonsense),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
