/* SPDX-License-Identifier: MIT */
/*
 * One answer is asked for by one replica at a time: the others listen to its flight through a real Redis. Whoever
 * leaves, dies or fails, nobody is told anything that the backend did not say, and nothing is asked for twice that
 * did not have to be.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/cached.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/replicas.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sse.h"

enum { CROWD = 300 };

#define ZERO CACHED_ZERO
/* In the middle it waits until the gate of the simulator opens. */
#define SLOWLY "models:\n  m: sim/count;tokens=20;gate=10\n"

static double leases(const struct replicas *world, int replica, const char *result)
{
	char sample[96];
	snprintf(sample, sizeof sample, "sluice_cache_leases_total{result=\"%s\"}", result);
	return sluice_metric(world->each[replica], sample);
}

/* Waits until it has listened to the other one so many times. */
static void wait_listening(const struct replicas *world, int replica, double times)
{
	struct patience patience = patience_for("a replica to listen to the other one");
	while (leases(world, replica, "taken") < times)
		patience_wait(&patience);
}

/* Whether either of them listens to the other one. */
static bool one_listens(const struct replicas *world)
{
	return leases(world, 0, "taken") + leases(world, 1, "taken") > 0;
}

static void wait_idle(const struct replicas *world)
{
	for (int i = 0; i < REPLICAS; i++)
		sluice_wait_idle(world->each[i]);
	redis_process_await(world->redis, "KEYS *:lease", "*0");
	redis_process_await(world->redis, "KEYS *:lease:stream", "*0");
}

static void post(struct client *client, const struct replicas *world, int replica, enum via via, bool stream)
{
	client_post(client, world->each[replica], via, "/v1/chat/completions", cached_body("m", stream, ZERO));
}

static void finish(struct client *client, bool stream)
{
	client_wait_end(client);
	cached_check(client_answer(client), stream);
	client_close(client);
}

static void a_crowd_at_both_is_one_call(void **state)
{
	struct replicas world = replicas_start("models:\n  m: sim/count;tokens=20;gate=0;itl=20ms\n");
	struct client clients[CROWD];
	(void)state;
	for (int i = 0; i < CROWD; i++)
		post(&clients[i], &world, i % REPLICAS, (enum via)(i % VIA_COUNT), i / VIA_COUNT % 2 == 0);
	for (int i = 0; i < REPLICAS; i++)
		sluice_wait_in_flight(world.each[i], CROWD / REPLICAS);
	sim_open_gate(world.sim);
	for (int i = 0; i < CROWD; i++)
		finish(&clients[i], i / VIA_COUNT % 2 == 0);
	assert_int_equal(sim_call_count(world.sim, ""), 1);
	assert_true(leases(&world, 0, "mine") + leases(&world, 1, "mine") == 1);
	wait_idle(&world);
}

/* What the first one was told is told again to the other replica's client, and then what comes, as it comes. */
static void late_ones_elsewhere_get_all_of_it(void **state)
{
	struct replicas world = replicas_start(SLOWLY);
	(void)state;
	for (int stream = 0; stream < 2; stream++) {
		struct client first, late;
		struct sse sse = {0}, live = {0};
		char *body = strdup(cached_body("m", true, stream ? ZERO ",\"top_k\":1" : ZERO));
		sim_close_gate(world.sim);
		client_post(&first, world.each[0], VIA_H2, "/v1/chat/completions", body);
		client_wait_events(&first, &sse, 4);
		client_post(&late, world.each[1], VIA_H1, "/v1/chat/completions",
			    cached_body("m", stream == 1, stream ? ZERO ",\"top_k\":1" : ZERO));
		if (stream == 1) {
			client_wait_events(&late, &live, 6);
			assert_false(client_answer(&first)->ended);
			char *status = answer_header(client_answer(&late), "cache-status");
			assert_string_equal(status, "sluice; fwd=miss; collapsed");
			free(status);
		}
		wait_listening(&world, 1, stream + 1);
		sim_open_gate(world.sim);
		finish(&late, stream == 1);
		finish(&first, true);
		sse_free(&sse);
		sse_free(&live);
		free(body);
	}
	assert_int_equal(sim_call_count(world.sim, ""), 2);
	wait_idle(&world);
}

static void completions_are_one_call_in_either_form(void **state)
{
	static const char whole[] = "{\"model\":\"m\",\"prompt\":\"x\",\"temperature\":0}";
	static const char stream[] = "{\"model\":\"m\",\"prompt\":\"x\",\"temperature\":0,\"stream\":true}";
	struct replicas world = replicas_start("models:\n  m: sim/count;tokens=20;gate=10\n");
	struct client clients[4];
	(void)state;
	for (int i = 0; i < 4; i++)
		client_post(&clients[i], world.each[i % 2], VIA_H1, "/v1/completions", i < 2 ? whole : stream);
	for (int i = 0; i < REPLICAS; i++)
		sluice_wait_in_flight(world.each[i], 2);
	sim_open_gate(world.sim);
	for (int i = 0; i < 4; i++) {
		struct answer *answer = client_answer(&clients[i]);
		client_wait_end(&clients[i]);
		assert_int_equal(answer->status, 200);
		if (i >= 2)
			cached_check_stream(answer);
		else
			check_contains(&answer->body,
				       "\"text\":\" 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19\"");
		client_close(&clients[i]);
	}
	assert_int_equal(sim_call_count(world.sim, ""), 1);
	wait_idle(&world);
}

static void who_leads_may_leave(void **state)
{
	struct replicas world = replicas_start(SLOWLY);
	struct client first, other;
	struct sse sse = {0};
	(void)state;
	post(&first, &world, 0, VIA_H1, true);
	client_wait_head(&first);
	sim_wait_calls(world.sim, "", 1);
	post(&other, &world, 1, VIA_H2, true);
	client_wait_events(&other, &sse, 3);
	client_leave(&first, LEAVE_RST);
	client_close(&first);
	sim_open_gate(world.sim);
	finish(&other, true);
	sse_free(&sse);
	assert_int_equal(sim_call_count(world.sim, ""), 1);
	wait_idle(&world);
}

static void when_all_have_left_everywhere_the_call_ends(void **state)
{
	struct replicas world = replicas_start("models:\n  m: sim/count;tokens=20;events_then_hang\n");
	struct client first, other;
	struct sse sse = {0};
	(void)state;
	post(&first, &world, 0, VIA_H1, true);
	client_wait_head(&first);
	post(&other, &world, 1, VIA_H2, true);
	client_wait_events(&other, &sse, 2);
	client_leave(&other, LEAVE_CANCEL);
	client_close(&other);
	client_leave(&first, LEAVE_RST);
	client_close(&first);
	sse_free(&sse);
	sim_wait_idle(world.sim);
	assert_int_equal(sim_call_count(world.sim, ""), 1);
	wait_idle(&world);
	assert_int_equal(replicas_answers(&world, NULL), 0);
}

/* kill -9 of the replica that runs the flight, before it said anything: the other one asks anew, and nobody notices. */
static void a_replica_that_dies_early_is_replaced(void **state)
{
	struct replicas world = replicas_start("models:\n  m: sim/count;tokens=20;hang_before_head;times=1\n");
	struct client first, other;
	(void)state;
	post(&first, &world, 0, VIA_H1, true);
	sim_wait_calls(world.sim, "", 1);
	post(&other, &world, 1, VIA_H1, true);
	wait_listening(&world, 1, 1);
	proc_kill(world.each[0]->proc);
	client_close(&first);
	finish(&other, true);
	assert_int_equal(sim_call_count(world.sim, ""), 2);
	sluice_wait_idle(world.each[1]);
	replicas_await(&world, 1, "stored", 1);
}

/* The same in the middle: what was told cannot be taken back, so the end is told as what it is. */
static void a_replica_that_dies_in_the_middle_is_an_error(void **state)
{
	struct replicas world = replicas_start("models:\n  m: sim/count;tokens=20;events_then_hang;after=8;times=1\n");
	struct client first, other, later;
	struct sse sse = {0};
	(void)state;
	post(&first, &world, 0, VIA_H1, true);
	client_wait_head(&first);
	post(&other, &world, 1, VIA_H1, true);
	client_wait_events(&other, &sse, 7);
	proc_kill(world.each[0]->proc);
	client_close(&first);
	client_wait_end(&other);
	check_sse_error(&client_answer(&other)->body, "upstream_reset");
	client_close(&other);
	sse_free(&sse);
	assert_int_equal(replicas_answers(&world, NULL), 0);
	post(&later, &world, 1, VIA_H1, true);
	finish(&later, true);
	assert_int_equal(sim_call_count(world.sim, ""), 2);
	sluice_wait_idle(world.each[1]);
}

#define CHUNK(delta, finish)                                                                               \
	"data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"x\"," \
	"\"choices\":[{\"index\":0,\"delta\":{" delta "},\"finish_reason\":" finish "}]}\n\n"

/*
 * The first replica asks the backends and dies; the second one hears of it, so many events before the gate of a backend
 * opens and behind it, and tells its client what it makes of that.
 */
static void die_asking(const struct replicas *world, struct backend *gated, size_t before, size_t behind,
		       struct client *other)
{
	struct client first;
	struct sse sse = {0};
	post(&first, world, 0, VIA_H1, true);
	client_wait_head(&first);
	post(other, world, 1, VIA_H1, true);
	client_wait_events(other, &sse, before);
	backend_open_gate(gated);
	client_wait_events(other, &sse, behind);
	proc_kill(world->each[0]->proc);
	client_close(&first);
	client_wait_end(other);
	sse_free(&sse);
}

/* When all but the end was told, nothing is missing: as of a backend that breaks off there. */
static void a_replica_that_dies_behind_the_finish_is_no_error(void **state)
{
	static const struct step script[] = {
	    SEND(STREAM_HEAD CHUNK("\"role\":\"assistant\",\"content\":\"all\"", "null")), GATE,
	    SEND(CHUNK("\"content\":\" of it\"", "null") CHUNK("", "\"stop\"")), SCRIPT_END};
	struct replicas world = replicas_prepare();
	struct backend *backend = backend_start();
	struct client other;
	(void)state;
	backend_script(backend, script);
	for (int i = 0; i < REPLICAS; i++) {
		world.each[i] = sluice_start("backends: { b: { url: 'http://127.0.0.1:%d/v1' } }\n"
					     "redis: { servers: [127.0.0.1:%d], budget: 5s }\nmodels: { m: b/x }\n",
					     backend_port(backend), world.redis->port);
		replicas_wait_up(world.each[i]);
	}
	die_asking(&world, backend, 1, 3, &other);
	check_sse_whole(&client_answer(&other)->body, 1);
	check_contains(&client_answer(&other)->body, "\"finish_reason\":\"stop\"");
	client_close(&other);
	sluice_wait_idle(world.each[1]);
	assert_int_equal(replicas_answers(&world, NULL), 0);
}

/* Of several answers that are gathered one may be finished and another one not: that is no complete answer. */
static void a_replica_that_dies_behind_one_finish_of_two_is_an_error(void **state)
{
	static const struct step done[] = {
	    SEND(STREAM_HEAD CHUNK("\"role\":\"assistant\",\"content\":\"all\"", "null")), GATE,
	    SEND(CHUNK("\"content\":\" of it\"", "null") CHUNK("", "\"stop\"") "data: [DONE]\n\n"), SCRIPT_END};
	static const struct step half[] = {
	    SEND(STREAM_HEAD CHUNK("\"role\":\"assistant\",\"content\":\"only ha\"", "null")), SCRIPT_END};
	struct replicas world = replicas_prepare();
	struct backend *b = backend_start(), *c = backend_start();
	struct client other;
	(void)state;
	backend_script(b, done);
	backend_script(c, half);
	for (int i = 0; i < REPLICAS; i++) {
		world.each[i] = sluice_start("backends:\n  b: { url: 'http://127.0.0.1:%d/v1' }\n"
					     "  c: { url: 'http://127.0.0.1:%d/v1' }\n"
					     "redis: { servers: [127.0.0.1:%d], budget: 5s }\n"
					     "models: { m: { all: [b/x, c/x] } }\n",
					     backend_port(b), backend_port(c), world.redis->port);
		replicas_wait_up(world.each[i]);
	}
	die_asking(&world, b, 2, 4, &other);
	check_contains(&client_answer(&other)->body, "only ha");
	check_contains(&client_answer(&other)->body, "\"code\":\"upstream_reset\"");
	assert_false(bytes_contain(&client_answer(&other)->body, "[DONE]"));
	client_close(&other);
	sluice_wait_idle(world.each[1]);
}

static void a_failure_is_everybodys_everywhere(void **state)
{
	struct replicas world =
	    replicas_start("models:\n  m: sim/count;reset_mid;after=5;gate=4\n  early: sim/count;status=503;gate=0\n");
	(void)state;
	for (int early = 0; early < 2; early++) {
		struct client clients[4];
		sim_close_gate(world.sim);
		for (int i = 0; i < 4; i++) {
			client_post(&clients[i], world.each[i % 2], VIA_H1, "/v1/chat/completions",
				    cached_body(early ? "early" : "m", i < 2, ZERO));
			if (i == 0) /* it is the one that asks the backend, and for a stream */
				sim_wait_calls(world.sim, early ? "status" : "reset_mid", 1);
		}
		for (int i = 0; i < REPLICAS; i++)
			sluice_wait_in_flight(world.each[i], 2);
		wait_listening(&world, 1, early + 1);
		sim_open_gate(world.sim);
		for (int i = 0; i < 4; i++) {
			struct answer *answer = client_answer(&clients[i]);
			client_wait_end(&clients[i]);
			if (early)
				assert_int_equal(answer->status, 503);
			else if (i < 2)
				check_sse_error(&answer->body, "upstream_reset");
			else
				check_error(answer, 502, "upstream_reset");
			client_close(&clients[i]);
		}
		assert_int_equal(sim_call_count(world.sim, early ? "status" : "reset_mid"), 1);
	}
	assert_int_equal(replicas_answers(&world, NULL), 0);
	wait_idle(&world);
}

/* An answer that is good but not to be kept is still one call's for all who waited. */
static void what_is_not_kept_is_shared_all_the_same(void **state)
{
	struct replicas world = replicas_start("models:\n  m: sim/count;tokens=20;finish=length;gate=0\n");
	struct client clients[4];
	(void)state;
	for (int i = 0; i < 4; i++)
		post(&clients[i], &world, i % 2, VIA_H1, i < 2);
	for (int i = 0; i < REPLICAS; i++)
		sluice_wait_in_flight(world.each[i], 2);
	sim_wait_calls(world.sim, "", 1);
	for (struct patience patience = patience_for("one to listen"); !one_listens(&world);)
		patience_wait(&patience);
	sim_open_gate(world.sim);
	for (int i = 0; i < 4; i++) {
		client_wait_end(&clients[i]);
		assert_int_equal(client_answer(&clients[i])->status, 200);
		check_contains(&client_answer(&clients[i])->body, "\"finish_reason\":\"length\"");
		client_close(&clients[i]);
	}
	assert_int_equal(sim_call_count(world.sim, ""), 1);
	assert_int_equal(replicas_answers(&world, NULL), 0);
	wait_idle(&world);
}

/* Redis forgets everything in the middle: each client gets a whole answer or an honest error, and nothing mixed. */
static void a_redis_that_forgets_corrupts_nothing(void **state)
{
	struct replicas world = replicas_start(SLOWLY);
	struct client first, other;
	struct sse sse = {0};
	(void)state;
	post(&first, &world, 0, VIA_H1, true);
	client_wait_head(&first);
	sim_wait_calls(world.sim, "", 1);
	post(&other, &world, 1, VIA_H1, true);
	client_wait_events(&other, &sse, 3);
	redis_process_say(world.redis, "FLUSHALL");
	sim_open_gate(world.sim);
	finish(&first, true);
	client_wait_end(&other);
	check_sse_error(&client_answer(&other)->body, "upstream_reset");
	client_close(&other);
	sse_free(&sse);
	wait_idle(&world);
}

/* A pause of Redis in the middle holds back, and loses nothing. */
static void a_redis_that_pauses_loses_nothing(void **state)
{
	struct replicas world = replicas_start(SLOWLY);
	struct client first, other;
	struct sse sse = {0};
	(void)state;
	post(&first, &world, 0, VIA_H1, true);
	client_wait_head(&first);
	sim_wait_calls(world.sim, "", 1);
	post(&other, &world, 1, VIA_H1, true);
	client_wait_events(&other, &sse, 3);
	redis_process_signal(world.redis, SIGSTOP);
	sim_open_gate(world.sim);
	finish(&first, true);
	redis_process_signal(world.redis, SIGCONT);
	client_wait_end(&other);
	struct answer *answer = client_answer(&other);
	if (strstr(bytes_text(&answer->body), "[DONE]") != NULL)
		cached_check(answer, true);
	else
		check_sse_error(&answer->body, "upstream_reset");
	client_close(&other);
	sse_free(&sse);
	assert_int_equal(sim_call_count(world.sim, ""), 1);
	wait_idle(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_crowd_at_both_is_one_call),
	    SCENARIO(late_ones_elsewhere_get_all_of_it),
	    SCENARIO(completions_are_one_call_in_either_form),
	    SCENARIO(who_leads_may_leave),
	    SCENARIO(when_all_have_left_everywhere_the_call_ends),
	    SCENARIO(a_replica_that_dies_early_is_replaced),
	    SCENARIO(a_replica_that_dies_in_the_middle_is_an_error),
	    SCENARIO(a_replica_that_dies_behind_the_finish_is_no_error),
	    SCENARIO(a_replica_that_dies_behind_one_finish_of_two_is_an_error),
	    SCENARIO(a_failure_is_everybodys_everywhere),
	    SCENARIO(what_is_not_kept_is_shared_all_the_same),
	    SCENARIO(a_redis_that_forgets_corrupts_nothing),
	    SCENARIO(a_redis_that_pauses_loses_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
