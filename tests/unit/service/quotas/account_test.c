/* SPDX-License-Identifier: MIT */
/* One limit and its use, while the limit becomes another one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/quotas/account.h"

static const struct quota_now now = {.us = 1000000, .s = 1};

static struct quota_account account_of(uint64_t limit)
{
	return (struct quota_account){
	    .name = "a", .unit = QUOTA_TOKENS, .kind = QUOTA_HOUR, .limit = limit, .overdraft = QUOTA_OVERDRAFT};
}

/* A guess took all of the limit; the limit rose or fell before it ended. */
static void a_reservation_ends_whole_whatever_the_limit_is_by_then(void **state)
{
	static const uint64_t limits[][2] = {{500, 100000}, {100000, 500}, {500, 500}, {1, 1000000000000000}};
	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		for (uint64_t asked = 1; asked < UINT64_MAX / 1000; asked *= 1000) {
			struct quota_account account = account_of(limits[i][0]);
			const struct quota_ask ask = {.amount = asked, .beyond = asked};
			account_reserve(&account, now, &ask);
			account.limit = limits[i][1];
			assert_true(account_reserved(&account, now) <= limits[i][1]);
			account_settle(&account, now, &ask, 1);
			assert_int_equal(account.reserved, 0);
			assert_int_equal(account.beyond, 0);
			assert_int_equal(account_left(&account, now), limits[i][1] - 1);
		}
	}
}

static void a_reservation_that_is_taken_back_leaves_nothing(void **state)
{
	const struct quota_ask ask = {.amount = 1300, .beyond = 100};
	struct quota_account account = account_of(500);
	(void)state;
	account_reserve(&account, now, &ask);
	assert_int_equal(account_left(&account, now), 0);
	account.limit = 2000;
	assert_int_equal(account_left(&account, now), 700);
	account_take_back(&account, now, &ask);
	assert_int_equal(account_left(&account, now), 2000);
	assert_int_equal(account.beyond, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_reservation_ends_whole_whatever_the_limit_is_by_then),
	    cmocka_unit_test(a_reservation_that_is_taken_back_leaves_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
