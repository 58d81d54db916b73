/* SPDX-License-Identifier: MIT */
/* Embeddings with a real Redis between two replicas: each input is asked for once by both of them together. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/scenario/harness/cached.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/replicas.h"
#include "tests/scenario/harness/scenario.h"

#define PATH "/v1/embeddings"

enum { POOL = 30, ROUNDS = 60, BATCH_MOST = 7, BODY_MOST = 1024 };

/* What the simulator says to inputs of one letter each, in JSON; the caller frees. */
static char *vectors_of(const struct replicas *world, const char *letters)
{
	char body[BODY_MOST] = "{\"model\":\"plain\",\"dimensions\":2,\"input\":[";
	struct answer answer;
	for (size_t i = 0; letters[i] != '\0'; i++)
		snprintf(body + strlen(body), BODY_MOST - strlen(body), "%s\"%c\"", i == 0 ? "" : ",", letters[i]);
	strcat(body, "]}");
	client_fetch(world->each[0], VIA_H1, PATH, body, &answer);
	assert_int_equal(answer.status, 200);
	char *end = strstr(bytes_text(&answer.body), ",\"model\":");
	assert_non_null(end);
	char *vectors = strndup(bytes_text(&answer.body), (size_t)(end - bytes_text(&answer.body)));
	answer_free(&answer);
	return vectors;
}

static const char *body_of(const char *letters)
{
	static char bodies[4][BODY_MOST];
	static unsigned turn;
	char *body = bodies[turn++ % 4];
	snprintf(body, BODY_MOST, "{\"model\":\"m\",\"dimensions\":2,\"input\":[");
	for (size_t i = 0; letters[i] != '\0'; i++)
		snprintf(body + strlen(body), BODY_MOST - strlen(body), "%s\"%c\"", i == 0 ? "" : ",", letters[i]);
	strcat(body, "]}");
	return body;
}

static void check_vectors(const struct replicas *world, const struct answer *answer, const char *letters)
{
	char *want = vectors_of(world, letters);
	assert_int_equal(answer->status, 200);
	if (strncmp(bytes_text(&answer->body), want, strlen(want)) != 0)
		fail_msg("%s: %s\nis not %s", letters, bytes_text(&answer->body), want);
	free(want);
}

static void ask(const struct replicas *world, int replica, const char *letters, const char *status)
{
	struct answer answer;
	client_fetch(world->each[replica], VIA_H1, PATH, body_of(letters), &answer);
	check_vectors(world, &answer, letters);
	if (status != NULL)
		cached_check_status(&answer, status);
	answer_free(&answer);
}

#define RULES "cache: { models: { plain: { policy: off } } }\n"

static void what_one_asked_for_the_other_has(void **state)
{
	struct replicas world = replicas_start("models: { m: sim/vec;itl=0, plain: sim/vec }\n" RULES);
	(void)state;
	ask(&world, 0, "ab", "sluice; fwd=miss");
	replicas_await(&world, 0, "stored", 2);
	ask(&world, 1, "ba", "sluice; hit");
	ask(&world, 1, "cacd", "sluice; fwd=partial");
	replicas_await(&world, 1, "stored", 2);
	ask(&world, 0, "dcba", "sluice; hit");
	ask(&world, 0, "d", "sluice; hit");
	assert_int_equal(sim_call_count(world.sim, "itl"), 2);
	assert_int_equal(replicas_answers(&world, NULL), 4);
	for (int i = 0; i < REPLICAS; i++)
		sluice_wait_idle(world.each[i]);
}

/* Batches that are under way at the same time are not mixed up, and the same one at both is one call. */
static void batches_at_once_are_told_apart(void **state)
{
	static const char *const batches[] = {"ab", "cd", "ba", "e", "f", "ab", "e", "cd"};
	enum { COUNT = sizeof(batches) / sizeof(batches[0]) };
	struct replicas world = replicas_start("models: { m: 'sim/vec;gate=0', plain: sim/vec }\n" RULES);
	struct client clients[COUNT];
	(void)state;
	for (int i = 0; i < COUNT; i++)
		client_post(&clients[i], world.each[i / 3 % REPLICAS], (enum via)(i % VIA_COUNT), PATH,
			    body_of(batches[i]));
	for (int i = 0; i < REPLICAS; i++)
		sluice_wait_in_flight(world.each[i], i == 0 ? 5 : 3);
	sim_wait_calls(world.sim, "gate", 5);
	sim_open_gate(world.sim);
	for (int i = 0; i < COUNT; i++) {
		client_wait_end(&clients[i]);
		check_vectors(&world, client_answer(&clients[i]), batches[i]);
		client_close(&clients[i]);
	}
	assert_int_equal(sim_call_count(world.sim, "gate"), 5);
	for (int i = 0; i < REPLICAS; i++)
		sluice_wait_idle(world.each[i]);
}

static void any_batches_cost_each_input_once(void **state)
{
	struct replicas world = replicas_start("models: { m: sim/vec;itl=0, plain: sim/vec }\n" RULES);
	unsigned seed = (unsigned)time(NULL);
	bool seen[POOL] = {false};
	double stored[REPLICAS] = {0};
	size_t calls = 0;
	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	for (int round = 0; round < ROUNDS; round++) {
		char letters[BATCH_MOST + 1] = "";
		int replica = rand() % REPLICAS;
		double fresh = 0;
		for (size_t i = 0, count = 1 + (size_t)rand() % BATCH_MOST; i < count; i++) {
			size_t chosen = (size_t)rand() % (size_t)(1 + round * POOL / ROUNDS);
			letters[i] = (char)('A' + chosen);
			if (letters[i] == '\\')
				letters[i] = '~';
			fresh += !seen[chosen];
			seen[chosen] = true;
		}
		calls += fresh > 0;
		ask(&world, replica, letters, NULL);
		stored[replica] += fresh;
		replicas_await(&world, replica, "stored", stored[replica]);
		assert_int_equal(sim_call_count(world.sim, "itl"), calls);
	}
}

/* What is not exactly what was asked for, or not from whom, is not in Redis either. */
static void what_is_not_good_is_not_in_redis(void **state)
{
	static const char *const plans[] = {"sim/vec;status=503", "sim/vec;error_json_200",
					    "sim/vec;wrong_content_length", "{ fallback: [dead/other, sim/vec] }",
					    "sim/vec;short_content_length"};
	(void)state;
	for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
		struct bytes yaml = {0};
		const char *quote = plans[i][0] == '{' ? "" : "'";
		struct answer answer;
		bytes_printf(&yaml, "models: { m: %s%s%s }\n", quote, plans[i], quote);
		struct replicas world = replicas_start(bytes_text(&yaml));
		for (int replica = 0; replica < REPLICAS; replica++) {
			client_fetch(world.each[replica], VIA_H2, PATH, body_of("aba"), &answer);
			answer_free(&answer);
			sluice_wait_idle(world.each[replica]);
		}
		if (replicas_answers(&world, NULL) != 0)
			fail_msg("%s is in Redis", plans[i]);
		bytes_free(&yaml);
	}
}

/* Without Redis each replica has what it has itself. */
static void without_redis_it_goes_on(void **state)
{
	struct replicas world = replicas_start("models: { m: sim/vec;itl=0, plain: sim/vec }\n" RULES);
	(void)state;
	ask(&world, 0, "ab", "sluice; fwd=miss");
	replicas_await(&world, 0, "stored", 2);
	redis_process_signal(world.redis, SIGKILL);
	ask(&world, 0, "ba", "sluice; hit");
	ask(&world, 0, "bca", "sluice; fwd=partial");
	ask(&world, 1, "ab", "sluice; fwd=miss");
	ask(&world, 1, "ab", "sluice; hit");
	for (int i = 0; i < REPLICAS; i++)
		sluice_wait_idle(world.each[i]);
}

/* Many texts, in vectors of that length. The caller frees. */
static struct bytes many(const char *members, size_t count)
{
	struct bytes body = {0};
	bytes_printf(&body, "{\"model\":\"m\"%s,\"input\":[", members);
	for (size_t i = 0; i < count; i++)
		bytes_printf(&body, "%s\"text %zu\"", i == 0 ? "" : ",", i);
	bytes_printf(&body, "]}");
	return body;
}

static void large_batches_go_from_one_to_the_other(void **state)
{
	enum { INPUTS = 1024 };
	struct replicas world = replicas_start("models: { m: sim/vec }\n");
	struct bytes body = many(",\"encoding_format\":\"base64\",\"dimensions\":1536", INPUTS);
	struct answer first, second;
	(void)state;
	client_fetch(world.each[0], VIA_H1, PATH, bytes_text(&body), &first);
	assert_int_equal(first.status, 200);
	replicas_await(&world, 0, "stored", INPUTS);
	client_fetch(world.each[1], VIA_H2, PATH, bytes_text(&body), &second);
	cached_check_status(&second, "sluice; hit");
	check_same(second.body.at, second.body.len, first.body.at, first.body.len);
	assert_int_equal(sim_call_count(world.sim, ""), 1);
	answer_free(&first);
	answer_free(&second);
	bytes_free(&body);
	for (int i = 0; i < REPLICAS; i++)
		sluice_wait_idle(world.each[i]);
}

/* Redis that does not answer is asked for some of a batch, not for all of it. */
static void redis_that_hangs_is_not_asked_on_and_on(void **state)
{
	enum { INPUTS = 600, ASKED_MOST = 2 * 128 + 64 };
	struct replicas world = replicas_prepare();
	struct bytes body = many("", INPUTS);
	struct answer answer;
	(void)state;
	struct sluice *sluice = sluice_start("backends: { sim: { url: 'http://127.0.0.1:%d/v1' } }\n"
					     "models: { m: sim/vec }\nredis: { servers: [127.0.0.1:%d] }\n",
					     world.sim->port, world.redis->port);
	replicas_wait_up(sluice);
	redis_process_signal(world.redis, SIGSTOP);
	client_fetch(sluice, VIA_H1, PATH, bytes_text(&body), &answer);
	redis_process_signal(world.redis, SIGCONT);
	assert_int_equal(answer.status, 200);
	cached_check_status(&answer, "sluice; fwd=miss");
	assert_true(sluice_metric(sluice, "sluice_redis_commands_total{result=\"timeout\"}") <= ASKED_MOST);
	answer_free(&answer);
	client_fetch(sluice, VIA_H1, PATH, bytes_text(&body), &answer);
	cached_check_status(&answer, "sluice; hit");
	assert_int_equal(sim_call_count(world.sim, ""), 1);
	answer_free(&answer);
	bytes_free(&body);
	sluice_wait_idle(sluice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(what_one_asked_for_the_other_has),
	    SCENARIO(batches_at_once_are_told_apart),
	    SCENARIO(any_batches_cost_each_input_once),
	    SCENARIO(what_is_not_good_is_not_in_redis),
	    SCENARIO(without_redis_it_goes_on),
	    SCENARIO(large_batches_go_from_one_to_the_other),
	    SCENARIO(redis_that_hangs_is_not_asked_on_and_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
