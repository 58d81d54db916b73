/* SPDX-License-Identifier: MIT */
/*
 * GET /admin/backends beside real failures: what the page, the metrics and the
 * backend itself say about a breaker must be the same story.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

#define BROKEN "a/sim;status=503"
#define HEALS "b/sim;status=503;times=5"

struct world {
	struct sim *a;
	struct sim *b;
	struct sluice *sluice;
};

static struct world start(void)
{
	struct world world = {.a = sim_start(NULL), .b = sim_start(NULL)};
	world.sluice = sluice_start("backends:\n"
				    "  a: { url: 'http://127.0.0.1:%d/v1', breaker: { wait: 200s } }\n"
				    "  b: { url: 'http://127.0.0.1:%d/v1', breaker: { wait: 20ms } }\n"
				    "  idle: { url: 'http://127.0.0.1:1/v1' }\n"
				    "models:\n"
				    "  good: a/sim\n"
				    "  broken: '" BROKEN "'\n"
				    "  heals: '" HEALS "'\n",
				    world.a->port, world.b->port);
	return world;
}

/* The page, which the caller deletes. */
static cJSON *page(const struct world *world)
{
	struct answer answer;
	sluice_get(world->sluice, "/admin/backends", &answer);
	assert_int_equal(answer.status, 200);
	cJSON *root = cJSON_ParseWithLength(answer.body.at, answer.body.len);
	assert_non_null(root);
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "object")), "list");
	answer_free(&answer);
	return root;
}

/* A member of a target of the page, as JSON text. Static, until the next call. */
static const char *member(const struct world *world, const char *target, const char *name)
{
	static char text[256];
	const cJSON *backend;
	const cJSON *at;
	cJSON *root = page(world);
	snprintf(text, sizeof text, "no target %s", target);
	cJSON_ArrayForEach(backend, cJSON_GetObjectItemCaseSensitive(root, "data"))
	{
		cJSON_ArrayForEach(at, cJSON_GetObjectItemCaseSensitive(backend, "targets"))
		{
			if (strcmp(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(at, "id")), target) != 0)
				continue;
			char *printed = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(at, name));
			snprintf(text, sizeof text, "%s", printed == NULL ? "no member" : printed);
			cJSON_free(printed);
		}
	}
	cJSON_Delete(root);
	return text;
}

static void check_member(const struct world *world, const char *target, const char *name, const char *want)
{
	const char *got = member(world, target, name);
	if (strcmp(got, want) != 0)
		fail_msg("%s of %s is %s, not %s", name, target, got, want);
}

static int ask(const struct world *world, const char *model)
{
	struct answer answer;
	client_fetch_chat(world->sluice, VIA_H1, model, true, &answer);
	int status = answer.status;
	answer_free(&answer);
	return status;
}

static void backends_are_listed_with_their_targets(void **state)
{
	struct world world = start();
	(void)state;
	cJSON *root = page(&world);
	const cJSON *data = cJSON_GetObjectItemCaseSensitive(root, "data");
	static const struct {
		const char *id;
		int targets;
	} rows[] = {{"a", 2}, {"b", 1}, {"idle", 0}};
	assert_int_equal(cJSON_GetArraySize(data), 3);
	for (int i = 0; i < 3; i++) {
		const cJSON *backend = cJSON_GetArrayItem(data, i);
		assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(backend, "id")), rows[i].id);
		assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(backend, "targets")),
				 rows[i].targets);
	}
	cJSON_Delete(root);
	check_member(&world, "a/sim", "reason", "\"ok\"");
	check_member(&world, "a/sim", "breaker", "\"closed\"");
	check_member(&world, "a/sim", "model", "\"sim\"");
	check_member(&world, "a/sim", "why", "null");
	check_member(&world, "a/sim", "last_error", "null");
	check_member(&world, "a/sim", "latency_ms", "null");
	check_member(&world, "a/sim", "share", "1");
}

static void failures_open_the_breaker_and_the_page_tells_why(void **state)
{
	struct world world = start();
	(void)state;
	for (int i = 0; i < 5; i++)
		assert_true(ask(&world, "broken") >= 500);
	check_member(&world, BROKEN, "breaker", "\"open\"");
	check_member(&world, BROKEN, "reason", "\"open\"");
	check_member(&world, BROKEN, "why", "\"consecutive\"");
	check_member(&world, BROKEN, "failed", "5");
	check_member(&world, BROKEN, "outcomes", "5");
	check_member(&world, BROKEN, "opened", "1");
	check_member(&world, BROKEN, "running", "0");
	assert_true(strncmp(member(&world, BROKEN, "last_error"), "\"upstream_", 10) == 0);
	double next_ms = strtod(member(&world, BROKEN, "next_probe_ms"), NULL);
	assert_true(next_ms > 0 && next_ms <= 200000);
	assert_true(ask(&world, "broken") >= 500);
	assert_int_equal(sim_call_count(world.a, "status=503"), 5); /* the sixth never left */
	assert_true(sluice_metric(world.sluice, "sluice_breaker_state{target=\"" BROKEN "\"}") == 1);
	assert_true(
	    sluice_metric(world.sluice, "sluice_breaker_transitions_total{target=\"" BROKEN "\",state=\"open\"}") == 1);
	assert_true(sluice_metric(world.sluice, "sluice_calls_refused_total{target=\"" BROKEN "\",reason=\"open\"}") ==
		    1);
	for (int i = 0; i < 3; i++) /* the same backend's other target; so many calls make its latency known */
		assert_int_equal(ask(&world, "good"), 200);
	check_member(&world, "a/sim", "breaker", "\"closed\"");
	check_member(&world, "a/sim", "outcomes", "3");
	check_member(&world, "a/sim", "failed", "0");
	assert_string_not_equal(member(&world, "a/sim", "latency_ms"), "null");
}

static void real_calls_probe_and_close_it_again(void **state)
{
	struct world world = start();
	(void)state;
	for (int i = 0; i < 5; i++)
		assert_true(ask(&world, "heals") >= 500);
	check_member(&world, HEALS, "why", "\"consecutive\"");
	struct patience patience = patience_for("three good probes");
	for (int good = 0; good < 3;) {
		if (ask(&world, "heals") == 200)
			good++;
		else
			patience_wait(&patience);
	}
	check_member(&world, HEALS, "breaker", "\"closed\"");
	check_member(&world, HEALS, "reason", "\"ok\"");
	check_member(&world, HEALS, "why", "\"consecutive\"");
	assert_int_equal(sim_call_count(world.b, "status=503"), 8);
	assert_true(sluice_metric(world.sluice, "sluice_breaker_state{target=\"" HEALS "\"}") == 0);
	assert_true(sluice_metric(world.sluice,
				  "sluice_breaker_transitions_total{target=\"" HEALS "\",state=\"half_open\"}") == 1);
	assert_true(sluice_metric(world.sluice,
				  "sluice_breaker_transitions_total{target=\"" HEALS "\",state=\"closed\"}") == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(backends_are_listed_with_their_targets),
	    SCENARIO(failures_open_the_breaker_and_the_page_tells_why),
	    SCENARIO(real_calls_probe_and_close_it_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
