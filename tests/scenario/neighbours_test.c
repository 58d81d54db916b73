/* SPDX-License-Identifier: MIT */
/*
 * What one client, backend or model brings upon itself, with a neighbour beside: a pause that one client's requests met
 * was everybody's for five minutes, and a backend that failed in a millisecond drew four fifths of all traffic.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

static int status_as(const struct sluice *sluice, const char *authorization, const char *model)
{
	const struct h2_header headers[] = {{"authorization", authorization}, {NULL, NULL}};
	struct answer answer;
	client_ask(sluice, VIA_H1, "POST", "/v1/chat/completions", headers, chat_body(model, false), &answer);
	int status = answer.status;
	answer_free(&answer);
	return status;
}

static void a_pause_that_one_client_met_is_its_own_until_another_meets_it(void **state)
{
	struct sim *sim = sim_start((const char *const[]){"--tokens", "2", NULL});
	struct sluice *sluice = sluice_start("backends: { s: { url: 'http://127.0.0.1:%d/v1' } }\n"
					     "models: { m: { balance: [s/m;status=429;retry_after=300;times=1] } }\n",
					     sim->port);
	(void)state;
	assert_int_equal(status_as(sluice, "Bearer greedy", "m"), 429);
	assert_int_equal(status_as(sluice, "Bearer greedy", "m"), 503);
	for (int i = 0; i < 50; i++)
		assert_int_equal(status_as(sluice, "Bearer polite", "m"), 200);
	assert_int_equal(status_as(sluice, "Bearer greedy", "m"), 503);
	sluice_wait_idle(sluice);
}

static void a_pause_that_two_clients_met_is_everybodys(void **state)
{
	struct sim *sim = sim_start((const char *const[]){"--tokens", "2", NULL});
	struct sluice *sluice = sluice_start("backends: { s: { url: 'http://127.0.0.1:%d/v1' } }\n"
					     "models: { m: { balance: [s/m;status=429;retry_after=300;times=2] } }\n",
					     sim->port);
	(void)state;
	assert_int_equal(status_as(sluice, "Bearer one", "m"), 429);
	assert_int_equal(status_as(sluice, "Bearer two", "m"), 429);
	assert_int_equal(status_as(sluice, "Bearer three", "m"), 503);
	assert_int_equal(sim_call_count(sim, ""), 2);
}

/* So many chats, whole answers and streams in turn. Their bodies are static, until the next call. */
static struct mass_job *jobs_of_both_forms(size_t count, const char *model)
{
	static char whole[256], stream[256];
	snprintf(whole, sizeof whole, "%s", chat_body(model, false));
	snprintf(stream, sizeof stream, "%s", chat_body(model, true));
	struct mass_job *jobs = mass_jobs(count, whole);
	for (size_t i = 1; i < count; i += 2)
		jobs[i].body = stream;
	return jobs;
}

/* Requests that failed at a backend which fails at once, of many over two. */
static void check_share(const char *fault, size_t requests, size_t at_once, const char *ttft)
{
	struct sim *bad = sim_start(NULL);
	struct sim *good = sim_start((const char *const[]){"--tokens", "2", "--ttft", ttft, NULL});
	struct sluice *sluice = sluice_start("backends:\n"
					     "  bad: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } }\n"
					     "  good: { url: 'http://127.0.0.1:%d/v1' }\n"
					     "models: { m: { balance: ['bad/m;%s', good/m] } }\n",
					     bad->port, good->port, fault);
	struct mass_job *jobs = mass_jobs(requests, chat_body("m", true));
	struct mass mass = {
	    .sluice = sluice, .via = VIA_H1, .connections = at_once, .streams = 1, .jobs = jobs, .count = requests};
	mass_run(&mass);
	mass_free_answers(&mass);
	free(jobs);
	size_t drawn = sim_call_count(bad, "");
	print_message("%s: %zu of %zu at the backend that fails\n", fault, drawn, requests);
	assert_in_range(drawn, 1, requests / 4);
	sluice_wait_idle(sluice);
}

static void a_backend_that_fails_at_once_draws_no_traffic(void **state)
{
	(void)state;
	check_share("status=429", 400, 8, "2ms");
	check_share("status=429", 3000, 300, "100ms");
	check_share("status=404", 400, 8, "2ms");
	check_share("status=404", 3000, 300, "100ms");
	check_share("status=500", 400, 8, "2ms");
	check_share("status=500", 3000, 300, "100ms");
}

#define RECOVERS "s/m;status=500;times=5"
#define RECOVERS_STATE "sluice_breaker_state{target=\"" RECOVERS "\"}"

#define BUSY "narrow/busy;fault=hang_before_head"

/* A crowd at a model whose first target has two places, both taken by calls that never end. */
static void check_places(const char *plan, size_t count)
{
	struct sim *sim = sim_start((const char *const[]){"--tokens", "2", NULL});
	struct sluice *sluice = sluice_start(
	    "backends:\n"
	    "  narrow: { url: 'http://127.0.0.1:%d/v1', concurrency: { calls: 2, queue: 400, wait: 10m },\n"
	    "            timeouts: { first_content: 10m } }\n"
	    "  wide: { url: 'http://127.0.0.1:%d/v1' }\n"
	    "models: { n: '" BUSY "', m: %s }\n",
	    sim->port, sim->port, plan);
	struct client holders[2];
	for (size_t i = 0; i < 2; i++)
		client_chat(&holders[i], sluice, VIA_H1, "n", i == 0);
	sim_wait_calls(sim, "busy", 2);
	struct mass_job *jobs = jobs_of_both_forms(count, "m");
	struct mass mass = {
	    .sluice = sluice, .via = VIA_H1, .connections = count, .streams = 1, .jobs = jobs, .count = count};
	mass_run(&mass);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(jobs[i].answer.status, 200);
	mass_free_answers(&mass);
	free(jobs);
	assert_int_equal(sim_call_count(sim, "idle"), count);
	assert_int_equal(sim_call_count(sim, ""), count + 2);
	for (size_t i = 0; i < 2; i++)
		client_close(&holders[i]);
	sluice_wait_idle(sluice);
}

/* The calls at the narrow target never end: whoever waits for a place is never answered. */
static void nobody_waits_for_a_place_while_another_target_is_free(void **state)
{
	static const size_t crowds[] = {1, 30, 300};
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		check_places("{ fallback: ['" BUSY "', wide/idle] }", crowds[i]);
		check_places("{ balance: ['" BUSY "', wide/idle] }", crowds[i]);
		check_places("{ balance: ['" BUSY "', wide/idle], by: weighted }", crowds[i]);
		check_places("{ balance: ['" BUSY "', wide/idle], by: prefix }", crowds[i]);
	}
}

/* Sends requests one after the other. */
static void ask_in_turn(const struct sluice *sluice, const char *model, bool stream, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct answer answer;
		client_fetch_chat(sluice, VIA_H1, model, stream, &answer);
		assert_int_equal(answer.status, 200);
		answer_free(&answer);
	}
}

/* One call of a target takes two seconds, or its client leaves after one: before it is answered, unless this is late.
 */
static void make_slow_once(const struct sluice *sluice, const struct sim *sim, bool stream, bool leaves)
{
	size_t before = sim_call_count(sim, "");
	sim_control(sim, "{\"fault\":\"hang_before_head;for=2s;times=1\"}");
	while (sim_call_count(sim, "") == before) {
		struct client client;
		client_chat(&client, sluice, VIA_H1, "m", stream);
		usleep(leaves ? 1000000 : 0);
		if (!leaves)
			client_wait_end(&client);
		client_close(&client);
	}
}

/*
 * A target that gave one slow answer, or whose client gave up, once got none of 1,200 calls for tens of seconds. Asks
 * until it has had some again.
 */
static void one_slow_answer_does_not_drive_everybody_from_a_target(void **state)
{
	enum { ENOUGH = 4, AT_ONCE = 20, MOST = 600 };
	const char *const options[] = {"--tokens", "2", "--ttft", "30ms",
				       NULL}; /* far above what a busy machine adds */
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		bool stream = i % 2 == 0, leaves = i / 2 == 1;
		struct sim *sims[] = {sim_start(options), sim_start(options)};
		struct sluice *sluice = sluice_start("backends:\n  a: { url: 'http://127.0.0.1:%d/v1' }\n"
						     "  b: { url: 'http://127.0.0.1:%d/v1' }\n"
						     "models: { m: { balance: [a/m, b/m] } }\n",
						     sims[0]->port, sims[1]->port);
		ask_in_turn(sluice, "m", stream, 20);
		make_slow_once(sluice, sims[0], stream, leaves);
		size_t before = sim_call_count(sims[0], ""), got = 0;
		unsigned asked = 0;
		for (; got < ENOUGH && asked < MOST; asked += AT_ONCE) {
			ask_in_turn(sluice, "m", stream, AT_ONCE);
			got = sim_call_count(sims[0], "") - before;
		}
		print_message("%s, %s: %zu of %u at the target that was slow once\n",
			      stream ? "streams" : "whole answers", leaves ? "left" : "answered", got, asked);
		if (!SERVICE_SANITIZED) /* which is slow now and then by itself */
			assert_in_range(got, ENOUGH, MOST);
		sluice_wait_idle(sluice);
	}
}

/* Of rounds of one client that stays and some that leave before the answer: how many until the breaker has closed. */
static unsigned rounds_until_closed(const struct sluice *sluice, unsigned leavers)
{
	enum { MOST = 300 };
	struct client *clients = calloc(leavers, sizeof *clients);
	struct patience patience = patience_for("the breaker to let a call through");
	unsigned rounds = 0;
	assert_non_null(clients);
	while (sluice_metric(sluice, RECOVERS_STATE) != 0) {
		struct answer answer;
		for (unsigned i = 0; i < leavers; i++)
			client_chat(&clients[i], sluice, VIA_H1, "m", true);
		client_fetch_chat(sluice, VIA_H1, "m", false, &answer);
		for (unsigned i = 0; i < leavers; i++) {
			client_leave(&clients[i], LEAVE_RST);
			client_close(&clients[i]);
		}
		if (sluice_metric(sluice, RECOVERS_STATE) == 2 && ++rounds == MOST)
			fail_msg("%u clients that leave keep the others out", leavers);
		if (answer.status != 200)
			check_error(&answer, 503, "upstream_unavailable");
		answer_free(&answer);
		patience_wait(&patience);
	}
	free(clients);
	return rounds;
}

/* Three of them once took every probe, and everybody else was refused 390 times of 390. */
static void clients_that_poll_and_leave_keep_nobody_from_a_backend_that_recovered(void **state)
{
	static const unsigned crowds[] = {1, 3, 30};
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct sim *sim = sim_start((const char *const[]){"--tokens", "2", "--ttft", "50ms", NULL});
		struct sluice *sluice =
		    sluice_start("backends: { s: { url: 'http://127.0.0.1:%d/v1', breaker: { wait: 100ms } } }\n"
				 "models: { m: " RECOVERS " }\n",
				 sim->port);
		for (int call = 0; call < 5; call++)
			assert_int_equal(status_as(sluice, "Bearer polite", "m"), 500);
		assert_true(sluice_metric(sluice, RECOVERS_STATE) == 1);
		print_message("%u that leave: closed after %u rounds\n", crowds[i],
			      rounds_until_closed(sluice, crowds[i]));
		assert_int_equal(status_as(sluice, "Bearer polite", "m"), 200);
		sluice_wait_idle(sluice);
	}
}

/* Requests of clients who each have a key of their own, all at once. Returns how many were answered. */
static size_t ask_at_once(const struct sluice *sluice, const char *model, size_t count)
{
	struct mass_job *jobs = jobs_of_both_forms(count, model);
	char(*keys)[40] = calloc(count, sizeof *keys);
	size_t served = 0;
	assert_non_null(keys);
	for (size_t i = 0; i < count; i++) {
		snprintf(keys[i], sizeof keys[i], "Bearer client-%zu", i);
		jobs[i].authorization = keys[i];
	}
	struct mass mass = {
	    .sluice = sluice, .via = VIA_H1, .connections = count, .streams = 1, .jobs = jobs, .count = count};
	mass_run(&mass);
	for (size_t i = 0; i < count; i++)
		served += jobs[i].answer.status == 200;
	mass_free_answers(&mass);
	free(jobs);
	free(keys);
	return served;
}

/* Both backends fail every request of one client; then others ask, whose requests only the first one may fail. */
static void check_faulty(const char *plan, const char *first_then, size_t count)
{
	struct sim *sims[] = {sim_start((const char *const[]){"--tokens", "2", NULL}),
			      sim_start((const char *const[]){"--tokens", "2", NULL})};
	struct sluice *sluice = sluice_start("backends:\n  a: { url: 'http://127.0.0.1:%d/v1' }\n"
					     "  b: { url: 'http://127.0.0.1:%d/v1' }\nmodels: { m: %s }\n",
					     sims[0]->port, sims[1]->port, plan);
	for (size_t i = 0; i < 2; i++)
		sim_control(sims[i], "{\"fault\":\"status=500\"}");
	for (int i = 0; i < 12; i++)
		assert_in_range(status_as(sluice, "Bearer faulty", "m"), 500, 503);
	assert_int_equal(status_as(sluice, "Bearer faulty", "m"), 503);
	sim_control(sims[0], first_then);
	sim_control(sims[1], "{\"fault\":null}");
	size_t served = ask_at_once(sluice, "m", count);
	if (served != count)
		fail_msg("%s: %zu of %zu other clients were served", plan, served, count);
	sluice_wait_idle(sluice);
}

/* Eight requests of one client that an engine answered by 500 took the model from 300 others. */
static void a_client_whose_every_request_fails_takes_the_model_from_nobody(void **state)
{
	static const size_t crowds[] = {1, 30, 300};
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		check_faulty("a/m", "{\"fault\":null}", crowds[i]);
		check_faulty("{ balance: [a/m, b/m] }", "{\"fault\":null}", crowds[i]);
		check_faulty("{ fallback: [a/m, b/m] }", "{\"fault\":null}", crowds[i]);
		check_faulty("{ fallback: [a/m, b/m] }", "{\"fault\":\"status=429\"}", crowds[i]);
	}
}

/* An outage is one for clients of different keys, too: most are told at once. */
static void an_outage_that_several_clients_meet_is_everybodys(void **state)
{
	struct sim *sim = sim_start(NULL);
	struct sluice *sluice = sluice_start("backends: { s: { url: 'http://127.0.0.1:%d/v1', breaker: { wait: 10m, "
					     "wait_most: 10m } } }\nmodels: { m: s/m }\n",
					     sim->port);
	(void)state;
	sim_control(sim, "{\"fault\":\"status=500\"}");
	for (int i = 0; i < 40; i++) {
		char key[24];
		snprintf(key, sizeof key, "Bearer client-%d", i);
		assert_in_range(status_as(sluice, key, "m"), 500, 503);
	}
	assert_in_range(sim_call_count(sim, ""), 5, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_pause_that_one_client_met_is_its_own_until_another_meets_it),
	    SCENARIO(a_pause_that_two_clients_met_is_everybodys),
	    SCENARIO(a_backend_that_fails_at_once_draws_no_traffic),
	    SCENARIO(nobody_waits_for_a_place_while_another_target_is_free),
	    SCENARIO(one_slow_answer_does_not_drive_everybody_from_a_target),
	    SCENARIO(clients_that_poll_and_leave_keep_nobody_from_a_backend_that_recovered),
	    SCENARIO(a_client_whose_every_request_fails_takes_the_model_from_nobody),
	    SCENARIO(an_outage_that_several_clients_meet_is_everybodys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
