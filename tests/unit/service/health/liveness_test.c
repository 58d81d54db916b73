/* SPDX-License-Identifier: MIT */
/* Free probes and what outranks them; the share after a recovery. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/health/liveness.h"

#define SECOND 1000000ull

static const struct config_probe options = {.path = "/health", .fall = 3, .rise = 2};

static struct liveness liveness;

static int setup(void **state)
{
	(void)state;
	liveness = (struct liveness){0};
	return 0;
}

static bool probe(bool alive, uint64_t now_us)
{
	return liveness_probed(&liveness, &options, alive, now_us);
}

static void take_down(void)
{
	assert_false(probe(false, 10 * SECOND));
	assert_false(probe(false, 12 * SECOND));
	assert_true(probe(false, 14 * SECOND));
	assert_int_equal(liveness.state, LIVENESS_DOWN);
}

static void three_failures_in_a_row_take_it_down(void **state)
{
	(void)state;
	probe(false, 2 * SECOND);
	probe(false, 4 * SECOND);
	probe(true, 6 * SECOND);
	assert_int_equal(liveness.state, LIVENESS_UP);
	take_down();
}

static void two_answers_in_a_row_bring_it_up(void **state)
{
	(void)state;
	take_down();
	assert_false(probe(true, 16 * SECOND));
	assert_false(probe(false, 18 * SECOND));
	assert_false(probe(true, 20 * SECOND));
	assert_int_equal(liveness.state, LIVENESS_DOWN);
	assert_true(probe(true, 22 * SECOND));
	assert_int_equal(liveness.state, LIVENESS_UP);
	assert_int_equal(liveness.recovered_us, 22 * SECOND);
}

static void a_real_success_outranks_failing_probes_for_a_while(void **state)
{
	(void)state;
	assert_false(liveness_proven(&liveness, 10 * SECOND));
	for (unsigned i = 0; i < 100; i++)
		assert_false(probe(false, 15 * SECOND - 1));
	assert_false(probe(false, 15 * SECOND));
	assert_false(probe(false, 15 * SECOND));
	assert_true(probe(false, 15 * SECOND));
}

static void a_real_success_interrupts_the_row(void **state)
{
	(void)state;
	probe(false, 10 * SECOND);
	probe(false, 12 * SECOND);
	liveness_proven(&liveness, 13 * SECOND);
	assert_false(probe(false, 30 * SECOND));
	assert_false(probe(false, 32 * SECOND));
	assert_true(probe(false, 34 * SECOND));
}

static void a_real_success_brings_it_up(void **state)
{
	(void)state;
	take_down();
	assert_true(liveness_proven(&liveness, 15 * SECOND));
	assert_int_equal(liveness.state, LIVENESS_UP);
	assert_int_equal(liveness.recovered_us, 15 * SECOND);
	assert_false(liveness_proven(&liveness, 16 * SECOND));
}

static void what_recovered_starts_slowly(void **state)
{
	(void)state;
	assert_true(liveness_share(0, 30 * SECOND, 0) == 1);
	assert_true(liveness_share(100 * SECOND, 0, 100 * SECOND) == 1);
	assert_true(liveness_share(100 * SECOND, 30 * SECOND, 100 * SECOND) == 0.1);
	assert_true(liveness_share(100 * SECOND, 30 * SECOND, 99 * SECOND) == 0.1);
	double half = liveness_share(100 * SECOND, 30 * SECOND, 115 * SECOND);
	assert_true(half > 0.5499 && half < 0.5501);
	assert_true(liveness_share(100 * SECOND, 30 * SECOND, 130 * SECOND) == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(three_failures_in_a_row_take_it_down, setup),
	    cmocka_unit_test_setup(two_answers_in_a_row_bring_it_up, setup),
	    cmocka_unit_test_setup(a_real_success_outranks_failing_probes_for_a_while, setup),
	    cmocka_unit_test_setup(a_real_success_interrupts_the_row, setup),
	    cmocka_unit_test_setup(a_real_success_brings_it_up, setup),
	    cmocka_unit_test(what_recovered_starts_slowly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
