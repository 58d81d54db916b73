/* SPDX-License-Identifier: MIT */
/* Wrong keys by network, on a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/access/failures.h"

#define SECOND UINT64_C(1000000)

static void a_minutes_worth_comes_at_once_and_the_rest_in_its_time(void **state)
{
	(void)state;
	struct access_failures *failures = access_failures_create(20);
	uint64_t now = 100 * SECOND;
	for (int i = 0; i < 20; i++)
		assert_int_equal(access_failures_count(failures, 1, now), 0);
	assert_int_equal(access_failures_count(failures, 1, now), 3 * SECOND);
	assert_int_equal(access_failures_count(failures, 1, now), 3 * SECOND); /* what is refused does not count */
	assert_int_equal(access_failures_count(failures, 1, now + 2 * SECOND), SECOND);
	assert_int_equal(access_failures_count(failures, 1, now + 3 * SECOND), 0);
	assert_int_equal(access_failures_count(failures, 1, now + 3 * SECOND), 3 * SECOND);
	for (int i = 0; i < 20; i++)
		assert_int_equal(access_failures_count(failures, 1, now + 90 * SECOND), 0);
	access_failures_destroy(failures);
}

static void networks_do_not_wait_for_each_other(void **state)
{
	(void)state;
	struct access_failures *failures = access_failures_create(1);
	assert_int_equal(access_failures_count(failures, 1, SECOND), 0);
	assert_int_equal(access_failures_count(failures, 2, SECOND), 0);
	assert_true(access_failures_count(failures, 1, SECOND) > 0);
	assert_true(access_failures_count(failures, 2, SECOND) > 0);
	access_failures_destroy(failures);
}

/* A million networks fit no table: some begin anew, but none that is new has to wait. */
static void many_networks_make_none_wait(void **state)
{
	(void)state;
	struct access_failures *failures = access_failures_create(1);
	for (uint64_t network = 1; network <= 1000000; network++)
		assert_int_equal(access_failures_count(failures, network, SECOND), 0);
	access_failures_destroy(failures);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_minutes_worth_comes_at_once_and_the_rest_in_its_time),
	    cmocka_unit_test(networks_do_not_wait_for_each_other),
	    cmocka_unit_test(many_networks_make_none_wait),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
