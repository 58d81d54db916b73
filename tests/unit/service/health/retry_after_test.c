/* SPDX-License-Identifier: MIT */
/* How long our own refusals ask a client to wait, and how Retry-After says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/seconds.h"
#include "service/health/health_cells.h"
#include "service/health/retry_after.h"

#define SECOND UINT64_C(1000000)
#define NOW (1000 * SECOND)

static void assert_written(uint64_t wait_us, const char *text)
{
	struct arena arena;
	arena_init(&arena, 0);
	struct span value = retry_after_write(wait_us, &arena);
	assert_true(span_is(value, text));
	arena_fini(&arena);
}

static void a_wait_is_written_in_whole_seconds_and_never_too_short(void **state)
{
	(void)state;
	assert_written(1, "1");
	assert_written(SECOND, "1");
	assert_written(SECOND + 1, "2");
	assert_written(3599 * SECOND + 1, "3600");
}

static void a_wait_is_written_as_an_hour_at_most(void **state)
{
	(void)state;
	assert_written(3601 * SECOND, "3600");
	assert_written(UINT64_MAX, "3600");
}

static void an_unknown_wait_is_not_written(void **state)
{
	(void)state;
	assert_written(0, "");
}

static void seconds_are_rounded_up_without_overflow(void **state)
{
	(void)state;
	assert_int_equal(seconds_rounded_up(0), 0);
	assert_int_equal(seconds_rounded_up(999999), 1);
	assert_int_equal(seconds_rounded_up(SECOND), 1);
	assert_true(seconds_rounded_up(UINT64_MAX) == UINT64_MAX / SECOND + 1);
}

static void a_place_is_waited_for_as_long_as_those_before_take(void **state)
{
	(void)state;
	assert_int_equal(retry_after_place_us(SECOND, 0), SECOND);
	assert_int_equal(retry_after_place_us(SECOND, 4), 5 * SECOND);
	assert_int_equal(retry_after_place_us(1, 0), SECOND);
	assert_int_equal(retry_after_place_us(SECOND, 1000000), 600 * SECOND);
}

static void a_refusal_holds_as_long_as_what_caused_it(void **state)
{
	struct target_cell target = {.cooling_until_us = NOW + 7 * SECOND};
	struct breaker breaker = {.state = HEALTH_BREAKER_OPEN, .until_us = NOW + 3 * SECOND};
	(void)state;
	assert_int_equal(retry_after_refusal_us(HEALTH_COOLING, &target, &breaker, NOW), 7 * SECOND);
	assert_int_equal(retry_after_refusal_us(HEALTH_OPEN, &target, &breaker, NOW), 3 * SECOND);
	assert_int_equal(retry_after_refusal_us(HEALTH_DOWN, &target, &breaker, NOW), 0);
	assert_int_equal(retry_after_refusal_us(HEALTH_BUDGET, &target, &breaker, NOW), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_wait_is_written_in_whole_seconds_and_never_too_short),
	    cmocka_unit_test(a_wait_is_written_as_an_hour_at_most),
	    cmocka_unit_test(an_unknown_wait_is_not_written),
	    cmocka_unit_test(seconds_are_rounded_up_without_overflow),
	    cmocka_unit_test(a_place_is_waited_for_as_long_as_those_before_take),
	    cmocka_unit_test(a_refusal_holds_as_long_as_what_caused_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
