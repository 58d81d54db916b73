/* SPDX-License-Identifier: MIT */
/*
 * Two replicas and one Redis under a skewed load. With nothing wrong, every question is asked of the backend exactly
 * once. With everything wrong at random moments, clients still get the backend's own answer to their very request, or
 * an error that says so. SLUICE_CACHE_LOAD sets the number of requests (make test-cache-load: 200,000), the seed is
 * printed and can be given in SLUICE_CHAOS_SEED.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/load.h"
#include "tests/scenario/harness/replicas.h"
#include "tests/scenario/harness/scenario.h"

/* Memory holds a part of the answers only, so that Redis has much to say. */
#define SMALL_MEMORY "cache: { size: 256KiB }\n"

enum { REQUESTS = 8000 / LOAD_DIVISOR, PARTS = 4, QUESTION_SHARE = 60, TIGHT = 40000 };

static size_t request_count(void)
{
	const char *given = getenv("SLUICE_CACHE_LOAD");
	return given != NULL ? strtoull(given, NULL, 10) : REQUESTS;
}

/* All of it, over all ways in, one after the other. */
static void run_parts(struct load *load, const struct replicas *world)
{
	static const enum via ways[PARTS] = {VIA_H2, VIA_H1, VIA_H2_TLS, VIA_H1_TLS};
	/* most over HTTP/2: it needs no connection for each of them */
	static const unsigned until[PARTS] = {45, 50, 95, 100};
	for (int part = 0; part < PARTS; part++)
		load_run(load, world->each, REPLICAS, ways[part], load->requests * until[part] / 100);
}

/* ---- nothing wrong ---- */

static double both(const struct replicas *world, const char *sample)
{
	return sluice_metric(world->each[0], sample) + sluice_metric(world->each[1], sample);
}

static void every_question_is_asked_once(void **state)
{
	struct dice dice = dice_take();
	struct replicas world = replicas_start(LOAD_CONFIG(";itl=1ms") SMALL_MEMORY);
	struct load load = {.requests = request_count(), .dice = &dice, .sim = world.sim};
	(void)state;
	load.questions = load.requests / QUESTION_SHARE;
	load_deal(&load, REPLICAS);
	run_parts(&load, &world);
	load_tell(&load, "nothing wrong");
	double calls = sim_stat(world.sim, "total");
	print_message(
	    "calls %.0f; memory evicted %.0f; Redis: hit %.0f, miss %.0f, silent %.0f; leases: mine %.0f, taken "
	    "%.0f, answered %.0f, silent %.0f, lost %.0f\n",
	    calls, both(&world, "sluice_cache_evictions_total"),
	    both(&world, "sluice_cache_redis_total{result=\"hit\"}"),
	    both(&world, "sluice_cache_redis_total{result=\"miss\"}"),
	    both(&world, "sluice_cache_redis_total{result=\"silent\"}"),
	    both(&world, "sluice_cache_leases_total{result=\"mine\"}"),
	    both(&world, "sluice_cache_leases_total{result=\"taken\"}"),
	    both(&world, "sluice_cache_leases_total{result=\"answered\"}"),
	    both(&world, "sluice_cache_leases_total{result=\"silent\"}"),
	    both(&world, "sluice_cache_leases_total{result=\"lost\"}"));
	assert_int_equal(load.whole, load.requests);
	assert_true(calls == (double)load.distinct);
	assert_true(both(&world, "sluice_cache_redis_total{result=\"hit\"}") > 0);
	load_free(&load);
	replicas_wait_idle(&world);
}

/* ---- everything wrong ---- */

enum trouble {
	REDIS_KILLED,
	REDIS_STOPPED,
	REDIS_FULL,
	REDIS_CLIENTS_KILLED,
	REDIS_SCRIPTS_FLUSHED,
	REDIS_FLUSHED,
	BACKEND_FAULT, /* this one and all above it */
	TROUBLES = BACKEND_FAULT + 9
};

struct chaos {
	struct replicas *world;
	struct dice *dice;
	enum trouble redis; /* what it suffers from; TROUBLES = nothing */
	size_t next, undo;  /* when, by how many requests are over */
	size_t spacing;     /* long loads have them further apart */
	size_t counts[TROUBLES];
};

static void trouble_backend(struct chaos *chaos, unsigned which)
{
	static const char *const faults[TROUBLES - BACKEND_FAULT] = {
	    "status=503",        "status=500",       "reset_mid;after=3", "fin_mid;after=5",
	    "error_first_event", "hang_before_head", "reset_before_head", "events_then_hang;after=2",
	    "error_mid;after=4"};
	char body[128];
	snprintf(body, sizeof body, "{\"fault\":\"%s;times=%d\"}", faults[which], 2 + (int)dice_roll(chaos->dice, 30));
	sim_control(chaos->world->sim, body);
}

static void trouble_begin(struct chaos *chaos)
{
	struct redis_process *redis = chaos->world->redis;
	enum trouble trouble = (enum trouble)dice_roll(chaos->dice, TROUBLES);
	if (trouble < BACKEND_FAULT && chaos->redis != TROUBLES)
		return; /* it has enough of it */
	chaos->counts[trouble]++;
	switch (trouble) {
	case REDIS_KILLED:
		redis_process_signal(redis, SIGKILL);
		break;
	case REDIS_STOPPED:
		redis_process_signal(redis, SIGSTOP);
		break;
	case REDIS_FULL:
		redis_process_say(redis, "CONFIG SET maxmemory 1");
		break;
	case REDIS_CLIENTS_KILLED:
		redis_process_say(redis, "CLIENT KILL TYPE normal SKIPME yes");
		break;
	case REDIS_SCRIPTS_FLUSHED:
		redis_process_say(redis, "SCRIPT FLUSH");
		break;
	case REDIS_FLUSHED:
		redis_process_say(redis, "FLUSHALL");
		break;
	default:
		trouble_backend(chaos, trouble - BACKEND_FAULT);
	}
	if (trouble <= REDIS_FULL)
		chaos->redis = trouble;
}

static void trouble_end(struct chaos *chaos)
{
	struct redis_process *redis = chaos->world->redis;
	if (chaos->redis == REDIS_KILLED)
		redis_process_restart(redis);
	else if (chaos->redis == REDIS_STOPPED)
		redis_process_signal(redis, SIGCONT);
	else if (chaos->redis == REDIS_FULL)
		redis_process_say(redis, "CONFIG SET maxmemory 0");
	chaos->redis = TROUBLES;
}

/* By how far the load is, not by time: the same seed makes the same troubles. */
static void on_over(struct load *load)
{
	struct chaos *chaos = load->user;
	if (load->over >= chaos->undo)
		trouble_end(chaos);
	if (load->over < chaos->next)
		return;
	enum trouble before = chaos->redis;
	trouble_begin(chaos);
	chaos->next = load->over + (10 + dice_roll(chaos->dice, 100)) * chaos->spacing;
	if (before != chaos->redis)
		chaos->undo = load->over + (20 + dice_roll(chaos->dice, 200)) * chaos->spacing;
}

static void whatever_happens_no_answer_is_wrong(void **state)
{
	static const struct haste haste = {.silence = "1s", .budget = "20ms"};
	struct dice dice = dice_take();
	struct replicas world = replicas_prepare();
	struct chaos chaos = {.world = &world, .dice = &dice, .redis = TROUBLES, .next = 100, .undo = SIZE_MAX};
	struct load load = {.requests = request_count(),
			    .leaves = true,
			    .dice = &dice,
			    .sim = world.sim,
			    .on_over = on_over,
			    .user = &chaos};
	(void)state;
	for (int i = 0; i < REPLICAS; i++) {
		world.each[i] =
		    replicas_add_hasty(&world, world.redis->port, &haste, LOAD_CONFIG(";itl=1ms") SMALL_MEMORY);
		replicas_wait_up(world.each[i]);
	}
	chaos.spacing = 1 + load.requests / TIGHT;
	load.questions = load.requests / QUESTION_SHARE;
	load_deal(&load, REPLICAS);
	run_parts(&load, &world);
	load_tell(&load, "everything wrong");
	trouble_end(&chaos);
	sim_control(world.sim, "{\"fault\":null}");
	size_t troubles = 0;
	for (int i = 0; i < TROUBLES; i++)
		troubles += chaos.counts[i];
	print_message("%zu troubles; Redis killed %zu times, stopped %zu, full %zu, flushed %zu; calls %.0f\n",
		      troubles, chaos.counts[REDIS_KILLED], chaos.counts[REDIS_STOPPED], chaos.counts[REDIS_FULL],
		      chaos.counts[REDIS_FLUSHED], sim_stat(world.sim, "total"));
	/* a machine that stalls for longer than the backend may be silent has more of them fail */
	assert_true(load.whole > load.requests / 4 && load.failed > 0 && load.left > 0);
	for (int i = 0; i < REPLICAS; i++)
		replicas_wait_up(world.each[i]);
	replicas_wait_sharing(&world, "alpha"); /* without a restart */
	load_free(&load);
	replicas_wait_idle(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(every_question_is_asked_once),
	    SCENARIO(whatever_happens_no_answer_is_wrong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
