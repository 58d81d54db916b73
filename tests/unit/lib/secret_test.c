/* SPDX-License-Identifier: MIT */
/* Secrets that are replaced while threads read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "lib/secret.h"

static void a_text_that_is_held_stays_when_it_is_replaced(void **state)
{
	(void)state;
	struct secret *secret = secret_create(SPAN("first"));
	const struct secret_text *first = secret_text_hold(secret);
	assert_null(secret_text_hold_former(secret));
	assert_int_equal(secret_version(secret), 0);
	assert_true(secret_replace(secret, SPAN("second")));
	assert_int_equal(secret_version(secret), 1);
	assert_true(secret_is(secret, SPAN("second")));
	const struct secret_text *former = secret_text_hold_former(secret);
	assert_ptr_equal(former, first);
	secret_text_drop(former);
	assert_true(secret_replace(secret, SPAN("third")));
	assert_string_equal(first->at, "first");
	former = secret_text_hold_former(secret);
	assert_string_equal(former->at, "second");
	secret_drop(secret);
	assert_string_equal(former->at, "second");
	secret_text_drop(former);
	secret_text_drop(first);
	secret_drop(NULL);
	secret_text_drop(NULL);
}

static void secrets_are_compared_by_their_texts(void **state)
{
	(void)state;
	struct secret *a = secret_create(SPAN("same")), *b = secret_create(SPAN("same"));
	assert_true(secret_equal(a, b));
	assert_true(secret_equal(NULL, NULL));
	assert_false(secret_equal(a, NULL));
	assert_false(secret_equal(NULL, a));
	assert_false(secret_is(a, SPAN("sama")));
	assert_false(secret_is(a, SPAN("sam")));
	assert_true(secret_replace(b, SPAN("other")));
	assert_false(secret_equal(a, b));
	secret_drop(a);
	secret_drop(b);
}

enum { ROUNDS = 20000, READERS = 3 };

static void *read_again_and_again(void *context)
{
	struct secret *secret = context;
	size_t odd = 0;
	for (int i = 0; i < ROUNDS; i++) {
		const struct secret_text *text = secret_text_hold(secret);
		odd += strlen(text->at) != text->len || (text->at[0] != 'a' && text->at[0] != 'b');
		secret_text_drop(text);
		odd += !secret_is(secret, SPAN("aaaa")) && secret_version(secret) == 0;
	}
	return odd == 0 ? NULL : context;
}

static void readers_on_other_threads_see_whole_texts(void **state)
{
	(void)state;
	struct secret *secret = secret_create(SPAN("aaaa"));
	pthread_t readers[READERS];
	void *odd;
	for (int i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, read_again_and_again, secret), 0);
	for (int i = 0; i < ROUNDS; i++)
		assert_true(secret_replace(secret, i % 2 == 0 ? SPAN("bbbbbbbbbbbbbbbb") : SPAN("aaaa")));
	for (int i = 0; i < READERS; i++) {
		assert_int_equal(pthread_join(readers[i], &odd), 0);
		assert_null(odd);
	}
	secret_drop(secret);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_text_that_is_held_stays_when_it_is_replaced),
	    cmocka_unit_test(secrets_are_compared_by_their_texts),
	    cmocka_unit_test(readers_on_other_threads_see_whole_texts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
