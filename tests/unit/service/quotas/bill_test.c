/* SPDX-License-Identifier: MIT */
/*
 * What requests reserve that announce more than their answers usually come to: of a key whose answers were short, at 1,
 * 30 and 300 requests at once, under limits with several overdrafts.
 */
#include "tests/unit/config/fixture.h"

#include "lib/timers.h"
#include "service/quotas/bill.h"

enum { LIMIT = 100000, ANNOUNCED = 4000, SHORT = 10, BODY = 30, CROWD = 300, SECOND = 1000000 };

struct world {
	const struct config *config;
	struct quotas *quotas;
	struct timers timers;
	const struct config_model *model;
};

static void start(struct world *world, const char *limits)
{
	static char yaml[1024];
	snprintf(yaml, sizeof(yaml),
		 "listen: [127.0.0.1:1]\nbackends: { b: { url: 'http://h:1' } }\nmodels: { m: b/x }\n"
		 "prices: { '*': { input: 0, output: 10 } }\nquotas: { q: { %s } }\n",
		 limits);
	world->config = fixture_good(yaml);
	world->quotas = quotas_create(world->config);
	assert_non_null(world->quotas);
	world->timers = (struct timers){.now_us = 1000 * (uint64_t)SECOND};
	world->model = &world->config->models[0];
}

static void finish(struct world *world)
{
	quotas_destroy(world->quotas);
	config_drop(world->config);
}

/* Returns the bill of a request; NULL: it was refused. announced: -1 = nothing. */
static struct bill *ask(struct world *world, int64_t announced, struct quota_refusal *refusal)
{
	struct bill_party party = {.models = &world->model, .model_count = 1};
	struct bill_estimate estimate = {.body = BODY, .output_most = announced, .choices = 1};
	bool exhausted;
	struct bill *bill = bill_open(world->quotas, &party, &world->timers, &exhausted);
	assert_non_null(bill);
	if (bill_admit(bill, &estimate, refusal))
		return bill;
	bill_drop(bill);
	return NULL;
}

static void answer(struct world *world, struct bill *bill, int64_t tokens)
{
	const struct bill_call call = {.model = world->model,
				       .target = world->model->plan,
				       .usage = {.prompt_tokens = 1, .completion_tokens = tokens, .total_tokens = -1},
				       .body = BODY};
	bill_charge(bill, &call);
	bill_drop(bill);
}

/* Has the key known for short answers; they are out of the window in the end. */
static void answer_shortly(struct world *world)
{
	struct quota_refusal refusal;
	for (int i = 0; i < 200; i++) {
		struct bill *bill = ask(world, ANNOUNCED, &refusal);
		assert_non_null(bill);
		answer(world, bill, SHORT);
		world->timers.now_us += 10 * (uint64_t)SECOND;
	}
	world->timers.now_us += 100 * (uint64_t)SECOND;
}

/* Asks that often at once. Returns how many were taken. */
static int ask_at_once(struct world *world, struct bill **bills, int count, int64_t announced)
{
	struct quota_refusal refusal;
	int taken = 0;
	for (int i = 0; i < count; i++) {
		bills[taken] = ask(world, announced, &refusal);
		if (bills[taken] != NULL)
			taken++;
		else
			assert_true(refusal.wait_us >= SECOND && refusal.wait_us != UINT64_MAX);
	}
	return taken;
}

static uint64_t left_of(struct world *world)
{
	struct bill_party party = {.models = &world->model, .model_count = 1};
	struct quota_state state;
	bool exhausted;
	size_t count;
	struct bill *bill = bill_open(world->quotas, &party, &world->timers, &exhausted);
	bill_look(bill, &state, 1, &count);
	bill_drop(bill);
	assert_int_equal(count, 1);
	assert_int_equal(state.reserved, 0);
	return state.left;
}

/* All answers become as long as they may: used is the limit, the overdraft, and what one answer reserves at most. */
static void long_answers_after_short_ones_exceed_a_limit_by_its_overdraft_at_most(void **state)
{
	static const char *const limits[] = {
	    "output_tokens: 100000/minute, overdraft: 0%", "output_tokens: 100000/minute, overdraft: 10%",
	    "output_tokens: 100000/minute", "output_tokens: 100000/minute, overdraft: 300%",
	    "spend: 1.00/minute, overdraft: 10%" /* 100,000 tokens */};
	static const int percents[] = {0, 10, 100, 300, 10};
	static const int crowds[] = {1, 30, CROWD};
	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		for (size_t j = 0; j < sizeof(crowds) / sizeof(crowds[0]); j++) {
			struct world world;
			struct bill *bills[CROWD];
			start(&world, limits[i]);
			answer_shortly(&world);
			int taken = ask_at_once(&world, bills, crowds[j], ANNOUNCED);
			int most = (LIMIT + LIMIT / 100 * percents[i]) / ANNOUNCED;
			assert_true(taken <= most + 1); /* one that is the only one may come to more */
			assert_true(taken >= (crowds[j] < most ? crowds[j] : most - 1)); /* by what they reserve */
			for (int k = 0; k < taken; k++)
				answer(&world, bills[k], ANNOUNCED);
			assert_int_equal(left_of(&world) > 0, taken * ANNOUNCED < LIMIT);
			finish(&world);
		}
}

static void requests_that_announce_little_are_taken_up_to_the_limit(void **state)
{
	struct world world;
	struct bill *bills[CROWD];
	(void)state;
	start(&world, "output_tokens: 3000/minute, overdraft: 0%");
	assert_int_equal(ask_at_once(&world, bills, CROWD, SHORT), CROWD);
	for (int i = 0; i < CROWD; i++)
		answer(&world, bills[i], SHORT);
	assert_int_equal(left_of(&world), 0);
	finish(&world);
}

/* Of 4096 tokens each at least: nobody knows better. */
static void requests_that_announce_nothing_are_bounded_as_well(void **state)
{
	struct world world;
	struct bill *bills[CROWD];
	(void)state;
	start(&world, "output_tokens: 100000/minute");
	answer_shortly(&world);
	int taken = ask_at_once(&world, bills, CROWD, -1);
	assert_in_range(taken, 2 * LIMIT / 4096 - 1, 2 * LIMIT / 4096 + 1);
	for (int i = 0; i < taken; i++)
		answer(&world, bills[i], SHORT);
	finish(&world);
}

static void one_request_that_announces_more_than_the_limit_is_taken_unless_there_is_no_overdraft(void **state)
{
	struct world world;
	struct quota_refusal refusal;
	struct bill *bills[CROWD];
	(void)state;
	start(&world, "output_tokens: 3000/minute");
	answer_shortly(&world);
	for (int i = 0; i < 100; i++) { /* each of them alone */
		assert_int_equal(ask_at_once(&world, bills, 1, ANNOUNCED), 1);
		answer(&world, bills[0], SHORT);
		world.timers.now_us += SECOND;
	}
	finish(&world);
	start(&world, "output_tokens: 3000/minute, overdraft: 0%");
	assert_null(ask(&world, ANNOUNCED, &refusal));
	assert_true(refusal.wait_us == UINT64_MAX);
	assert_int_equal(refusal.asked, ANNOUNCED);
	finish(&world);
}

static void a_bill_that_needs_no_calls_gives_its_overdraft_back(void **state)
{
	struct world world;
	struct quota_refusal refusal;
	struct bill *bills[CROWD];
	(void)state;
	start(&world, "output_tokens: 100000/minute, overdraft: 10%");
	answer_shortly(&world);
	int once = ask_at_once(&world, bills, CROWD, ANNOUNCED);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < once; i++)
			bill_need_no_calls(bills[i]);
		for (int i = 0; i < once; i++) {
			const struct bill_estimate estimate = {.body = BODY, .output_most = ANNOUNCED, .choices = 1};
			assert_true(bill_admit(bills[i], &estimate, &refusal));
		}
		assert_null(ask(&world, ANNOUNCED, &refusal));
	}
	for (int i = 0; i < once; i++)
		bill_drop(bills[i]);
	assert_int_equal(left_of(&world), LIMIT);
	finish(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(long_answers_after_short_ones_exceed_a_limit_by_its_overdraft_at_most),
	    cmocka_unit_test(requests_that_announce_little_are_taken_up_to_the_limit),
	    cmocka_unit_test(requests_that_announce_nothing_are_bounded_as_well),
	    cmocka_unit_test(one_request_that_announces_more_than_the_limit_is_taken_unless_there_is_no_overdraft),
	    cmocka_unit_test(a_bill_that_needs_no_calls_gives_its_overdraft_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
