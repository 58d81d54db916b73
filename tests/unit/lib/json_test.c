/* SPDX-License-Identifier: MIT */
/* The strict JSON reader: what it refuses and where, what it keeps, and that hostile input costs linear time. */
#include "lib/json.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "tests/unit/arena_fixture.h"

static struct json json;
static struct json_error error;

static bool parse(struct span text)
{
	return json_parse(&json, &arena, text, 64, &error);
}

static void expect_parsed(const char *text)
{
	if (!parse(span_of(text)))
		fail_msg("%s: refused at %zu: %s", text, error.offset, error.what);
}

static void expect_refused(struct span text, const char *what, size_t offset)
{
	if (parse(text))
		fail_msg("%.*s: accepted", SPAN_ARG(text));
	assert_string_equal(error.what, what);
	assert_int_equal(error.offset, offset);
}

#define REFUSED(text, what, offset) expect_refused(SPAN(text), what, offset)

static void a_document_becomes_nodes_in_order(void **state)
{
	(void)state;
	expect_parsed(" {\"a\": [1, {\"b\": null}], \"c\": \"x\"} ");
	assert_int_equal(json.node_count, 9);
	assert_int_equal(json.nodes[0].count, 2);
	assert_int_equal(json.nodes[0].after, 9);
	assert_int_equal(json.nodes[2].type, JSON_ARRAY);
	assert_int_equal(json.nodes[2].count, 2);
	assert_int_equal(json.nodes[2].after, 7);
	assert_true(span_is(json_raw(&json, 2), "[1, {\"b\": null}]"));
	assert_true(span_is(json_raw(&json, 0), "{\"a\": [1, {\"b\": null}], \"c\": \"x\"}"));
	uint32_t c = json_member(&json, 0, "c");
	assert_true(span_is(json_raw(&json, c), "\"x\""));
	assert_int_equal(json_member(&json, 0, "b"), JSON_NONE);
	assert_int_equal(json_member(&json, c, "b"), JSON_NONE);
}

static void iteration_steps_over_descendants(void **state)
{
	(void)state;
	expect_parsed("[[1,2,0],{\"k\":[3,3,3]},[],{},4]");
	const char *const want[] = {"[1,2,0]", "{\"k\":[3,3,3]}", "[]", "{}", "4"};
	size_t i = 0;
	for (uint32_t at = json_first(&json, 0); at != JSON_NONE; at = json_next(&json, 0, at))
		assert_true(span_is(json_raw(&json, at), want[i++]));
	assert_int_equal(i, 5);
	expect_parsed("{\"a\":[1,2],\"b\":{}}");
	i = 0;
	for (uint32_t at = json_first(&json, 0); at != JSON_NONE; at = json_next(&json, 0, at))
		assert_true(json_string_is(&json, at, i++ == 0 ? "a" : "b"));
	assert_int_equal(i, 2);
}

static void scalars_may_be_documents(void **state)
{
	(void)state;
	const char *const texts[] = {"1", "-0", "0", "1e5", "\"\"", "null", "true", "false", " \t\r\n1\n", "1.5E+10"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		expect_parsed(texts[i]);
}

static void what_is_not_json_is_refused_where_it_is_wrong(void **state)
{
	(void)state;
	REFUSED("", "unexpected end", 0);
	REFUSED("  ", "unexpected end", 2);
	REFUSED("{", "unexpected end", 1);
	REFUSED("[1,", "unexpected end", 3);
	REFUSED("[1,]", "a value was expected", 3);
	REFUSED("{\"a\":1,}", "a member name was expected", 7);
	REFUSED("{\"a\" 1}", "':' was expected", 5);
	REFUSED("{\"a\":1 \"b\":2}", "',' or '}' was expected", 7);
	REFUSED("[1 2]", "',' or ']' was expected", 3);
	REFUSED("[1}", "',' or ']' was expected", 2);
	REFUSED("1 2", "unexpected bytes after the document", 2);
	REFUSED("{}}", "unexpected bytes after the document", 2);
	REFUSED("nul", "a value was expected", 0);
	REFUSED("NaN", "a value was expected", 0);
	REFUSED("'a'", "a value was expected", 0);
	REFUSED("{a:1}", "a member name was expected", 1);
	REFUSED("/**/1", "a value was expected", 0);
	REFUSED("\xEF\xBB\xBF{}", "byte order mark", 0);
	REFUSED("1\0", "unexpected bytes after the document", 1);
}

static void numbers_follow_the_grammar(void **state)
{
	(void)state;
	REFUSED("01", "leading zero", 0);
	REFUSED("-01", "leading zero", 1);
	REFUSED("-", "unexpected end", 1);
	REFUSED("+1", "a value was expected", 0);
	REFUSED("1.", "unexpected end", 2);
	REFUSED("[1.]", "a digit was expected", 3);
	REFUSED(".5", "a value was expected", 0);
	REFUSED("1e", "unexpected end", 2);
	REFUSED("[1e+]", "a digit was expected", 4);
	REFUSED("0x10", "unexpected bytes after the document", 1);
}

static void strings_are_checked_to_the_byte(void **state)
{
	(void)state;
	REFUSED("\"abc", "unterminated string", 4);
	REFUSED("\"abc\\", "unterminated string", 5);
	REFUSED("\"a\nb\"", "control character in a string", 2);
	REFUSED("\"01234567\x1F\"", "control character in a string", 9);
	REFUSED("\"a\0b\"", "NUL character", 2);
	REFUSED("\"\\u0000\"", "NUL character", 1);
	REFUSED("\"\\x\"", "invalid escape", 1);
	REFUSED("\"\\u12g4\"", "\\u needs four hexadecimal digits", 1);
	REFUSED("\"\\u12", "\\u needs four hexadecimal digits", 1);
	REFUSED("\"\\ud800\"", "lone surrogate", 1);
	REFUSED("\"\\udc00\"", "lone surrogate", 1);
	REFUSED("\"\\ud800\\u0041\"", "lone surrogate", 1);
	REFUSED("\"\\ud800\\ud800\"", "lone surrogate", 1);
	expect_parsed("\"\\ud83d\\ude00\"");
}

static void invalid_utf8_is_refused_at_every_alignment(void **state)
{
	(void)state;
	static const char *const bad[] = {"\x80",
					  "\xC0\x80",
					  "\xC1\xBF",
					  "\xC3",
					  "\xE0\x9F\xBF",
					  "\xED\xA0\x80",
					  "\xED\xBF\xBF",
					  "\xE2\x82",
					  "\xF0\x8F\xBF\xBF",
					  "\xF4\x90\x80\x80",
					  "\xF5\x80\x80\x80",
					  "\xFF",
					  "\xF0\x9F\x98"};
	static const char *const good[] = {"\xC2\x80",         "\xDF\xBF",     "\xE0\xA0\x80",     "\xED\x9F\xBF",
					   "\xEE\x80\x80",     "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF",
					   "\xF0\x9F\x98\x80", "\x7F"};
	char text[64];
	for (int pad = 0; pad < 18; pad++) {
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			snprintf(text, sizeof(text), "\"%.*s%s\"", pad, "aaaaaaaaaaaaaaaaaaaa", bad[i]);
			expect_refused(span_of(text), "invalid UTF-8", (size_t)pad + 1);
		}
		for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
			snprintf(text, sizeof(text), "\"%.*s%s\"", pad, "aaaaaaaaaaaaaaaaaaaa", good[i]);
			expect_parsed(text);
		}
	}
}

static void the_relaxed_reader_takes_what_models_generate(void **state)
{
	(void)state;
	struct span text = SPAN("[\"a\\u0000b\",\"\\ud83d\",\"\\ude00x\",\"\\ud83dy\"]");
	assert_true(json_parse_relaxed(&json, &arena, text, &JSON_DEPTH(64), &error));
	assert_true(span_equal(json_string(&json, 1, &arena), SPAN("a\0b")));
	assert_true(span_equal(json_string(&json, 2, &arena), SPAN("\xEF\xBF\xBD")));
	assert_true(span_equal(json_string(&json, 3, &arena), SPAN("\xEF\xBF\xBDx")));
	assert_true(span_equal(json_string(&json, 4, &arena), SPAN("\xEF\xBF\xBDy")));
	assert_false(json_parse_relaxed(&json, &arena, SPAN("{\"a\":1,\"a\":2}"), &JSON_DEPTH(64), &error));
	assert_false(json_parse_relaxed(&json, &arena, SPAN("\"\0\""), &JSON_DEPTH(64), &error));
}

static void the_error_names_line_and_column(void **state)
{
	(void)state;
	assert_false(parse(SPAN("{\n  \"a\": 1,\n  \"b\": x\n}")));
	assert_int_equal(error.line, 3);
	assert_int_equal(error.column, 8);
}

static void duplicate_keys_are_refused(void **state)
{
	(void)state;
	REFUSED("{\"a\":1,\"a\":2}", "duplicate key", 7);
	REFUSED("{\"a\":1,\"\\u0061\":2}", "duplicate key", 7);
	REFUSED("{\"\\u00e9\":1,\"\xC3\xA9\":2}", "duplicate key", 12);
	REFUSED("[{\"x\":{\"\":1,\"\":2}}]", "duplicate key", 12);
	expect_parsed("{\"a\":1,\"b\":2,\"A\":3,\"aa\":4,\"\":5}");
	expect_parsed("[{\"a\":1},{\"a\":1}]");
	expect_parsed("{\"a\":{\"a\":{\"a\":1}}}");
}

static void duplicate_keys_of_a_wide_object_are_refused(void **state)
{
	(void)state;
	for (int width = 2; width < 300; width += 7) {
		char text[8192];
		int len = snprintf(text, sizeof(text), "{");
		for (int i = 0; i < width; i++)
			len += snprintf(text + len, sizeof(text) - (size_t)len, "\"key%d\":{\"a\":[%d]},", i, i);
		snprintf(text + len - 1, sizeof(text) - (size_t)len, "}");
		expect_parsed(text);
		snprintf(text + len, sizeof(text) - (size_t)len, "\"k\\u0065y%d\":0}", width / 2);
		text[len - 1] = ',';
		expect_refused(span_of(text), "duplicate key", (size_t)len);
	}
}

static void nesting_is_limited(void **state)
{
	(void)state;
	assert_true(json_parse(&json, &arena, SPAN("{\"a\":1}"), 1, &error));
	assert_false(json_parse(&json, &arena, SPAN("{\"a\":[]}"), 1, &error));
	assert_string_equal(error.what, "nested too deeply");
	assert_int_equal(error.offset, 5);
	assert_true(json_parse(&json, &arena, SPAN("[[],[],[[]]]"), 3, &error));
	assert_false(json_parse(&json, &arena, SPAN("[]"), 0, &error));
	size_t deep = 100000;
	char *text = malloc(deep * 2);
	memset(text, '[', deep);
	memset(text + deep, ']', deep);
	expect_refused((struct span){text, deep * 2}, "nested too deeply", 64);
	assert_true(json_parse(&json, &arena, (struct span){text, deep * 2}, (unsigned)deep, &error));
	assert_int_equal(json.node_count, deep);
	free(text);
}

static void values_and_names_are_limited_together(void **state)
{
	(void)state;
	const struct json_limits limits = {.depth = 4, .values = 4};
	assert_true(json_parse_within(&json, &arena, SPAN("{\"a\":[1]}"), &limits, &error));
	assert_true(json_parse_within(&json, &arena, SPAN("[1,[],2]"), &limits, &error));
	assert_false(json_parse_within(&json, &arena, SPAN("[1,[],2,true]"), &limits, &error));
	assert_ptr_equal(error.what, json_too_many);
	assert_int_equal(error.column, 9);
	assert_false(json_parse_within(&json, &arena, SPAN("{\"a\":[1],\"b\":2}"), &limits, &error));
	assert_ptr_equal(error.what, json_too_many);
}

static void strings_decode(void **state)
{
	(void)state;
	expect_parsed("[\"plain\",\"q\\\"\\\\\\/\\b\\f\\n\\r\\t\",\"\\u0041\\u00e9\\u20AC\\uD83D\\uDE00\",\"\"]");
	struct span plain = json_string(&json, 1, &arena);
	assert_true(span_is(plain, "plain"));
	assert_ptr_equal(plain.at, json.text.at + 2);
	assert_true(span_is(json_string(&json, 2, &arena), "q\"\\/\b\f\n\r\t"));
	assert_true(span_is(json_string(&json, 3, &arena), "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"));
	assert_int_equal(json_string(&json, 4, &arena).len, 0);
	assert_non_null(json_string(&json, 4, &arena).at);
	assert_true(json_string_is(&json, 3, "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"));
	assert_false(json_string_is(&json, 3, "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98"));
	assert_false(json_string_is(&json, 1, "plai"));
	assert_false(json_string_is(&json, 1, "plain "));
}

static void expect_int(const char *text, bool ok, int64_t want)
{
	int64_t value = 77;
	expect_parsed(text);
	assert_int_equal(json_int(&json, 0, &value), ok);
	if (ok)
		assert_true(value == want);
}

static void integers_are_exact_or_refused(void **state)
{
	(void)state;
	expect_int("0", true, 0);
	expect_int("-0", true, 0);
	expect_int("9007199254740993", true, INT64_C(9007199254740993));
	expect_int("9223372036854775807", true, INT64_MAX);
	expect_int("-9223372036854775808", true, INT64_MIN);
	expect_int("9223372036854775808", false, 0);
	expect_int("-9223372036854775809", false, 0);
	expect_int("99999999999999999999999999", false, 0);
	expect_int("1.0", false, 0);
	expect_int("1e2", false, 0);
	expect_int("\"1\"", false, 0);
}

static void expect_double(const char *text, double want)
{
	double value = 77;
	expect_parsed(text);
	assert_true(json_double(&json, 0, &value));
	if (memcmp(&value, &want, sizeof(value)) != 0)
		fail_msg("%s: %.17g is not %.17g", text, value, want);
}

static void doubles_are_the_nearest(void **state)
{
	(void)state;
	static const char *const texts[] = {"0",
					    "-0",
					    "-0.0",
					    "0e999",
					    "1",
					    "0.1",
					    "0.7",
					    "1e22",
					    "1e23",
					    "123456789012345678",
					    "9007199254740993",
					    "9007199254740993.00000000000000000000000000001",
					    "2.2250738585072011e-308",
					    "4.9e-324",
					    "1e-400",
					    "1.7976931348623157e308",
					    "0.000000000000000000000000000000000000000000001e45",
					    "100000000000000000000000000000000000000000000e-44",
					    "123.456E-7",
					    "8.41e+2"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		expect_double(texts[i], strtod(texts[i], NULL));
	expect_refused(SPAN("1e999"), "number out of range", 0);
	expect_refused(SPAN("[-1e99999999999999999999999]"), "number out of range", 1);
	expect_double("1e-99999999999999999999999", 0);
}

/* Integers are kept as they are written, whatever their size; in what backends send any number passes. */
static void what_no_double_can_hold_is_told_by_its_reader(void **state)
{
	(void)state;
	double value = 0;
	assert_true(json_parse_relaxed(&json, &arena, SPAN("1e999"), &JSON_DEPTH(64), &error));
	assert_false(json_double(&json, 0, &value));
	char digits[400];
	memset(digits, '9', sizeof(digits));
	assert_true(parse((struct span){digits, sizeof(digits)}));
	assert_false(json_double(&json, 0, &value));
}

/* Half way between two doubles, but for a digit far behind all that can be kept. */
static void a_digit_far_behind_decides_a_tie(void **state)
{
	(void)state;
	char text[1100];
	int len = snprintf(text, sizeof(text), "9007199254740993.%0*d", 1000, 0);
	expect_double(text, 9007199254740992.0);
	text[len - 1] = '1';
	expect_double(text, 9007199254740994.0);
}

static void random_doubles_are_the_nearest(void **state)
{
	(void)state;
	unsigned seed = (unsigned)time(NULL);
	print_message("seed %u\n", seed);
	srand(seed);
	char text[1200];
	for (int round = 0; round < 20000; round++) {
		int digits = rand() % 8 == 0 ? rand() % 1000 + 1 : rand() % 22 + 1;
		int point = rand() % (digits + 1);
		int len = snprintf(text, sizeof(text), point == 0 ? "0" : "");
		for (int i = 0; i < digits; i++) {
			if (i == point)
				text[len++] = '.';
			text[len++] = (char)('0' + (i == 0 ? 1 + rand() % 9 : rand() % 10));
		}
		snprintf(text + len, sizeof(text) - (size_t)len, "e%d", rand() % 600 - 300 - digits);
		double want = strtod(text, NULL);
		if (isfinite(want))
			expect_double(text, want);
		arena_fini(&arena);
	}
}

static void type_names_are_words_for_messages(void **state)
{
	(void)state;
	static const char *const want[] = {"null",   "boolean", "boolean", "integer", "number",
					   "number", "string",  "array",   "object"};
	expect_parsed("[null,true,false,1,1.5,1e2,\"\",[],{}]");
	for (uint32_t i = 0; i < 9; i++)
		assert_string_equal(json_type_name(&json, i + 1), want[i]);
}

static void every_prefix_of_a_document_is_refused(void **state)
{
	(void)state;
	struct span text = SPAN("{\"a\":[1,2.5e-3,\"x\\u00e9\\ud83d\\ude00\",{\"b\":null}],\"c\":\"\xE2\x82\xAC\"}");
	for (size_t len = 0; len < text.len; len++) {
		char *copy = malloc(len + 1); /* exact, so that the sanitizer sees a read past the end */
		memcpy(copy, text.at, len);
		char *exact = realloc(copy, len == 0 ? 1 : len);
		assert_false(parse((struct span){exact, len}));
		assert_true(error.offset <= len);
		free(exact);
	}
	assert_true(parse(text));
}

static void an_exhausted_arena_is_told(void **state)
{
	(void)state;
	struct arena small;
	arena_init(&small, 600);
	char text[4096];
	memset(text, ' ', sizeof(text));
	for (size_t i = 0; i < sizeof(text) - 1; i += 2)
		memcpy(text + i, "1,", 2);
	text[0] = '[';
	memcpy(text + sizeof(text) - 4, "1,1]", 4);
	assert_false(json_parse(&json, &small, (struct span){text, sizeof(text)}, 64, &error));
	assert_string_equal(error.what, "out of memory");
	arena_fini(&small);
}

static double seconds_to_parse(struct span text, bool expect)
{
	struct timespec a, b;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	assert_int_equal(parse(text), expect);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
}

/* 200,000 members: pairs would take minutes, hashing some milliseconds. */
static void a_wide_object_costs_linear_time(void **state)
{
	(void)state;
	size_t size = 200000 * 12 + 16, len = 1;
	char *text = malloc(size);
	text[0] = '{';
	for (int i = 0; i < 200000; i++)
		len += (size_t)snprintf(text + len, size - len, "\"k%06d\":1,", i);
	text[len - 1] = '}';
	assert_true(seconds_to_parse((struct span){text, len}, true) < 3);
	assert_int_equal(json.nodes[0].count, 200000);
	free(text);
}

/* Nodes take at most three times their final size, the discarded arrays included. */
static void memory_is_linear_in_the_nodes(void **state)
{
	(void)state;
	size_t count = 500000;
	char *text = malloc(count * 2 + 1);
	for (size_t i = 0; i < count; i++)
		memcpy(text + 1 + i * 2, "1,", 2);
	text[0] = '[';
	text[count * 2] = ']';
	assert_true(parse((struct span){text, count * 2 + 1}));
	assert_true(arena.used <= (count + 1) * sizeof(struct json_node) * 3);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(a_document_becomes_nodes_in_order),
	    TEST(iteration_steps_over_descendants),
	    TEST(scalars_may_be_documents),
	    TEST(what_is_not_json_is_refused_where_it_is_wrong),
	    TEST(numbers_follow_the_grammar),
	    TEST(strings_are_checked_to_the_byte),
	    TEST(invalid_utf8_is_refused_at_every_alignment),
	    TEST(the_relaxed_reader_takes_what_models_generate),
	    TEST(the_error_names_line_and_column),
	    TEST(duplicate_keys_are_refused),
	    TEST(duplicate_keys_of_a_wide_object_are_refused),
	    TEST(nesting_is_limited),
	    TEST(values_and_names_are_limited_together),
	    TEST(strings_decode),
	    TEST(integers_are_exact_or_refused),
	    TEST(doubles_are_the_nearest),
	    TEST(what_no_double_can_hold_is_told_by_its_reader),
	    TEST(a_digit_far_behind_decides_a_tie),
	    TEST(random_doubles_are_the_nearest),
	    TEST(what_no_double_can_hold_is_told_by_its_reader),
	    TEST(type_names_are_words_for_messages),
	    TEST(every_prefix_of_a_document_is_refused),
	    TEST(an_exhausted_arena_is_told),
	    TEST(a_wide_object_costs_linear_time),
	    TEST(memory_is_linear_in_the_nodes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
