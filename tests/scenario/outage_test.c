/* SPDX-License-Identifier: MIT */
/*
 * Outages, counted over many requests with the default breaker and retry budget:
 * when all backends fail, clients' requests are hardly multiplied, whatever plan
 * they have; and when a backend recovers, its calls come back with the first
 * probe of its breaker.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

enum { BACKENDS = 4, REQUESTS = 300, FLAPS = 5 };

#define ALL "[a/m, b/m, c/m, d/m]"

struct world {
	struct sim *sim[BACKENDS];
	struct sluice *sluice;
};

static struct world start(void)
{
	struct world world;
	for (size_t i = 0; i < BACKENDS; i++)
		world.sim[i] = sim_start((const char *const[]){"--tokens", "2", NULL});
	world.sluice = sluice_start(
	    "backends:\n"
	    "  a: { url: 'http://127.0.0.1:%d/v1', timeouts: { first_content: 300ms } }\n"
	    "  b: { url: 'http://127.0.0.1:%d/v1', timeouts: { first_content: 300ms } }\n"
	    "  c: { url: 'http://127.0.0.1:%d/v1', timeouts: { first_content: 300ms } }\n"
	    "  d: { url: 'http://127.0.0.1:%d/v1', timeouts: { first_content: 300ms } }\n"
	    "  calm: { url: 'http://127.0.0.1:%d/v1' }\n"
	    "  flaps: { url: 'http://127.0.0.1:%d/v1', breaker: { wait: 200ms, wait_most: 200ms },"
	    " probe: { slow_start: 0s } }\n"
	    "models:\n"
	    "  pair: { fallback: [{ balance: [flaps/m, calm/m], by: weighted }, calm/m] }\n"
	    "  m: { fallback: [{ retry: { balance: " ALL " }, attempts: 3 }, { balance: " ALL " }, d/m] }\n",
	    world.sim[0]->port, world.sim[1]->port, world.sim[2]->port, world.sim[3]->port, world.sim[1]->port,
	    world.sim[0]->port);
	return world;
}

static double attempts(const struct world *world)
{
	static const char *const reasons[] = {"first", "retry", "fallback", "hedge"};
	char sample[96];
	double sum = 0;
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
		snprintf(sample, sizeof sample, "sluice_attempts_total{model=\"m\",reason=\"%s\"}", reasons[i]);
		sum += sluice_metric(world->sluice, sample);
	}
	return sum;
}

/* REQUESTS of them fail, each with one error; calls are at most 1.2 for each, and a few for each second: the breaker
 * and the budget allow that many anew. */
static void check_outage(const char *control, size_t at_once)
{
	enum { CALLS_A_SECOND = 10 };
	struct world world = start();
	struct mass_job *jobs = mass_jobs(REQUESTS, chat_body("m", true));
	for (size_t i = 0; i < BACKENDS; i++)
		sim_control(world.sim[i], control);
	struct mass mass = {.sluice = world.sluice,
			    .via = VIA_H1,
			    .connections = at_once,
			    .streams = 1,
			    .jobs = jobs,
			    .count = REQUESTS};
	uint64_t began_us = clock_us();
	mass_run(&mass);
	uint64_t seconds = (clock_us() - began_us) / 1000000;
	for (size_t i = 0; i < REQUESTS; i++) {
		assert_true(jobs[i].answer.ended);
		assert_in_range(jobs[i].answer.status, 500, 504);
	}
	mass_free_answers(&mass);
	free(jobs);
	double calls = attempts(&world);
	print_message("%s: %g calls for %d requests\n", control, calls, REQUESTS);
	assert_true(calls * 10 <= REQUESTS * 12 + (double)seconds * CALLS_A_SECOND * 10);
	sluice_wait_idle(world.sluice);
}

static void when_all_backends_refuse_connections_there_are_few_calls(void **state)
{
	(void)state;
	check_outage("{\"listen\":false,\"drop_connections\":false}", 30);
}

/* All are on their way before anybody knows: what fails then may not all be tried again. */
static void when_all_backends_hang_there_are_few_calls(void **state)
{
	(void)state;
	check_outage("{\"fault\":\"hang_before_head\"}", REQUESTS);
}

static void when_all_backends_answer_500_there_are_few_calls(void **state)
{
	(void)state;
	check_outage("{\"fault\":\"status=500\"}", 30);
}

static double changes(const struct world *world, const char *state)
{
	char sample[96];
	snprintf(sample, sizeof sample, "sluice_breaker_transitions_total{target=\"flaps/m\",state=\"%s\"}", state);
	return sluice_metric(world->sluice, sample);
}

/* Asks one by one, each is answered by somebody, until the breaker is in that state. */
static void ask_until(const struct world *world, double breaker)
{
	struct patience patience = patience_for("the breaker to change");
	while (sluice_metric(world->sluice, "sluice_breaker_state{target=\"flaps/m\"}") != breaker) {
		struct answer answer;
		client_fetch_chat(world->sluice, VIA_H1, "pair", true, &answer);
		assert_int_equal(answer.status, 200);
		answer_free(&answer);
		patience_wait(&patience);
	}
}

/* Every time it fails its breaker opens, and the first probe after it recovered brings all of its calls back. */
static void a_backend_that_flaps_is_back_with_the_first_probe_each_time(void **state)
{
	struct world world = start();
	(void)state;
	for (int flap = 0; flap < FLAPS; flap++) {
		sim_control(world.sim[0], "{\"fault\":\"status=500\"}");
		ask_until(&world, 1);
		sim_control(world.sim[0], "{\"fault\":null}");
		double opened = changes(&world, "open"), probed = changes(&world, "half_open");
		double closed = changes(&world, "closed");
		ask_until(&world, 0);
		assert_true(changes(&world, "open") == opened);
		assert_true(changes(&world, "half_open") == probed + 1);
		assert_true(changes(&world, "closed") == closed + 1);
		size_t before = sim_call_count(world.sim[0], "");
		for (int i = 0; i < 20; i++) {
			struct answer answer;
			client_fetch_chat(world.sluice, VIA_H1, "pair", true, &answer);
			check_header(&answer, "x-sluice-attempts", "1");
			answer_free(&answer);
		}
		assert_in_range(sim_call_count(world.sim[0], "") - before, 3, 20);
	}
	sluice_wait_idle(world.sluice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(when_all_backends_refuse_connections_there_are_few_calls),
	    SCENARIO(when_all_backends_hang_there_are_few_calls),
	    SCENARIO(when_all_backends_answer_500_there_are_few_calls),
	    SCENARIO(a_backend_that_flaps_is_back_with_the_first_probe_each_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
