/* SPDX-License-Identifier: MIT */
/*
 * make soak: the real service with two workers, three simulators and a real
 * Redis, under mixed traffic with faults for SOAK_SECONDS (1200). It goes in
 * rounds: traffic with one fault of the list, then a quiet moment in which
 * nothing may be left, and memory and descriptors are sampled. In the end they
 * must be flat. The seed of the dice is printed, and can be given in SOAK_SEED.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/soak/faults.h"
#include "tests/soak/guests.h"
#include "tests/soak/samples.h"
#include "tests/soak/traffic.h"

enum { SECONDS = 1200, ROUND_LEAST = 4, ROUND_MOST = 15, ROUNDS_LEAST = 24, LOOK_US = 20000 };

struct world {
	struct sim *flaky, *steady, *narrow;
	struct redis_process *redis;
	struct sluice *sluice;
	struct traffic traffic;
	struct guests guests;
	struct faults faults;
	struct samples samples;
	uint64_t round_us;       /* how long a round is */
	uint64_t round_began_us; /* clock_us */
	uint64_t looked_us;
	const char *fault; /* of this round; NULL = not yet */
};

static void stop_redis(void *process)
{
	redis_process_stop(process);
}

static void let_guests_leave(void *guests)
{
	guests_leave(guests);
}

static struct world *start(void)
{
	struct world *world = calloc(1, sizeof *world);
	struct bytes yaml = {0};
	assert_non_null(world);
	scenario_defer(free, world);
	world->flaky = sim_start(NULL);
	world->steady = sim_start(NULL);
	world->narrow = sim_start(NULL);
	world->redis = redis_process_start(faults_redis_options);
	scenario_defer(stop_redis, world->redis);
	traffic_config(&yaml, world->flaky->port, world->steady->port, world->narrow->port);
	bytes_printf(&yaml,
		     "cache: { size: 512KiB, models: { kept: { stale_if_error: 60s } } }\n"
		     "redis: { servers: '127.0.0.1:%d' }\nlimits: { buffer: 64KiB }\n",
		     world->redis->port);
	world->sluice = sluice_start("%s", bytes_text(&yaml));
	bytes_free(&yaml);
	world->traffic = (struct traffic){.sluice = world->sluice};
	world->guests.sluice = world->sluice;
	scenario_defer(let_guests_leave, &world->guests); /* what stays would hold up the service's end */
	world->faults = (struct faults){.sluice = world->sluice, .flaky = world->flaky, .redis = world->redis};
	samples_start(&world->samples, world->sluice);
	return world;
}

/* A fault begins in the second fifth of a round and is over in the fourth. */
static void on_turn(void *user)
{
	struct world *world = user;
	uint64_t now = clock_us(), since = now - world->round_began_us;
	if (now - world->looked_us < LOOK_US)
		return;
	world->looked_us = now;
	guests_look(&world->guests);
	if (world->fault == NULL && since > world->round_us / 5)
		world->fault = faults_begin(&world->faults);
	if (since > world->round_us / 5 * 3)
		faults_end(&world->faults);
}

static void run_round(struct world *world)
{
	world->round_began_us = clock_us();
	world->fault = NULL;
	uint64_t until_us = world->round_began_us + world->round_us;
	while (clock_us() < until_us)
		traffic_run(&world->traffic, until_us, on_turn, world);
	faults_end(&world->faults);
	guests_leave(&world->guests);
	sim_wait_idle(world->flaky);
	sim_wait_idle(world->steady);
	sim_wait_idle(world->narrow);
	proc_drop_log(world->sluice->proc);
}

static uint64_t number_from(const char *name, uint64_t usual)
{
	const char *text = getenv(name);
	return text == NULL || *text == '\0' ? usual : strtoull(text, NULL, 10);
}

static void mixed_traffic_with_faults_leaves_nothing_behind_and_memory_flat(void **state)
{
	struct world *world = start();
	uint64_t seconds = number_from("SOAK_SECONDS", SECONDS), round = seconds / ROUNDS_LEAST;
	uint64_t began_us = clock_us();
	(void)state;
	round = round < ROUND_LEAST ? ROUND_LEAST : round > ROUND_MOST ? ROUND_MOST : round;
	world->round_us = round * 1000000;
	world->traffic.random = number_from("SOAK_SEED", (uint64_t)getpid() * 1000003 + began_us);
	printf("SOAK_SECONDS=%llu SOAK_SEED=%llu\n", (unsigned long long)seconds,
	       (unsigned long long)world->traffic.random);
	samples_take(&world->samples, 0, "before", 0);
	samples_start(&world->samples, world->sluice);
	while (clock_us() - began_us < seconds * 1000000) {
		run_round(world);
		samples_take(&world->samples, (clock_us() - began_us) / 1000000,
			     world->fault == NULL ? "none" : world->fault, world->traffic.requests);
	}
	traffic_close(&world->traffic);
	printf("%-22s %9zu\n%-22s %9zu\n", "slow readers", world->guests.served, "refused connections",
	       world->guests.refused);
	assert_true(world->guests.served > 0 && world->guests.refused > 0);
	samples_close(&world->samples);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(mixed_traffic_with_faults_leaves_nothing_behind_and_memory_flat),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
