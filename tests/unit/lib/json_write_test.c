/* SPDX-License-Identifier: MIT */
/* JSON output: whatever goes in, what comes out is valid and reads back the same. */
#include "lib/json_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/json.h"
#include "lib/utf8.h"

static void expect_written(struct span text, const char *want)
{
	struct buf out;
	buf_init(&out, 4096);
	json_write_string_or_null(&out, text);
	if (!span_is(buf_span(&out), want))
		fail_msg("%.*s is not %s", SPAN_ARG(buf_span(&out)), want);
	buf_fini(&out);
}

static void plain_text_is_quoted(void **state)
{
	(void)state;
	expect_written(SPAN(""), "\"\"");
	expect_written(SPAN("hello"), "\"hello\"");
	expect_written(SPAN("\xE2\x82\xAC \xF0\x9F\x98\x80"), "\"\xE2\x82\xAC \xF0\x9F\x98\x80\"");
}

static void what_must_be_escaped_is(void **state)
{
	(void)state;
	expect_written(SPAN("a\"b\\c"), "\"a\\\"b\\\\c\"");
	expect_written(SPAN("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"");
	expect_written(SPAN("\x01\x1F\0"), "\"\\u0001\\u001f\\u0000\"");
}

static void bytes_that_are_not_utf8_become_replacements(void **state)
{
	(void)state;
	expect_written(SPAN("a\x80z"), "\"a\xEF\xBF\xBDz\"");
	expect_written(SPAN("\xE2\x82"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
	expect_written(SPAN("\xC3"), "\"\xEF\xBF\xBD\"");
}

static void no_text_is_null(void **state)
{
	(void)state;
	expect_written((struct span){NULL, 0}, "null");
}

static void every_two_bytes_read_back(void **state)
{
	(void)state;
	for (unsigned pair = 0; pair < 0x10000; pair++) {
		char text[2] = {(char)(pair >> 8), (char)pair};
		struct buf out;
		struct arena arena;
		struct json json;
		struct json_error error;
		buf_init(&out, 64);
		arena_init(&arena, 0);
		json_write_string(&out, (struct span){text, 2});
		assert_true(json_parse_relaxed(&json, &arena, buf_span(&out), &JSON_DEPTH(1), &error));
		if (utf8_length((unsigned char *)text, 2) == 2 || ((text[0] | text[1]) & 0x80) == 0)
			assert_true(span_equal(json_string(&json, 0, &arena), (struct span){text, 2}));
		arena_fini(&arena);
		buf_fini(&out);
	}
}

static void a_full_buffer_fails_and_stays_failed(void **state)
{
	(void)state;
	struct buf out;
	buf_init(&out, 8);
	json_write_string(&out, SPAN("0123456789"));
	assert_true(buf_failed(&out));
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain_text_is_quoted),
	    cmocka_unit_test(what_must_be_escaped_is),
	    cmocka_unit_test(bytes_that_are_not_utf8_become_replacements),
	    cmocka_unit_test(no_text_is_null),
	    cmocka_unit_test(every_two_bytes_read_back),
	    cmocka_unit_test(a_full_buffer_fails_and_stays_failed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
