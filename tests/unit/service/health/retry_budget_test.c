/* SPDX-License-Identifier: MIT */
/* The retry budget and the hedge budget, by example and against lists of what ran. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "service/health/retry_budget.h"
#include "service/health/hedge_budget.h"
#include "tests/unit/seed.h"

enum { STEPS = 200000 };

/* ---- retries ---- */

static const struct config_budget twenty = {.percent = 20, .least = 3};

static void enter_many(struct retry_budget *budget, unsigned count, bool extra)
{
	while (count-- > 0)
		retry_budget_enter(budget, extra);
}

static void the_least_is_always_allowed(void **state)
{
	(void)state;
	struct retry_budget budget = {0};
	for (unsigned i = 0; i < 3; i++) {
		assert_true(retry_budget_allows(&budget, &twenty, true, 0));
		retry_budget_enter(&budget, true);
	}
	assert_false(retry_budget_allows(&budget, &twenty, true, 0));
}

static void a_fifth_of_what_runs_is_allowed(void **state)
{
	(void)state;
	struct retry_budget budget = {0};
	enter_many(&budget, 95, false);
	enter_many(&budget, 19, true);
	assert_true(retry_budget_allows(&budget, &twenty, true, 0)); /* 20 of 114 */
	retry_budget_enter(&budget, true);
	enter_many(&budget, 9, false);
	assert_true(retry_budget_allows(&budget, &twenty, true, 0)); /* 124 run */
	enter_many(&budget, 6, true);
	assert_false(retry_budget_allows(&budget, &twenty, true, 0)); /* the 27th of 131 */
}

static void a_place_is_given_back_when_its_call_leaves(void **state)
{
	(void)state;
	struct retry_budget budget = {0};
	enter_many(&budget, 3, true);
	assert_false(retry_budget_allows(&budget, &twenty, true, 0));
	retry_budget_leave(&budget, true, false, 0);
	assert_true(retry_budget_allows(&budget, &twenty, true, 0));
	assert_int_equal(budget.running, 2);
}

/* A backend that answers 429 in a millisecond got two repeats of every request, three at a time. */
static void a_repeat_that_failed_keeps_its_place_for_a_while(void **state)
{
	(void)state;
	struct retry_budget budget = {0};
	for (unsigned i = 0; i < 3; i++) {
		assert_true(retry_budget_allows(&budget, &twenty, false, 0));
		retry_budget_enter(&budget, true);
		retry_budget_leave(&budget, true, true, 0);
	}
	assert_false(retry_budget_allows(&budget, &twenty, false, 100000));
	assert_true(retry_budget_allows(&budget, &twenty, true, 100000)); /* nobody else asks */
	assert_true(retry_budget_allows(&budget, &twenty, false, RETRY_BUDGET_TAU_US));
	enter_many(&budget, 30, false);
	assert_true(retry_budget_allows(&budget, &twenty, false, 100000)); /* a fifth of what runs */
	budget = (struct retry_budget){0};
	enter_many(&budget, 3, true);
	for (unsigned i = 0; i < 3; i++)
		retry_budget_leave(&budget, true, false, 0);
	assert_true(retry_budget_allows(&budget, &twenty, false, 0));
}

static void nothing_is_allowed_of_nothing(void **state)
{
	(void)state;
	static const struct config_budget none = {0, 0};
	struct retry_budget budget = {0};
	enter_many(&budget, 1000, false);
	assert_false(retry_budget_allows(&budget, &none, true, 0));
}

/* The model: the calls themselves, recounted each time. */
static void all_are_allowed_at_100_percent(void **state)
{
	static const struct config_budget all = {100, 0};
	struct retry_budget budget = {0};
	(void)state;
	for (unsigned i = 0; i < 30; i++) {
		assert_true(retry_budget_allows(&budget, &all, true, 0));
		retry_budget_enter(&budget, true);
	}
}

static void random_calls_agree_with_a_recount(void **state)
{
	enum { CALLS = 200 };
	static char calls[CALLS]; /* 'e' extra, 'f' first, 0 = none */
	(void)state;
	struct seed seed = seed_start();
	struct retry_budget budget = {0};
	unsigned refused = 0;
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned extra = 0;
		unsigned running = 0;
		for (unsigned i = 0; i < CALLS; i++) {
			running += calls[i] != 0;
			extra += calls[i] == 'e';
		}
		double most = (running + 1) * 0.2 < 3 ? 3 : (running + 1) * 0.2;
		bool allowed = extra + 1 <= most + 1e-9;
		assert_int_equal(retry_budget_allows(&budget, &twenty, true, 0), allowed);
		assert_int_equal(budget.running, running);
		assert_int_equal(budget.extra, extra);
		char *call = &calls[seed_below(&seed, CALLS)];
		bool as_extra = seed_below(&seed, 2) == 0;
		if (*call != 0) {
			retry_budget_leave(&budget, *call == 'e', false, 0);
			*call = 0;
		} else if (!as_extra || allowed) {
			retry_budget_enter(&budget, as_extra);
			*call = as_extra ? 'e' : 'f';
		} else {
			refused++;
		}
	}
	assert_true(refused > STEPS / 100);
}

/* ---- hedges ---- */

static bool take_after(unsigned requests, unsigned percent)
{
	struct hedge_budget spares = {0};
	while (requests-- > 0)
		hedge_budget_earn(&spares);
	return hedge_budget_take(&spares, percent);
}

static void a_spare_costs_twenty_requests_at_five_percent(void **state)
{
	(void)state;
	assert_false(take_after(19, 5));
	assert_true(take_after(20, 5));
	assert_false(take_after(33, 3));
	assert_true(take_after(34, 3)); /* rounded so that it is never more */
	assert_true(take_after(1, 100));
	assert_true(take_after(1, 1000));
	assert_false(take_after(0, 100));
	assert_false(take_after(1000000, 0));
}

static void what_was_saved_makes_a_small_burst_only(void **state)
{
	(void)state;
	struct hedge_budget spares = {0};
	for (unsigned i = 0; i < 100000; i++) {
		hedge_budget_earn(&spares);
		hedge_budget_settle(&spares);
	}
	for (unsigned i = 0; i < HEDGE_BUDGET_BURST; i++)
		assert_true(hedge_budget_take(&spares, 5));
	assert_false(hedge_budget_take(&spares, 5));
}

/* Of ten slow requests at once seven had no spare, although every one was allowed to have its own. */
static void each_of_many_that_are_under_way_keeps_its_credit(void **state)
{
	(void)state;
	struct hedge_budget spares = {0};
	for (unsigned i = 0; i < 300; i++)
		hedge_budget_earn(&spares);
	for (unsigned i = 0; i < 300; i++)
		assert_true(hedge_budget_take(&spares, 100));
	assert_false(hedge_budget_take(&spares, 100));
}

/* The model: every request and spare as a letter; credit is counted again from the beginning. */
static unsigned credit_of(const char *history, size_t length, unsigned price)
{
	unsigned credit = 0;
	for (size_t i = 0; i < length; i++) {
		if (history[i] == 'r')
			credit++;
		else
			credit -= price;
		credit = credit > price * HEDGE_BUDGET_BURST ? price * HEDGE_BUDGET_BURST : credit;
	}
	return credit;
}

static void random_requests_agree_with_a_recount(void **state)
{
	enum { HISTORY = 600 };
	static const struct {
		unsigned percent, price;
	} rates[] = {{1, 100}, {3, 34}, {5, 20}, {10, 10}, {30, 4}, {60, 2}, {100, 1}};
	char history[HISTORY];
	(void)state;
	struct seed seed = seed_start();
	for (unsigned round = 0; round < STEPS / HISTORY; round++) {
		struct hedge_budget spares = {0};
		unsigned rate = (unsigned)seed_below(&seed, 7);
		unsigned eager = 1 + (unsigned)seed_below(&seed, 50);
		size_t length = 0;
		size_t requests = 0;
		size_t taken = 0;
		for (unsigned i = 0; i < HISTORY; i++) {
			if (seed_below(&seed, eager) != 0) {
				hedge_budget_earn(&spares);
				hedge_budget_settle(&spares);
				history[length++] = 'r';
				requests++;
				continue;
			}
			bool allowed = credit_of(history, length, rates[rate].price) >= rates[rate].price;
			assert_int_equal(hedge_budget_take(&spares, rates[rate].percent), allowed);
			if (allowed) {
				history[length++] = 's';
				taken++;
			}
			assert_true(taken * 100 <= requests * rates[rate].percent);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_least_is_always_allowed),
	    cmocka_unit_test(a_fifth_of_what_runs_is_allowed),
	    cmocka_unit_test(a_place_is_given_back_when_its_call_leaves),
	    cmocka_unit_test(a_repeat_that_failed_keeps_its_place_for_a_while),
	    cmocka_unit_test(nothing_is_allowed_of_nothing),
	    cmocka_unit_test(all_are_allowed_at_100_percent),
	    cmocka_unit_test(random_calls_agree_with_a_recount),
	    cmocka_unit_test(a_spare_costs_twenty_requests_at_five_percent),
	    cmocka_unit_test(what_was_saved_makes_a_small_burst_only),
	    cmocka_unit_test(each_of_many_that_are_under_way_keeps_its_credit),
	    cmocka_unit_test(random_requests_agree_with_a_recount),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
