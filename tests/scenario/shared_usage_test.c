/* SPDX-License-Identifier: MIT */
/*
 * The record of use that two replicas share over a real Redis: what either of them lists is what the backends counted
 * for both, also after they were stopped, and when Redis is killed in the middle or stands still for a while.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/replicas.h"
#include "tests/scenario/harness/scenario.h"

/* It writes every change to the disk before it answers. */
#define DURABLE "appendonly yes\nappendfsync always\n"

enum { CROWD = 300, MODELS = 4 };

static const char rest[] = "models:\n"
			   "  one: sim/one;tokens=10\n"
			   "  two: sim/two;tokens=3\n"
			   "  cut: sim/cut;tokens=10;fault=fin_mid;after=3\n"
			   "  both: { all: [sim/left;tokens=5, sim/right;tokens=6] }\n"
			   "cache: { policy: off }\n"
			   "usage: { store: redis }\n";

static const char *const bodies[MODELS] = {
    "{\"model\":\"one\",\"messages\":[{\"role\":\"user\",\"content\":\"Rivers\"}]}",
    "{\"model\":\"two\",\"messages\":[{\"role\":\"user\",\"content\":\"Rivers\"}],\"stream\":true}",
    "{\"model\":\"cut\",\"messages\":[{\"role\":\"user\",\"content\":\"Rivers\"}],\"stream\":true}",
    "{\"model\":\"both\",\"messages\":[{\"role\":\"user\",\"content\":\"Rivers\"}]}"};

static void start(struct replicas *replicas, const char *redis)
{
	*replicas = replicas_prepare_with(redis);
	for (int i = 0; i < REPLICAS; i++)
		replicas->each[i] = replicas_add(replicas, rest);
}

/* Asks both in turn, count times in all. on_turn: as of a mass. */
static void crowd(struct replicas *replicas, size_t count, void (*on_turn)(struct mass *mass), void *user)
{
	struct mass_job *jobs = mass_jobs(count, bodies[0]);
	for (size_t i = 0; i < count; i++) {
		jobs[i].body = bodies[i / REPLICAS % MODELS];
		jobs[i].service = (unsigned)(i % REPLICAS);
	}
	struct mass mass = {.sluice = replicas->each[0],
			    .others = {replicas->each[1]},
			    .services = REPLICAS,
			    .via = MASS_MIXED,
			    .connections = 20,
			    .streams = count / 20 + 1,
			    .jobs = jobs,
			    .count = count,
			    .on_turn = on_turn,
			    .user = user};
	mass_run(&mass);
	mass_free_answers(&mass);
	free(jobs);
	sim_wait_idle(replicas->sim);
}

/* ---- what is listed ---- */

/* Returns the rows that a replica lists; NULL: it answers that the record cannot be read at present. */
static cJSON *usage(const struct sluice *sluice, const char *query)
{
	struct answer answer;
	char path[160];
	snprintf(path, sizeof path, "/admin/usage?%s", query);
	sluice_get(sluice, path, &answer);
	if (answer.status != 200)
		check_error(&answer, 503, "usage_store_unavailable");
	cJSON *root = answer.status == 200 ? cJSON_Parse(bytes_text(&answer.body)) : NULL;
	answer_free(&answer);
	return root;
}

/* The sum of a member over the rows whose target holds that text; -1: the record cannot be read at present. */
static double sum_of(const struct sluice *sluice, const char *query, const char *target, const char *member)
{
	cJSON *root = usage(sluice, query), *at = NULL;
	double sum = 0;
	if (root == NULL)
		return -1;
	cJSON_ArrayForEach(at, cJSON_GetObjectItem(root, "data"))
	{
		const cJSON *name = cJSON_GetObjectItem(at, "target");
		if (target[0] == '\0' || strstr(name->valuestring, target) != NULL)
			sum += cJSON_GetObjectItem(at, member)->valuedouble;
	}
	cJSON_Delete(root);
	return sum;
}

static void await_requests(const struct sluice *sluice, double count)
{
	struct patience patience = patience_for("all requests to be recorded");
	while (sum_of(sluice, "by=", "", "requests") != count)
		patience_wait(&patience);
}

static double tokens_sent(const struct sim *sim, const char *model)
{
	cJSON *calls = sim_calls(sim), *at = NULL;
	double sum = 0;
	cJSON_ArrayForEach(at, calls)
	{
		if (strstr(cJSON_GetObjectItem(at, "model")->valuestring, model) != NULL)
			sum += cJSON_GetObjectItem(at, "tokens_sent")->valuedouble;
	}
	cJSON_Delete(calls);
	return sum;
}

/* Both list the same, and it is what the simulator counted. */
static void check_all(const struct replicas *replicas, double requests)
{
	static const char *const targets[] = {"one", "two", "cut", "left", "right"};
	for (int i = 0; i < REPLICAS; i++) {
		const struct sluice *sluice = replicas->each[i];
		await_requests(sluice, requests);
		for (size_t at = 0; at < sizeof targets / sizeof *targets; at++) {
			double calls = sum_of(sluice, "by=target", targets[at], "calls");
			double output = sum_of(sluice, "by=target", targets[at], "output_tokens");
			if (calls != (double)sim_call_count(replicas->sim, targets[at]) ||
			    output != tokens_sent(replicas->sim, targets[at]))
				fail_msg("replica %d, %s: %g calls and %g tokens are recorded, the simulator counted "
					 "%zu and %g",
					 i, targets[at], calls, output, sim_call_count(replicas->sim, targets[at]),
					 tokens_sent(replicas->sim, targets[at]));
		}
		assert_true(sluice_metric(sluice, "sluice_usage_lost_total") == 0);
	}
}

/* ---- scenarios ---- */

static void two_replicas_record_what_the_backends_counted(void **state)
{
	struct replicas replicas;
	(void)state;
	start(&replicas, "");
	crowd(&replicas, CROWD, NULL, NULL);
	check_all(&replicas, CROWD);
	crowd(&replicas, 1, NULL, NULL);
	check_all(&replicas, CROWD + 1);
	double rows = sluice_metric(replicas.each[1], "sluice_usage_rows");
	assert_true(rows >= 6); /* of targets, and of requests that several answered */
}

static void a_clean_stop_stores_everything(void **state)
{
	struct replicas replicas;
	(void)state;
	start(&replicas, "");
	crowd(&replicas, CROWD, NULL, NULL);
	for (int i = 0; i < REPLICAS; i++) {
		assert_true(proc_stop(replicas.each[i]->proc));
		replicas.each[i] = replicas_add(&replicas, rest);
	}
	check_all(&replicas, CROWD);
}

/* A killer of Redis, once half of the crowd was served. */
struct killer {
	struct redis_process *redis;
	bool killed;
};

static void on_turn(struct mass *mass)
{
	struct killer *killer = mass->user;
	if (killer->killed || mass->over < mass->count / 2)
		return;
	killer->killed = true;
	redis_process_signal(killer->redis, SIGKILL);
}

static void a_redis_that_is_killed_loses_and_doubles_nothing(void **state)
{
	struct replicas replicas;
	struct answer answer;
	(void)state;
	start(&replicas, DURABLE);
	double requests = 0;
	for (int round = 0; round < 3; round++) {
		struct killer killer = {.redis = replicas.redis};
		crowd(&replicas, CROWD, on_turn, &killer);
		requests += CROWD;
		if (!killer.killed)
			redis_process_signal(replicas.redis, SIGKILL);
		sluice_get(replicas.each[0], "/admin/usage", &answer);
		check_error(&answer, 503, "usage_store_unavailable");
		answer_free(&answer);
		redis_process_restart(replicas.redis);
		check_all(&replicas, requests);
	}
}

static void a_redis_that_stands_still_loses_and_doubles_nothing(void **state)
{
	struct replicas replicas;
	(void)state;
	start(&replicas, "");
	crowd(&replicas, CROWD, NULL, NULL);
	redis_process_signal(replicas.redis, SIGSTOP);
	crowd(&replicas, CROWD, NULL, NULL);
	for (int i = 0; i < REPLICAS; i++) { /* what they sent by then is carried out later */
		struct patience patience = patience_for("a replica to know that Redis does not answer");
		while (sluice_metric(replicas.each[i], "sluice_usage_store_up") != 0)
			patience_wait(&patience);
	}
	redis_process_signal(replicas.redis, SIGCONT);
	check_all(&replicas, 2 * CROWD);
}

static void what_cannot_be_stored_at_the_stop_is_logged_as_lost(void **state)
{
	struct replicas replicas;
	struct bytes log = {0};
	(void)state;
	start(&replicas, "");
	redis_process_signal(replicas.redis, SIGKILL);
	crowd(&replicas, 8, NULL, NULL);
	assert_true(proc_stop(replicas.each[0]->proc));
	proc_read(replicas.each[0]->proc, PROC_STDERR, &log);
	check_contains(&log, "usage was lost: its store does not answer");
	bytes_free(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(two_replicas_record_what_the_backends_counted),
	    SCENARIO(a_clean_stop_stores_everything),
	    SCENARIO(a_redis_that_is_killed_loses_and_doubles_nothing),
	    SCENARIO(a_redis_that_stands_still_loses_and_doubles_nothing),
	    SCENARIO(what_cannot_be_stored_at_the_stop_is_logged_as_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
