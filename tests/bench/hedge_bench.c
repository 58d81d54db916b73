/* SPDX-License-Identifier: MIT */
/*
 * Time to first token with one slow backend of four, with spares and without,
 * interleaved in one run, so that both see the same machine. The goal: spares at
 * least halve the 99th percentile for at most 5 % more calls.
 *
 * Every model has targets of its own (the part of their names behind the
 * semicolon), so that what is learned of them is not shared.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

enum { BACKENDS = 4, WARM_UP = 200, REQUESTS = 1500, CONNECTIONS = 16, PERCENT = 5, BODY_SIZE = 256 };

/* Alternately without spares and with them. */
static const char *const models[] = {"turns", "turns-hedged", "p2c", "p2c-hedged"};
enum { MODELS = 4 };

struct world {
	struct sim *sim[BACKENDS];
	struct sluice *sluice;
};

struct result {
	double p50_ms;
	double p99_ms;
	double extra; /* spares per 100 requests, those that warmed up included */
};

#define ALL(tokens) "[a/count;" tokens ", b/count;" tokens ", c/count;" tokens ", slow/count;" tokens "]"
#define TURNS(tokens) "{ balance: " ALL(tokens) ", by: weighted, weights: [32, 32, 32, 4] }"
#define P2C(tokens) "{ balance: " ALL(tokens) " }"

static struct world start(void)
{
	struct world world;
	for (size_t i = 0; i < BACKENDS; i++)
		world.sim[i] = sim_start(
		    (const char *const[]){"--ttft", i == BACKENDS - 1 ? "1s" : "50ms", "--jitter", "20ms", NULL});
	world.sluice = sluice_start(
	    "backends:\n"
	    "  a: { url: 'http://127.0.0.1:%d/v1' }\n"
	    "  b: { url: 'http://127.0.0.1:%d/v1' }\n"
	    "  c: { url: 'http://127.0.0.1:%d/v1' }\n"
	    "  slow: { url: 'http://127.0.0.1:%d/v1' }\n"
	    "models:\n"
	    "  turns: " TURNS("tokens=1") "\n"
					  "  turns-hedged: { hedge: [" TURNS("tokens=2") ", " P2C(
					      "tokens=2") "] }\n"
							  "  p2c: " P2C(
							      "tokens=3") "\n"
									  "  p2c-hedged: { hedge: [" P2C(
									      "tokens=4") ", " P2C("tokens=4") "] }\n",
	    world.sim[0]->port, world.sim[1]->port, world.sim[2]->port, world.sim[3]->port);
	return world;
}

static double spares(const struct world *world, const char *model)
{
	char sample[96];
	snprintf(sample, sizeof sample, "sluice_attempts_total{model=\"%s\",reason=\"hedge\"}", model);
	return sluice_metric(world->sluice, sample);
}

/* Milliseconds from the request to the piece that holds the first token. */
static double first_token_ms(const struct mass_job *job)
{
	const struct answer *answer = &job->answer;
	const char *text = bytes_text(&answer->body);
	const char *token = strstr(text, "\" 0\"");
	size_t piece = 0;
	assert_int_equal(answer->status, 200);
	assert_non_null(token);
	while (answer->pieces[piece].offset + answer->pieces[piece].len <= (size_t)(token - text))
		piece++;
	return (double)(answer->pieces[piece].at_us - job->started_us) / 1000;
}

static int compare(const void *a, const void *b)
{
	double first = *(const double *)a, second = *(const double *)b;
	return (first > second) - (first < second);
}

/* Asks each model count times, in turn; times: count of each model, sorted. */
static void ask(const struct world *world, size_t count, double *times)
{
	static char bodies[MODELS][BODY_SIZE];
	struct mass_job *jobs = calloc(count * MODELS, sizeof *jobs);
	assert_non_null(jobs);
	for (size_t i = 0; i < MODELS; i++)
		snprintf(bodies[i], BODY_SIZE, "%s", chat_body(models[i], true));
	for (size_t i = 0; i < count * MODELS; i++)
		jobs[i].body = bodies[i % MODELS];
	struct mass mass = {.sluice = world->sluice,
			    .via = VIA_H1,
			    .connections = CONNECTIONS,
			    .streams = 1,
			    .jobs = jobs,
			    .count = count * MODELS};
	mass_run(&mass);
	for (size_t i = 0; i < count * MODELS; i++)
		times[i % MODELS * count + i / MODELS] = first_token_ms(&jobs[i]);
	for (size_t i = 0; i < MODELS; i++)
		qsort(times + i * count, count, sizeof *times, compare);
	mass_free_answers(&mass);
	free(jobs);
}

static void measure(const struct world *world, struct result *results)
{
	static double times[REQUESTS * MODELS];
	ask(world, WARM_UP, times);
	ask(world, REQUESTS, times);
	for (size_t i = 0; i < MODELS; i++)
		results[i] = (struct result){.p50_ms = times[i * REQUESTS + REQUESTS / 2],
					     .p99_ms = times[i * REQUESTS + REQUESTS * 99 / 100],
					     .extra = spares(world, models[i]) * 100 / (WARM_UP + REQUESTS)};
}

static void spares_halve_the_99th_percentile_for_few_more_calls(void **state)
{
	struct world world = start();
	struct result results[MODELS];
	(void)state;
	measure(&world, results);
	printf("%d requests each      p50 ms    p99 ms  extra calls\n", REQUESTS);
	for (size_t i = 0; i < MODELS; i++)
		printf("%-18s %9.1f %9.1f %10.1f %%\n", models[i], results[i].p50_ms, results[i].p99_ms,
		       results[i].extra);
	for (size_t i = 0; i < MODELS; i += 2)
		printf("%s: p99 is %.1f times as long without spares\n", models[i],
		       results[i].p99_ms / results[i + 1].p99_ms);
	assert_true(results[1].p99_ms * 2 <= results[0].p99_ms);
	assert_true(results[1].extra <= PERCENT);
	assert_true(results[3].extra <= PERCENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(spares_halve_the_99th_percentile_for_few_more_calls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
