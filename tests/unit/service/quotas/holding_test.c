/* SPDX-License-Identifier: MIT */
/* What a process grants out of what it holds of a shared limit, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "service/quotas/holding.h"

enum { SECOND = 1000000 };

struct world {
	struct holding_loss loss;
	struct holding holding;
	struct quota_account account;
	struct quota_now now;
};

static void begin(struct world *world, unsigned unit, uint64_t limit)
{
	*world = (struct world){.now = {.us = 1000 * (uint64_t)SECOND, .s = 1800000000}};
	world->holding.loss = &world->loss;
	world->account = (struct quota_account){
	    .name = "q", .unit = unit, .kind = QUOTA_MINUTE, .limit = limit, .shared = &world->holding};
}

/* Asks, and hears that so much may be held, and that so much is free besides. */
static struct script_ask hear_free(struct world *world, uint64_t held, uint64_t unheld)
{
	struct script_ask ask;
	holding_ask(&world->account, world->now, false, &ask);
	struct script_answer answer = {.ceiling = ask.covered + held, .holders = 2, .free = unheld};
	holding_hear(&world->account, world->now, world->now.us, &ask, &answer);
	return ask;
}

static struct script_ask hear(struct world *world, uint64_t held)
{
	return hear_free(world, held, 7);
}

static bool grant(struct world *world, uint64_t amount)
{
	const struct quota_ask ask = {.amount = amount, .least = amount};
	if (!account_has_room(&world->account, world->now, &ask))
		return false;
	account_reserve(&world->account, world->now, &ask);
	return true;
}

static void settle(struct world *world, uint64_t reserved, uint64_t used)
{
	account_settle(&world->account, world->now, &(struct quota_ask){.amount = reserved}, used);
}

static void what_is_held_is_granted_and_no_more(void **state)
{
	struct world world;
	(void)state;
	begin(&world, QUOTA_REQUESTS, 100);
	assert_false(grant(&world, 1));
	assert_int_equal(holding_lack(&world.account, world.now, 1), HOLDING_SHORT);
	hear(&world, 2);
	assert_true(grant(&world, 1));
	assert_true(grant(&world, 1));
	assert_false(grant(&world, 1));
	assert_int_equal(account_left(&world.account, world.now), 7);
}

static void the_own_lease_ends_a_second_before_that_of_redis(void **state)
{
	struct world world;
	(void)state;
	begin(&world, QUOTA_CONCURRENT, 100);
	hear(&world, 50);
	world.now.us += SCRIPT_LEASE_MS * 1000 - SECOND - 1;
	assert_true(grant(&world, 1));
	world.now.us++;
	assert_false(grant(&world, 1));
}

static void what_is_asked_to_be_taken_back_is_not_granted_meanwhile(void **state)
{
	struct world world;
	struct script_ask ask;
	(void)state;
	begin(&world, QUOTA_TOKENS, 1000);
	hear(&world, 500);
	world.now.us += 5 * SECOND; /* nothing was used lately */
	assert_true(grant(&world, 100));
	settle(&world, 100, 40);
	world.now.us += 5 * SECOND - 2 * SECOND;
	holding_ask(&world.account, world.now, false, &ask);
	assert_int_equal(ask.covered, 40);
	assert_true(ask.leaves);
	assert_false(grant(&world, 1));
}

static void use_beyond_what_is_held_is_reported_apart(void **state)
{
	struct world world;
	struct script_ask ask;
	(void)state;
	begin(&world, QUOTA_TOKENS, 1000);
	hear(&world, 100);
	assert_true(grant(&world, 80));
	settle(&world, 80, 130);
	holding_ask(&world.account, world.now, true, &ask);
	assert_int_equal(ask.covered, 100);
	assert_int_equal(ask.uncovered, 30);
}

static void without_redis_a_limit_has_its_share_or_refuses(void **state)
{
	struct world world;
	(void)state;
	for (int refuses = 0; refuses < 2; refuses++) {
		begin(&world, QUOTA_REQUESTS, 10);
		world.holding.refuses = refuses;
		hear(&world, 1);
		world.loss.until_us = world.now.us + SECOND;
		assert_true(grant(&world, 1)); /* it is held */
		int granted = 1;
		while (grant(&world, 1))
			granted++;
		assert_int_equal(granted, refuses ? 1 : 1 + 3); /* two replicas share the seven that are free */
		world.now.us += 10 * (uint64_t)SECOND;
		world.loss.until_us = world.now.us + SECOND;
		while (grant(&world, 1))
			granted++;
		assert_int_equal(granted, refuses ? 1 : 5); /* and later all of the ten */
		assert_int_equal(holding_lack(&world.account, world.now, 1), refuses ? HOLDING_LOST : HOLDING_REFUSED);
		assert_true(account_wait(&world.account, world.now, &(struct quota_ask){.amount = 1, .least = 1}) >=
			    SECOND);
	}
}

static void a_short_silence_of_redis_grants_nothing_of_a_limit_that_is_used_up(void **state)
{
	struct world world;
	(void)state;
	for (int unit = 0; unit < 2; unit++) {
		begin(&world, unit == 0 ? QUOTA_REQUESTS : QUOTA_TOKENS, 1000);
		hear_free(&world, 100, 0);
		for (int i = 0; i < 10; i++)
			assert_true(grant(&world, 10));
		world.loss.until_us = world.now.us + SECOND;
		assert_false(grant(&world, 1));
		if (unit == 1)
			settle(&world, 10, 4);
		assert_int_equal(grant(&world, 6), unit == 1); /* it was held */
		assert_false(grant(&world, 1));
		world.now.us += 9 * (uint64_t)SECOND;
		world.loss.until_us = world.now.us + SECOND;
		assert_false(grant(&world, 1));
	}
}

static void old_use_is_not_reported_when_redis_is_back(void **state)
{
	struct world world;
	struct script_ask ask;
	(void)state;
	begin(&world, QUOTA_REQUESTS, 10);
	world.loss.until_us = world.now.us + SECOND;
	while (grant(&world, 1))
		;
	world.now.us += 10 * SECOND;
	holding_ask(&world.account, world.now, false, &ask);
	assert_int_equal(ask.uncovered, 10);
	begin(&world, QUOTA_REQUESTS, 10);
	world.loss.until_us = world.now.us + SECOND;
	while (grant(&world, 1))
		;
	world.now.us += 70 * (uint64_t)SECOND;
	holding_ask(&world.account, world.now, false, &ask);
	assert_int_equal(ask.uncovered, 0);
}

static void an_unanswered_call_is_followed_by_another_one(void **state)
{
	struct world world;
	struct script_ask ask;
	(void)state;
	begin(&world, QUOTA_REQUESTS, 10);
	assert_false(holding_is_active(&world.account, world.now));
	holding_ask(&world.account, world.now, false, &ask);
	assert_true(holding_is_active(&world.account, world.now));
	hear(&world, 0);
	assert_false(holding_is_active(&world.account, world.now));
}

static void recent_use_is_held_in_spare_while_nobody_else_lacks_it(void **state)
{
	struct world world;
	(void)state;
	begin(&world, QUOTA_REQUESTS, 1000);
	hear(&world, 60);
	for (int i = 0; i < 60; i++)
		assert_true(grant(&world, 1));
	assert_int_equal(hear(&world, 60).want, 60 + 60);
	for (int i = 0; i < 60; i++)
		assert_true(grant(&world, 1));
	assert_int_equal(hear(&world, 0).want, 120 + 100); /* a tenth of the limit at most */
	world.holding.others_lack = true;
	assert_int_equal(hear(&world, 0).want, 120);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_held_is_granted_and_no_more),
	    cmocka_unit_test(the_own_lease_ends_a_second_before_that_of_redis),
	    cmocka_unit_test(what_is_asked_to_be_taken_back_is_not_granted_meanwhile),
	    cmocka_unit_test(use_beyond_what_is_held_is_reported_apart),
	    cmocka_unit_test(without_redis_a_limit_has_its_share_or_refuses),
	    cmocka_unit_test(a_short_silence_of_redis_grants_nothing_of_a_limit_that_is_used_up),
	    cmocka_unit_test(old_use_is_not_reported_when_redis_is_back),
	    cmocka_unit_test(an_unanswered_call_is_followed_by_another_one),
	    cmocka_unit_test(recent_use_is_held_in_spare_while_nobody_else_lacks_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
