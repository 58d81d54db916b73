/* SPDX-License-Identifier: MIT */
/*
 * What was purged or renewed is not given again, whoever keeps it and however long a call takes. A purge during a fill
 * said that it was complete, and 1.5 s later the old call's answer was a hit. A renewal at one replica left the others
 * their old copies for an hour, and joined a call that had begun before it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/redis/redis_server.h"
#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/cached.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/replicas.h"
#include "tests/scenario/harness/scenario.h"

enum { TEXT_MOST = 512, SCRIPT_MOST = 4, NONE = BACKEND_GATES };

struct world {
	struct backend *backend;
	struct redis_process *redis; /* NULL = one replica alone */
	struct sluice *each[REPLICAS];
	unsigned replicas;
};

static struct sluice *add(const struct world *world, const char *key, const char *rest)
{
	char redis[160] = "";
	if (world->redis != NULL)
		snprintf(redis, sizeof redis, "redis: { unix: %s, budget: 5s }\n", world->redis->socket);
	return sluice_start("backends: { b: { url: 'http://127.0.0.1:%d/v1', api_key: %s, breaker: { enabled: false } "
			    "} }\nmodels: { m: b/x }\n%s%s",
			    backend_port(world->backend), key, redis, rest);
}

static struct world start(unsigned replicas)
{
	struct world world = {.backend = backend_start(), .replicas = replicas};
	if (replicas > 1)
		world.redis = replicas_prepare().redis;
	for (unsigned i = 0; i < replicas; i++) {
		world.each[i] = add(&world, "k", "");
		if (replicas > 1)
			replicas_wait_up(world.each[i]);
	}
	return world;
}

enum { CHAT, EMBEDDING };

static const char *const paths[] = {"/v1/chat/completions", "/v1/embeddings"};
static const char *const bodies[] = {
    "{\"model\":\"m\",\"temperature\":0,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
    "{\"model\":\"m\",\"input\":[\"x\",\"y\"]}",
};

/* The next request gets an answer that says so, behind that gate, or at once (gate NONE). "cut" is never kept. */
static void script_behind(const struct world *world, int kind, const char *says, size_t gate)
{
	char body[TEXT_MOST], reply[2 * TEXT_MOST];
	bool gated = gate != NONE, whole = strcmp(says, "cut") != 0;
	struct step steps[SCRIPT_MOST] = {{STEP_GATE, NULL, 0, gate}};
	if (kind == CHAT)
		snprintf(body, sizeof body,
			 "{\"id\":\"i\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"x\",\"choices\":[{"
			 "\"index\":0,"
			 "\"message\":{\"role\":\"assistant\",\"content\":\"%s\"},\"finish_reason\":\"%s\"}]}",
			 says, whole ? "stop" : "length");
	else
		snprintf(body, sizeof body,
			 "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":[1,2],"
			 "\"of\":\"%s\"}%s],\"model\":\"x\"}",
			 says, whole ? ",{\"object\":\"embedding\",\"index\":1,\"embedding\":[3,4]}" : "");
	snprintf(reply, sizeof reply,
		 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", strlen(body),
		 body);
	size_t count = gated ? 1 : 0;
	steps[count++] = (struct step){STEP_SEND, reply, 0, 0};
	steps[count] = (struct step){STEP_AGAIN, NULL, 0, 0};
	backend_script(world->backend, steps);
}

static void script(const struct world *world, int kind, const char *says, bool gated)
{
	script_behind(world, kind, says, gated ? 0 : NONE);
}

static void post(struct h1 *h1, const struct world *world, unsigned replica, int kind, const char *headers)
{
	h1_open(h1, world->each[replica]->port, false);
	h1_post(h1, paths[kind], headers, bodies[kind]);
}

static void finish(struct h1 *h1, const char *says)
{
	char want[64];
	snprintf(want, sizeof want, "\"%s\"", says);
	h1_wait_end(h1);
	if (h1->answer.status != 200 || !bytes_contain(&h1->answer.body, want))
		fail_msg("%d, not %s: %s", h1->answer.status, says, bytes_text(&h1->answer.body));
	h1_close(h1);
}

static void check(const struct world *world, unsigned replica, int kind, const char *headers, const char *says)
{
	struct h1 h1;
	post(&h1, world, replica, kind, headers);
	finish(&h1, says);
}

static void purge(const struct world *world, unsigned replica, const char *query)
{
	struct answer answer;
	char path[160];
	snprintf(path, sizeof path, "/admin/cache%s", query);
	client_ask(world->each[replica], VIA_H1, "DELETE", path, NULL, NULL, &answer);
	assert_int_equal(answer.status, 200);
	check_contains(&answer.body, "\"complete\":true");
	answer_free(&answer);
}

static unsigned long looks(const struct world *world)
{
	const char *at = strstr(redis_process_say(world->redis, "INFO commandstats"), "cmdstat_xrange:calls=");
	return at == NULL ? 0 : strtoul(strchr(at, '=') + 1, NULL, 10);
}

/* Until each replica has looked for purges and renewals again. */
static void await_looks(const struct world *world)
{
	struct patience patience = patience_for("the replicas to look for purges");
	if (world->redis == NULL)
		return;
	for (unsigned long before = looks(world); looks(world) < before + 4ul * REPLICAS;)
		patience_wait(&patience);
}

static void await_stored(const struct world *world, unsigned replica, double count)
{
	struct patience patience = patience_for("an answer to be in Redis");
	while (world->redis != NULL &&
	       sluice_metric(world->each[replica], "sluice_cache_redis_total{result=\"stored\"}") < count)
		patience_wait(&patience);
}

static void nothing_is_kept_of_a_call_that_began_before_a_purge(void **state)
{
	static const char *const queries[] = {"", "?model=m", "?tenant=cbf29ce484222325"};
	(void)state;
	for (int round = 0; round < 3 * 2; round++) {
		unsigned replicas = round % 3 == 0 ? 1 : 2, at = round % 3 == 2 ? 1 : 0;
		const char *query = queries[(round + round / 3) % 3];
		int kind = round < 3 ? CHAT : EMBEDDING;
		struct world world = start(replicas);
		struct h1 h1;
		script(&world, kind, "old", true);
		script(&world, kind, "new", false);
		post(&h1, &world, 0, kind, "");
		backend_wait_requests(world.backend, 1);
		purge(&world, at, query);
		backend_open_gate(world.backend);
		finish(&h1, "old");
		if (at == 0)
			check(&world, 0, kind, "", "new"); /* where it was purged at once */
		await_looks(&world);
		for (unsigned i = 0; i < 2 * replicas; i++)
			check(&world, i % replicas, kind, "", "new");
	}
}

/* The call of before the purge goes on, for those who asked before. */
static void who_asks_behind_a_purge_does_not_join_what_began_before(void **state)
{
	(void)state;
	for (int kind = 0; kind < 2; kind++) {
		struct world world = start(1);
		struct h1 before, behind;
		script(&world, kind, "old", true);
		script(&world, kind, "new", false);
		post(&before, &world, 0, kind, "");
		backend_wait_requests(world.backend, 1);
		purge(&world, 0, "");
		post(&behind, &world, 0, kind, "");
		finish(&behind, "new");
		backend_open_gate(world.backend);
		finish(&before, "old");
		check(&world, 0, kind, "", "new");
	}
}

static void a_renewal_reaches_the_copies_of_other_replicas(void **state)
{
	static const char *const headers[] = {"Cache-Control: no-cache\r\n", "Cache-Control: max-age=0\r\n"};
	(void)state;
	for (int round = 0; round < 4; round++) {
		int kind = round % 2;
		struct world world = start(2);
		script(&world, kind, "old", false);
		script(&world, kind, "new", false);
		check(&world, 0, kind, "", "old");
		await_stored(&world, 0, kind == CHAT ? 1 : 2);
		check(&world, 1, kind, "", "old");
		if (round >= 2) { /* older than the client takes */
			struct patience patience = patience_for("an answer to be a second old");
			char *age = NULL;
			for (bool old = false; !old; free(age)) {
				struct h1 h1;
				post(&h1, &world, 0, kind, "");
				h1_wait_end(&h1);
				age = answer_header(&h1.answer, "age");
				old = age != NULL && atoi(age) >= 1;
				h1_close(&h1);
				patience_wait(&patience);
			}
		}
		check(&world, 0, kind, headers[round / 2], "new");
		await_looks(&world);
		for (unsigned i = 0; i < 2 * REPLICAS; i++)
			check(&world, i % REPLICAS, kind, "", "new");
		assert_int_equal(backend_requests(world.backend), 2);
	}
}

/* Also when the older call ends last: it began before. */
static void a_renewal_never_joins_a_call_from_before(void **state)
{
	static const unsigned crowds[] = {1, 30, 300};
	(void)state;
	for (unsigned round = 0; round < 2 * 3; round++) {
		unsigned replicas = 1 + round % 2, crowd = crowds[round / 2];
		int kind = crowd == 30 ? EMBEDDING : CHAT;
		struct world world = start(replicas);
		struct h1 *before = calloc(crowd, sizeof *before);
		assert_non_null(before);
		script(&world, kind, "old", true);
		script(&world, kind, "new", false);
		for (unsigned i = 0; i < crowd; i++)
			post(&before[i], &world, 0, kind, "");
		struct patience patience = patience_for("all of them to wait for the call");
		while (sluice_metric(world.each[0], "sluice_exchanges_in_flight") < crowd)
			patience_wait(&patience);
		backend_wait_requests(world.backend, 1);
		check(&world, replicas - 1, kind, "Cache-Control: no-cache\r\n", "new");
		await_looks(&world);
		backend_open_gate(world.backend);
		for (unsigned i = 0; i < crowd; i++)
			finish(&before[i], "old");
		await_looks(&world);
		for (unsigned i = 0; i < 2 * replicas; i++)
			check(&world, i % replicas, kind, "", "new");
		assert_int_equal(backend_requests(world.backend), 2);
		free(before);
	}
}

/* Nothing is kept of an answer that was cut short: whoever asks next asks for itself, and so does a batch. */
static void a_call_from_before_a_renewal_that_kept_nothing_is_not_joined(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 2 * 2; round++) {
		unsigned replicas = 1 + round % 2;
		int kind = round / 2 == 0 ? CHAT : EMBEDDING;
		struct world world = start(replicas);
		struct h1 before;
		script(&world, kind, "old", true);
		script(&world, kind, "cut", false);
		script(&world, kind, "new", false);
		post(&before, &world, replicas - 1, kind, "");
		backend_wait_requests(world.backend, 1);
		check(&world, 0, kind, "Cache-Control: no-cache\r\n", "cut");
		check(&world, 0, kind, "", "new");
		backend_open_gate(world.backend);
		finish(&before, "old");
		check(&world, 0, kind, "", "new");
	}
}

static void an_answer_from_before_a_renewal_that_kept_nothing_is_gone(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 2 * 2; round++) {
		unsigned replicas = 1 + round % 2;
		int kind = round / 2 == 0 ? CHAT : EMBEDDING;
		struct world world = start(replicas);
		script(&world, kind, "old", false);
		script(&world, kind, "cut", false);
		script(&world, kind, "new", false);
		check(&world, 0, kind, "", "old");
		check(&world, 0, kind, "Cache-Control: no-cache\r\n", "cut");
		check(&world, 0, kind, "", "new");
		await_looks(&world);
		for (unsigned i = 0; i < 2 * replicas; i++)
			check(&world, i % replicas, kind, "", "new");
		assert_true(backend_requests(world.backend) <= 2 + replicas);
	}
}

/*
 * A replica listens to another one's call, which began before a renewal that began before the listening: the inputs in
 * another order are another call.
 */
static void a_call_that_is_listened_to_is_not_joined_after_a_renewal(void **state)
{
	struct world world = start(2);
	struct h1 calls, renews, listens;
	struct patience patience = patience_for("a replica to listen to the other one");
	(void)state;
	script_behind(&world, EMBEDDING, "old", 0);
	script_behind(&world, EMBEDDING, "cut", 1);
	script(&world, EMBEDDING, "new", false);
	post(&calls, &world, 1, EMBEDDING, "");
	backend_wait_requests(world.backend, 1);
	h1_open(&renews, world.each[0]->port, false);
	h1_post(&renews, paths[EMBEDDING], "Cache-Control: no-cache\r\n", "{\"model\":\"m\",\"input\":[\"y\",\"x\"]}");
	backend_wait_requests(world.backend, 2);
	post(&listens, &world, 0, EMBEDDING, "");
	while (sluice_metric(world.each[0], "sluice_cache_leases_total{result=\"taken\"}") < 1)
		patience_wait(&patience);
	backend_open_gate_of(world.backend, 1);
	finish(&renews, "cut");
	check(&world, 0, EMBEDDING, "", "new");
	backend_open_gate(world.backend);
	finish(&calls, "old");
	finish(&listens, "old");
}

/* ---- large answers, whose keeping takes a while ---- */

enum { INPUTS = 64, VECTOR_BYTES = 20000, CHAT_BYTES = 1000000, LARGE_ROUNDS = 8 };

static void write_large(struct bytes *body, int kind, const char *says)
{
	char *filler = malloc(CHAT_BYTES);
	assert_non_null(filler);
	memset(filler, kind == CHAT ? 'x' : '1', CHAT_BYTES);
	if (kind == CHAT)
		bytes_printf(
		    body,
		    "{\"id\":\"i\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"%s\",\"choices\":[{"
		    "\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%.*s\"},"
		    "\"finish_reason\":\"stop\"}]}",
		    says, CHAT_BYTES, filler);
	else
		bytes_printf(body, "{\"object\":\"list\",\"model\":\"x\",\"data\":[");
	for (int i = 0; i < INPUTS && kind == EMBEDDING; i++)
		bytes_printf(body, "%s{\"object\":\"embedding\",\"index\":%d,\"embedding\":[1.%.*s],\"of\":\"%s\"}",
			     i == 0 ? "" : ",", i, VECTOR_BYTES, filler, says);
	if (kind == EMBEDDING)
		bytes_printf(body, "]}");
	free(filler);
}

/* A whole batch, or the last input of one; a chat. */
static void write_question(struct bytes *question, int kind, int round, bool all)
{
	if (kind == CHAT)
		bytes_printf(question,
			     "{\"model\":\"m\",\"temperature\":0,\"top_k\":%d,\"messages\":[{\"role\":\"user\","
			     "\"content\":\"x\"}]}",
			     round);
	else
		bytes_printf(question, "{\"model\":\"m\",\"input\":[");
	for (int i = all ? 0 : INPUTS - 1; i < INPUTS && kind == EMBEDDING; i++)
		bytes_printf(question, "%s\"%d of %d\"", i == 0 || !all ? "" : ",", i, round);
	if (kind == EMBEDDING)
		bytes_printf(question, "]}");
}

static void ask_large(const struct world *world, int kind, int round, bool all, const char *headers, const char *says)
{
	struct bytes question = {0};
	struct h1 h1;
	write_question(&question, kind, round, all);
	h1_open(&h1, world->each[0]->port, false);
	h1_post(&h1, paths[kind], headers, bytes_text(&question));
	finish(&h1, says);
	bytes_free(&question);
}

/* A client that has the last byte of a renewal may ask at once, while the service is still busy keeping it. */
static void who_has_all_of_a_large_renewal_is_not_given_what_it_replaces(void **state)
{
	(void)state;
	for (int kind = 0; kind < 2; kind++) {
		struct world world = start(2);
		for (int round = 0; round < LARGE_ROUNDS; round++) {
			struct bytes old = {0}, new = {0};
			write_large(&old, kind, "old");
			write_large(&new, kind, "new");
			backend_reply(world.backend, "application/json", bytes_text(&old));
			backend_reply(world.backend, "application/json", bytes_text(&new));
			bytes_free(&old);
			bytes_free(&new);
			ask_large(&world, kind, round, true, "", "old");
			ask_large(&world, kind, round, true, "Cache-Control: no-cache\r\n", "new");
			ask_large(&world, kind, round, false, "", "new");
		}
		assert_int_equal(backend_requests(world.backend), 2 * LARGE_ROUNDS);
	}
}

/* ---- rules ---- */

static void the_rules_of_who_reads_count(void **state)
{
	static const struct {
		const char *writer, *reader, *says;
		bool given;
	} rows[] = {
	    {"cache: { finish: any }\n", "cache: { finish: any, ttl: 2h }\n", "cut", true},
	    {"cache: { finish: any }\n", "", "cut", false},
	    {"cache: { ttl: 2h }\n", "cache: { ttl: 1h }\n", "x", true},
	    {"", "cache: { entry: 1KiB }\n", "x", true},
	    {"cache: { stale_if_error: 1h }\n", "", "x", true},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct world world = {.backend = backend_start(), .redis = replicas_prepare().redis, .replicas = 2};
		script(&world, CHAT, rows[i].says, false);
		script(&world, CHAT, "asked again", false);
		world.each[0] = add(&world, "one", rows[i].writer);
		world.each[1] = add(&world, "two", rows[i].reader); /* the backend's key was rotated */
		for (int n = 0; n < REPLICAS; n++)
			replicas_wait_up(world.each[n]);
		check(&world, 0, CHAT, "", rows[i].says);
		await_stored(&world, 0, 1);
		check(&world, 1, CHAT, "Cache-Control: no-store\r\n", "asked again");
		check(&world, 1, CHAT, "", rows[i].given ? rows[i].says : "asked again");
		assert_int_equal(backend_requests(world.backend), rows[i].given ? 2 : 3);
	}
}

/* As if what the first one keeps for long were older than the second one gives. */
static void what_is_too_old_for_who_reads_is_asked_for_anew(void **state)
{
	struct world world = {.backend = backend_start(), .redis = replicas_prepare().redis, .replicas = 2};
	char name[REPLICAS_NAME_MOST];
	(void)state;
	script(&world, CHAT, "old", false);
	script(&world, CHAT, "new", false);
	world.each[0] = add(&world, "k", "cache: { ttl: 10h }\n");
	world.each[1] = add(&world, "k", "cache: { ttl: 1h }\n");
	for (int n = 0; n < REPLICAS; n++)
		replicas_wait_up(world.each[n]);
	check(&world, 0, CHAT, "", "old");
	await_stored(&world, 0, 1);
	const struct replicas replicas = {.redis = world.redis};
	assert_int_equal(replicas_answers(&replicas, name), 1);
	long left_ms = strtol(redis_process_say(world.redis, "PTTL %s", name) + 1, NULL, 10);
	redis_process_say(world.redis, "PEXPIRE %s %ld", name, left_ms - 70 * 60 * 1000L);
	check(&world, 1, CHAT, "", "new");
}

/* One that keeps only small answers does not take larger ones away from the others. */
static void what_is_too_large_for_one_stays_for_the_others(void **state)
{
	struct replicas replicas = replicas_prepare();
	static const char models[] = "models:\n  m: sim/count;tokens=20;token_bytes=1000\n";
	char rest[160];
	struct answer answer;
	(void)state;
	replicas.each[0] = replicas_add(&replicas, models);
	snprintf(rest, sizeof rest, "%scache: { entry: 4KiB }\n", models);
	replicas.each[1] = replicas_add(&replicas, rest);
	for (int n = 0; n < REPLICAS; n++)
		replicas_wait_up(replicas.each[n]);
	for (size_t i = 0; i < 2 * REPLICAS; i++) {
		cached_ask(replicas.each[i / 2], "", cached_body("m", false, CACHED_ZERO), &answer);
		assert_int_equal(answer.status, 200);
		answer_free(&answer);
		if (i == 0)
			replicas_await(&replicas, 0, "stored", 1);
		replicas_wait_idle(&replicas); /* who asks while a lease is held follows its flight */
	}
	assert_int_equal(sim_call_count(replicas.sim, ""), 3); /* the second one asks each time */
	assert_int_equal(replicas_answers(&replicas, NULL), 1);
	assert_true(replicas_redis(&replicas, 1, "corrupt") == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(nothing_is_kept_of_a_call_that_began_before_a_purge),
	    SCENARIO(who_asks_behind_a_purge_does_not_join_what_began_before),
	    SCENARIO(a_renewal_reaches_the_copies_of_other_replicas),
	    SCENARIO(a_renewal_never_joins_a_call_from_before),
	    SCENARIO(a_call_from_before_a_renewal_that_kept_nothing_is_not_joined),
	    SCENARIO(an_answer_from_before_a_renewal_that_kept_nothing_is_gone),
	    SCENARIO(a_call_that_is_listened_to_is_not_joined_after_a_renewal),
	    SCENARIO(who_has_all_of_a_large_renewal_is_not_given_what_it_replaces),
	    SCENARIO(the_rules_of_who_reads_count),
	    SCENARIO(what_is_too_old_for_who_reads_is_asked_for_anew),
	    SCENARIO(what_is_too_large_for_one_stays_for_the_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
