/* SPDX-License-Identifier: MIT */
/*
 * A thousand clients ask for the same at once, half of them as a stream, over four workers of one process and over two
 * such processes with one Redis: the backend is asked once, and everybody has all of the answer.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/scenario/harness/cached.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/replicas.h"
#include "tests/scenario/harness/scenario.h"

enum { CROWD = 1000, WORKERS = 4, H2_STREAMS = 25 };

/* The first token comes when all of them are there. */
#define SLOW "models:\n  m: sim/count;tokens=20;gate=0;itl=10ms\n"

static struct sluice *add(const struct replicas *world, const char *redis)
{
	return sluice_start_workers(WORKERS,
				    "backends: { sim: { url: 'http://127.0.0.1:%d/v1' } }\n"
				    "%s" SLOW,
				    world->sim->port, redis);
}

static void check_crowd(const struct replicas *world, unsigned services, enum via via)
{
	bool h1 = via == VIA_H1 || via == VIA_H1_TLS;
	struct mass_job *jobs = calloc(CROWD, sizeof *jobs);
	const char *const bodies[] = {cached_body("m", false, CACHED_ZERO), cached_body("m", true, CACHED_ZERO)};
	assert_non_null(jobs);
	for (size_t i = 0; i < CROWD; i++) {
		jobs[i].body = bodies[i / services % 2];
		jobs[i].service = (unsigned)(i % services);
	}
	struct mass mass = {.sluice = world->each[0],
			    .others = {world->each[1]},
			    .services = services,
			    .via = via,
			    .connections = h1 ? CROWD : CROWD / H2_STREAMS,
			    .streams = h1 ? 1 : H2_STREAMS,
			    .jobs = jobs,
			    .count = CROWD,
			    .gate = world->sim};
	mass_run(&mass);
	assert_int_equal(mass.most_open, CROWD);
	for (size_t i = 0; i < CROWD; i++)
		cached_check(&jobs[i].answer, jobs[i].body == bodies[1]);
	assert_int_equal(sim_call_count(world->sim, ""), 1);
	mass_free_answers(&mass);
	free(jobs);
	for (unsigned i = 0; i < services; i++)
		sluice_wait_base(world->each[i]);
}

static void a_thousand_at_once_over_four_workers_are_one_call(void **state)
{
	(void)state;
	for (enum via via = VIA_H1; via < VIA_COUNT; via = (enum via)(via + VIA_H2)) {
		struct replicas world = {.sim = sim_start(NULL)};
		world.each[0] = add(&world, "");
		check_crowd(&world, 1, via);
	}
}

static void a_thousand_at_once_over_two_replicas_are_one_call(void **state)
{
	(void)state;
	for (enum via via = VIA_H1; via < VIA_COUNT; via = (enum via)(via + VIA_H2)) {
		struct replicas world = replicas_prepare();
		char redis[96];
		snprintf(redis, sizeof redis, "redis: { servers: [127.0.0.1:%d], budget: 5s }\n", world.redis->port);
		for (int i = 0; i < REPLICAS; i++) {
			world.each[i] = add(&world, redis);
			replicas_wait_up(world.each[i]);
		}
		check_crowd(&world, REPLICAS, via);
		replicas_wait_idle(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_thousand_at_once_over_four_workers_are_one_call),
	    SCENARIO(a_thousand_at_once_over_two_replicas_are_one_call),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
