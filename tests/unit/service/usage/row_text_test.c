/* SPDX-License-Identifier: MIT */
/* Rows of use as texts: what is written is read again, and anything else is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/usage/row_text.h"

static void texts_are_read_as_they_were_written(void **state)
{
	static const char *const texts[] = {"", "a", "1:b", "0123456789", " \n"};
	struct buf out;
	struct span text;
	(void)state;
	buf_init(&out, 1024);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		usage_text_append(&out, span_of(texts[i]));
	struct span input = buf_span(&out);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_true(usage_text_take(&input, &text));
		assert_true(span_is(text, texts[i]));
	}
	assert_int_equal(input.len, 0);
	assert_false(usage_text_take(&input, &text));
	buf_fini(&out);
}

static void other_texts_are_refused(void **state)
{
	static const char *const texts[] = {"", "3", "3:", "3:ab", ":a", "-1:a", "a:1", "1", "99999999999999999999:a"};
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct span input = span_of(texts[i]), text;
		if (usage_text_take(&input, &text))
			fail_msg("\"%s\" is taken", texts[i]);
	}
}

static void counts_are_read_as_they_were_written(void **state)
{
	const struct usage_counts counts = {.of = {0, 1, 9, 10, UINT64_C(9007199254740992), 42, 7, 1000000000}};
	struct usage_counts read;
	struct buf out;
	(void)state;
	buf_init(&out, 1024);
	usage_counts_append(&out, &counts);
	assert_true(span_is(buf_span(&out), "0 1 9 10 9007199254740992 42 7 1000000000"));
	assert_true(usage_counts_read(buf_span(&out), &read));
	assert_memory_equal(&read, &counts, sizeof(counts));
	buf_fini(&out);
}

static void other_counts_are_refused(void **state)
{
	static const char *const texts[] = {"",
					    "1",
					    "1 2 3 4 5 6 7",
					    "1 2 3 4 5 6 7 8 9",
					    "1 2 3 4 5 6 7 8 ",
					    "1 2 3 4 5 6 7  8",
					    " 1 2 3 4 5 6 7 8",
					    "1 2 3 4 5 6 7 -8",
					    "1 2 3 4 5 6 7 99999999999999999999",
					    "1,2,3,4,5,6,7,8"};
	struct usage_counts counts;
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (usage_counts_read(span_of(texts[i]), &counts))
			fail_msg("\"%s\" is read", texts[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(texts_are_read_as_they_were_written),
	    cmocka_unit_test(other_texts_are_refused),
	    cmocka_unit_test(counts_are_read_as_they_were_written),
	    cmocka_unit_test(other_counts_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
