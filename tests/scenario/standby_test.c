/* SPDX-License-Identifier: MIT */
/*
 * Many requests at once whose first backend fails: a healthy standby serves all of them, whatever the failure, and
 * backends that all fail are not asked by each request in turn. A fallback that worked for one request after the other
 * left 27 of 30 simultaneous ones with the error of the first backend: the budget for repeats stood in their way.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

enum { ROUNDS = 3, CALLS_A_SECOND = 10 /* that are allowed anew, whatever has failed */ };
static const size_t crowds[] = {30, 300};

struct world {
	struct sim *p;
	struct sim *q;
	struct sluice *sluice;
};

/* limit: of a backend's silence before its first content. */
static struct world start_with(const char *limit, const char *models)
{
	struct world world = {.p = sim_start((const char *const[]){"--tokens", "3", NULL}),
			      .q = sim_start((const char *const[]){"--tokens", "3", NULL})};
	world.sluice =
	    sluice_start("backends:\n"
			 "  dead: { url: 'http://127.0.0.1:1/v1' }\n"
			 "  hasty: { url: 'http://127.0.0.1:%d/v1', timeouts: { first_content: 1s } }\n"
			 "  p: { url: 'http://127.0.0.1:%d/v1', timeouts: { first_content: %s } }\n"
			 "  q: { url: 'http://127.0.0.1:%d/v1', timeouts: { first_content: %s }, prefill: true }\n"
			 "%s",
			 world.p->port, world.p->port, limit, world.q->port, limit, models);
	return world;
}

/* With limits that no busy machine reaches. */
static struct world start(const char *models)
{
	return start_with("100s", models);
}

/* Runs count requests of model at once; fails unless every one is served whole. */
static void expect_all_served(const struct world *world, const char *model, bool stream, size_t count)
{
	char body[256];
	snprintf(body, sizeof body, "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]%s}", model,
		 stream ? ",\"stream\":true" : "");
	struct mass_job *jobs = mass_jobs(count, body);
	struct mass mass = {
	    .sluice = world->sluice, .via = VIA_H1, .connections = count, .streams = 1, .jobs = jobs, .count = count};
	mass_run(&mass);
	size_t served = 0;
	for (size_t i = 0; i < count; i++) {
		bool whole = jobs[i].answer.ended && jobs[i].answer.status == 200 &&
			     (!stream || bytes_contain(&jobs[i].answer.body, "[DONE]"));
		served += whole;
		if (!whole && served == i)
			print_message("%s: %d %.*s\n", model, jobs[i].answer.status, (int)jobs[i].answer.body.len,
				      jobs[i].answer.body.at);
	}
	mass_free_answers(&mass);
	free(jobs);
	if (served != count)
		fail_msg("%s, %s: %zu of %zu served", model, stream ? "streamed" : "whole", served, count);
}

/* Several rounds, so that a cold standby, a proven one and an open breaker are all met. */
static void expect_rescued(const char *models)
{
	for (size_t i = 0; i < sizeof crowds / sizeof crowds[0]; i++) {
		for (int stream = 0; stream < 2; stream++) {
			struct world world = start(models);
			for (int round = 0; round < ROUNDS; round++)
				expect_all_served(&world, "m", stream, crowds[i]);
			sluice_wait_idle(world.sluice);
		}
	}
}

static void a_rate_limited_backend_leaves_everybody_to_its_standby(void **state)
{
	(void)state;
	expect_rescued("models: { m: { fallback: [p/x;status=429, q/x] } }\n");
}

static void an_unavailable_backend_leaves_everybody_to_its_standby(void **state)
{
	(void)state;
	expect_rescued("models: { m: { fallback: [p/x;status=503, q/x] } }\n");
}

static void a_backend_that_resets_leaves_everybody_to_its_standby(void **state)
{
	(void)state;
	expect_rescued("models: { m: { fallback: [p/x;reset_before_head, q/x] } }\n");
}

static void a_backend_that_is_gone_leaves_everybody_to_its_standby(void **state)
{
	(void)state;
	expect_rescued("models: { m: { fallback: [dead/x, q/x] } }\n");
}

static void a_silent_backend_leaves_everybody_to_its_standby(void **state)
{
	(void)state;
	struct world world = start("models: { m: { fallback: ['hasty/x;hang_before_head', q/x] } }\n");
	expect_all_served(&world, "m", true, 30);
	expect_all_served(&world, "m", true, 300);
}

static void another_model_of_the_same_backend_is_a_standby_for_its_rate_limit(void **state)
{
	(void)state;
	expect_rescued("models: { m: { fallback: [p/x;status=429, p/y] } }\n");
}

static void a_failed_standby_does_not_keep_requests_from_the_next_one(void **state)
{
	(void)state;
	expect_rescued("models: { m: { fallback: [p/x;status=503, dead/x, q/x] } }\n");
}

static void a_slow_standby_serves_everybody(void **state)
{
	struct world world = start("models: { m: { fallback: [p/x;status=429, 'q/x;ttft=400ms'] } }\n");
	(void)state;
	expect_all_served(&world, "m", false, 30);
	expect_all_served(&world, "m", true, 300);
}

/* `retry` with several children: an open breaker or a Retry-After of the first left 300 of 300 without the second. */
static void the_children_of_a_retry_stand_by_each_other(void **state)
{
	(void)state;
	expect_rescued("models: { m: { retry: [p/x;status=503, q/x] } }\n");
	expect_rescued("models: { m: { retry: [p/x;status=429;retry_after=60, q/x] } }\n");
	expect_rescued("models: { m: { retry: [dead/x, p/x;status=503, q/x], attempts: 3 } }\n");
}

static void a_pause_that_one_target_asks_for_ends_no_retry_of_a_balance(void **state)
{
	(void)state;
	expect_rescued("models: { m: { retry: { balance: [p/x;status=429;retry_after=60, q/x] } } }\n");
}

static void a_budget_of_100_percent_allows_every_repeat(void **state)
{
	(void)state;
	expect_rescued("models: { m: { retry: 'p/x;status=429;times=30', attempts: 10 } }\n"
		       "retries: { percent: 100, least: 0 }\n");
}

static void a_hedge_for_every_request_gives_every_slow_one_its_spare(void **state)
{
	struct world world = start("models: { m: { hedge: ['p/x;ttft=900s', q/x], after: 50ms, hedges: '100%' } }\n");
	(void)state;
	expect_all_served(&world, "m", true, 10);
	expect_all_served(&world, "m", true, 30);
	expect_all_served(&world, "m", true, 300);
}

static void streams_that_are_cut_together_are_all_continued(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof crowds / sizeof crowds[0]; i++) {
		struct world world = start("models: { m: { fallback: ['p/count;tokens=60;reset_mid;after=40', "
					   "'q/count;tokens=60'], resume: continue } }\n");
		for (int round = 0; round < ROUNDS; round++)
			expect_all_served(&world, "m", true, crowds[i]);
		sluice_wait_idle(world.sluice);
	}
}

/* Repeats at the one backend there is, however quickly it fails: a fifth at most, as the default budget says. */
static void check_repeats(const char *fault)
{
	char models[128];
	snprintf(models, sizeof models, "models: { m: { retry: 'p/x;%s', attempts: 3 } }\n", fault);
	struct world world = start(models);
	struct mass_job jobs[300] = {0};
	for (size_t i = 0; i < 300; i++)
		jobs[i].body = chat_body("m", true);
	struct mass mass = {
	    .sluice = world.sluice, .via = VIA_H1, .connections = 300, .streams = 1, .jobs = jobs, .count = 300};
	uint64_t began_us = clock_us();
	mass_run(&mass);
	double seconds = (double)((clock_us() - began_us) / 1000000);
	mass_free_answers(&mass);
	double repeats = sluice_metric(world.sluice, "sluice_attempts_total{model=\"m\",reason=\"retry\"}");
	print_message("%s: %g repeats of 300 requests\n", fault, repeats);
	assert_true(repeats <= 90 + seconds * CALLS_A_SECOND); /* what ended longer ago is forgotten */
}

/* No breaker takes a backend out of service for 429, and each request was repeated twice, three at a time. */
static void a_backend_that_fails_gets_no_more_repeats_than_its_budget(void **state)
{
	(void)state;
	check_repeats("status=503");
	check_repeats("status=429");
	check_repeats("ttft=200ms;status=429");
}

/* None of three backends works; most requests ask only the first. A rate limit opens no breaker: one that asks alone
 * tries all. */
static void check_outage(const char *plan, size_t count, size_t at_once, double most)
{
	char models[256];
	snprintf(models, sizeof models, "models: { m: { fallback: [%s] } }\n", plan);
	struct world world = start_with("1s", models);
	struct mass_job *jobs = mass_jobs(count, chat_body("m", true));
	struct mass mass = {
	    .sluice = world.sluice, .via = VIA_H1, .connections = at_once, .streams = 1, .jobs = jobs, .count = count};
	uint64_t began_us = clock_us();
	mass_run(&mass);
	double seconds = (double)((clock_us() - began_us) / 1000000);
	for (size_t i = 0; i < count; i++)
		assert_in_range(jobs[i].answer.status, 429, 504);
	mass_free_answers(&mass);
	free(jobs);
	double calls = sluice_metric(world.sluice, "sluice_attempts_total{model=\"m\",reason=\"first\"}") +
		       sluice_metric(world.sluice, "sluice_attempts_total{model=\"m\",reason=\"fallback\"}");
	print_message("%s, %zu at once: %g calls for %zu requests\n", plan, at_once, calls, count);
	assert_true(calls <= (double)count * most + seconds * CALLS_A_SECOND);
}

static void when_all_backends_of_a_chain_fail_there_are_few_calls(void **state)
{
	(void)state;
	check_outage("p/x;hang_before_head, q/y;hang_before_head, q/z;hang_before_head", 300, 300, 1.2);
	check_outage("p/x;status=503, q/y;status=503, q/z;status=503", 300, 30, 1.2);
	check_outage("p/x;reset_before_head, q/y;reset_before_head", 300, 30, 1.2);
	check_outage("p/x;status=429, q/y;status=429, q/z;status=429", 300, 30, 1.5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_rate_limited_backend_leaves_everybody_to_its_standby),
	    SCENARIO(an_unavailable_backend_leaves_everybody_to_its_standby),
	    SCENARIO(a_backend_that_resets_leaves_everybody_to_its_standby),
	    SCENARIO(a_backend_that_is_gone_leaves_everybody_to_its_standby),
	    SCENARIO(a_silent_backend_leaves_everybody_to_its_standby),
	    SCENARIO(another_model_of_the_same_backend_is_a_standby_for_its_rate_limit),
	    SCENARIO(a_failed_standby_does_not_keep_requests_from_the_next_one),
	    SCENARIO(a_slow_standby_serves_everybody),
	    SCENARIO(the_children_of_a_retry_stand_by_each_other),
	    SCENARIO(a_pause_that_one_target_asks_for_ends_no_retry_of_a_balance),
	    SCENARIO(a_budget_of_100_percent_allows_every_repeat),
	    SCENARIO(a_hedge_for_every_request_gives_every_slow_one_its_spare),
	    SCENARIO(streams_that_are_cut_together_are_all_continued),
	    SCENARIO(a_backend_that_fails_gets_no_more_repeats_than_its_budget),
	    SCENARIO(when_all_backends_of_a_chain_fail_there_are_few_calls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
