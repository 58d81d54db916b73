/* SPDX-License-Identifier: MIT */
/* Use within a time: nothing is forgotten early, everything is forgotten in time, clocks may jump. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "service/quotas/window.h"

enum { SECOND = 1000000 };

static struct quota_now at(double seconds)
{
	return (struct quota_now){.us = (uint64_t)(seconds * SECOND), .s = 1767225600 + (uint64_t)seconds};
}

/* 1767225600 is 2026-01-01T00:00:00Z. */
static struct quota_now on(uint64_t s)
{
	return (struct quota_now){.us = 5 * SECOND, .s = s};
}

static void what_is_used_counts_for_the_length_of_the_window_and_a_sixtieth_more(void **state)
{
	static const struct {
		enum quota_window kind;
		double length;
	} rows[] = {{QUOTA_SECOND, 1}, {QUOTA_MINUTE, 60}, {QUOTA_HOUR, 3600}};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int offset = 0; offset < 100; offset++) {
			double length = rows[i].length, start = 1000000 + length * offset / 77;
			struct window window = {0};
			window_add(&window, rows[i].kind, at(start), 7);
			assert_int_equal(window_used(&window, rows[i].kind, at(start)), 7);
			assert_int_equal(window_used(&window, rows[i].kind, at(start + length * 0.9999)), 7);
			assert_int_equal(window_used(&window, rows[i].kind, at(start + length * 1.0168)), 0);
		}
	}
}

static void the_wait_is_until_enough_is_forgotten_and_no_longer(void **state)
{
	(void)state;
	struct window window = {0};
	for (int i = 0; i < 10; i++)
		window_add(&window, QUOTA_MINUTE, at(100.25 + i), 10);
	struct quota_now now = at(110);
	for (uint64_t left = 0; left <= 100; left += 10) {
		struct window copy = window;
		uint64_t wait_us = window_wait(&copy, QUOTA_MINUTE, now, left);
		struct quota_now then = {now.us + wait_us, now.s}, before = {then.us - 1, now.s};
		if (left == 100) {
			assert_int_equal(wait_us, 0);
			continue;
		}
		assert_true(window_used(&copy, QUOTA_MINUTE, before) > left);
		assert_true(window_used(&copy, QUOTA_MINUTE, then) <= left);
	}
}

static void days_and_months_begin_with_the_calendar(void **state)
{
	static const struct {
		enum quota_window kind;
		uint64_t last_s; /* of the period */
		uint64_t length_s;
	} rows[] = {{QUOTA_DAY, 1767225600 - 1, 86400},
		    {QUOTA_MONTH, 1767225600 - 1, 31 * 86400},
		    {QUOTA_MONTH, 1772323200 - 1, 28 * 86400} /* the end of February */};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct window window = {0};
		struct quota_now last = on(rows[i].last_s), first = on(rows[i].last_s + 1);
		window_add(&window, rows[i].kind, last, 5);
		assert_int_equal(window_used(&window, rows[i].kind, last), 5);
		assert_int_equal(window_wait(&window, rows[i].kind, last, 4), SECOND);
		assert_int_equal(window_length(rows[i].kind, last), rows[i].length_s);
		assert_int_equal(window_used(&window, rows[i].kind, first), 0);
	}
}

static void a_clock_that_goes_back_forgets_nothing(void **state)
{
	(void)state;
	struct window day = {0}, minute = {0};
	window_add(&day, QUOTA_DAY, on(1767225600), 5);
	assert_int_equal(window_used(&day, QUOTA_DAY, on(1767225600 - 1)), 5);
	window_add(&day, QUOTA_DAY, on(1767225600 - 86400), 1);
	assert_int_equal(window_used(&day, QUOTA_DAY, on(1767225600 + 10)), 6);
	window_add(&minute, QUOTA_MINUTE, at(500), 5);
	window_add(&minute, QUOTA_MINUTE, at(400), 1);
	assert_int_equal(window_used(&minute, QUOTA_MINUTE, at(559)), 6);
	assert_int_equal(window_used(&minute, QUOTA_MINUTE, at(562)), 0);
}

static void what_is_taken_back_was_never_there(void **state)
{
	(void)state;
	struct window window = {0};
	window_add(&window, QUOTA_SECOND, at(9), 3);
	window_add(&window, QUOTA_SECOND, at(9.5), 4);
	window_take_back(&window, QUOTA_SECOND, at(9.5), 4);
	assert_int_equal(window_used(&window, QUOTA_SECOND, at(9.5)), 3);
	assert_int_equal(window_used(&window, QUOTA_SECOND, at(10.1)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_used_counts_for_the_length_of_the_window_and_a_sixtieth_more),
	    cmocka_unit_test(the_wait_is_until_enough_is_forgotten_and_no_longer),
	    cmocka_unit_test(days_and_months_begin_with_the_calendar),
	    cmocka_unit_test(a_clock_that_goes_back_forgets_nothing),
	    cmocka_unit_test(what_is_taken_back_was_never_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
