/* SPDX-License-Identifier: MIT */
/*
 * The distance of two vectors means something only when one model made both. With a fallback whose first target failed,
 * one answer held a kept vector of the first model beside a new one of the second; with a balance even answers that
 * were all kept did.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

#define PATH "/v1/embeddings"

enum { BODY_MOST = 512 };

struct world {
	struct sim *one, *two;
	struct sluice *sluice;
};

/* The plain models say what each target alone would have said. */
static struct world start(const char *plan, const char *rest)
{
	struct world world = {.one = sim_start(NULL), .two = sim_start(NULL)};
	world.sluice = sluice_start("backends:\n"
				    "  one: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } }\n"
				    "  two: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } }\n"
				    "models: { m: { %s }, one: one/e1, two: two/e2 }\n"
				    "cache: { models: { one: { policy: off }, two: { policy: off } } %s }\n",
				    world.one->port, world.two->port, plan, rest);
	return world;
}

static const char *body_of(const char *model, const char *input)
{
	static char bodies[4][BODY_MOST];
	static unsigned turn;
	char *body = bodies[turn++ % 4];
	snprintf(body, BODY_MOST, "{\"model\":\"%s\",\"input\":%s}", model, input);
	return body;
}

/* The vectors and the model of the answer, which must be one. */
static void ask(const struct world *world, const char *model, const char *input, struct bytes *vectors)
{
	struct answer answer;
	client_fetch(world->sluice, VIA_H1, PATH, body_of(model, input), &answer);
	const char *from = strstr(bytes_text(&answer.body), "\"data\":[");
	const char *to = strstr(bytes_text(&answer.body), ",\"usage\":");
	if (answer.status != 200 || from == NULL || to == NULL)
		fail_msg("%s %s: %d %.300s", model, input, answer.status, bytes_text(&answer.body));
	bytes_free(vectors);
	bytes_append(vectors, from, (size_t)(to - from));
	answer_free(&answer);
}

static bool is_of(const struct world *world, const char *target, const char *input, const struct bytes *vectors)
{
	struct bytes alone = {0};
	ask(world, target, input, &alone);
	bool same = alone.len == vectors->len && memcmp(alone.at, vectors->at, alone.len) == 0;
	bytes_free(&alone);
	return same;
}

static void a_kept_vector_is_never_put_beside_one_of_another_model(void **state)
{
	struct world world = start("fallback: [one/e1, two/e2]", "");
	struct bytes vectors = {0};
	(void)state;
	ask(&world, "m", "[\"x\",\"z\"]", &vectors);
	assert_true(is_of(&world, "one", "[\"x\",\"z\"]", &vectors));
	proc_kill(world.one->proc);
	ask(&world, "m", "[\"x\",\"y\"]", &vectors);
	if (!is_of(&world, "two", "[\"x\",\"y\"]", &vectors))
		fail_msg("not the vectors of one model: %.600s", bytes_text(&vectors));
	ask(&world, "m", "[\"y\",\"x\",\"y\"]", &vectors); /* with one that is repeated */
	assert_true(is_of(&world, "two", "[\"y\",\"x\",\"y\"]", &vectors));
	ask(&world, "m", "[\"x\",\"z\"]", &vectors); /* nothing was lost that is good together */
	assert_false(is_of(&world, "two", "[\"x\",\"z\"]", &vectors));
	bytes_free(&vectors);
	sluice_wait_idle(world.sluice);
}

static void vectors_of_a_balance_are_of_one_target_also_when_all_are_kept(void **state)
{
	enum { INPUTS = 8, ROUNDS = 40 };
	struct world world = start("balance: [one/e1, two/e2]", "");
	struct bytes vectors = {0};
	bool seen[2] = {false};
	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct bytes batch = {0};
		char input[32];
		for (int i = 0; i < INPUTS; i++) {
			snprintf(input, sizeof input, "\"%d %d\"", round, i);
			ask(&world, "m", input, &vectors);
			seen[is_of(&world, "two", input, &vectors)] = true;
			bytes_printf(&batch, "%s%s", i == 0 ? "[" : ",", input);
		}
		bytes_printf(&batch, "]");
		for (int again = 0; again < 2; again++) {
			ask(&world, "m", bytes_text(&batch), &vectors);
			if (!is_of(&world, "one", bytes_text(&batch), &vectors) &&
			    !is_of(&world, "two", bytes_text(&batch), &vectors))
				fail_msg("not the vectors of one target: %.600s", bytes_text(&vectors));
		}
		bytes_free(&batch);
	}
	assert_true(seen[0] && seen[1]);
	bytes_free(&vectors);
	sluice_wait_idle(world.sluice);
}

/* What was asked for as a whole is kept as a whole: the same batch is a hit then. */
static void a_batch_that_was_asked_for_as_a_whole_is_kept(void **state)
{
	struct world world = start("fallback: [one/e1, two/e1]", "");
	struct bytes vectors = {0};
	(void)state;
	ask(&world, "m", "[\"x\"]", &vectors);
	proc_kill(world.one->proc);
	ask(&world, "m", "[\"x\",\"y\"]", &vectors);
	size_t calls = sim_call_count(world.two, "");
	ask(&world, "m", "[\"y\",\"x\"]", &vectors);
	assert_int_equal(sim_call_count(world.two, ""), calls);
	assert_true(sluice_metric(world.sluice, "sluice_cache_requests_total{model=\"m\",result=\"hit\"}") == 1);
	bytes_free(&vectors);
	sluice_wait_idle(world.sluice);
}

#define ANSWER(model, vectors) "{\"data\":[" vectors "],\"model\":\"" model "\"}"
#define VECTOR(index, numbers) "{\"index\":" index ",\"embedding\":" numbers "}"

/* The same target, but it was given another model, or other settings, in between. */
static void vectors_that_differ_in_model_or_length_are_not_put_together(void **state)
{
	static const struct {
		const char *first, *second, *both;
	} rows[] = {
	    {ANSWER("q1", VECTOR("0", "[1,2]")), ANSWER("q2", VECTOR("0", "[3,4]")),
	     ANSWER("q2", VECTOR("0", "[5,6]") "," VECTOR("1", "[3,4]"))},
	    {ANSWER("q", VECTOR("0", "[1,2]")), ANSWER("q", VECTOR("0", "[3,4,5]")),
	     ANSWER("q", VECTOR("0", "[5,6,7]") "," VECTOR("1", "[3,4,5]"))},
	    {ANSWER("q", VECTOR("0", "\"AAAA\"")), ANSWER("q", VECTOR("0", "\"AAAAAA==\"")),
	     ANSWER("q", VECTOR("0", "\"BBBBBB==\"") "," VECTOR("1", "\"AAAAAA==\""))},
	    {ANSWER("q", VECTOR("0", "[1,2]")), ANSWER("q", VECTOR("0", "\"AAAA\"")),
	     ANSWER("q", VECTOR("0", "\"BBBB\"") "," VECTOR("1", "\"AAAA\""))},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (int all_kept = 0; all_kept < 2; all_kept++) {
			struct backend *backend = backend_start();
			struct answer answer;
			backend_reply(backend, "application/json", rows[i].first);
			backend_reply(backend, "application/json", rows[i].second);
			backend_reply(backend, "application/json", rows[i].both);
			struct sluice *sluice =
			    sluice_start("backends: { b: { url: 'http://127.0.0.1:%d/v1' } }\nmodels: { m: b/x }\n",
					 backend_port(backend));
			client_fetch(sluice, VIA_H1, PATH, body_of("m", "\"x\""), &answer);
			answer_free(&answer);
			if (all_kept) {
				client_fetch(sluice, VIA_H1, PATH, body_of("m", "\"y\""), &answer);
				answer_free(&answer);
			}
			client_fetch(sluice, VIA_H2, PATH, body_of("m", "[\"x\",\"y\"]"), &answer);
			check_same(answer.body.at, answer.body.len, rows[i].both, strlen(rows[i].both));
			answer_free(&answer);
			assert_int_equal(backend_requests(backend), 3);
			client_fetch(sluice, VIA_H2, PATH, body_of("m", "[\"x\",\"y\"]"), &answer);
			assert_int_equal(answer.status, 200);
			answer_free(&answer);
			assert_int_equal(backend_requests(backend), 3);
			sluice_wait_idle(sluice);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_kept_vector_is_never_put_beside_one_of_another_model),
	    SCENARIO(vectors_of_a_balance_are_of_one_target_also_when_all_are_kept),
	    SCENARIO(a_batch_that_was_asked_for_as_a_whole_is_kept),
	    SCENARIO(vectors_that_differ_in_model_or_length_are_not_put_together),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
