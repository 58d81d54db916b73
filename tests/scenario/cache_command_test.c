/* SPDX-License-Identifier: MIT */
/* `sluice cache show` and `sluice cache purge`: what an operator does to the cache of a service that runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

#define KEY "5f89a0e6c16ad5b9581364b03fa49064c4ce5cc14e6dd4ed5acf1db5d2c4ddab"

struct world {
	struct sim *sim;
	struct sluice *sluice;
	char url[64];
};

static const char models[] = "models: { m: sim/count;tokens=3, 'a b&c': { balance: [sim/count;tokens=3] } }\n";

static struct world start(void)
{
	struct world world = {.sim = sim_start(NULL)};
	world.sluice =
	    sluice_start("backends: { sim: { url: 'http://127.0.0.1:%d/v1' } }\n%s", world.sim->port, models);
	snprintf(world.url, sizeof world.url, "http://127.0.0.1:%d/", world.sluice->port);
	return world;
}

/* Runs `sluice cache …` with those arguments (up to NULL), and checks how it ends and what it says. */
static void run(const char *const arguments[], int status, const char *in_out, const char *in_err)
{
	const char *all[16] = {"cache"};
	struct bytes out = {0}, err = {0};
	for (size_t i = 0; arguments[i] != NULL; i++)
		all[i + 1] = arguments[i];
	int got = sluice_run(all, &out, &err);
	if (got != status)
		fail_msg("%s: exit %d: %s%s", arguments[0], got, bytes_text(&out), bytes_text(&err));
	check_contains(&out, in_out);
	check_contains(&err, in_err);
	assert_true(status == 0 ? err.len == 0 : out.len == 0);
	bytes_free(&out);
	bytes_free(&err);
}

#define RUN(status, in_out, in_err, ...) run((const char *const[]){__VA_ARGS__, NULL}, status, in_out, in_err)

static void fill(const struct world *world, const char *model, const char *content)
{
	char body[256];
	struct answer answer;
	snprintf(body, sizeof body,
		 "{\"model\":\"%s\",\"temperature\":0,\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}", model,
		 content);
	client_fetch(world->sluice, VIA_H1, "/v1/chat/completions", body, &answer);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
}

/* The keys of a request, as `sluice cache key` says them. */
static void take_key(const struct world *world, const char *body, char key[65])
{
	char request[160], config[160];
	struct bytes out = {0}, err = {0};
	snprintf(request, sizeof request, "%s/request.json", scenario_directory());
	snprintf(config, sizeof config, "%s/same.yaml", scenario_directory());
	FILE *file = fopen(request, "w");
	assert_non_null(file);
	fputs(body, file);
	fclose(file);
	file = fopen(config, "w");
	assert_non_null(file);
	fprintf(file, "listen: [127.0.0.1:0]\nbackends: { sim: { url: 'http://127.0.0.1:%d/v1' } }\n%s",
		world->sim->port, models);
	fclose(file);
	const char *const arguments[] = {"cache", "key", "--config", config, request, NULL};
	assert_int_equal(sluice_run(arguments, &out, &err), 0);
	const char *at = bytes_text(&out), *last = NULL;
	while ((at = strstr(at, "\nkey:       ")) != NULL)
		last = at += strlen("\nkey:       ");
	assert_non_null(last);
	memcpy(key, last, 64);
	key[64] = '\0';
	bytes_free(&out);
	bytes_free(&err);
}

static void an_answer_is_shown_by_its_key(void **state)
{
	static const char chat[] =
	    "{\"temperature\":0,\"model\":\"m\",\"messages\":[{\"content\":\"x\",\"role\":\"user\"}]}";
	static const char batch[] = "{\"model\":\"m\",\"input\":[\"one\",\"two\"],\"dimensions\":2}";
	struct world world = start();
	struct answer answer;
	char key[65];
	(void)state;
	fill(&world, "m", "x");
	take_key(&world, chat, key);
	RUN(0,
	    "model:         m\ntenant:        cbf29ce484222325\ntarget:        sim/count;tokens=3\nfinish_reason: "
	    "stop\n",
	    "", "show", "--url", world.url, "--key", key);
	RUN(0, "\nanswer:        {\"id\":\"", "", "show", "--text", "--url", world.url, "--key", key);
	client_fetch(world.sluice, VIA_H1, "/v1/embeddings", batch, &answer);
	answer_free(&answer);
	take_key(&world, batch, key);
	RUN(0, "\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":[", "", "show", "--key", key, "--url",
	    world.url, "--text");
	RUN(1, "", "nothing is kept under the key " KEY, "show", "--url", world.url, "--key", KEY);
	sluice_wait_idle(world.sluice);
}

static void answers_are_purged_by_what_they_have_in_common(void **state)
{
	struct world world = start();
	char key[65];
	(void)state;
	for (int i = 0; i < 2; i++) {
		fill(&world, "m", i == 0 ? "x" : "y");
		fill(&world, "a b&c", i == 0 ? "x" : "y");
	}
	take_key(&world, "{\"temperature\":0,\"model\":\"m\",\"messages\":[{\"content\":\"x\",\"role\":\"user\"}]}",
		 key);
	RUN(0, "purged: 0\n", "", "purge", "--url", world.url, "--key", key, "--model", "a b&c");
	RUN(0, "purged: 0\n", "", "purge", "--url", world.url, "--tenant", "0000000000000000");
	RUN(0, "purged: 1\n", "", "purge", "--url", world.url, "--key", key, "--model", "m");
	RUN(0, "purged: 2\n", "", "purge", "--url", world.url, "--model", "a b&c", "--tenant", "cbf29ce484222325");
	RUN(0, "purged: 1\n", "", "purge", "--url", world.url);
	assert_true(sluice_metric(world.sluice, "sluice_cache_entries") == 0);
	sluice_wait_idle(world.sluice);
}

static void what_is_wrong_is_said(void **state)
{
	struct world world = start();
	char other[64];
	(void)state;
	fill(&world, "m", "x");
	RUN(1, "", "no answer: ", "purge", "--url", "http://127.0.0.1:1");
	RUN(1, "", "no answer: ", "purge", "--url", "gopher://127.0.0.1:1");
	RUN(1, "", "model must be the id of a listed model", "purge", "--url", world.url, "--model", "nobody");
	RUN(1, "", "key", "purge", "--url", world.url, "--key", "abc");
	RUN(1, "", "key", "purge", "--url", world.url, "--key", "");
	RUN(1, "", "tenant", "purge", "--url", world.url, "--tenant", "");
	RUN(1, "", "key", "show", "--url", world.url, "--key", "abc");
	snprintf(other, sizeof other, "http://127.0.0.1:%d", world.sim->port);
	RUN(1, "", "this is no Sluice", "purge", "--url", other);
	RUN(2, "", "unexpected argument \"purgee\"", "purgee");
	RUN(2, "", "unexpected argument \"--text\"", "purge", "--text");
	RUN(2, "", "unexpected argument \"--model\"", "purge", "--model");
	RUN(2, "", "unexpected argument \"--model\"", "show", "--model", "m");
	RUN(2, "", "cache show: --key KEY is missing", "show", "--text");
	RUN(2, "", "cache key: FILE is missing", "key");
	assert_true(sluice_metric(world.sluice, "sluice_cache_entries") == 1);
	sluice_wait_idle(world.sluice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(an_answer_is_shown_by_its_key),
	    SCENARIO(answers_are_purged_by_what_they_have_in_common),
	    SCENARIO(what_is_wrong_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
