/* SPDX-License-Identifier: MIT */
/*
 * Models that are one plan are aliases: they have the same answers, however they are called. What is kept for one is
 * given for the others, and purged with them, and each one's own rules say what of it is good.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/redis/redis_server.h"
#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/cached.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/h2.h"
#include "tests/scenario/harness/replicas.h"
#include "tests/scenario/harness/scenario.h"

static struct sluice *add(struct backend *backend, const struct redis_process *redis, const char *rest)
{
	char shared[160] = "";
	if (redis != NULL)
		snprintf(shared, sizeof shared, "redis: { unix: %s, budget: 5s }\n", redis->socket);
	struct sluice *sluice = sluice_start("backends: { b: { url: 'http://127.0.0.1:%d/v1' } }\n%s%s",
					     backend_port(backend), shared, rest);
	if (redis != NULL)
		replicas_wait_up(sluice);
	return sluice;
}

static void answers(struct backend *backend, const char *says, const char *finish)
{
	char body[512];
	snprintf(body, sizeof body,
		 "{\"id\":\"i\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"x\",\"choices\":[{\"index\":0,"
		 "\"message\":{\"role\":\"assistant\",\"content\":\"%s\"},\"finish_reason\":\"%s\"}]}",
		 says, finish);
	backend_reply(backend, "application/json", body);
}

static void check(const struct sluice *sluice, const char *model, const char *says)
{
	struct answer answer;
	cached_ask(sluice, "", cached_body(model, false, CACHED_ZERO), &answer);
	assert_int_equal(answer.status, 200);
	check_contains(&answer.body, says);
	answer_free(&answer);
}

static void purge(const struct sluice *sluice, const char *model)
{
	char path[96];
	struct answer answer;
	snprintf(path, sizeof path, "/admin/cache?model=%s", model);
	client_ask(sluice, VIA_H1, "DELETE", path, NULL, NULL, &answer);
	check_contains(&answer.body, "\"complete\":true");
	answer_free(&answer);
}

static void what_is_kept_for_one_is_given_and_purged_for_all(void **state)
{
	struct backend *backend = backend_start();
	(void)state;
	answers(backend, "first", "stop");
	answers(backend, "another target's", "stop");
	answers(backend, "second", "stop");
	answers(backend, "third", "stop");
	struct sluice *sluice = add(backend, NULL, "models: { b1: b/x, other: b/y, a: b/x, c: { balance: [b/x] } }\n");
	check(sluice, "b1", "first");
	check(sluice, "a", "first");
	check(sluice, "other", "another target's");
	purge(sluice, "other");
	check(sluice, "b1", "first");
	purge(sluice, "a");
	check(sluice, "b1", "second");
	check(sluice, "a", "second");
	purge(sluice, "a");
	check(sluice, "a", "third");
	check(sluice, "b1", "third");
	assert_int_equal(backend_requests(backend), 4);
}

/* In another order, and with other names, one replica's answers are the other's, and a purge reaches them by any name.
 */
static void replicas_share_what_aliases_have(void **state)
{
	struct backend *backend = backend_start();
	struct redis_process *redis = replicas_prepare().redis;
	struct patience patience = patience_for("the first answer to be in Redis");
	(void)state;
	answers(backend, "first", "stop");
	answers(backend, "second", "stop");
	struct sluice *one = add(backend, redis, "models: { z: b/x, a: b/x }\n");
	struct sluice *two = add(backend, redis, "models: { a: b/x, m: b/z, z: b/x }\n");
	check(one, "z", "first");
	while (sluice_metric(one, "sluice_cache_redis_total{result=\"stored\"}") < 1)
		patience_wait(&patience);
	check(two, "a", "first");
	check(two, "z", "first");
	assert_int_equal(backend_requests(backend), 1);
	purge(two, "z");
	check(two, "a", "second");
	patience = patience_for("the purge to reach the other replica");
	for (bool reached = false; !reached;) {
		struct answer answer;
		cached_ask(one, "", cached_body("a", false, CACHED_ZERO), &answer);
		reached = bytes_contain(&answer.body, "second");
		answer_free(&answer);
		patience_wait(&patience);
	}
	check(one, "z", "second");
	assert_int_equal(backend_requests(backend), 2);
}

/* A replica may know only one of the names, and not the one that stands for all of them elsewhere. */
static void a_purge_reaches_replicas_that_know_other_names(void **state)
{
	struct backend *backend = backend_start();
	struct redis_process *redis = replicas_prepare().redis;
	struct patience patience = patience_for("the purge to reach the other replica");
	(void)state;
	answers(backend, "first", "stop");
	answers(backend, "second", "stop");
	struct sluice *one = add(backend, redis, "models: { z: b/x, a: b/x }\n");
	struct sluice *two = add(backend, redis, "models: { z: b/x }\n");
	check(two, "z", "first");
	purge(one, "z");
	for (bool reached = false; !reached;) {
		struct answer answer;
		cached_ask(two, "", cached_body("z", false, CACHED_ZERO), &answer);
		reached = bytes_contain(&answer.body, "second");
		answer_free(&answer);
		patience_wait(&patience);
	}
}

static void each_has_rules_of_its_own_for_what_another_one_kept(void **state)
{
	struct backend *backend = backend_start();
	(void)state;
	answers(backend, "cut", "length");
	answers(backend, "complete", "stop");
	struct sluice *sluice = add(backend, NULL,
				    "models: { any: b/x, strict: b/x }\ncache: { models: { any: { finish: any }, "
				    "strict: { finish: stop } } }\n");
	check(sluice, "any", "cut");
	check(sluice, "any", "cut");
	check(sluice, "strict", "complete");
	check(sluice, "strict", "complete");
	check(sluice, "any", "complete");
	assert_int_equal(backend_requests(backend), 2);
}

/* Both ask at once what Redis has, and wait for one reply. */
static void rules_count_for_each_of_those_who_wait_together(void **state)
{
	static const char models[] = "models: { any: b/x, strict: b/x }\ncache: { models: { any: { finish: any }, "
				     "strict: { finish: stop } } }\n";
	(void)state;
	for (int strict_first = 0; strict_first < 2; strict_first++) {
		struct backend *backend = backend_start();
		struct redis_process *redis = replicas_prepare().redis;
		struct patience patience = patience_for("the answer to be in Redis");
		struct h2 h2;
		struct h2_stream *any = NULL;
		answers(backend, "cut", "length");
		answers(backend, "complete", "stop");
		struct sluice *one = add(backend, redis, models);
		check(one, "any", "cut");
		while (sluice_metric(one, "sluice_cache_redis_total{result=\"stored\"}") < 1)
			patience_wait(&patience);
		struct sluice *two = add(backend, redis, models);
		h2_open(&h2, two->port, 0);
		redis_process_signal(redis, SIGSTOP);
		if (!strict_first)
			any = h2_post(&h2, "/v1/chat/completions", cached_body("any", false, CACHED_ZERO));
		struct h2_stream *strict =
		    h2_post(&h2, "/v1/chat/completions", cached_body("strict", false, CACHED_ZERO));
		if (strict_first)
			any = h2_post(&h2, "/v1/chat/completions", cached_body("any", false, CACHED_ZERO));
		patience = patience_for("both to wait for Redis");
		while (sluice_metric(two, "sluice_exchanges_in_flight") < 2) {
			h2_pump(&h2);
			patience_wait(&patience);
		}
		redis_process_signal(redis, SIGCONT);
		h2_wait_end(&h2, strict);
		h2_wait_end(&h2, any);
		assert_int_equal(any->answer.status, 200);
		check_contains(&strict->answer.body, "complete");
		h2_close(&h2);
	}
}

static void an_answer_is_as_old_as_the_one_that_gives_it_allows(void **state)
{
	struct backend *backend = backend_start();
	struct patience patience = patience_for("the answer to be too old for one of them");
	(void)state;
	answers(backend, "first", "stop");
	answers(backend, "second", "stop");
	struct sluice *sluice =
	    add(backend, NULL,
		"models: { long: b/x, short: b/x }\ncache: { models: { long: { ttl: 1h }, short: { ttl: 1s } } }\n");
	check(sluice, "long", "first");
	for (bool old = false; !old;) {
		struct answer answer;
		cached_ask(sluice, "", cached_body("short", false, CACHED_ZERO), &answer);
		old = bytes_contain(&answer.body, "second");
		answer_free(&answer);
		patience_wait(&patience);
	}
	check(sluice, "long", "second");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(what_is_kept_for_one_is_given_and_purged_for_all),
	    SCENARIO(replicas_share_what_aliases_have),
	    SCENARIO(a_purge_reaches_replicas_that_know_other_names),
	    SCENARIO(each_has_rules_of_its_own_for_what_another_one_kept),
	    SCENARIO(rules_count_for_each_of_those_who_wait_together),
	    SCENARIO(an_answer_is_as_old_as_the_one_that_gives_it_allows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
