/* SPDX-License-Identifier: MIT */
/* The nearest word. */
#include "lib/suggest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const char *const words[] = {"connect", "idle", "total", "first_content", "url"};

static struct span nearest(const char *wanted)
{
	struct suggestion near = suggest(span_of(wanted));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		suggest_offer(&near, span_of(words[i]));
	return near.best;
}

static void a_small_slip_finds_the_word(void **state)
{
	(void)state;
	assert_true(span_is(nearest("conect"), "connect"));
	assert_true(span_is(nearest("connects"), "connect"));
	assert_true(span_is(nearest("conncet"), "connect"));
	assert_true(span_is(nearest("first-content"), "first_content"));
	assert_true(span_is(nearest("ilde"), "idle"));
}

static void a_swap_of_neighbours_is_one_slip(void **state)
{
	(void)state;
	struct suggestion near = suggest(SPAN("dile"));
	suggest_offer(&near, SPAN("idle"));
	assert_int_equal(near.distance, 1);
}

static void another_word_is_not_suggested(void **state)
{
	(void)state;
	assert_null(nearest("keepalive").at);
	assert_null(nearest("x").at);
	assert_null(nearest("").at);
}

static void very_long_words_are_harmless(void **state)
{
	(void)state;
	char large[5000];
	memset(large, 'c', sizeof(large));
	struct suggestion near = suggest((struct span){large, sizeof(large)});
	suggest_offer(&near, SPAN("connect"));
	assert_null(near.best.at);
	near = suggest(SPAN("connect"));
	suggest_offer(&near, (struct span){large, sizeof(large)});
	assert_null(near.best.at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_small_slip_finds_the_word),
	    cmocka_unit_test(a_swap_of_neighbours_is_one_slip),
	    cmocka_unit_test(another_word_is_not_suggested),
	    cmocka_unit_test(very_long_words_are_harmless),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
