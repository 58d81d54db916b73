/* SPDX-License-Identifier: MIT */
/*
 * Limits that two replicas share over a real Redis: whatever number of requests come at once to both, and whoever is
 * killed in the middle, the backend never serves more than the limit; and all of the limit is there again for those who
 * live. A neighbour without a limit is served all the while.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/neighbour.h"
#include "tests/scenario/harness/replicas.h"
#include "tests/scenario/harness/scenario.h"

#define CHAT "/v1/chat/completions"
/* It writes every change to the disk before it answers. */
#define DURABLE "appendonly yes\nappendfsync always\n"

enum { CROWD = 1000, LIMIT = 100 };

static const char models[] = "models:\n"
			     "  m: sim/one;tokens=10\n"
			     "  gated: sim/gated;tokens=2;gate=0\n"
			     "  quick: sim/two;tokens=1\n"
			     "cache: { policy: off }\n";

static struct replicas start(const char *redis, const char *quotas)
{
	char rest[1024];
	snprintf(rest, sizeof rest, "%s%s", models, quotas);
	return replicas_start_with(redis, rest);
}

static const char *body_of(const char *model)
{
	static char body[256];
	snprintf(body, sizeof body,
		 "{\"model\":\"%s\",\"max_tokens\":10,\"messages\":[{\"role\":\"user\",\"content\":\"Rivers\"}]}",
		 model);
	return body;
}

/* Asks a replica once. Returns the status of the answer. */
static int ask(const struct sluice *sluice, const char *model)
{
	const struct h2_header headers[] = {{NULL, NULL}};
	struct answer answer;
	client_ask(sluice, VIA_H1, "POST", CHAT, headers, body_of(model), &answer);
	int status = answer.status;
	if (status == 429)
		check_contains(&answer.body, "limit_reached");
	else if (status == 503)
		check_contains(&answer.body, "limits_unavailable");
	else
		assert_int_equal(status, 200);
	answer_free(&answer);
	return status;
}

static struct mass crowd_of(const struct replicas *replicas, struct mass_job *jobs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		jobs[i].service = (unsigned)(i % REPLICAS);
	return (struct mass){.sluice = replicas->each[0],
			     .others = {replicas->each[1]},
			     .services = REPLICAS,
			     .via = VIA_H2,
			     .connections = count < 50 ? count : 50,
			     .streams = count < 50 ? 1 : count / 50,
			     .jobs = jobs,
			     .count = count};
}

static size_t count_served(const struct mass *mass)
{
	size_t served = 0;
	for (size_t i = 0; i < mass->count; i++) {
		const struct answer *answer = &mass->jobs[i].answer;
		if (answer->status == 429)
			check_contains(&answer->body, "limit_reached");
		else if (answer->status == 200 && answer->ended)
			served++;
		else if (answer->status != 0 && answer->status != 503 && answer->status != 200)
			fail_msg("request %zu: status %d: %s", i, answer->status, bytes_text(&answer->body));
	}
	return served;
}

/* Goes on until a limit that is not renewed is used up by both: what one holds in spare the other one gets. Returns how
 * many were served. */
static size_t use_up(const struct replicas *replicas, size_t served)
{
	struct patience patience = patience_for("all of the limit to be used");
	for (size_t refused = 0; served < LIMIT || refused < REPLICAS;) {
		refused = 0;
		for (int i = 0; i < REPLICAS; i++) {
			int status = ask(replicas->each[i], "m");
			served += status == 200;
			refused += status == 429;
		}
		patience_wait(&patience);
	}
	return served;
}

/* ---- a thousand at once ---- */

static void check_crowd(const char *quotas)
{
	struct replicas replicas = start("", quotas);
	struct neighbour *neighbour = neighbour_start(replicas.each[0], "quick");
	struct mass_job *jobs = mass_jobs(CROWD, body_of("m"));
	struct mass mass = crowd_of(&replicas, jobs, CROWD);
	mass_run(&mass);
	size_t served = count_served(&mass);
	assert_true(served > 0);
	assert_int_equal(use_up(&replicas, served), LIMIT);
	assert_int_equal(sim_call_count(replicas.sim, "one"), LIMIT);
	neighbour_stop(neighbour);
	mass_free_answers(&mass);
	free(jobs);
}

static void two_replicas_together_serve_as_many_requests_as_the_limit_says(void **state)
{
	(void)state;
	check_crowd("quotas: { all: { models: [m], requests: 100/hour, on_loss: refuse } }\n");
}

static void two_replicas_together_serve_as_many_tokens_as_the_limit_says(void **state)
{
	(void)state;
	check_crowd("quotas: { all: { models: [m], output_tokens: 1000/hour, on_loss: refuse } }\n");
}

/* ---- whoever is killed ---- */

struct killing {
	const struct replicas *replicas;
	size_t over, when; /* requests */
	bool redis;        /* it is killed, and started again; otherwise the first replica */
};

static void kill_in_the_middle(struct mass *mass, struct mass_job *job)
{
	struct killing *killing = mass->user;
	(void)job;
	if (++killing->over != killing->when)
		return;
	if (killing->redis) {
		redis_process_signal(killing->replicas->redis, SIGKILL);
		redis_process_restart(killing->replicas->redis);
		return;
	}
	proc_kill(killing->replicas->each[0]->proc);
	sim_open_gate(killing->replicas->sim);
}

/* Waits until a replica can run as many at once as the limit says. */
static void wait_for_all_room(const struct replicas *replicas, struct sluice *sluice)
{
	struct patience patience = patience_for("all of the limit to be there again");
	for (size_t served = 0; served < LIMIT;) {
		struct mass_job *jobs = mass_jobs(LIMIT, body_of("gated"));
		struct mass mass = {.sluice = sluice,
				    .via = VIA_H2,
				    .connections = 10,
				    .streams = LIMIT / 10,
				    .jobs = jobs,
				    .count = LIMIT,
				    .gate = replicas->sim};
		sim_close_gate(replicas->sim);
		mass_run(&mass);
		served = count_served(&mass);
		mass_free_answers(&mass);
		free(jobs);
		patience_wait(&patience);
	}
}

static void a_replica_that_is_killed_leaves_its_room_to_the_other_one(void **state)
{
	(void)state;
	struct replicas replicas =
	    start("", "quotas: { all: { models: [gated], concurrent: 100, on_loss: refuse } }\n");
	struct neighbour *neighbour = neighbour_start(replicas.each[1], "quick");
	struct mass_job *jobs = mass_jobs(CROWD, body_of("gated"));
	struct killing killing = {.replicas = &replicas, .when = CROWD - LIMIT};
	struct mass mass = crowd_of(&replicas, jobs, CROWD);
	mass.on_end = kill_in_the_middle;
	mass.user = &killing;
	mass_run(&mass);
	assert_int_equal(killing.over, CROWD);
	count_served(&mass);
	mass_free_answers(&mass);
	free(jobs);
	wait_for_all_room(&replicas, replicas.each[1]);
	neighbour_stop(neighbour);
	assert_in_range(sim_stat(replicas.sim, "most_open"), LIMIT, LIMIT + 1); /* one of the neighbour's */
}

static void a_redis_that_is_killed_lets_nobody_exceed_the_limit(void **state)
{
	(void)state;
	struct replicas replicas =
	    start(DURABLE, "quotas: { all: { models: [m], requests: 100/hour, on_loss: refuse } }\n");
	struct neighbour *neighbour = neighbour_start(replicas.each[0], "quick");
	struct mass_job *jobs = mass_jobs(CROWD, body_of("m"));
	struct killing killing = {.replicas = &replicas, .when = LIMIT / 2, .redis = true};
	struct mass mass = crowd_of(&replicas, jobs, CROWD);
	mass.on_end = kill_in_the_middle;
	mass.user = &killing;
	mass_run(&mass);
	assert_int_equal(killing.over, CROWD);
	assert_int_equal(use_up(&replicas, count_served(&mass)), LIMIT);
	assert_int_equal(sim_call_count(replicas.sim, "one"), LIMIT);
	neighbour_stop(neighbour);
	mass_free_answers(&mass);
	free(jobs);
}

static void without_redis_a_limit_refuses_or_is_counted_by_each_replica(void **state)
{
	(void)state;
	struct replicas replicas = start("", "quotas:\n  strict: { models: [m], requests: 10/hour, on_loss: refuse }\n"
					     "  lenient: { models: [quick], requests: 10/hour }\n");
	for (int i = 0; i < REPLICAS; i++) /* they hear of each other */
		assert_int_equal(ask(replicas.each[i], "quick"), 200);
	assert_int_equal(ask(replicas.each[0], "quick"), 200);
	redis_process_signal(replicas.redis, SIGKILL);
	for (int i = 0; i < REPLICAS; i++)
		assert_int_equal(ask(replicas.each[i], "m"), 503);
	size_t served = 0;
	for (int i = 0; i < 30; i++)
		served += ask(replicas.each[0], "quick") == 200;
	assert_in_range(served, 1, 10);
	redis_process_restart(replicas.redis);
	struct patience patience = patience_for("the limit to be counted again");
	while (ask(replicas.each[0], "m") != 200)
		patience_wait(&patience);
}

/* ---- waiting for Redis ---- */

static void every_kind_of_request_waits_for_its_part(void **state)
{
	static const struct {
		const char *path, *body;
	} rows[] = {
	    {CHAT, "{\"model\":\"kept\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"temperature\":0}"},
	    {CHAT, "{\"model\":\"kept\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"temperature\":0}"},
	    {CHAT, "{\"model\":\"quick\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}"},
	    {"/v1/completions", "{\"model\":\"quick\",\"prompt\":\"x\"}"},
	    {"/v1/embeddings", "{\"model\":\"kept\",\"input\":[\"x\",\"y\"]}"},
	    {"/v1/embeddings", "{\"model\":\"kept\",\"input\":[\"x\",\"y\"]}"},
	    {"/v1/embeddings", "{\"model\":\"kept\",\"input\":[\"y\",\"z\"]}"},
	    {"/v1/fanout", "{\"targets\":[\"quick\",\"kept\"],\"request\":{\"messages\":[{\"role\":\"user\","
			   "\"content\":\"x\"}]}}"},
	};
	enum { ROWS = sizeof rows / sizeof *rows };
	const struct h2_header headers[] = {{NULL, NULL}};
	struct answer answer;
	char quotas[160];
	(void)state;
	/* of so few nothing is held in spare */
	snprintf(quotas, sizeof quotas,
		 "  kept: sim/kept;tokens=2\ncache: { policy: always }\n"
		 "quotas: { all: { requests: %d/hour, on_loss: refuse } }\n",
		 ROWS);
	char rest[512];
	struct replicas replicas = replicas_prepare();
	snprintf(rest, sizeof rest, "models:\n  quick: sim/two;tokens=1\n%s", quotas);
	struct sluice *sluice = replicas_add(&replicas, rest);
	replicas_wait_up(sluice);
	for (size_t i = 0; i <= ROWS; i++) {
		client_ask(sluice, i % 2 == 0 ? VIA_H1 : VIA_H2, "POST", rows[i % ROWS].path, headers,
			   rows[i % ROWS].body, &answer);
		if (answer.status != (i < ROWS ? 200 : 429))
			fail_msg("request %zu: status %d: %s", i, answer.status, bytes_text(&answer.body));
		answer_free(&answer);
	}
	assert_true(redis_process_say(replicas.redis, "PING")[0] == '+');
	sluice_wait_idle(sluice);
}

static void a_client_that_leaves_while_its_request_waits_is_gone(void **state)
{
	(void)state;
	struct replicas replicas = start("", "quotas: { all: { models: [m], requests: 2/hour, on_loss: refuse } }\n");
	struct client clients[2];
	redis_process_signal(replicas.redis, SIGSTOP);
	for (int i = 0; i < 2; i++)
		client_chat(&clients[i], replicas.each[0], i == 0 ? VIA_H1 : VIA_H2, "m", i == 1);
	sluice_wait_in_flight(replicas.each[0], 2);
	for (int i = 0; i < 2; i++)
		client_close(&clients[i]);
	sluice_wait_idle(replicas.each[0]);
	redis_process_signal(replicas.redis, SIGCONT);
	assert_int_equal(sim_call_count(replicas.sim, "one"), 0);
	struct patience patience = patience_for("what was asked for to be given back");
	for (int served = 0; served < 2;) {
		served += ask(replicas.each[1], "m") == 200;
		patience_wait(&patience);
	}
}

/* ---- what it costs ---- */

static double script_calls(const struct replicas *replicas)
{
	const char *text = redis_process_say(replicas->redis, "INFO commandstats");
	const char *at = strstr(text, "cmdstat_evalsha:calls=");
	return at == NULL ? 0 : strtod(at + strlen("cmdstat_evalsha:calls="), NULL);
}

static void most_requests_ask_nobody(void **state)
{
	(void)state;
	struct replicas replicas =
	    start("", "quotas: { all: { models: [quick], requests: 100000/hour, output_tokens: 1000000/hour } }\n");
	for (int i = 0; i < CROWD; i++)
		assert_int_equal(ask(replicas.each[0], "quick"), 200);
	double calls = script_calls(&replicas);
	assert_true(calls > 0);
	if (calls >= CROWD / 10)
		fail_msg("%g calls for %d requests", calls, CROWD);
}

static void a_replica_that_stops_gives_back_what_it_holds(void **state)
{
	(void)state;
	struct replicas replicas = start("", "quotas: { all: { models: [m], requests: 100/hour, on_loss: refuse } }\n");
	for (int i = 0; i < LIMIT / 2; i++)
		assert_int_equal(ask(replicas.each[0], "m"), 200);
	assert_true(proc_stop(replicas.each[0]->proc));
	for (int i = 0; i < LIMIT / 2; i++)
		assert_int_equal(ask(replicas.each[1], "m"), 200);
	assert_int_equal(ask(replicas.each[1], "m"), 429);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(two_replicas_together_serve_as_many_requests_as_the_limit_says),
	    SCENARIO(two_replicas_together_serve_as_many_tokens_as_the_limit_says),
	    SCENARIO(a_replica_that_is_killed_leaves_its_room_to_the_other_one),
	    SCENARIO(a_redis_that_is_killed_lets_nobody_exceed_the_limit),
	    SCENARIO(without_redis_a_limit_refuses_or_is_counted_by_each_replica),
	    SCENARIO(every_kind_of_request_waits_for_its_part),
	    SCENARIO(a_client_that_leaves_while_its_request_waits_is_gone),
	    SCENARIO(most_requests_ask_nobody),
	    SCENARIO(a_replica_that_stops_gives_back_what_it_holds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
