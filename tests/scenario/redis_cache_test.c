/* SPDX-License-Identifier: MIT */
/*
 * Answers that replicas share through a real Redis: what one keeps the others give, what must never be kept is not
 * there either, and whatever Redis does, nobody gets a wrong answer or none.
 */
#include <cjson/cJSON.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/cached.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/replicas.h"
#include "tests/scenario/harness/scenario.h"

#define MODEL "models:\n  m: sim/count;tokens=20\n"
#define ZERO CACHED_ZERO

static void ask(const struct replicas *world, int replica, const char *headers, const char *body, struct answer *answer)
{
	cached_ask(world->each[replica], headers, body, answer);
}

static void what_one_keeps_the_others_give(void **state)
{
	(void)state;
	for (int first = 0; first < 2; first++) {
		struct replicas world = replicas_start(MODEL);
		struct answer answer;
		ask(&world, 0, "", cached_body("m", first == 1, ZERO), &answer);
		cached_check(&answer, first == 1);
		cached_check_status(&answer, "sluice; fwd=miss");
		answer_free(&answer);
		replicas_await(&world, 0, "stored", 1);
		char *etags[2];
		for (int form = 0; form < 2; form++) {
			ask(&world, 1, "", cached_body("m", form == 1, ZERO), &answer);
			cached_check(&answer, form == 1);
			cached_check_status(&answer, "sluice; hit; ttl=");
			etags[form] = answer_header(&answer, "etag");
			answer_free(&answer);
		}
		assert_string_not_equal(etags[0], etags[1]); /* one is of a stream */
		assert_int_equal(sim_call_count(world.sim, ""), 1);
		assert_int_equal(replicas_answers(&world, NULL), 1);
		assert_true(replicas_redis(&world, 1, "hit") == 1); /* the second one came from memory */
		assert_true(sluice_metric(world.each[1], "sluice_cache_entries") == 1);
		free(etags[0]);
		free(etags[1]);
	}
}

static void answers_live_as_long_as_they_are_told_to(void **state)
{
	struct replicas world = replicas_start(MODEL "cache: { ttl: 1000s, stale_if_error: 500s }\n");
	char name[REPLICAS_NAME_MOST];
	struct answer answer;
	(void)state;
	ask(&world, 0, "", cached_body("m", false, ZERO), &answer);
	answer_free(&answer);
	replicas_await(&world, 0, "stored", 1);
	assert_int_equal(replicas_answers(&world, name), 1);
	long left_ms = strtol(redis_process_say(world.redis, "PTTL %s", name) + 1, NULL, 10);
	assert_in_range(left_ms, (900 + 500 - 60) * 1000, (1100 + 500) * 1000);
	redis_process_say(world.redis, "PEXPIRE %s 700000", name); /* as if it were 800 s older, give or take */
	ask(&world, 1, "", cached_body("m", false, ZERO), &answer);
	cached_check_status(&answer, "sluice; hit; ttl=");
	char *age = answer_header(&answer, "age"), *status = answer_header(&answer, "cache-status");
	long ttl = strtol(strstr(status, "ttl=") + 4, NULL, 10);
	assert_in_range(atol(age), left_ms / 1000 - 701, left_ms / 1000 - 600);
	assert_in_range(ttl, 100, 200);
	free(age);
	free(status);
	answer_free(&answer);
}

static void clients_have_their_way_with_shared_answers_too(void **state)
{
	struct replicas world = replicas_start(MODEL);
	struct answer answer;
	(void)state;
	ask(&world, 1, "Cache-Control: only-if-cached\r\n", cached_body("m", false, ZERO), &answer);
	check_error(&answer, 504, "not_cached");
	answer_free(&answer);
	ask(&world, 0, "", cached_body("m", false, ZERO), &answer);
	answer_free(&answer);
	replicas_await(&world, 0, "stored", 1);
	ask(&world, 1, "Cache-Control: no-store\r\n", cached_body("m", false, ZERO), &answer);
	cached_check_status(&answer, "sluice; fwd=bypass");
	answer_free(&answer);
	ask(&world, 1, "Cache-Control: no-cache\r\n", cached_body("m", false, ZERO), &answer);
	cached_check_status(&answer, "sluice; fwd=request");
	answer_free(&answer);
	assert_int_equal(sim_call_count(world.sim, ""), 3);
	ask(&world, 1, "Cache-Control: only-if-cached\r\n", cached_body("m", true, ZERO), &answer);
	cached_check(&answer, true);
	answer_free(&answer);
	ask(&world, 0, "Authorization: Bearer other\r\nCache-Control: only-if-cached\r\n", cached_body("m", true, ZERO),
	    &answer);
	check_error(&answer, 504, "not_cached");
	answer_free(&answer);
}

static void a_shared_answer_stands_in_when_it_is_stale(void **state)
{
	struct replicas world = replicas_start(MODEL "cache: { ttl: 1s, stale_if_error: 1h }\n");
	struct answer answer;
	(void)state;
	ask(&world, 0, "", cached_body("m", false, ZERO), &answer);
	answer_free(&answer);
	replicas_await(&world, 0, "stored", 1);
	sim_control(world.sim, "{\"fault\":\"status=503\"}");
	cached_ask_until(world.each[1], "", "m", true, "ttl=-");
	assert_true(sluice_metric(world.each[1], "sluice_cache_requests_total{model=\"m\",result=\"stale\"}") >= 1);
}

/* What must never be stored is looked for where it would be. */
static void only_complete_first_hand_answers_are_there(void **state)
{
	static const char models[] = "models:\n"
				     "  cut: sim/count;tokens=20;fault=fin_mid\n"
				     "  reset: sim/count;tokens=20;fault=reset_mid\n"
				     "  unfinished: sim/count;tokens=20;fault=end_no_finish\n"
				     "  filtered: sim/count;tokens=20;finish=content_filter\n"
				     "  long: sim/count;tokens=20;finish=length\n"
				     "  failed: sim/count;tokens=20;status=500\n"
				     "  error: sim/count;tokens=20;error_mid\n"
				     "  large: sim/count;tokens=20;token_bytes=1000\n"
				     "  stand_in: { fallback: [dead/x, sim/count;tokens=20] }\n"
				     "  m: sim/count;tokens=20\n"
				     "cache: { entry: 16KiB }\n";
	static const char *const names[] = {"cut",    "reset", "unfinished", "filtered", "long",
					    "failed", "error", "large",      "stand_in"};
	struct replicas world = replicas_start(models);
	struct answer answer;
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		for (int form = 0; form < 2; form++) {
			ask(&world, form, "", cached_body(names[i], form == 1, ZERO), &answer);
			answer_free(&answer);
		}
		if (replicas_answers(&world, NULL) != 0)
			fail_msg("%s was stored", names[i]);
	}
	ask(&world, 0, "", cached_body("m", true, ZERO), &answer); /* and this is what would have been seen */
	cached_check(&answer, true);
	answer_free(&answer);
	replicas_await(&world, 0, "stored", 1);
	assert_int_equal(replicas_answers(&world, NULL), 1);
	for (int i = 0; i < REPLICAS; i++)
		sluice_wait_idle(world.each[i]);
	assert_string_equal(redis_process_say(world.redis, "KEYS *:lease"), "*0\r\n");
}

/* A client that leaves in the middle, the only one, leaves nothing behind. */
static void nothing_is_kept_of_what_nobody_waited_for(void **state)
{
	struct replicas world = replicas_start("models:\n  m: sim/count;tokens=20;gate=10\n");
	struct client client;
	(void)state;
	client_post(&client, world.each[0], VIA_H1, "/v1/chat/completions", cached_body("m", true, ZERO));
	client_wait_head(&client);
	client_leave(&client, LEAVE_RST);
	client_close(&client);
	sim_wait_idle(world.sim);
	sluice_wait_idle(world.each[0]);
	redis_process_await(world.redis, "KEYS sluice:1:*{*", "*0");
}

static void damage_is_noticed_and_removed(void **state)
{
	struct replicas world = replicas_start(MODEL);
	static const char *const damages[] = {"SETRANGE %s 200 damage", "SETRANGE %s 0 x", "APPEND %s x", "SET %s PX",
					      "SETRANGE %s 31 x"}; /* none of these bytes is ever that already */
	char name[REPLICAS_NAME_MOST];
	struct answer answer;
	(void)state;
	size_t calls = 0;
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		char members[64];
		snprintf(members, sizeof members, ZERO ",\"top_k\":%zu", i);
		redis_process_say(world.redis, "FLUSHALL");
		ask(&world, 0, "", cached_body("m", false, members), &answer);
		answer_free(&answer);
		replicas_await(&world, 0, "stored", (double)i + 1);
		assert_int_equal(replicas_answers(&world, name), 1);
		if (strncmp(damages[i], "SET ", 4) == 0) {
			redis_process_say(world.redis, "SET %s garbage PX 100000", name);
		} else {
			char command[64];
			snprintf(command, sizeof command, "%s", damages[i]);
			char *verb_end = strstr(command, " %s");
			*verb_end = '\0';
			redis_process_say(world.redis, "%s %s%s", command, name, verb_end + 3);
		}
		ask(&world, 1, "", cached_body("m", true, members), &answer);
		cached_check(&answer, true);
		cached_check_status(&answer, "sluice; fwd=miss");
		answer_free(&answer);
		calls += 2;
		assert_int_equal(sim_call_count(world.sim, ""), calls);
		replicas_await(&world, 1, "corrupt", (double)i + 1);
		replicas_await(&world, 1, "stored", (double)i + 1);
	}
}

/* An answer under another one's key, as by a proxy that mixes replies up, is no answer. */
static void an_answer_is_good_under_its_own_key_alone(void **state)
{
	struct replicas world = replicas_start(MODEL);
	char first[REPLICAS_NAME_MOST], second[REPLICAS_NAME_MOST];
	struct answer answer;
	(void)state;
	ask(&world, 0, "", cached_body("m", false, ZERO ",\"top_k\":1"), &answer);
	answer_free(&answer);
	replicas_await(&world, 0, "stored", 1);
	replicas_answers(&world, first);
	redis_process_say(world.redis, "RENAME %s kept", first);
	ask(&world, 0, "", cached_body("m", false, ZERO ",\"top_k\":2"), &answer);
	answer_free(&answer);
	replicas_await(&world, 0, "stored", 2);
	replicas_answers(&world, second);
	redis_process_say(world.redis, "RENAME kept %s", second);
	ask(&world, 1, "", cached_body("m", false, ZERO ",\"top_k\":2"), &answer);
	cached_check_status(&answer, "sluice; fwd=miss");
	answer_free(&answer);
	assert_int_equal(sim_call_count(world.sim, ""), 3);
}

static void without_redis_each_is_on_its_own(void **state)
{
	struct replicas world = replicas_prepare();
	struct answer answer;
	(void)state;
	redis_process_signal(world.redis, SIGKILL);
	for (int i = 0; i < REPLICAS; i++)
		world.each[i] = replicas_add(&world, MODEL); /* ready all the same */
	for (int i = 0; i < REPLICAS; i++) {
		for (int again = 0; again < 2; again++) {
			ask(&world, i, "", cached_body("m", again == 1, ZERO), &answer);
			cached_check(&answer, again == 1);
			cached_check_status(&answer, again ? "sluice; hit" : "sluice; fwd=miss");
			answer_free(&answer);
		}
		assert_true(sluice_metric(world.each[i], "sluice_redis_up") == 0);
	}
	assert_int_equal(sim_call_count(world.sim, ""), REPLICAS);
	redis_process_restart(world.redis);
	for (int i = 0; i < REPLICAS; i++)
		replicas_wait_up(world.each[i]);
	replicas_wait_sharing(&world, "m");
}

static void what_redis_does_not_take_is_given_all_the_same(void **state)
{
	static const char *const refusals[][2] = {
	    {"CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"},                         /* OOM */
	    {"REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"},                                /* READONLY */
	    {"CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0"}, /* NOREPLICAS */
	};
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct replicas world = replicas_start(MODEL);
		struct answer answer;
		redis_process_say(world.redis, "%s", refusals[i][0]);
		for (int n = 0; n < 6; n++) {
			char members[64];
			snprintf(members, sizeof members, ZERO ",\"top_k\":%d", n);
			ask(&world, n % REPLICAS, "", cached_body("m", n % 3 == 0, members), &answer);
			cached_check(&answer, n % 3 == 0);
			answer_free(&answer);
		}
		assert_int_equal(sim_call_count(world.sim, ""), 6);
		assert_int_equal(replicas_answers(&world, NULL), 0);
		redis_process_say(world.redis, "%s", refusals[i][1]);
		struct patience patience = patience_for("answers to be stored again");
		for (int n = 0; replicas_answers(&world, NULL) == 0; n++) {
			char members[64];
			snprintf(members, sizeof members, ZERO ",\"min_tokens\":%d", n);
			ask(&world, n % REPLICAS, "", cached_body("m", false, members), &answer);
			answer_free(&answer);
			patience_wait(&patience);
		}
	}
}

/* A Redis that has stopped costs its budget, then nothing until it is back. */
static void a_redis_that_stops_is_left_alone(void **state)
{
	enum { REQUESTS = 30 };
	struct replicas world = replicas_prepare();
	struct answer answer;
	(void)state;
	world.each[0] = sluice_start("backends: { sim: { url: 'http://127.0.0.1:%d/v1' } }\n"
				     "redis: { unix: %s, budget: 3s }\n" MODEL,
				     world.sim->port, world.redis->socket);
	replicas_wait_up(world.each[0]);
	redis_process_signal(world.redis, SIGSTOP);
	for (int n = 0; n < REQUESTS; n++) {
		char members[64];
		snprintf(members, sizeof members, ZERO ",\"top_k\":%d", n);
		ask(&world, 0, "", cached_body("m", n % 2 == 0, members), &answer);
		cached_check(&answer, n % 2 == 0);
		answer_free(&answer);
	}
	assert_int_equal(sim_call_count(world.sim, ""), REQUESTS);
	assert_true(sluice_metric(world.each[0], "sluice_redis_up") == 0);
	/* Few were sent at all: the breaker was open for the rest. */
	assert_true(sluice_metric(world.each[0], "sluice_redis_commands_total{result=\"timeout\"}") <= 30);
	redis_process_signal(world.redis, SIGCONT);
	replicas_wait_up(world.each[0]);
	ask(&world, 0, "", cached_body("m", false, ZERO ",\"min_tokens\":7"), &answer);
	answer_free(&answer);
	replicas_await(&world, 0, "stored", 1);
}

static void purge(const struct replicas *world, const char *query, int shared)
{
	struct answer answer;
	char path[256], want[64];
	snprintf(path, sizeof path, "/admin/cache%s", query);
	client_ask(world->each[0], VIA_H1, "DELETE", path, NULL, NULL, &answer);
	assert_int_equal(answer.status, 200);
	snprintf(want, sizeof want, "\"shared\":%d,\"complete\":true}", shared);
	check_contains(&answer.body, want);
	answer_free(&answer);
}

static void await_entries(const struct replicas *world, int replica, double count)
{
	struct patience patience = patience_for("what is in memory");
	while (sluice_metric(world->each[replica], "sluice_cache_entries") != count)
		patience_wait(&patience);
}

/* At one replica, and it is gone from Redis and from the memory of both. */
static void a_purge_is_for_all_of_them(void **state)
{
	static const char *const models[] = {"m", "n"};
	static const char *const clients[] = {"", "Authorization: Bearer one\r\n", "Authorization: Bearer two\r\n"};
	struct replicas world =
	    replicas_start("models:\n  m: sim/count;tokens=20\n  n: { balance: [sim/count;tokens=20] }\n");
	struct answer answer;
	char path[REPLICAS_NAME_MOST];
	(void)state;
	for (int model = 0; model < 2; model++) {
		for (int client = 0; client < 3; client++) {
			for (int replica = 0; replica < REPLICAS; replica++) {
				ask(&world, replica, clients[client], cached_body(models[model], false, ZERO), &answer);
				cached_check(&answer, false);
				answer_free(&answer);
				replicas_await(&world, 0, "stored", model * 3 + client + 1);
			}
		}
	}
	assert_int_equal(replicas_answers(&world, path), 6);
	await_entries(&world, 1, 6);
	client_ask(world.each[0], VIA_H1, "DELETE", "/admin/cache?model=none", NULL, NULL, &answer);
	check_error(&answer, 404, "model_not_found");
	answer_free(&answer);
	purge(&world, "?model=n", 3);
	assert_int_equal(replicas_answers(&world, NULL), 3);
	await_entries(&world, 1, 3);
	purge(&world, "?tenant=cbf29ce484222325", 1); /* of those without an Authorization */
	assert_int_equal(replicas_answers(&world, path), 2);
	await_entries(&world, 1, 2);
	const char *key = strchr(path, '{') + 1;
	char query[128];
	snprintf(query, sizeof query, "?key=%.64s", key);
	purge(&world, query, 1);
	assert_int_equal(replicas_answers(&world, NULL), 1);
	await_entries(&world, 1, 1);
	purge(&world, "", 1);
	await_entries(&world, 0, 0);
	await_entries(&world, 1, 0);
	assert_int_equal(replicas_answers(&world, NULL), 0);
}

static void an_operator_finds_what_another_replica_kept(void **state)
{
	struct replicas world = replicas_start(MODEL);
	char name[REPLICAS_NAME_MOST], path[128];
	struct answer answer;
	(void)state;
	ask(&world, 0, "Authorization: Bearer one\r\n", cached_body("m", false, ZERO), &answer);
	answer_free(&answer);
	replicas_await(&world, 0, "stored", 1);
	assert_int_equal(replicas_answers(&world, name), 1);
	snprintf(path, sizeof path, "/admin/cache?text=true&key=%.64s", strchr(name, '{') + 1);
	client_ask(world.each[1], VIA_H2, "GET", path, NULL, NULL, &answer);
	check_contains(&answer.body, "\"model\":\"m\",\"tenant\":\"");
	check_contains(&answer.body, "\"finish_reason\":\"stop\"");
	check_contains(&answer.body, "\"answer\":{\"id\":");
	answer_free(&answer);
	client_ask(world.each[1], VIA_H2, "GET",
		   "/admin/cache?key=0000000000000000000000000000000000000000000000000000000000000000", NULL, NULL,
		   &answer);
	check_contains(&answer.body, "\"entry\":null");
	answer_free(&answer);
}

static unsigned long looks(const struct replicas *world)
{
	const char *at = strstr(redis_process_say(world->redis, "INFO commandstats"), "cmdstat_xrange:calls=");
	return at == NULL ? 0 : strtoul(strchr(at, '=') + 1, NULL, 10);
}

/* Until each replica has looked for purges again. */
static void await_looks(const struct replicas *world)
{
	struct patience patience = patience_for("the replicas to look for purges");
	for (unsigned long before = looks(world); looks(world) < before + (size_t)REPLICAS * 4;)
		patience_wait(&patience);
}

/* A Redis whose clock was set back, or one that came in the place of another: its purges had ids of before those that
 * were heard of, and nobody heard of them. */
static void a_purge_by_another_clock_is_heard(void **state)
{
	struct replicas world = replicas_start(MODEL);
	struct answer answer;
	(void)state;
	purge(&world, "", 0);
	await_looks(&world);
	for (int i = 0; i < REPLICAS; i++) {
		ask(&world, i, "", cached_body("m", false, ZERO), &answer);
		answer_free(&answer);
		replicas_await(&world, 0, "stored", 1);
	}
	redis_process_say(world.redis, "DEL sluice:1:purges");
	redis_process_say(world.redis, "XADD sluice:1:purges 5-1 what *:*:{*}");
	await_entries(&world, 0, 0);
	await_entries(&world, 1, 0);
}

/* More than one look of SCAN, and a Redis that goes away in between: the answer says what could be done. */
static void a_purge_tells_when_it_could_not_be_done(void **state)
{
	struct replicas world = replicas_start(MODEL);
	struct answer answer;
	(void)state;
	ask(&world, 0, "", cached_body("m", false, ZERO), &answer);
	answer_free(&answer);
	replicas_await(&world, 0, "stored", 1);
	redis_process_signal(world.redis, SIGKILL);
	struct patience patience = patience_for("the loss of Redis");
	while (sluice_metric(world.each[0], "sluice_redis_up") != 0)
		patience_wait(&patience);
	client_ask(world.each[0], VIA_H1, "DELETE", "/admin/cache", NULL, NULL, &answer);
	assert_int_equal(answer.status, 200);
	check_contains(&answer.body, "\"purged\":1,\"shared\":0,\"complete\":false}");
	answer_free(&answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(what_one_keeps_the_others_give),
	    SCENARIO(answers_live_as_long_as_they_are_told_to),
	    SCENARIO(clients_have_their_way_with_shared_answers_too),
	    SCENARIO(a_shared_answer_stands_in_when_it_is_stale),
	    SCENARIO(only_complete_first_hand_answers_are_there),
	    SCENARIO(nothing_is_kept_of_what_nobody_waited_for),
	    SCENARIO(damage_is_noticed_and_removed),
	    SCENARIO(an_answer_is_good_under_its_own_key_alone),
	    SCENARIO(without_redis_each_is_on_its_own),
	    SCENARIO(what_redis_does_not_take_is_given_all_the_same),
	    SCENARIO(a_redis_that_stops_is_left_alone),
	    SCENARIO(a_purge_is_for_all_of_them),
	    SCENARIO(an_operator_finds_what_another_replica_kept),
	    SCENARIO(a_purge_by_another_clock_is_heard),
	    SCENARIO(a_purge_tells_when_it_could_not_be_done),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
