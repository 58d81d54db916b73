/* SPDX-License-Identifier: MIT */
/*
 * Every way in which a first backend may fail before its content, with a second one that is well: streamed and whole,
 * one request alone and thirty at once, all with one configuration. Each answer is whole and the second backend's own;
 * a request alone makes two calls, thirty make no more than sixty.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

enum { CROWD = 30, NOT_WHOLE = 1, NOT_STREAMED = 2 };

/* What the first backend does, and for which form that is no failure before content. */
static const struct situation {
	const char *fault;
	unsigned except;
} situations[] = {
    {"status=401", 0},
    {"status=402", 0},
    {"status=403", 0},
    {"status=404", 0},
    {"status=408", 0},
    {"status=409", 0},
    {"status=410", 0},
    {"status=413", 0},
    {"status=424", 0},
    {"status=429", 0},
    {"status=429;retry_after=300", 0},
    {"status=429;code=insufficient_quota", 0},
    {"status=499", 0},
    {"status=500", 0},
    {"status=501", 0},
    {"status=502", 0},
    {"status=503;retry_after=1", 0},
    {"status=504", 0},
    {"status=529", 0},
    {"status=400;code=model_not_found", 0},
    {"status=400;code=model_decommissioned", 0},
    {"status=400;code=context_length_exceeded", 0},
    {"status=400;type=exceed_context_size_error", 0},
    {"reset_before_head", 0},
    {"fin_before_head", 0},
    {"close_after_head", 0},
    {"reset_mid", NOT_STREAMED},
    {"fin_mid", NOT_STREAMED},
    {"error_first_event", NOT_WHOLE},
    {"error_json_200", 0},
    {"broken_json;after=0", NOT_WHOLE},
    {"finish=error;tokens=0", 0},
    {"finish=abort;tokens=0", 0},
    {"wrong_content_length", NOT_STREAMED},
    {"cl_and_te", 0},
    {"many_1xx", 0},
    {"gzip_bomb;bytes=4m", 0},
    {"redirect", 0},
    {"huge_headers", 0},
    {"not_json", 0},
    {"empty_200", 0},
    {"head_then_hang", 0},
    {"hang_before_head", 0},
};
enum { SITUATIONS = sizeof situations / sizeof situations[0] };

struct world {
	struct sim *p;
	struct sim *q;
	struct sluice *sluice;
};

static struct world start(void)
{
	struct world world = {.p = sim_start(NULL), .q = sim_start(NULL)};
	struct bytes models = {0};
	for (size_t i = 0; i < SITUATIONS; i++)
		bytes_printf(&models, "  m%zu: { fallback: ['p/count;tokens=4;gap=%zuus;%s', 'q/count;tokens=7'] }\n",
			     i, i + 1, situations[i].fault);
	world.sluice =
	    sluice_start("backends:\n"
			 "  p: { url: 'http://127.0.0.1:%d/v1', timeouts: { first_content: 700ms, idle_whole: 700ms,"
			 " total: 1s } }\n"
			 "  q: { url: 'http://127.0.0.1:%d/v1' }\n"
			 "models:\n%s",
			 world.p->port, world.q->port, bytes_text(&models));
	bytes_free(&models);
	return world;
}

static void make_body(char *body, size_t size, size_t situation, bool stream)
{
	snprintf(body, size, "{\"model\":\"m%zu\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]%s}", situation,
		 stream ? ",\"stream\":true" : "");
}

/* The second backend's answer, from the first byte to the last. */
static bool is_whole(const struct answer *answer, bool stream)
{
	return answer->ended && answer->status == 200 && bytes_contain(&answer->body, " 6\"") &&
	       (!stream || bytes_contain(&answer->body, "[DONE]")) && !bytes_contain(&answer->body, "\"error\"");
}

static double attempts(const struct world *world, size_t situation)
{
	static const char *const reasons[] = {"first", "fallback"};
	double sum = 0;
	for (size_t i = 0; i < 2; i++) {
		char sample[96];
		snprintf(sample, sizeof sample, "sluice_attempts_total{model=\"m%zu\",reason=\"%s\"}", situation,
			 reasons[i]);
		sum += sluice_metric(world->sluice, sample);
	}
	return sum;
}

static void check_alone(const struct world *world, size_t situation, bool stream)
{
	char body[160];
	struct answer answer;
	make_body(body, sizeof body, situation, stream);
	double before = attempts(world, situation);
	client_fetch(world->sluice, stream ? VIA_H2 : VIA_H1, "/v1/chat/completions", body, &answer);
	if (!is_whole(&answer, stream))
		fail_msg("%s, %s: %d %s", situations[situation].fault, stream ? "streamed" : "whole", answer.status,
			 bytes_text(&answer.body));
	answer_free(&answer);
	double made = attempts(world, situation) - before;
	if (made > 2 || made < 1)
		fail_msg("%s: %g attempts", situations[situation].fault, made);
}

static void check_crowd(const struct world *world, size_t situation, bool stream)
{
	char body[160];
	struct mass_job jobs[CROWD] = {0};
	make_body(body, sizeof body, situation, stream);
	for (size_t i = 0; i < CROWD; i++)
		jobs[i].body = body;
	double before = attempts(world, situation);
	struct mass mass = {
	    .sluice = world->sluice, .via = VIA_H1, .connections = CROWD, .streams = 1, .jobs = jobs, .count = CROWD};
	mass_run(&mass);
	for (size_t i = 0; i < CROWD; i++)
		if (!is_whole(&jobs[i].answer, stream))
			fail_msg("%s, %s, one of %d: %d %s", situations[situation].fault, stream ? "streamed" : "whole",
				 CROWD, jobs[i].answer.status, bytes_text(&jobs[i].answer.body));
	mass_free_answers(&mass);
	double made = attempts(world, situation) - before;
	if (made < CROWD || made > 2 * CROWD)
		fail_msg("%s: %g attempts for %d requests", situations[situation].fault, made, CROWD);
}

static void every_situation_is_survived(bool crowd)
{
	struct world world = start();
	for (size_t i = 0; i < SITUATIONS; i++) {
		for (int stream = 0; stream < 2; stream++) {
			if ((situations[i].except & (stream ? NOT_STREAMED : NOT_WHOLE)) != 0)
				continue;
			if (crowd)
				check_crowd(&world, i, stream);
			else
				check_alone(&world, i, stream);
		}
	}
	sluice_wait_idle(world.sluice);
}

static void one_request_survives_every_failure_of_the_first_backend(void **state)
{
	(void)state;
	every_situation_is_survived(false);
}

static void thirty_requests_at_once_survive_every_failure_of_the_first_backend(void **state)
{
	(void)state;
	every_situation_is_survived(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(one_request_survives_every_failure_of_the_first_backend),
	    SCENARIO(thirty_requests_at_once_survive_every_failure_of_the_first_backend),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
