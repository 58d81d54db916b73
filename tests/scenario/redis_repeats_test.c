/* SPDX-License-Identifier: MIT */
/*
 * Requests whose very bytes came before, with all answers in Redis and none in memory: they are not read before Redis
 * has said what it has. Whatever that is, nobody may notice.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/cached.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/dice.h"
#include "tests/scenario/harness/replicas.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sse.h"

#define MODEL "models:\n  m: sim/count;tokens=20\n"
#define ZERO CACHED_ZERO

/* One worker, since each remembers for itself. cache: more of its settings, each with a comma in front. */
static struct replicas start_cached(const char *budget, const char *cache)
{
	struct replicas world = replicas_prepare();
	world.each[0] = sluice_start_workers(1,
					     "backends: { sim: { url: 'http://127.0.0.1:%d/v1' } }\n"
					     "redis: { unix: %s, budget: %s }\ncache: { size: 0%s }\n" MODEL,
					     world.sim->port, world.redis->socket, budget, cache);
	replicas_wait_up(world.each[0]);
	return world;
}

static struct replicas start(const char *budget)
{
	return start_cached(budget, "");
}

static void expect(const struct replicas *world, const char *headers, bool stream, const char *status)
{
	struct answer answer;
	cached_ask(world->each[0], headers, cached_body("m", stream, ZERO), &answer);
	cached_check(&answer, stream);
	cached_check_status(&answer, status);
	answer_free(&answer);
}

/* Kept in Redis, and remembered: the next one is not read. */
static void make_known(const struct replicas *world, double stored)
{
	expect(world, "", false, "sluice; fwd=miss");
	replicas_await(world, 0, "stored", stored);
	for (int form = 0; form < 2; form++)
		expect(world, "", form == 1, "sluice; hit; ttl=");
}

static void they_hit_as_often_as_they_come(void **state)
{
	struct replicas world = start("5s");
	(void)state;
	make_known(&world, 1);
	for (int i = 0; i < 10; i++)
		expect(&world, "", i % 2 == 1, "sluice; hit; ttl=");
	assert_int_equal(sim_call_count(world.sim, ""), 1);
	assert_true(replicas_redis(&world, 0, "hit") == 12);
	assert_true(sluice_metric(world.each[0], "sluice_cache_requests_total{model=\"m\",result=\"hit\"}") == 12);
}

static void what_is_gone_is_asked_for_anew(void **state)
{
	struct replicas world = start("5s");
	struct answer answer;
	(void)state;
	for (int round = 1; round <= 3; round++) {
		make_known(&world, round);
		assert_int_equal(sim_call_count(world.sim, ""), round);
		redis_process_say(world.redis, "FLUSHALL");
		cached_ask(world.each[0], "Cache-Control: only-if-cached\r\n", cached_body("m", true, ZERO), &answer);
		check_error(&answer, 504, "not_cached");
		answer_free(&answer);
	}
	sim_control(world.sim, "{\"fault\":\"status=503\"}");
	cached_ask(world.each[0], "", cached_body("m", false, ZERO), &answer);
	assert_int_equal(answer.status, 503);
	check_header(&answer, "x-sluice-target", "sim/count;tokens=20");
	answer_free(&answer);
}

static void clients_have_their_way(void **state)
{
	struct replicas world = start("5s");
	struct answer answer;
	(void)state;
	make_known(&world, 1);
	expect(&world, "Cache-Control: no-cache\r\n", true, "sluice; fwd=request");
	expect(&world, "Cache-Control: no-store\r\n", false, "sluice; fwd=bypass");
	expect(&world, "Cache-Control: max-age=3600\r\n", false, "sluice; hit; ttl=");
	expect(&world, "Authorization: Bearer other\r\n", false, "sluice; fwd=miss");
	cached_ask(world.each[0], "X-Request-Id: mine\r\n", cached_body("m", false, ZERO), &answer);
	check_header(&answer, "x-request-id", "mine");
	char *etag = answer_header(&answer, "etag"), headers[128];
	answer_free(&answer);
	snprintf(headers, sizeof headers, "If-None-Match: %s\r\n", etag);
	cached_ask(world.each[0], headers, cached_body("m", false, ZERO), &answer);
	assert_int_equal(answer.status, 304);
	check_header(&answer, "etag", etag);
	answer_free(&answer);
	free(etag);
	assert_int_equal(sim_call_count(world.sim, ""), 4);
}

static void what_is_older_than_the_client_wants_is_asked_for_anew(void **state)
{
	struct replicas world = start("5s");
	(void)state;
	make_known(&world, 1);
	cached_ask_until(world.each[0], "Cache-Control: max-age=0\r\n", "m", true, "fwd=");
	assert_int_equal(sim_call_count(world.sim, ""), 2);
	expect(&world, "", true, "sluice; hit; ttl=");
}

static void what_is_stale_stands_in_for_a_failure(void **state)
{
	struct replicas world = start_cached("5s", ", ttl: 6s, stale_if_error: 1h");
	(void)state;
	make_known(&world, 1);
	sim_control(world.sim, "{\"fault\":\"status=503\"}");
	for (int form = 0; form < 2; form++)
		cached_ask_until(world.each[0], "", "m", form == 1, "sluice; hit; ttl=-");
	assert_true(sluice_metric(world.each[0], "sluice_cache_requests_total{model=\"m\",result=\"stale\"}") >= 1);
	sluice_wait_idle(world.each[0]);
}

/* A Redis that hangs costs its budget; then the request is read, and answered by the backend. */
static void redis_may_hang(void **state)
{
	struct replicas world = start("3s");
	(void)state;
	make_known(&world, 1);
	redis_process_signal(world.redis, SIGSTOP);
	for (int i = 0; i < 10; i++)
		expect(&world, "", i % 2 == 1, "sluice; fwd=miss");
	redis_process_signal(world.redis, SIGCONT);
	replicas_wait_up(world.each[0]);
	assert_int_equal(sim_call_count(world.sim, ""), 11);
}

/* Clients leave while Redis is asked, and while what was read after all runs. */
static void clients_may_leave(void **state)
{
	enum { CLIENTS = 8 };
	struct replicas world = start("5s");
	struct client clients[CLIENTS];
	static const enum via ways[] = {VIA_H1, VIA_H2, VIA_H1_TLS, VIA_H2_TLS};
	(void)state;
	make_known(&world, 1);
	redis_process_signal(world.redis, SIGSTOP);
	for (int i = 0; i < CLIENTS; i++)
		client_post(&clients[i], world.each[0], ways[i % 4], "/v1/chat/completions",
			    cached_body("m", i % 2 == 1, ZERO));
	for (int i = 0; i < CLIENTS - 2; i++) {
		client_leave(&clients[i], i % 3 == 0 ? LEAVE_FIN : i % 3 == 1 ? LEAVE_RST : LEAVE_CANCEL);
		client_close(&clients[i]);
	}
	redis_process_signal(world.redis, SIGCONT);
	for (int i = CLIENTS - 2; i < CLIENTS; i++) {
		client_wait_end(&clients[i]);
		cached_check(client_answer(&clients[i]), i % 2 == 1);
		client_close(&clients[i]);
	}
	sluice_wait_idle(world.each[0]);
}

/* Answers come and go in Redis meanwhile: each one that is given is whole. */
static void answers_may_come_and_go(void **state)
{
	enum { REQUESTS = 600 / LOAD_DIVISOR };
	struct replicas world = start("5s");
	struct dice dice = dice_take();
	(void)state;
	for (int i = 0; i < REQUESTS; i++) {
		struct answer answer;
		char members[64];
		snprintf(members, sizeof members, ZERO ",\"top_k\":%d", (int)dice_roll(&dice, 3));
		bool stream = dice_roll(&dice, 2) == 1;
		if (dice_roll(&dice, 6) == 0)
			redis_process_say(world.redis, "FLUSHALL");
		cached_ask(world.each[0], "", cached_body("m", stream, members), &answer);
		cached_check(&answer, stream);
		answer_free(&answer);
	}
	assert_true(sluice_metric(world.each[0], "sluice_cache_requests_total{model=\"m\",result=\"hit\"}") >
		    REQUESTS / 10);
	assert_true(sim_call_count(world.sim, "") > REQUESTS / 20);
	sluice_wait_idle(world.each[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(they_hit_as_often_as_they_come),
	    SCENARIO(what_is_gone_is_asked_for_anew),
	    SCENARIO(clients_have_their_way),
	    SCENARIO(what_is_older_than_the_client_wants_is_asked_for_anew),
	    SCENARIO(what_is_stale_stands_in_for_a_failure),
	    SCENARIO(redis_may_hang),
	    SCENARIO(clients_may_leave),
	    SCENARIO(answers_may_come_and_go),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
