/* SPDX-License-Identifier: MIT */
/* Steps of a turn: which one is named when the turn took long. The clock is the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/step.h"

static uint64_t now_us = 1000;

static uint64_t own_clock(void *context)
{
	(void)context;
	return now_us;
}

static void spend(uint64_t us)
{
	now_us += us;
}

static void the_longest_step_is_named(void **state)
{
	(void)state;
	struct step_mark before = step_enter("short");
	step_leave(before);
	before = step_enter("long");
	spend(2000);
	step_leave(before);
	struct step_longest longest = step_take_longest(3000);
	assert_string_equal(longest.name, "long");
	assert_int_equal(longest.took_us, 2000);
}

static void time_outside_of_steps_is_named_by_the_hint(void **state)
{
	(void)state;
	struct step_mark before = step_enter("short");
	step_leave(before);
	assert_string_equal(step_take_longest(1000000).name, "events");
	step_hint("handshake");
	assert_string_equal(step_take_longest(1000000).name, "handshake");
	assert_string_equal(step_take_longest(1000000).name, "events");
}

static void an_inner_step_has_its_own_time(void **state)
{
	(void)state;
	struct step_mark outer = step_enter("outer");
	struct step_mark inner = step_enter("inner");
	spend(2000);
	step_leave(inner);
	step_leave(outer);
	struct step_longest longest = step_take_longest(0);
	assert_string_equal(longest.name, "inner");
	assert_int_equal(longest.took_us, 2000);
}

static void a_step_goes_on_after_an_inner_one(void **state)
{
	(void)state;
	struct step_mark outer = step_enter("outer");
	spend(1500);
	struct step_mark inner = step_enter("inner");
	spend(1000);
	step_leave(inner);
	spend(1500);
	step_leave(outer);
	struct step_longest longest = step_take_longest(0);
	assert_string_equal(longest.name, "outer");
	assert_int_equal(longest.took_us, 3000);
}

static void steps_of_an_earlier_turn_are_forgotten(void **state)
{
	(void)state;
	struct step_mark before = step_enter("earlier");
	spend(1000);
	step_leave(before);
	step_forget();
	assert_string_equal(step_take_longest(0).name, "events");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_longest_step_is_named),
	    cmocka_unit_test(time_outside_of_steps_is_named_by_the_hint),
	    cmocka_unit_test(an_inner_step_has_its_own_time),
	    cmocka_unit_test(a_step_goes_on_after_an_inner_one),
	    cmocka_unit_test(steps_of_an_earlier_turn_are_forgotten),
	};
	step_set_clock(own_clock);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
