/* SPDX-License-Identifier: MIT */
/* Canonical JSON: one text for all documents that mean the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/json_canonical.h"

static void check(const char *given, const char *expected)
{
	struct arena arena;
	struct json json;
	struct json_error error;
	struct buf out;
	char text[512];
	arena_init(&arena, 0);
	buf_init(&out, sizeof(text));
	assert_true(json_parse(&json, &arena, span_of(given), 16, &error));
	json_write_canonical(&json, 0, &arena, &out);
	assert_false(buf_failed(&out));
	snprintf(text, sizeof(text), "%.*s", SPAN_ARG(buf_span(&out)));
	assert_string_equal(text, expected);
	buf_fini(&out);
	arena_fini(&arena);
}

static void members_are_sorted_at_every_level_and_white_space_goes(void **state)
{
	(void)state;
	check(" { \"b\" : { \"d\" : 1 , \"c\" : [ ] } , \"a\" : [ 2 , 1 ] } ",
	      "{\"a\":[2,1],\"b\":{\"c\":[],\"d\":1}}");
}

static void keys_are_in_the_order_of_utf16_code_units(void **state)
{
	(void)state;
	/* U+FB33 lies behind the surrogates of U+1F600, although its UTF-8 lies before (RFC 8785, section 3.2.3) */
	check("{\"\\ufb33\":1,\"\\ud83d\\ude00\":2,\"\\u20ac\":3,\"\\u00f6\":4,\"1\":5,\"\\r\":6}",
	      "{\"\\r\":6,\"1\":5,\"\xc3\xb6\":4,\"\xe2\x82\xac\":3,\"\xf0\x9f\x98\x80\":2,\"\xef\xac\xb3\":1}");
}

static void a_key_goes_before_those_it_begins(void **state)
{
	(void)state;
	check("{\"ab\":1,\"a\":2,\"\":3}", "{\"\":3,\"a\":2,\"ab\":1}");
}

static void keys_with_a_common_beginning_are_sorted_by_the_rest(void **state)
{
	(void)state;
	check("{\"sevenxx\":1,\"eightxxx\":2,\"eightxx\":3,\"eightxxxb\":4,\"eightxxxa\":5,\"\":6}",
	      "{\"\":6,\"eightxx\":3,\"eightxxx\":2,\"eightxxxa\":5,\"eightxxxb\":4,\"sevenxx\":1}");
	check("{\"12345678\xF0\x9F\x98\x80\":1,\"12345678\xEE\x80\x80\":2}",
	      "{\"12345678\xF0\x9F\x98\x80\":1,\"12345678\xEE\x80\x80\":2}");
}

/* More than are sorted by insertion. */
static void wide_objects_are_sorted_whatever_order_they_come_in(void **state)
{
	(void)state;
	enum { KEYS = 40 };
	char given[512] = "{", expected[512] = "{";
	for (int i = 0; i < KEYS; i++) {
		size_t len = strlen(given);
		snprintf(given + len, sizeof(given) - len, "%s\"k%02d\":0", i == 0 ? "" : ",", i * 7 % KEYS);
		len = strlen(expected);
		snprintf(expected + len, sizeof(expected) - len, "%s\"k%02d\":0", i == 0 ? "" : ",", i);
	}
	strcat(given, "}");
	strcat(expected, "}");
	check(given, expected);
}

static void numbers_are_the_same_by_value(void **state)
{
	(void)state;
	check("[1,1.0,1e0,10e-1,-0,-0.0,0]", "[1,1,1,1,0,0,0]");
	check("[1.5,15e-1]", "[1.5,1.5]");
}

static void large_integers_keep_their_digits(void **state)
{
	(void)state;
	check("[9007199254740993,18446744073709551616]", "[9007199254740993,18446744073709551616]");
}

static void strings_are_the_same_however_they_are_escaped(void **state)
{
	(void)state;
	check("[\"\\u0061\\/\\u00e9\",true,false,null]", "[\"a/\xc3\xa9\",true,false,null]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(members_are_sorted_at_every_level_and_white_space_goes),
	    cmocka_unit_test(keys_are_in_the_order_of_utf16_code_units),
	    cmocka_unit_test(a_key_goes_before_those_it_begins),
	    cmocka_unit_test(keys_with_a_common_beginning_are_sorted_by_the_rest),
	    cmocka_unit_test(wide_objects_are_sorted_whatever_order_they_come_in),
	    cmocka_unit_test(numbers_are_the_same_by_value),
	    cmocka_unit_test(large_integers_keep_their_digits),
	    cmocka_unit_test(strings_are_the_same_however_they_are_escaped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
