/* SPDX-License-Identifier: MIT */
/*
 * Plans that choose among answers, through the front door: retry, balance, hedge,
 * race and quorum. What the client sees, what the backends see, which metric
 * moves, and that nothing is left afterwards.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"
#include "tests/scenario/harness/sse.h"

#define HANGS "count;hang_before_head"

enum { REQUESTS = 2 * VIA_COUNT }; /* streamed and whole, each way */

struct world {
	struct sim *a;
	struct sim *b;
	struct sluice *sluice;
};

static struct world start(void)
{
	struct world world = {.a = sim_start(NULL), .b = sim_start(NULL)};
	world.sluice = sluice_start(
	    "backends:\n"
	    "  dead: { url: 'http://127.0.0.1:1/v1', breaker: { unreachable: 1, wait: 5m } }\n"
	    "  a: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } }\n"
	    "  b: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } }\n"
	    "  one: { url: 'http://127.0.0.1:%d/v1', concurrency: { calls: 1, queue: 1 } }\n"
	    "models:\n"
	    "  again: { retry: a/count;status=503;times=1;tokens=3 }\n"
	    "  busy: { retry: a/count;status=429;retry_after=30 }\n"
	    "  dead: dead/x\n"
	    "  half: { balance: [dead/x, a/count;tokens=3] }\n"
	    "  alike: { balance: [a/count;tokens=3, b/count;tokens=3], by: prefix }\n"
	    "  turns: { balance: [a/count;tokens=3, b/count;tokens=3], by: weighted, weights: [3, 1] }\n"
	    "  spare: { hedge: [a/" HANGS ", b/count;tokens=3], after: 20ms, hedges: 100%% }\n"
	    "  thrifty: { hedge: [a/count;ttft=200ms;tokens=3, b/count;tokens=3], after: 1ms, hedges: 0%% }\n"
	    "  first: { race: [a/" HANGS ", b/count;tokens=3] }\n"
	    "  lost: { race: [a/count;status=503, { name: strict, plan: b/count;status=400 }] }\n"
	    "  vote: { quorum: [a/count;tokens=3, b/count;tokens=3, a/" HANGS "] }\n"
	    "  twofold: { all: [{ quorum: [{ all: a/count;tokens=3 }, { all: b/count;tokens=3 }] }, b/count;tokens=3] "
	    "}\n"
	    "  split: { quorum: [a/count;tokens=3, b/count;tokens=4] }\n"
	    "  deep: { fallback: [{ retry: dead/y }, { hedge: [a/" HANGS ", { race: [b/" HANGS ", b/count;tokens=3] }],"
	    " after: 10ms, hedges: 100%% }] }\n"
	    "  stuck: { race: [a/" HANGS ", { retry: b/" HANGS " }] }\n"
	    "  narrow: one/" HANGS "\n",
	    world.a->port, world.b->port, world.a->port);
	return world;
}

static void check_counted(const struct answer *answer, bool stream, size_t tokens)
{
	struct sse sse = {0};
	char last[16];
	assert_int_equal(answer->status, 200);
	snprintf(last, sizeof last, " %zu\"", tokens - 1);
	if (!stream) {
		check_contains(&answer->body, last);
		return;
	}
	check_sse_whole(&answer->body, 1);
	sse_read(&sse, &answer->body);
	check_sse_counted(&sse, 0, tokens);
	sse_free(&sse);
}

static void retry_asks_the_same_target_again(void **state)
{
	struct world world = start();
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		for (int stream = 0; stream < 2; stream++) {
			struct answer answer;
			sim_reset(world.a);
			client_fetch_chat(world.sluice, via, "again", stream, &answer);
			check_counted(&answer, stream, 3);
			check_header(&answer, "x-sluice-attempts", "2");
			assert_int_equal(sim_call_count(world.a, ""), 2);
			answer_free(&answer);
		}
	}
	assert_true(sluice_metric(world.sluice, "sluice_attempts_total{model=\"again\",reason=\"retry\"}") == REQUESTS);
	sluice_wait_idle(world.sluice);
}

/* Every other call needs a place of the budget, and there is none: the first failure is told, with the refusal. */
static void no_retry_and_no_fallback_start_beyond_the_budget(void **state)
{
	(void)state;
	struct sim *sim = sim_start(NULL);
	struct sluice *sluice = sluice_start("backends:\n  a: { url: 'http://127.0.0.1:%d/v1' }\n"
					     "retries: { percent: 0, least: 0 }\n"
					     "models:\n"
					     "  again: { retry: a/count;status=503;times=1 }\n"
					     "  next: { fallback: [a/count;status=503;times=1, a/count] }\n",
					     sim->port);
	static const char *const models[] = {"again", "next"};
	for (size_t i = 0; i < 2; i++) {
		struct answer answer;
		sim_reset(sim);
		client_fetch_chat(sluice, VIA_H2, models[i], true, &answer);
		assert_int_equal(answer.status, 503);
		check_header(&answer, "x-sluice-attempts", "1");
		check_contains(&answer.body, "the retry budget is spent");
		assert_int_equal(sim_call_count(sim, ""), 1);
		answer_free(&answer);
	}
	sluice_wait_idle(sluice);
}

/* A long Retry-After is passed on, and obeyed: while it lasts nobody calls that target. */
static void a_busy_backend_is_left_alone_as_long_as_it_asked(void **state)
{
	struct world world = start();
	(void)state;
	struct answer answer;
	client_fetch_chat(world.sluice, VIA_H1, "busy", false, &answer);
	assert_int_equal(answer.status, 429);
	check_header(&answer, "retry-after", "30");
	check_header(&answer, "x-sluice-attempts", "1");
	answer_free(&answer);
	for (enum via via = 0; via < VIA_COUNT; via++) {
		client_fetch_chat(world.sluice, via, "busy", true, &answer);
		assert_int_equal(answer.status, 503);
		check_contains(&answer.body, "upstream_unavailable");
		check_contains(&answer.body, "asked for a pause");
		check_header(&answer, "x-should-retry", "true");
		answer_free(&answer);
	}
	assert_int_equal(sim_call_count(world.a, ""), 1);
	assert_true(sluice_errors(world.sluice, "upstream_unavailable") == VIA_COUNT);
	assert_true(sluice_metric(world.sluice, "sluice_attempts_total{model=\"busy\",reason=\"first\"}") == 1);
	sluice_wait_idle(world.sluice);
}

static void balance_chooses_nobody_whose_breaker_is_open(void **state)
{
	struct world world = start();
	(void)state;
	struct answer answer;
	client_fetch_chat(world.sluice, VIA_H1, "dead", false, &answer);
	assert_int_equal(answer.status, 502);
	answer_free(&answer);
	for (enum via via = 0; via < VIA_COUNT; via++) {
		for (int stream = 0; stream < 2; stream++) {
			client_fetch_chat(world.sluice, via, "half", stream, &answer);
			check_counted(&answer, stream, 3);
			check_header(&answer, "x-sluice-attempts", "1");
			check_header(&answer, "x-sluice-target", "a/count;tokens=3");
			answer_free(&answer);
		}
	}
	const char *skips = "sluice_balance_skips_total{target=\"dead/x\",reason=\"unhealthy\"}";
	const char *choices = "sluice_balance_choices_total{target=\"a/count;tokens=3\",mode=\"healthy\"}";
	assert_true(sluice_metric(world.sluice, skips) == REQUESTS);
	assert_true(sluice_metric(world.sluice, choices) == REQUESTS);
	sluice_wait_idle(world.sluice);
}

static void balance_by_prefix_sends_what_begins_alike_to_one_backend(void **state)
{
	struct world world = start();
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		for (int stream = 0; stream < 2; stream++) {
			struct answer answer;
			client_fetch_chat(world.sluice, via, "alike", stream, &answer);
			check_counted(&answer, stream, 3);
			answer_free(&answer);
		}
	}
	size_t calls[] = {sim_call_count(world.a, ""), sim_call_count(world.b, "")};
	assert_int_equal(calls[0] + calls[1], REQUESTS);
	assert_true(calls[0] == 0 || calls[1] == 0);
}

static void balance_by_weight_uses_every_child(void **state)
{
	struct world world = start();
	(void)state;
	for (int i = 0; i < 16; i++) {
		struct answer answer;
		client_fetch_chat(world.sluice, VIA_H1, "turns", false, &answer);
		check_counted(&answer, false, 3);
		answer_free(&answer);
	}
	/* each worker takes its own turns: of four requests three go to a, whichever worker gets how many */
	assert_in_range(sim_call_count(world.a, ""), 10, 14);
	assert_int_equal(sim_call_count(world.a, "") + sim_call_count(world.b, ""), 16);
}

static void a_spare_wins_over_a_child_that_hangs_and_the_loser_is_cancelled(void **state)
{
	struct world world = start();
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		for (int stream = 0; stream < 2; stream++) {
			struct answer answer;
			client_fetch_chat(world.sluice, via, "spare", stream, &answer);
			check_counted(&answer, stream, 3);
			check_header(&answer, "x-sluice-attempts", "2");
			check_header(&answer, "x-sluice-target", "b/count;tokens=3");
			answer_free(&answer);
			sim_wait_left(world.a, HANGS);
		}
	}
	assert_true(sluice_metric(world.sluice, "sluice_hedges_won_total{model=\"spare\"}") == REQUESTS);
	assert_true(sluice_metric(world.sluice, "sluice_attempts_total{model=\"spare\",reason=\"hedge\"}") == REQUESTS);
	sim_wait_idle(world.a);
	sluice_wait_idle(world.sluice);
}

static void no_spare_starts_beyond_the_budget(void **state)
{
	struct world world = start();
	(void)state;
	struct answer answer;
	client_fetch_chat(world.sluice, VIA_H1, "thrifty", true, &answer);
	check_counted(&answer, true, 3);
	check_header(&answer, "x-sluice-attempts", "1");
	answer_free(&answer);
	assert_int_equal(sim_call_count(world.b, ""), 0);
}

static void the_first_content_wins_a_race_and_the_losers_are_cancelled(void **state)
{
	struct world world = start();
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		for (int stream = 0; stream < 2; stream++) {
			struct answer answer;
			client_fetch_chat(world.sluice, via, "first", stream, &answer);
			check_counted(&answer, stream, 3);
			check_header(&answer, "x-sluice-target", "b/count;tokens=3");
			answer_free(&answer);
		}
	}
	assert_int_equal(sim_call_count(world.b, ""), REQUESTS);
	sim_wait_idle(world.a);
	sluice_wait_idle(world.sluice);
}

static void a_race_that_all_lose_tells_the_most_telling_failure_and_every_cause(void **state)
{
	struct world world = start();
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		for (int stream = 0; stream < 2; stream++) {
			struct answer answer;
			client_fetch_chat(world.sluice, via, "lost", stream, &answer);
			assert_int_equal(answer.status, 400);
			cJSON *root = cJSON_ParseWithLength(answer.body.at, answer.body.len);
			const cJSON *error = cJSON_GetObjectItemCaseSensitive(root, "error");
			const cJSON *details = cJSON_GetObjectItemCaseSensitive(error, "details");
			assert_int_equal(cJSON_GetArraySize(details), 2);
			cJSON_Delete(root);
			check_contains(&answer.body, "[\"plan\",\"a/count;status=503\"]");
			check_contains(&answer.body, "[\"plan\",\"strict\"]");
			check_contains(&answer.body, "\"input\":\"b/count;status=400\"");
			check_contains(&answer.body, "\"type\":\"upstream_status\"");
			check_contains(&answer.body, "\"type\":\"upstream_rejected\"");
			answer_free(&answer);
		}
	}
	sluice_wait_idle(world.sluice);
}

static void a_quorum_answers_once_enough_agree_and_cancels_the_rest(void **state)
{
	struct world world = start();
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		for (int stream = 0; stream < 2; stream++) {
			struct answer answer;
			client_fetch_chat(world.sluice, via, "vote", stream, &answer);
			check_counted(&answer, stream, 3);
			check_header(&answer, "x-sluice-attempts", "3");
			if (!stream)
				check_contains(&answer.body, "\"completion_tokens\":6");
			answer_free(&answer);
		}
	}
	sim_wait_idle(world.a);
	sluice_wait_idle(world.sluice);
}

/*
 * Once the gateway died of it: what a quorum tells of a gathered answer has no target of its own, and the all around it
 * asked for one.
 */
static void a_quorum_between_two_all_keeps_what_the_inner_one_said(void **state)
{
	struct world world = start();
	(void)state;
	for (int stream = 0; stream < 2; stream++) {
		struct answer answer;
		client_fetch_chat(world.sluice, VIA_H1, "twofold", stream, &answer);
		assert_int_equal(answer.status, 200);
		check_contains(&answer.body, "/count;tokens=3");
		if (stream)
			check_sse_whole(&answer.body, 2);
		answer_free(&answer);
	}
	assert_true(sluice_errors(world.sluice, "internal_error") == 0);
}

static void a_quorum_that_is_missed_says_who_disagreed(void **state)
{
	struct world world = start();
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		for (int stream = 0; stream < 2; stream++) {
			struct answer answer;
			client_fetch_chat(world.sluice, via, "split", stream, &answer);
			assert_int_equal(answer.status, 502);
			check_contains(&answer.body, "\"code\":\"no_quorum\"");
			check_contains(&answer.body, "\"input\":\"a/count;tokens=3\"");
			check_contains(&answer.body, "\"input\":\"b/count;tokens=4\"");
			answer_free(&answer);
		}
	}
	assert_true(sluice_errors(world.sluice, "no_quorum") == REQUESTS);
	sluice_wait_idle(world.sluice);
}

static void a_quorum_compares_one_choice_only(void **state)
{
	struct world world = start();
	(void)state;
	struct answer answer;
	client_fetch(world.sluice, VIA_H1, "/v1/chat/completions",
		     "{\"model\":\"vote\",\"n\":2,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", &answer);
	assert_int_equal(answer.status, 400);
	check_contains(&answer.body, "\"param\":\"n\"");
	answer_free(&answer);
	assert_int_equal(sim_call_count(world.a, "") + sim_call_count(world.b, ""), 0);
}

static void combinators_nest(void **state)
{
	struct world world = start();
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		for (int stream = 0; stream < 2; stream++) {
			struct answer answer;
			client_fetch_chat(world.sluice, via, "deep", stream, &answer);
			check_counted(&answer, stream, 3);
			check_header(&answer, "x-sluice-target", "b/count;tokens=3");
			answer_free(&answer);
		}
	}
	sim_wait_idle(world.a);
	sim_wait_idle(world.b);
	sluice_wait_idle(world.sluice);
}

static void a_client_that_leaves_takes_every_contender_along(void **state)
{
	struct world world = start();
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct client client;
		client_chat(&client, world.sluice, via, "stuck", true);
		sim_wait_calls(world.a, HANGS, (size_t)via + 1);
		sim_wait_calls(world.b, HANGS, (size_t)via + 1);
		client_leave(&client, LEAVE_RST);
		client_close(&client);
		sim_wait_left(world.a, HANGS);
		sim_wait_left(world.b, HANGS);
	}
	sluice_wait_idle(world.sluice);
	assert_true(sluice_metric(world.sluice, "sluice_calls_in_flight{backend=\"a\"}") == 0);
	assert_true(sluice_metric(world.sluice, "sluice_calls_in_flight{backend=\"b\"}") == 0);
}

/* One call runs, one waits, the third is sent away; when the first leaves, the second has its turn. */
static void a_full_queue_is_429_and_a_place_that_is_free_goes_to_who_waits(void **state)
{
	struct world world = start();
	(void)state;
	struct client running, waiting;
	struct answer answer;
	client_chat(&running, world.sluice, VIA_H1, "narrow", true);
	sim_wait_calls(world.a, HANGS, 1);
	client_chat(&waiting, world.sluice, VIA_H1, "narrow", true);
	struct patience patience = patience_for("a request that waits");
	while (sluice_metric(world.sluice, "sluice_queue_waiting{backend=\"one\"}") != 1)
		patience_wait(&patience);
	client_fetch_chat(world.sluice, VIA_H1, "narrow", true, &answer);
	assert_int_equal(answer.status, 429);
	check_contains(&answer.body, "queue_full");
	check_header(&answer, "x-should-retry", "true");
	answer_free(&answer);
	assert_int_equal(sim_call_count(world.a, ""), 1);
	client_leave(&running, LEAVE_RST);
	client_close(&running);
	sim_wait_calls(world.a, HANGS, 2);
	client_leave(&waiting, LEAVE_RST);
	client_close(&waiting);
	sim_wait_idle(world.a);
	sluice_wait_idle(world.sluice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(retry_asks_the_same_target_again),
	    SCENARIO(no_retry_and_no_fallback_start_beyond_the_budget),
	    SCENARIO(a_busy_backend_is_left_alone_as_long_as_it_asked),
	    SCENARIO(balance_chooses_nobody_whose_breaker_is_open),
	    SCENARIO(balance_by_prefix_sends_what_begins_alike_to_one_backend),
	    SCENARIO(balance_by_weight_uses_every_child),
	    SCENARIO(a_spare_wins_over_a_child_that_hangs_and_the_loser_is_cancelled),
	    SCENARIO(no_spare_starts_beyond_the_budget),
	    SCENARIO(the_first_content_wins_a_race_and_the_losers_are_cancelled),
	    SCENARIO(a_race_that_all_lose_tells_the_most_telling_failure_and_every_cause),
	    SCENARIO(a_quorum_answers_once_enough_agree_and_cancels_the_rest),
	    SCENARIO(a_quorum_between_two_all_keeps_what_the_inner_one_said),
	    SCENARIO(a_quorum_that_is_missed_says_who_disagreed),
	    SCENARIO(a_quorum_compares_one_choice_only),
	    SCENARIO(combinators_nest),
	    SCENARIO(a_client_that_leaves_takes_every_contender_along),
	    SCENARIO(a_full_queue_is_429_and_a_place_that_is_free_goes_to_who_waits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
