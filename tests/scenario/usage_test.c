/* SPDX-License-Identifier: MIT */
/*
 * The record of use, end to end: however exchanges end, what GET /admin/usage lists is what the simulator counted, also
 * after a clean stop; and what happens while the file cannot be written.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/client_key.h"
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

enum { KEYS = 3, PATH_SIZE = 200, AUTHORIZATION_SIZE = 80 };

struct world {
	struct sim *sim;
	struct sluice *sluice;
	struct bytes yaml;
	char keys[KEYS][AUTHORIZATION_SIZE]; /* "Bearer …" */
	char ids[KEYS][16];
};

static void make_key(struct world *world, size_t at, char hash[CLIENT_KEY_HASH_SIZE])
{
	char key[CLIENT_KEY_SIZE];
	client_key_make("any", key, hash);
	assert_int_equal(sscanf(hash, "%15[^:]", world->ids[at]), 1);
	snprintf(world->keys[at], AUTHORIZATION_SIZE, "Bearer %s", key);
}

static void free_yaml(void *yaml)
{
	bytes_free(yaml);
}

/* usage: what the section of that name says. */
static void start(struct world *world, const char *usage)
{
	char hash[CLIENT_KEY_HASH_SIZE];
	*world = (struct world){.sim = sim_start(NULL)};
	scenario_defer(free_yaml, &world->yaml);
	bytes_printf(
	    &world->yaml,
	    "auth: { pepper: " CLIENT_KEY_PEPPER " }\nusage: { %s }\n"
	    "backends:\n  sim: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } }\n"
	    "prices: { '*': { input: 1, output: 1000000 } }\n"
	    "retries: { percent: 100 }\n"
	    "models:\n"
	    "  good: sim/good;tokens=10\n"
	    "  kept: sim/kept;tokens=10;ttft=50ms\n"
	    "  refuses: sim/refuses;status=400\n"
	    "  broken: sim/broken;status=500\n"
	    "  standby: { fallback: [sim/first;status=404, sim/second;tokens=7] }\n"
	    "  cut: sim/cut;tokens=10;fault=fin_mid;after=3\n"
	    "  both: { all: [sim/left;tokens=5, sim/right;tokens=6] }\n"
	    "  spare: { hedge: [sim/slow;fault=hang_before_head, sim/quick;tokens=4], after: 1ms, hedges: 100%% }\n"
	    "cache: { policy: off, models: { kept: { policy: always } } }\nkeys:\n",
	    usage, world->sim->port);
	for (size_t i = 0; i < KEYS; i++) {
		make_key(world, i, hash);
		bytes_printf(&world->yaml, "  key%zu: { hash: '%s', tenant: acme/%zu }\n", i, hash, i);
	}
	world->sluice = sluice_start("%s", bytes_text(&world->yaml));
}

/* ---- what is told ---- */

static cJSON *usage(const struct world *world, const char *query)
{
	struct answer answer;
	char path[PATH_SIZE];
	snprintf(path, sizeof path, "/admin/usage?%s", query);
	sluice_get(world->sluice, path, &answer);
	if (answer.status != 200)
		fail_msg("status %d: %s", answer.status, bytes_text(&answer.body));
	cJSON *root = cJSON_Parse(bytes_text(&answer.body));
	assert_non_null(root);
	answer_free(&answer);
	return root;
}

/* The sum of a member over all rows. */
static double sum_of(const struct world *world, const char *query, const char *member)
{
	cJSON *root = usage(world, query), *at = NULL;
	double sum = 0;
	cJSON_ArrayForEach(at, cJSON_GetObjectItem(root, "data")) sum += cJSON_GetObjectItem(at, member)->valuedouble;
	cJSON_Delete(root);
	return sum;
}

/* What was recorded is there about two seconds later. */
static void await_requests(const struct world *world, double count)
{
	struct patience patience = patience_for("all requests to be recorded");
	while (sum_of(world, "by=", "requests") != count)
		patience_wait(&patience);
}

/* The tokens that the simulator sent for calls whose model string holds that text. */
static double tokens_sent(const struct world *world, const char *model)
{
	cJSON *calls = sim_calls(world->sim), *at = NULL;
	double sum = 0;
	cJSON_ArrayForEach(at, calls)
	{
		if (strstr(cJSON_GetObjectItem(at, "model")->valuestring, model) != NULL)
			sum += cJSON_GetObjectItem(at, "tokens_sent")->valuedouble;
	}
	cJSON_Delete(calls);
	return sum;
}

static void check_target(const struct world *world, const char *target)
{
	cJSON *root = usage(world, "by=target"), *at = NULL;
	double calls = 0, output = 0;
	cJSON_ArrayForEach(at, cJSON_GetObjectItem(root, "data"))
	{
		if (strstr(cJSON_GetObjectItem(at, "target")->valuestring, target) == NULL)
			continue;
		calls += cJSON_GetObjectItem(at, "calls")->valuedouble;
		output += cJSON_GetObjectItem(at, "output_tokens")->valuedouble;
	}
	cJSON_Delete(root);
	if (calls != (double)sim_call_count(world->sim, target) || output != tokens_sent(world, target))
		fail_msg("%s: %g calls and %g tokens are recorded, the simulator counted %zu and %g", target, calls,
			 output, sim_call_count(world->sim, target), tokens_sent(world, target));
}

static void check_all(const struct world *world, size_t requests)
{
	static const char *const targets[] = {"good", "kept", "refuses", "broken", "first", "second",
					      "cut",  "left", "right",   "slow",   "quick"};
	char query[64];
	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
		check_target(world, targets[i]);
	double output = tokens_sent(world, ""), input = sum_of(world, "by=", "input_tokens");
	assert_true(sum_of(world, "by=", "output_tokens") == output);
	assert_true(sum_of(world, "by=", "spend") == output * 1000000000 + input * 1000);
	assert_true(sum_of(world, "by=&tenant=acme", "requests") == (double)requests);
	for (size_t i = 0; i < KEYS; i++) {
		snprintf(query, sizeof query, "by=&key=%s", world->ids[i]);
		size_t own = requests / KEYS + (i < requests % KEYS);
		if (sum_of(world, query, "requests") != (double)own)
			fail_msg("key %zu has %g requests, not %zu", i, sum_of(world, query, "requests"), own);
		snprintf(query, sizeof query, "by=tenant&tenant=acme/%zu", i);
		assert_true(sum_of(world, query, "requests") == (double)own);
	}
}

/* ---- what is asked ---- */

static const char *const bodies[] = {
    "{\"model\":\"good\",\"messages\":[{\"role\":\"user\",\"content\":\"Rivers\"}]}",
    "{\"model\":\"kept\",\"messages\":[{\"role\":\"user\",\"content\":\"Rivers\"}]}",
    "{\"model\":\"good\",\"messages\":[{\"role\":\"user\",\"content\":\"Rivers\"}],\"stream\":true}",
    "{\"model\":\"refuses\",\"messages\":[{\"role\":\"user\",\"content\":\"Rivers\"}]}",
    "{\"model\":\"broken\",\"messages\":[{\"role\":\"user\",\"content\":\"Rivers\"}]}",
    "{\"model\":\"standby\",\"messages\":[{\"role\":\"user\",\"content\":\"Rivers\"}]}",
    "{\"model\":\"cut\",\"messages\":[{\"role\":\"user\",\"content\":\"Rivers\"}],\"stream\":true}",
    "{\"model\":\"both\",\"messages\":[{\"role\":\"user\",\"content\":\"Rivers\"}]}",
    "{\"model\":\"spare\",\"messages\":[{\"role\":\"user\",\"content\":\"Rivers\"}]}",
    "{\"targets\":[\"good\",\"standby\"],\"request\":{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}}"};
enum { BODIES = sizeof bodies / sizeof *bodies };

/* Asks count times at once, with keys in turn, all kinds of bodies alike. */
static void crowd(const struct world *world, size_t count)
{
	struct mass_job *jobs = mass_jobs(count, bodies[0]);
	for (size_t i = 0; i < count; i++) {
		jobs[i].body = bodies[i % BODIES];
		jobs[i].path = i % BODIES == BODIES - 1 ? "/v1/fanout" : NULL;
		jobs[i].authorization = world->keys[i % KEYS];
	}
	struct mass mass = {.sluice = world->sluice,
			    .via = MASS_MIXED,
			    .connections = count < 30 ? count : 30,
			    .streams = count < 30 ? 1 : count / 30,
			    .jobs = jobs,
			    .count = count};
	mass_run(&mass);
	mass_free_answers(&mass);
	free(jobs);
	sim_wait_idle(world->sim);
}

/* ---- scenarios ---- */

static void usage_is_what_the_backends_counted_also_after_a_restart(void **state)
{
	static const size_t crowds[] = {1, 30, 300};
	char usage_text[PATH_SIZE];
	struct world world;
	(void)state;
	for (size_t i = 0; i < sizeof crowds / sizeof *crowds; i++) {
		snprintf(usage_text, sizeof usage_text, "store: sqlite, file: %s/usage-%zu.db", scenario_directory(),
			 i);
		start(&world, usage_text);
		crowd(&world, crowds[i]);
		assert_true(proc_stop(world.sluice->proc)); /* everything is stored */
		world.sluice = sluice_start("%s", bytes_text(&world.yaml));
		check_all(&world, crowds[i]);
		crowd(&world, 10); /* and added to */
		await_requests(&world, (double)crowds[i] + 10);
		check_target(&world, "good");
		assert_true(sluice_metric(world.sluice, "sluice_usage_lost_total") == 0);
	}
}

static void without_a_store_usage_is_that_of_the_process(void **state)
{
	struct world world;
	(void)state;
	start(&world, "days: 1");
	crowd(&world, 30);
	crowd(&world, 30); /* what is kept is asked for again */
	await_requests(&world, 60);
	check_all(&world, 60);
	assert_true(sum_of(&world, "by=&model=kept", "calls") == 3); /* of three tenants, each once */
	assert_true(sum_of(&world, "by=&model=kept", "output_tokens") == 30);
	assert_true(sum_of(&world, "by=&model=kept", "requests") == 6);
	assert_true(sum_of(&world, "by=&to=2020-01-01", "requests") == 0);
}

/* Each line of the CSV is a row of the JSON, page by page. */
static void csv_lists_the_same_as_json(void **state)
{
	struct world world;
	struct answer csv;
	char query[512] = "limit=3", id[400] = "";
	(void)state;
	start(&world, "store: none");
	crowd(&world, 30);
	await_requests(&world, 30);
	sluice_get(world.sluice, "/admin/usage?format=csv", &csv);
	check_header(&csv, "content-type", "text/csv; charset=utf-8; header=present");
	char *line = strstr(bytes_text(&csv.body), "\r\n") + 2;
	for (bool more = true; more;) {
		struct answer answer;
		char path[600];
		snprintf(path, sizeof path, "/admin/usage?%s", query);
		sluice_get(world.sluice, path, &answer);
		cJSON *root = cJSON_Parse(bytes_text(&answer.body)), *at = NULL;
		cJSON_ArrayForEach(at, cJSON_GetObjectItem(root, "data"))
		{
			char expected[1024];
			snprintf(
			    expected, sizeof expected, "%s,%s,\"%s\",\"%s\",\"%s\",\"%s\",%.0f,%.0f,",
			    cJSON_GetObjectItem(at, "id")->valuestring, cJSON_GetObjectItem(at, "day")->valuestring,
			    cJSON_GetObjectItem(at, "key")->valuestring, cJSON_GetObjectItem(at, "tenant")->valuestring,
			    cJSON_GetObjectItem(at, "model")->valuestring,
			    cJSON_GetObjectItem(at, "target")->valuestring,
			    cJSON_GetObjectItem(at, "requests")->valuedouble,
			    cJSON_GetObjectItem(at, "calls")->valuedouble);
			if (strncmp(line, expected, strlen(expected)) != 0)
				fail_msg("the CSV has %s\nand the JSON %s", line, expected);
			line = strstr(line, "\r\n") + 2;
			snprintf(id, sizeof id, "%s", cJSON_GetObjectItem(at, "id")->valuestring);
		}
		more = cJSON_IsTrue(cJSON_GetObjectItem(root, "has_more"));
		snprintf(query, sizeof query, "limit=3&after=%s", id);
		cJSON_Delete(root);
		answer_free(&answer);
	}
	assert_string_equal(line, "");
	answer_free(&csv);
}

static void wrong_questions_are_refused(void **state)
{
	struct world world;
	struct answer answer;
	(void)state;
	start(&world, "store: none");
	sluice_get(world.sluice, "/admin/usage?by=hour", &answer);
	check_error(&answer, 400, "invalid_value");
	answer_free(&answer);
	sluice_get(world.sluice, "/admin/usage?limit=0", &answer);
	check_error(&answer, 400, "invalid_value");
	answer_free(&answer);
}

/* The folder of the file comes late. */
static void while_the_file_cannot_be_written_usage_waits(void **state)
{
	char folder[PATH_SIZE - 40], usage_text[PATH_SIZE];
	struct world world;
	struct answer answer;
	(void)state;
	snprintf(folder, sizeof folder, "%s/late", scenario_directory());
	snprintf(usage_text, sizeof usage_text, "store: sqlite, file: %s/usage.db", folder);
	start(&world, usage_text);
	crowd(&world, 30);
	sluice_get(world.sluice, "/admin/usage", &answer);
	check_error(&answer, 503, "usage_store_unavailable");
	answer_free(&answer);
	assert_true(sluice_metric(world.sluice, "sluice_usage_store_up") == 0);
	assert_int_equal(mkdir(folder, 0700), 0);
	struct patience patience = patience_for("the store to be there");
	while (sluice_metric(world.sluice, "sluice_usage_store_up") != 1)
		patience_wait(&patience);
	await_requests(&world, 30);
	check_all(&world, 30);
	assert_true(sluice_metric(world.sluice, "sluice_usage_lost_total") == 0);
}

static void what_cannot_be_stored_at_the_stop_is_logged_as_lost(void **state)
{
	char usage_text[PATH_SIZE];
	struct world world;
	struct bytes log = {0};
	(void)state;
	snprintf(usage_text, sizeof usage_text, "store: sqlite, file: %s/nowhere/usage.db", scenario_directory());
	start(&world, usage_text);
	crowd(&world, 1);
	assert_true(proc_stop(world.sluice->proc));
	proc_read(world.sluice->proc, PROC_STDERR, &log);
	check_contains(&log, "the store of usage does not answer");
	check_contains(&log, "usage was lost: its store does not answer");
	bytes_free(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(usage_is_what_the_backends_counted_also_after_a_restart),
	    SCENARIO(without_a_store_usage_is_that_of_the_process),
	    SCENARIO(csv_lists_the_same_as_json),
	    SCENARIO(wrong_questions_are_refused),
	    SCENARIO(while_the_file_cannot_be_written_usage_waits),
	    SCENARIO(what_cannot_be_stored_at_the_stop_is_logged_as_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
