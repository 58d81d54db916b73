/* SPDX-License-Identifier: MIT */
/* Bytes with several holders: moved out of buffers without a copy, freed with the last (memory checkers see the rest).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "lib/bytes.h"

static unsigned disposed;

static void count(struct bytes *bytes)
{
	(void)bytes;
	disposed++;
}

static void the_last_holder_frees_them(void **state)
{
	(void)state;
	struct bytes bytes;
	disposed = 0;
	bytes_init(&bytes, SPAN("text"), count);
	assert_ptr_equal(bytes_hold(&bytes), &bytes);
	bytes_drop(&bytes);
	assert_int_equal(disposed, 0);
	bytes_drop(&bytes);
	assert_int_equal(disposed, 1);
	bytes_drop(NULL);
}

static void a_buffer_gives_its_bytes_away_where_they_are(void **state)
{
	(void)state;
	struct buf buf;
	buf_init(&buf, 100);
	buf_append(&buf, SPAN("xtext"));
	buf_consume(&buf, 1);
	const char *at = buf_span(&buf).at;
	struct bytes *bytes = bytes_take(&buf);
	assert_non_null(bytes);
	assert_ptr_equal(bytes->span.at, at);
	assert_true(span_is(bytes->span, "text"));
	assert_int_equal(buf_len(&buf), 0);
	assert_true(buf_append(&buf, SPAN("more")));
	assert_true(span_is(bytes->span, "text"));
	bytes_drop(bytes);
	buf_fini(&buf);
}

enum { ROUNDS = 20000 };

static void *hold_and_drop(void *context)
{
	struct bytes *bytes = context;
	for (int i = 0; i < ROUNDS; i++)
		bytes_drop(bytes_hold(bytes));
	bytes_drop(bytes);
	return NULL;
}

static void threads_hold_and_drop_them_at_once(void **state)
{
	(void)state;
	pthread_t threads[2];
	struct bytes bytes;
	disposed = 0;
	bytes_init(&bytes, SPAN("text"), count);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hold_and_drop, bytes_hold(&bytes)), 0);
	bytes_drop(&bytes);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(disposed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_last_holder_frees_them),
	    cmocka_unit_test(a_buffer_gives_its_bytes_away_where_they_are),
	    cmocka_unit_test(threads_hold_and_drop_them_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
