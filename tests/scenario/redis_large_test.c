/* SPDX-License-Identifier: MIT */
/*
 * Answers of megabytes that replicas share: a helper thread opens what comes from Redis, for all who wait for it, and
 * whatever becomes of them or of the bytes, everybody gets the whole answer.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/scenario/harness/cached.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/garbler.h"
#include "tests/scenario/harness/replicas.h"
#include "tests/scenario/harness/scenario.h"

enum { TOKENS = 2400, TOKEN_BYTES = 200 };

#define LARGE                                                                \
	"models:\n  m: sim/count;tokens=2400;token_bytes=200;itl=0;ttft=0\n" \
	"cache: { entry: 8MiB, size: 512MiB }\n"

#define PARCEL "SlP" /* what Redis has begins so */
#define INFLATED "sluice_offloaded_total{work=\"inflate\"}"

/* Has the first replica keep an answer. */
static void keep(const struct replicas *world, const char *members, double stored)
{
	struct answer answer;
	cached_ask(world->each[0], "", cached_body("m", false, members), &answer);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	replicas_await(world, 0, "stored", stored);
}

static void check_large(const struct answer *answer)
{
	assert_int_equal(answer->status, 200);
	assert_true(answer->ended);
	assert_true(answer->body.len > (size_t)TOKENS * TOKEN_BYTES);
}

static void a_large_answer_from_redis_is_opened_by_a_helper_once_for_all_who_ask(void **state)
{
	enum { MOST = 300 };
	static const unsigned crowds[] = {1, 30, MOST};
	static struct client clients[MOST];
	struct replicas world = replicas_start(LARGE);
	(void)state;
	for (unsigned crowd = 0; crowd < sizeof crowds / sizeof *crowds; crowd++) {
		char members[64];
		snprintf(members, sizeof members, CACHED_ZERO ",\"top_k\":%u", crowd);
		keep(&world, members, crowd + 1);
		double before = sluice_metric(world.each[1], INFLATED);
		const char *body = cached_body("m", false, members);
		for (unsigned i = 0; i < crowds[crowd]; i++)
			client_post(&clients[i], world.each[1], i % 2 == 0 ? VIA_H1 : VIA_H2, "/v1/chat/completions",
				    body);
		for (unsigned i = 0; i < crowds[crowd]; i++) {
			if (i % 3 == 1) { /* the others get it all the same */
				client_leave(&clients[i], LEAVE_RST);
			} else {
				client_wait_end(&clients[i]);
				check_large(client_answer(&clients[i]));
			}
			client_close(&clients[i]);
		}
		double opened = sluice_metric(world.each[1], INFLATED) - before;
		assert_in_range(opened, 1, 2); /* each worker may ask Redis once */
		assert_int_equal(sim_call_count(world.sim, ""), crowd + 1);
	}
	replicas_wait_idle(&world);
	sluice_wait_base(world.each[1]);
}

/* All who wait leave while it is opened: nothing is left of it. */
static void who_leaves_meanwhile_leaves_nothing(void **state)
{
	enum { ROUNDS = 20 };
	struct replicas world = replicas_start(LARGE);
	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		char members[64];
		struct client client;
		snprintf(members, sizeof members, CACHED_ZERO ",\"top_k\":%u", i % 4);
		if (i < 4)
			keep(&world, members, i + 1);
		client_post(&client, world.each[1], VIA_H1, "/v1/chat/completions", cached_body("m", true, members));
		usleep(1000 * (i % 10));
		client_leave(&client, LEAVE_RST);
		client_close(&client);
	}
	replicas_wait_idle(&world);
	sluice_wait_base(world.each[1]);
}

static void a_large_answer_that_was_damaged_is_removed_and_asked_for_anew(void **state)
{
	struct replicas world = replicas_start(LARGE);
	char name[REPLICAS_NAME_MOST];
	struct answer answer;
	(void)state;
	keep(&world, CACHED_ZERO, 1);
	assert_int_equal(replicas_answers(&world, name), 1);
	redis_process_say(world.redis, "SETRANGE %s 5000 damage", name);
	cached_ask(world.each[1], "", cached_body("m", false, CACHED_ZERO), &answer);
	check_large(&answer);
	cached_check_status(&answer, "sluice; fwd=miss");
	answer_free(&answer);
	replicas_await(&world, 1, "corrupt", 1);
	assert_true(sluice_metric(world.each[1], INFLATED) >= 1);
	assert_int_equal(sim_call_count(world.sim, ""), 2);
	replicas_wait_idle(&world);
}

/*
 * The first search finds nothing, as if the other replica had not kept the answer yet; it is found when this replica
 * asks for the right to call the backend.
 */
static void a_large_answer_that_is_kept_meanwhile_is_opened_by_a_helper_too(void **state)
{
	struct replicas world = replicas_prepare();
	struct garbler *garbler = garbler_start(world.redis->port, 1);
	struct answer answer;
	(void)state;
	world.each[0] = replicas_add(&world, LARGE);
	world.each[1] =
	    replicas_add_hasty(&world, garbler->port, &(struct haste){.silence = "30s", .budget = "5s"}, LARGE);
	replicas_wait_up(world.each[0]);
	replicas_wait_up(world.each[1]);
	keep(&world, CACHED_ZERO, 1);
	double before = sluice_metric(world.each[1], INFLATED);
	garbler_answer(garbler, 1, PARCEL, "$-1\r\n");
	cached_ask(world.each[1], "", cached_body("m", false, CACHED_ZERO), &answer);
	check_large(&answer);
	answer_free(&answer);
	assert_int_equal(sluice_metric(world.each[1], "sluice_cache_leases_total{result=\"answered\"}"), 1);
	assert_int_equal(sluice_metric(world.each[1], INFLATED) - before, 1);
	assert_int_equal(sim_call_count(world.sim, ""), 1);
	replicas_wait_idle(&world);
	sluice_wait_base(world.each[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_large_answer_from_redis_is_opened_by_a_helper_once_for_all_who_ask),
	    SCENARIO(who_leaves_meanwhile_leaves_nothing),
	    SCENARIO(a_large_answer_that_is_kept_meanwhile_is_opened_by_a_helper_too),
	    SCENARIO(a_large_answer_that_was_damaged_is_removed_and_asked_for_anew),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
