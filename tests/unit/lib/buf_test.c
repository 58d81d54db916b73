/* SPDX-License-Identifier: MIT */
/* The buffer: a queue of bytes under a ceiling, compared with a naive one over random operations. */
#include "lib/buf.h"
#include "lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static void an_append_past_the_ceiling_appends_nothing_and_sticks(void **state)
{
	(void)state;
	struct buf buf;
	buf_init(&buf, 10);
	assert_true(buf_append(&buf, SPAN("01234567")));
	assert_false(buf_append(&buf, SPAN("abc")));
	assert_true(buf_failed(&buf));
	assert_true(span_is(buf_span(&buf), "01234567"));
	assert_false(buf_append(&buf, SPAN("a")));
	assert_false(buf_append(&buf, SPAN("")));
	buf_reset(&buf);
	assert_false(buf_failed(&buf));
	assert_true(buf_append(&buf, SPAN("0123456789")));
	buf_fini(&buf);
}

static void consumed_room_can_be_used_again(void **state)
{
	(void)state;
	struct buf buf;
	buf_init(&buf, 1000);
	char block[600];
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 100; i++) {
		assert_true(buf_append(&buf, (struct span){block, sizeof(block)}));
		buf_consume(&buf, 599);
		buf_consume(&buf, 1);
	}
	assert_int_equal(buf_len(&buf), 0);
	buf_fini(&buf);
}

static void reserve_and_commit_append(void **state)
{
	(void)state;
	struct buf buf;
	buf_init(&buf, 100);
	memcpy(buf_reserve(&buf, 50), "hello", 5);
	buf_commit(&buf, 5);
	buf_printf(&buf, " %s", "you");
	assert_true(span_is(buf_span(&buf), "hello you"));
	assert_null(buf_reserve(&buf, 92));
	assert_true(buf_failed(&buf));
	buf_fini(&buf);
}

static void an_empty_buffer_has_an_empty_span(void **state)
{
	(void)state;
	struct buf buf;
	buf_init(&buf, 1);
	assert_non_null(buf_span(&buf).at);
	assert_int_equal(buf_span(&buf).len, 0);
	buf_fini(&buf);
}

static void room_of_the_callers_is_never_left(void **state)
{
	char room[8 + 1] = "........!";
	struct buf buf;
	(void)state;
	buf_init_over(&buf, room, 8);
	assert_true(hex_append(&buf, 0x2f, 4));
	assert_true(hex_append(&buf, 0xabc, 1));
	assert_true(span_is(buf_span(&buf), "002fabc"));
	assert_ptr_equal(buf_span(&buf).at, room);
	assert_false(hex_append(&buf, UINT64_MAX, 1));
	assert_true(buf_failed(&buf));
	buf_reset(&buf);
	assert_true(hex_append(&buf, 0, 0));
	assert_true(span_is(buf_span(&buf), "0"));
	assert_int_equal(room[8], '!');
}

static void a_length_beyond_all_memory_is_refused(void **state)
{
	struct buf buf;
	volatile size_t len = SIZE_MAX - 2; /* not for the compiler to see */
	(void)state;
	buf_init(&buf, 64);
	assert_true(buf_append(&buf, SPAN("some")));
	assert_false(buf_append(&buf, (struct span){"x", len}));
	assert_true(buf_failed(&buf));
	assert_true(span_is(buf_span(&buf), "some"));
	buf_fini(&buf);
}

static void what_is_taken_of_a_buffer_is_the_takers(void **state)
{
	(void)state;
	struct buf from;
	buf_init(&from, 8);
	assert_true(buf_append(&from, SPAN("12345678")));
	struct buf taken = buf_take(&from);
	assert_int_equal(buf_len(&from), 0);
	assert_true(buf_append(&from, SPAN("ab")));
	assert_false(buf_append(&from, SPAN("1234567"))); /* its ceiling stays */
	buf_fini(&from);
	assert_true(span_is(buf_span(&taken), "12345678"));
	buf_fini(&taken);
}

static void it_behaves_as_a_naive_queue(void **state)
{
	(void)state;
	enum { CEILING = 3000 };
	unsigned seed = (unsigned)time(NULL);
	print_message("seed %u\n", seed);
	srand(seed);
	struct buf buf;
	buf_init(&buf, CEILING);
	char naive[CEILING], block[800];
	size_t len = 0;
	for (int round = 0; round < 100000; round++) {
		size_t size = (size_t)rand() % sizeof(block);
		if (rand() % 2 == 0) {
			memset(block, 'a' + round % 26, size);
			bool fits = len + size <= CEILING;
			assert_int_equal(buf_append(&buf, (struct span){block, size}), fits);
			if (!fits) {
				assert_true(buf_failed(&buf));
				buf_reset(&buf);
				len = 0;
				continue;
			}
			memcpy(naive + len, block, size);
			len += size;
		} else {
			size = size > len ? len : size;
			buf_consume(&buf, size);
			memmove(naive, naive + size, len - size);
			len -= size;
		}
		assert_true(span_equal(buf_span(&buf), (struct span){naive, len}));
		assert_true(buf.capacity <= CEILING);
	}
	buf_fini(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_append_past_the_ceiling_appends_nothing_and_sticks),
	    cmocka_unit_test(consumed_room_can_be_used_again),
	    cmocka_unit_test(reserve_and_commit_append),
	    cmocka_unit_test(an_empty_buffer_has_an_empty_span),
	    cmocka_unit_test(room_of_the_callers_is_never_left),
	    cmocka_unit_test(a_length_beyond_all_memory_is_refused),
	    cmocka_unit_test(what_is_taken_of_a_buffer_is_the_takers),
	    cmocka_unit_test(it_behaves_as_a_naive_queue),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
