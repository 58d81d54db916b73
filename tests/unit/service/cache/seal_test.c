/* SPDX-License-Identifier: MIT */
/* Sealed records: whatever is changed in them, or of the list they are in, is noticed. */
#include "service/cache/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define LIST SPAN("sluice:1:a:b:{c}:lease:log:d#1")

static struct buf sealed(const char *text)
{
	struct buf bytes;
	buf_init(&bytes, 1000);
	buf_append(&bytes, span_of(text));
	seal_append(&bytes, LIST);
	assert_false(buf_failed(&bytes));
	return bytes;
}

static void what_was_sealed_is_opened(void **state)
{
	static const char *const texts[] = {"", "x", "a record\nof some length"};
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct buf bytes = sealed(texts[i]);
		struct span record;
		assert_true(seal_open(buf_span(&bytes), LIST, &record));
		assert_true(span_is(record, texts[i]));
		buf_fini(&bytes);
	}
}

static void any_changed_bit_is_noticed(void **state)
{
	struct buf bytes = sealed("a record");
	struct span whole = buf_span(&bytes), record;
	char *copy = malloc(whole.len);
	(void)state;
	assert_non_null(copy);
	for (size_t bit = 0; bit < whole.len * 8; bit++) {
		memcpy(copy, whole.at, whole.len);
		copy[bit / 8] ^= (char)(1 << bit % 8);
		assert_false(seal_open((struct span){copy, whole.len}, LIST, &record));
	}
	free(copy);
	for (size_t len = 0; len < whole.len; len++)
		assert_false(seal_open((struct span){whole.at, len}, LIST, &record));
	buf_fini(&bytes);
}

static void a_record_is_of_one_list_only(void **state)
{
	struct buf bytes = sealed("a record");
	struct span record;
	(void)state;
	assert_false(seal_open(buf_span(&bytes), SPAN("sluice:1:a:b:{c}:lease:log:d#2"), &record));
	/* not even of one whose name takes a byte of the record along, or leaves it one */
	assert_false(seal_open((struct span){buf_span(&bytes).at + 1, buf_len(&bytes) - 1},
			       SPAN("sluice:1:a:b:{c}:lease:log:d#1a"), &record));
	buf_fini(&bytes);
}

static void memory_that_is_out_is_told(void **state)
{
	struct buf bytes;
	(void)state;
	buf_init(&bytes, 20);
	buf_append(&bytes, SPAN("a record"));
	seal_append(&bytes, LIST);
	assert_true(buf_failed(&bytes));
	buf_fini(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_sealed_is_opened),
	    cmocka_unit_test(any_changed_bit_is_noticed),
	    cmocka_unit_test(a_record_is_of_one_list_only),
	    cmocka_unit_test(memory_that_is_out_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
