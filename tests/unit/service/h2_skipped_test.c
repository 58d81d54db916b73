/* SPDX-License-Identifier: MIT */
/* Stream ids that a client passed over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/http/h2_skipped.h"

static void a_client_that_counts_by_two_skips_nothing(void **state)
{
	(void)state;
	struct h2_skipped skipped = {0};
	for (int32_t id = 1; id < 100; id += 2)
		h2_skipped_open(&skipped, id);
	for (int32_t id = 0; id < 200; id++)
		assert_false(h2_skipped_has(&skipped, id));
}

static void what_was_passed_over_is_known(void **state)
{
	(void)state;
	struct h2_skipped skipped = {0};
	h2_skipped_open(&skipped, 5);
	assert_true(h2_skipped_has(&skipped, 1));
	assert_true(h2_skipped_has(&skipped, 3));
	assert_false(h2_skipped_has(&skipped, 5));
	h2_skipped_open(&skipped, 7);
	h2_skipped_open(&skipped, 15);
	assert_false(h2_skipped_has(&skipped, 7));
	assert_true(h2_skipped_has(&skipped, 9));
	assert_true(h2_skipped_has(&skipped, 13));
	assert_false(h2_skipped_has(&skipped, 15));
	assert_false(h2_skipped_has(&skipped, 17));
}

static void the_latest_gaps_are_kept(void **state)
{
	(void)state;
	struct h2_skipped skipped = {0};
	for (int32_t id = 3; id < 3 + 4 * 20; id += 4)
		h2_skipped_open(&skipped, id);
	assert_false(h2_skipped_has(&skipped, 1));
	assert_true(h2_skipped_has(&skipped, 3 + 4 * 19 - 2));
	assert_true(h2_skipped_has(&skipped, 3 + 4 * 12 - 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_client_that_counts_by_two_skips_nothing),
	    cmocka_unit_test(what_was_passed_over_is_known),
	    cmocka_unit_test(the_latest_gaps_are_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
