/* SPDX-License-Identifier: MIT */
/*
 * A proxy between the replicas and Redis garbles replies in every way. Nobody gets a wrong answer, nobody waits for
 * ever, and once it behaves again answers are shared again, without a restart.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/cached.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/garbler.h"
#include "tests/scenario/harness/load.h"
#include "tests/scenario/harness/replicas.h"
#include "tests/scenario/harness/scenario.h"

enum { REQUESTS = 3000, QUESTIONS = 40 };

struct world {
	struct dice dice;
	struct replicas replicas;
	struct garbler *garbler;
};

static struct world start(const char *budget, const char *rest)
{
	const struct haste haste = {.silence = "30s", .budget = budget};
	struct world world = {.dice = dice_take(), .replicas = replicas_prepare()};
	world.garbler = garbler_start(world.replicas.redis->port, world.dice.state);
	for (int i = 0; i < REPLICAS; i++) {
		world.replicas.each[i] = replicas_add_hasty(&world.replicas, world.garbler->port, &haste, rest);
		replicas_wait_up(world.replicas.each[i]);
	}
	return world;
}

/* How garbled it is, and what is asked. */
struct trial {
	unsigned one_in, ways;
	const char *budget, *config, *settings;
	size_t questions;
};

static void check(const struct trial *trial)
{
	struct world world = start(trial->budget, trial->config);
	struct load load = {.requests = REQUESTS,
			    .questions = trial->questions,
			    .settings = trial->settings,
			    .dice = &world.dice,
			    .sim = world.replicas.sim};
	load_deal(&load, REPLICAS);
	garbler_set(world.garbler, trial->one_in, trial->ways);
	load_run(&load, world.replicas.each, REPLICAS, VIA_H2, REQUESTS / 2);
	load_run(&load, world.replicas.each, REPLICAS, VIA_H1, REQUESTS);
	load_tell(&load, "garbage");
	size_t garbled = 0;
	for (int i = GARBLE_NOT + 1; i < GARBLE_COUNT; i++)
		garbled += garbler_count(world.garbler, (enum garble)i);
	print_message("%zu replies as they are, %zu garbled; calls %.0f\n", garbler_count(world.garbler, GARBLE_NOT),
		      garbled, sim_stat(world.replicas.sim, "total"));
	/* while the breaker of Redis is open nobody asks it: on a busy machine most of the time */
	assert_true(garbled > 4 && load.whole > REQUESTS / 2);
	garbler_tame(world.garbler);
	for (int i = 0; i < REPLICAS; i++)
		replicas_wait_up(world.replicas.each[i]);
	replicas_wait_sharing(&world.replicas, "small");
	load_free(&load);
	replicas_wait_idle(&world.replicas);
}

/* Its answers are small enough to be kept whatever the limit. */
#define SMALL_MODEL "  small: sim/count;tokens=2\n"

static void garbage_of_any_kind_is_no_answer(void **state)
{
	(void)state;
	check(&(struct trial){.one_in = 30,
			      .ways = GARBLE_ANY,
			      .budget = "50ms",
			      .config = LOAD_CONFIG(";itl=1ms") SMALL_MODEL "cache: { size: 64KiB }\n",
			      .questions = QUESTIONS});
}

static void replies_to_other_questions_are_no_answer(void **state)
{
	(void)state;
	check(&(struct trial){.one_in = 4,
			      .ways = GARBLE_BELIEVABLE,
			      .budget = "5s",
			      .config = LOAD_CONFIG(";itl=1ms") SMALL_MODEL "cache: { size: 64KiB }\n",
			      .questions = QUESTIONS});
}

/*
 * Answers that are too large to be kept are told from replica to replica while they come. What was told had a number,
 * and no proof that it was this flight's or as it was sent: clients got other words, or other clients' answers.
 */
static void what_replicas_tell_each_other_is_proven(void **state)
{
	(void)state;
	check(&(struct trial){.one_in = 6,
			      .ways = GARBLE_BELIEVABLE,
			      .budget = "5s",
			      .config = LOAD_CONFIG(";itl=4ms;token_bytes=100") SMALL_MODEL "cache: { entry: 1KiB }\n",
			      .settings = ";token_bytes=100",
			      .questions = 2});
}

/* The holder of a lease became part of other names, whatever it was: a long text without a colon ended the process. */
static void a_lease_that_is_none_is_nobodys(void **state)
{
	char garbage[REPLICAS_NAME_MOST], name[REPLICAS_NAME_MOST];
	struct replicas world = replicas_start("models:\n  m: sim/count;tokens=20\n");
	static const size_t lengths[] = {300, 1, 16, 64, 200, 370, 376, 500};
	struct answer answer;
	(void)state;
	cached_ask(world.each[0], "", cached_body("m", false, CACHED_ZERO), &answer);
	answer_free(&answer);
	replicas_await(&world, 0, "stored", 1);
	assert_int_equal(replicas_answers(&world, name), 1);
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		memset(garbage, i % 2 == 0 ? 'x' : '#', lengths[i]);
		garbage[lengths[i]] = '\0';
		redis_process_say(world.redis, "FLUSHALL");
		redis_process_say(world.redis, "SET %s:lease %s", name, garbage);
		/* a new one each time: the other one has it in memory by now */
		struct sluice *fresh = replicas_add(&world, "models:\n  m: sim/count;tokens=20\n");
		replicas_wait_up(fresh);
		cached_ask(fresh, "", cached_body("m", i % 3 == 0, CACHED_ZERO), &answer);
		cached_check(&answer, i % 3 == 0);
		answer_free(&answer);
		struct patience patience = patience_for("the answer to be kept");
		while (replicas_answers(&world, NULL) == 0)
			patience_wait(&patience);
	}
	assert_int_equal(sim_call_count(world.sim, ""), 1 + sizeof lengths / sizeof lengths[0]);
}

/* Names that nobody asked for came from SCAN, and were removed: Redis may be shared with others. */
static void a_purge_removes_nothing_else(void **state)
{
	struct world world = start("5s", "models:\n  m: sim/count;tokens=20\n");
	struct answer answer;
	(void)state;
	cached_ask(world.replicas.each[0], "", cached_body("m", false, CACHED_ZERO), &answer);
	answer_free(&answer);
	replicas_await(&world.replicas, 0, "stored", 1);
	redis_process_say(world.replicas.redis, "SET other value");
	garbler_answer(world.garbler, SIZE_MAX, "}\r\n", "*2\r\n$1\r\n0\r\n*2\r\n$5\r\nother\r\n$9\r\nsluice:1:\r\n");
	client_ask(world.replicas.each[0], VIA_H1, "DELETE", "/admin/cache", NULL, NULL, &answer);
	check_contains(&answer.body, "\"shared\":0,\"complete\":false}");
	answer_free(&answer);
	assert_string_equal(redis_process_say(world.replicas.redis, "EXISTS other"), ":1\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(garbage_of_any_kind_is_no_answer),
	    SCENARIO(replies_to_other_questions_are_no_answer),
	    SCENARIO(what_replicas_tell_each_other_is_proven),
	    SCENARIO(a_lease_that_is_none_is_nobodys),
	    SCENARIO(a_purge_removes_nothing_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
