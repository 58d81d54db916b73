/* SPDX-License-Identifier: MIT */
/* The adaptive limit by itself, and against a simple model of a backend that slows down beyond its capacity. */
#include "service/health/adaptive_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { FIRST_US = 100000, SECOND_US = 1000000 };

static void repeat(struct adaptive *adaptive, unsigned count, uint64_t first_content_us)
{
	for (unsigned i = 0; i < count; i++)
		adaptive_sample(adaptive, first_content_us, adaptive_limit(adaptive));
}

static void a_steady_backend_lets_it_grow_to_the_most(void **state)
{
	struct adaptive adaptive;
	(void)state;
	adaptive_init(&adaptive, 64);
	assert_int_equal(adaptive_limit(&adaptive), 20);
	repeat(&adaptive, 1000, FIRST_US);
	assert_int_equal(adaptive_limit(&adaptive), 64);
}

static void it_does_not_grow_while_it_is_not_used(void **state)
{
	struct adaptive adaptive;
	(void)state;
	adaptive_init(&adaptive, 64);
	for (int i = 0; i < 1000; i++)
		adaptive_sample(&adaptive, FIRST_US, 15);
	assert_int_equal(adaptive_limit(&adaptive), 20);
	adaptive_sample(&adaptive, FIRST_US, 16); /* four fifths */
	for (int i = 0; i < 5; i++)
		adaptive_sample(&adaptive, FIRST_US, 20);
	assert_true(adaptive_limit(&adaptive) > 20);
}

static void a_slower_backend_makes_it_shrink(void **state)
{
	struct adaptive adaptive;
	(void)state;
	adaptive_init(&adaptive, 64);
	repeat(&adaptive, 1000, FIRST_US);
	repeat(&adaptive, 150, 10 * FIRST_US);
	assert_in_range(adaptive_limit(&adaptive), 1, 16);
}

static void a_little_slower_is_tolerated(void **state)
{
	struct adaptive adaptive;
	(void)state;
	adaptive_init(&adaptive, 64);
	repeat(&adaptive, 1000, FIRST_US);
	repeat(&adaptive, 100, FIRST_US * 14 / 10);
	assert_int_equal(adaptive_limit(&adaptive), 64);
}

static void it_recovers_after_a_bad_hour(void **state)
{
	struct adaptive adaptive;
	(void)state;
	adaptive_init(&adaptive, 64);
	repeat(&adaptive, 5000, 10 * FIRST_US); /* the long average believes it */
	repeat(&adaptive, 1000, FIRST_US);
	assert_int_equal(adaptive_limit(&adaptive), 64);
	assert_true(adaptive.long_us < 3 * FIRST_US);
}

static void an_overload_takes_a_tenth_once_for_calls_that_fail_together(void **state)
{
	struct adaptive adaptive;
	uint64_t now_us = SECOND_US;
	(void)state;
	adaptive_init(&adaptive, 20);
	repeat(&adaptive, 10, FIRST_US * 2);
	for (int i = 0; i < 20; i++)
		adaptive_overload(&adaptive, now_us + (uint64_t)i);
	assert_int_equal(adaptive_limit(&adaptive), 18);
	adaptive_overload(&adaptive, now_us + 2 * FIRST_US - 1);
	assert_int_equal(adaptive_limit(&adaptive), 18);
	adaptive_overload(&adaptive, now_us + 2 * FIRST_US);
	assert_int_equal(adaptive_limit(&adaptive), 16);
}

static void it_never_leaves_its_bounds(void **state)
{
	struct adaptive adaptive;
	(void)state;
	for (unsigned most = 0; most < 4; most++) {
		adaptive_init(&adaptive, most);
		for (unsigned i = 1; i < 1000; i++) {
			adaptive_overload(&adaptive, i * (uint64_t)SECOND_US);
			assert_int_equal(adaptive_limit(&adaptive) < 1, 0);
			repeat(&adaptive, i % 7, i % 3 == 0 ? 1 : FIRST_US * (uint64_t)i);
			assert_in_range(adaptive_limit(&adaptive), 1, most < 1 ? 1 : most);
		}
	}
}

/* A backend that slows down beyond 12 at once, and refuses beyond 40: the limit stays about where it does not refuse.
 */
static void it_settles_where_a_backend_is_not_overloaded(void **state)
{
	struct adaptive adaptive;
	unsigned long sum = 0, overloads = 0;
	(void)state;
	adaptive_init(&adaptive, 500);
	for (unsigned i = 0; i < 20000; i++) {
		unsigned running = adaptive_limit(&adaptive);
		if (running > 40) {
			adaptive_overload(&adaptive, i * (uint64_t)SECOND_US);
			overloads += i >= 10000;
		} else {
			adaptive_sample(&adaptive, running <= 12 ? FIRST_US : FIRST_US * (uint64_t)running / 12,
					running);
		}
		sum += i >= 10000 ? running : 0;
	}
	assert_in_range(sum / 10000, 12, 40);
	assert_in_range(overloads, 1, 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_steady_backend_lets_it_grow_to_the_most),
	    cmocka_unit_test(it_does_not_grow_while_it_is_not_used),
	    cmocka_unit_test(a_slower_backend_makes_it_shrink),
	    cmocka_unit_test(a_little_slower_is_tolerated),
	    cmocka_unit_test(it_recovers_after_a_bad_hour),
	    cmocka_unit_test(an_overload_takes_a_tenth_once_for_calls_that_fail_together),
	    cmocka_unit_test(it_never_leaves_its_bounds),
	    cmocka_unit_test(it_settles_where_a_backend_is_not_overloaded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
