/* SPDX-License-Identifier: MIT */
/*
 * Limits of what clients may use, end to end: whatever number of requests come at once, so many are served as the limit
 * has room for; however an exchange ends, what its calls used is counted, and nothing stays reserved.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schemas/operations.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"
#include "tests/scenario/harness/sse.h"

#define CHAT "/v1/chat/completions"

struct world {
	struct sim *sim;
	struct sluice *sluice;
};

static struct world start(const char *models, const char *more)
{
	struct world world = {.sim = sim_start(NULL)};
	world.sluice = sluice_start("backends:\n  sim: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } }\n"
				    "models:\n%s%s",
				    world.sim->port, models, more);
	return world;
}

/* A request of one short message. more: members behind it, each with a comma before it. */
static const char *body_of(const char *model, const char *more)
{
	static char body[512];
	snprintf(body, sizeof body, "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"Rivers\"}]%s}",
		 model, more);
	return body;
}

static struct answer ask(const struct world *world, const char *method, const char *path, const char *body)
{
	const struct h2_header headers[] = {{NULL, NULL}};
	struct answer answer;
	client_ask(world->sluice, VIA_H1, method, path, headers, body, &answer);
	return answer;
}

static void ask_well(const struct world *world, const char *body)
{
	struct answer answer = ask(world, "POST", CHAT, body);
	if (answer.status != 200)
		fail_msg("status %d: %s", answer.status, bytes_text(&answer.body));
	answer_free(&answer);
}

static void check_refused(struct answer *answer, const char *text)
{
	check_error(answer, 429, "limit_reached");
	check_contains(&answer->body, text);
	answer_free(answer);
}

/* A number of GET /v1/limits, of the limit with that name and unit. */
static double limit_number(const struct world *world, const char *name, const char *unit, const char *member)
{
	struct answer answer = ask(world, "GET", "/v1/limits", NULL);
	assert_int_equal(answer.status, 200);
	cJSON *root = cJSON_Parse(bytes_text(&answer.body)), *at = NULL;
	double found = -1;
	cJSON_ArrayForEach(at, cJSON_GetObjectItem(root, "data"))
	{
		if (strcmp(cJSON_GetObjectItem(at, "name")->valuestring, name) == 0 &&
		    strcmp(cJSON_GetObjectItem(at, "unit")->valuestring, unit) == 0)
			found = cJSON_GetObjectItem(at, member)->valuedouble;
	}
	cJSON_Delete(root);
	answer_free(&answer);
	return found;
}

static void check_nothing_reserved(const struct world *world, const char *name, const char *unit)
{
	sluice_wait_idle(world->sluice);
	sim_wait_idle(world->sim);
	struct patience patience = patience_for("all reservations to end");
	while (limit_number(world, name, unit, "reserved") != 0)
		patience_wait(&patience);
}

/* Asks count times at once. Returns how many were served; all others must be refused for a limit. */
static size_t crowd(const struct world *world, const char *body, size_t count)
{
	struct mass_job *jobs = mass_jobs(count, body);
	struct mass mass = mass_crowd(world->sluice, jobs, count);
	size_t served = 0;
	mass_run(&mass);
	for (size_t i = 0; i < count; i++) {
		if (jobs[i].answer.status == 429)
			check_contains(&jobs[i].answer.body, "limit_reached");
		else if (jobs[i].answer.status != 200 || !jobs[i].answer.ended)
			fail_msg("request %zu: status %d: %s", i, jobs[i].answer.status,
				 bytes_text(&jobs[i].answer.body));
		served += jobs[i].answer.status == 200;
	}
	mass_free_answers(&mass);
	free(jobs);
	return served;
}

/* ---- at 1, 30 and 300 ---- */

static void so_many_requests_are_served_as_the_limit_says(void **state)
{
	static const size_t crowds[] = {1, 30, 300}, limits[] = {1, 7, 100};
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char more[128];
		snprintf(more, sizeof more, "quotas: { all: { requests: %zu/hour } }\ncache: { policy: off }\n",
			 limits[i]);
		struct world world = start("  m: sim/one;tokens=2\n", more);
		assert_int_equal(crowd(&world, body_of("m", ""), crowds[i]), limits[i]);
		assert_int_equal(sim_call_count(world.sim, "one"), limits[i]);
		struct answer answer = ask(&world, "POST", CHAT, body_of("m", ""));
		check_header(&answer, "x-ratelimit-remaining-requests", "0");
		check_header(&answer, "x-should-retry", "false"); /* not within the hour */
		check_refused(&answer, "requests per hour (all) is reached");
	}
}

static void tokens_are_never_granted_beyond_the_limit(void **state)
{
	static const size_t crowds[] = {1, 30, 300}, limits[] = {1, 5, 60};
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char more[128];
		snprintf(more, sizeof more, "quotas: { all: { output_tokens: %zu/hour } }\ncache: { policy: off }\n",
			 limits[i] * 10 + 9);
		struct world world = start("  m: sim/one;tokens=10\n", more);
		size_t served = crowd(&world, body_of("m", ",\"max_tokens\":10"), crowds[i]);
		assert_int_equal(served, limits[i]);
		check_nothing_reserved(&world, "all", "output_tokens");
		assert_int_equal(limit_number(&world, "all", "output_tokens", "remaining"), 9);
	}
}

static void so_many_run_at_once_and_whoever_leaves_makes_room(void **state)
{
	enum { MOST = 100 };
	static const size_t limits[] = {1, 4, MOST}, crowds[] = {1, 30, 300};
	static struct client clients[MOST];
	(void)state;
	for (size_t row = 0; row < 3; row++) {
		char more[64], text[64];
		snprintf(more, sizeof more, "quotas: { all: { concurrent: %zu } }\n", limits[row]);
		struct world world = start("  m: sim/one;fault=hang_before_head\n  quick: sim/two;tokens=1\n", more);
		for (size_t i = 0; i < limits[row]; i++) {
			client_chat(&clients[i], world.sluice, i % 2 == 0 ? VIA_H1 : VIA_H2, "m", i % 3 == 0);
			sim_wait_calls(world.sim, "one", i + 1);
		}
		assert_int_equal(crowd(&world, body_of("quick", ""), crowds[row]), 0);
		struct answer answer = ask(&world, "POST", CHAT, body_of("quick", ""));
		check_header(&answer, "retry-after", "1");
		check_header(&answer, "x-should-retry", "true");
		snprintf(text, sizeof text, "%zu requests at once (all) is reached", limits[row]);
		check_refused(&answer, text);
		client_close(&clients[0]);
		struct patience patience = patience_for("room for one");
		while (limit_number(&world, "all", "concurrent", "remaining") != 1)
			patience_wait(&patience);
		ask_well(&world, body_of("quick", ""));
		for (size_t i = 1; i < limits[row]; i++)
			client_close(&clients[i]);
		check_nothing_reserved(&world, "all", "concurrent");
		assert_int_equal(crowd(&world, body_of("quick", ",\"seed\":1"), limits[row]), limits[row]);
	}
}

/* ---- every end ---- */

static void whatever_becomes_of_a_call_its_tokens_are_counted_once(void **state)
{
	static const struct {
		const char *model, *more;
		int status;    /* 0 = it is cut */
		double output; /* tokens that the backends of the request counted, or sent */
	} rows[] = {
	    {"good", "", 200, 10},
	    {"good", ",\"stream\":true", 200, 10},
	    {"good", ",\"n\":3", 200, 30},
	    {"good", ",\"max_tokens\":4", 200, 4},
	    {"refuses", "", 400, 0},
	    {"broken", "", 502, 0},
	    {"standby", "", 200, 10},
	    {"cut", ",\"stream\":true", 0, 3},
	    {"resumed", ",\"stream\":true,\"temperature\":0", 200, 3 + 10},
	    {"both", "", 200, 20},
	    {"agree", "", 200, 20},
	};
	(void)state;
	struct world world =
	    start("  good: sim/a;tokens=10\n"
		  "  refuses: sim/b;status=400\n"
		  "  broken: sim/c;fault=reset_before_head\n"
		  "  standby: { fallback: [sim/c;fault=reset_before_head, sim/a;tokens=10] }\n"
		  "  cut: sim/d;tokens=10;fault=fin_mid;after=3\n"
		  "  resumed: { retry: sim/f;tokens=10;fault=fin_mid;after=3;times=1, resume: replay }\n"
		  "  both: { all: [sim/a;tokens=10, sim/e;tokens=10] }\n"
		  "  agree: { quorum: [sim/a;tokens=10, sim/a;tokens=10] }\n",
		  "quotas: { all: { output_tokens: 1000000/hour, tokens: 10000000/hour, concurrent: 1000 } }\n"
		  "cache: { policy: off }\n");
	double used = 0;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct answer answer = ask(&world, "POST", CHAT, body_of(rows[i].model, rows[i].more));
		if (rows[i].status != 0 && answer.status != rows[i].status)
			fail_msg("row %zu: status %d: %s", i, answer.status, bytes_text(&answer.body));
		answer_free(&answer);
		used += rows[i].output;
		check_nothing_reserved(&world, "all", "output_tokens");
		double left = limit_number(&world, "all", "output_tokens", "remaining");
		if (left != 1000000 - used)
			fail_msg("row %zu (%s): %g left, expected %g", i, rows[i].model, left, 1000000 - used);
	}
	assert_int_equal(limit_number(&world, "all", "concurrent", "remaining"), 1000);
}

static void who_leaves_pays_for_what_came(void **state)
{
	(void)state;
	struct world world = start("  m: sim/one;tokens=10;fault=events_then_hang;after=5\n",
				   "quotas: { all: { output_tokens: 1000/hour } }\n");
	for (int i = 0; i < 3; i++) {
		struct client client;
		client_chat(&client, world.sluice, VIA_H1, "m", true);
		struct sse sse = {0};
		client_wait_events(&client, &sse, 6); /* the first one tells the role */
		sse_free(&sse);
		client_close(&client);
		check_nothing_reserved(&world, "all", "output_tokens");
	}
	assert_int_equal(limit_number(&world, "all", "output_tokens", "remaining"), 1000 - 3 * 5);
}

static void many_tokens_in_an_event_are_no_single_one(void **state)
{
	(void)state;
	struct world world = start("  m: sim/one;tokens=10;token_bytes=600;fault=events_then_hang;after=5\n",
				   "quotas: { all: { output_tokens: 1000/hour } }\n");
	struct client client;
	client_chat(&client, world.sluice, VIA_H1, "m", true);
	struct sse sse = {0};
	client_wait_events(&client, &sse, 6);
	sse_free(&sse);
	client_close(&client);
	check_nothing_reserved(&world, "all", "output_tokens");
	assert_int_equal(limit_number(&world, "all", "output_tokens", "remaining"), 1000 - 5 * 600 / 8);
}

static void who_leaves_before_a_whole_answer_pays_for_the_time(void **state)
{
	(void)state;
	struct world world =
	    start("  m: sim/one;tokens=10;ttft=100s\n", "quotas: { all: { output_tokens: 1000000/hour } }\n");
	struct client client;
	client_chat(&client, world.sluice, VIA_H1, "m", false);
	sim_wait_calls(world.sim, "one", 1);
	struct patience patience = patience_for("a second of the backend's work");
	for (double before = clock_us(); clock_us() < before + 1000000;)
		patience_wait(&patience);
	client_close(&client);
	check_nothing_reserved(&world, "all", "output_tokens");
	double used = 1000000 - limit_number(&world, "all", "output_tokens", "remaining");
	assert_true(used >= 90 && used <= 1024); /* what answers usually have, at most */
}

/* ---- what costs no tokens ---- */

static void kept_and_shared_answers_cost_no_tokens(void **state)
{
	(void)state;
	struct world world = start("  m: sim/one;tokens=10;ttft=200ms\n",
				   "quotas: { all: { output_tokens: 15/hour, requests: 1000/hour } }\n"
				   "cache: { policy: always }\n");
	const char *body = body_of("m", ",\"max_tokens\":10");
	assert_int_equal(crowd(&world, body, 30), 30); /* one leads, for the others there would be no tokens */
	assert_int_equal(sim_call_count(world.sim, "one"), 1);
	assert_int_equal(crowd(&world, body, 30), 30);
	check_nothing_reserved(&world, "all", "output_tokens");
	assert_int_equal(limit_number(&world, "all", "output_tokens", "remaining"), 5);
	assert_int_equal(limit_number(&world, "all", "requests", "remaining"), 1000 - 60);
	struct answer answer = ask(&world, "POST", CHAT, body_of("m", ",\"max_tokens\":9"));
	check_refused(&answer, "15 tokens of output per hour (all)");
}

static void a_kept_answer_is_a_request_all_the_same(void **state)
{
	(void)state;
	struct world world =
	    start("  m: sim/one;tokens=2\n", "quotas: { all: { requests: 3/hour } }\ncache: { policy: always }\n");
	struct answer answer = ask(&world, "POST", CHAT, body_of("m", ""));
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	answer = ask(&world, "POST", CHAT, body_of("m", ""));
	char *tag = answer_header(&answer, "etag");
	answer_free(&answer);
	const struct h2_header headers[] = {{"if-none-match", tag}, {NULL, NULL}};
	client_ask(world.sluice, VIA_H1, "POST", CHAT, headers, body_of("m", ""), &answer);
	assert_int_equal(answer.status, 304);
	check_header(&answer, "x-ratelimit-remaining-requests", "0");
	answer_free(&answer);
	free(tag);
	answer = ask(&world, "POST", CHAT, body_of("m", ""));
	check_refused(&answer, "3 requests per hour (all)");
	answer = ask(&world, "POST", "/v1/embeddings", "{\"model\":\"m\",\"input\":\"x\"}");
	check_refused(&answer, "3 requests per hour (all)");
	assert_int_equal(sim_call_count(world.sim, "one"), 1);
}

/* ---- no way around ---- */

static void a_fan_out_is_counted_for_every_model_that_it_asks(void **state)
{
	(void)state;
	struct world world = start(
	    "  a: sim/one;tokens=10\n  b: sim/two;tokens=7\n",
	    "quotas:\n  first: { models: [a], output_tokens: 25/hour }\n  second: { models: [b], requests: 3/hour, "
	    "output_tokens: 1000/hour }\n  all: { requests: 100/hour }\n");
	for (int i = 0; i < 2; i++) {
		struct answer answer =
		    ask(&world, "POST", "/v1/fanout",
			"{\"targets\":[\"a\",\"b\"],\"request\":{\"max_tokens\":10,\"messages\":[{\"role\":"
			"\"user\",\"content\":\"x\"}]}}");
		if (answer.status != 200)
			fail_msg("status %d: %s", answer.status, bytes_text(&answer.body));
		answer_free(&answer);
		check_nothing_reserved(&world, "first", "output_tokens");
	}
	assert_int_equal(limit_number(&world, "first", "output_tokens", "remaining"), 5);
	assert_int_equal(limit_number(&world, "second", "output_tokens", "remaining"), 1000 - 14);
	assert_int_equal(limit_number(&world, "second", "requests", "remaining"), 1);
	assert_int_equal(limit_number(&world, "all", "requests", "remaining"), 98); /* a request is one */
	struct answer answer =
	    ask(&world, "POST", "/v1/fanout",
		"{\"targets\":[\"b\",\"a\"],\"request\":{\"max_tokens\":10,\"messages\":[{\"role\":\"user\","
		"\"content\":\"x\"}]}}");
	check_refused(&answer, "25 tokens of output per hour (first)");
	assert_int_equal(limit_number(&world, "second", "requests", "remaining"), 1); /* under all or under none */
	ask_well(&world, body_of("b", ",\"max_tokens\":10"));
}

static void every_operation_is_limited_or_asks_no_backend(void **state)
{
	(void)state;
	struct world world = start("  m: sim/one;tokens=1\n", "quotas: { all: { requests: 1/hour } }\n");
	size_t limited = 0;
	ask_well(&world, body_of("m", ""));
	for (enum operation i = 0; i < OPERATION_COUNT; i++) {
		const struct operation_row *row = operation_row(i);
		const char *body =
		    row->plans
			? "{\"targets\":[\"m\"],\"request\":{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}}"
		    : i == OPERATION_MESSAGES               ? body_of("m", ",\"max_tokens\":10")
		    : i == OPERATION_RESPONSES              ? "{\"model\":\"m\",\"input\":\"x\"}"
		    : row->endpoint == ENDPOINT_CHAT        ? body_of("m", ",\"n\":2")
		    : row->endpoint == ENDPOINT_COMPLETIONS ? "{\"model\":\"m\",\"prompt\":\"x\"}"
							    : "{\"model\":\"m\",\"input\":\"x\"}";
		bool asks = row->endpoint != OPERATION_NO_ENDPOINT;
		if (strchr(row->path, '{') != NULL)
			continue; /* files of the docs page, and one model */
		struct answer answer = ask(&world, row->method, row->path, row->body == NULL ? NULL : body);
		limited += answer.status == 429;
		if ((answer.status == 429) != asks)
			fail_msg("%s %s: status %d: %s", row->method, row->path, answer.status,
				 bytes_text(&answer.body));
		answer_free(&answer);
	}
	assert_int_equal(limited, 6);
	assert_int_equal(sim_stat(world.sim, "open"), 0);
	assert_int_equal(sim_call_count(world.sim, "one"), 1);
}

static void limits_of_a_model_that_is_not_there_are_refused(void **state)
{
	(void)state;
	struct world world = start("  m: sim/one;tokens=1\n  n: sim/two;tokens=1\n",
				   "quotas: { all: { requests: 1/hour }, one: { models: [m], tokens: 5/hour } }\n");
	struct answer answer = ask(&world, "GET", "/v1/limits?model=none", NULL);
	check_error(&answer, 404, "model_not_found");
	answer_free(&answer);
	answer = ask(&world, "GET", "/v1/limits?model=n", NULL);
	check_contains(&answer.body, "\"all\"");
	check_lacks(&answer.body, "\"one\"");
	answer_free(&answer);
}

static void a_request_that_is_larger_than_the_limit_is_told_so(void **state)
{
	(void)state;
	struct world world = start("  m: sim/one;tokens=1\n", "quotas: { all: { tokens: 1000/minute } }\n");
	char *body = chat_body_large("m", 40000);
	struct answer answer = ask(&world, "POST", CHAT, body);
	check_header(&answer, "retry-after", NULL);
	check_header(&answer, "x-should-retry", "false");
	check_refused(&answer, "The limit is 1000 tokens per minute (all); this request alone comes to about");
	free(body);
	ask_well(&world, body_of("m", ",\"max_tokens\":100000")); /* the estimate of an answer takes all there is */
}

static void spend_is_counted_by_the_prices_of_targets(void **state)
{
	(void)state;
	struct world world =
	    start("  m: sim/one;tokens=10\n  dear: sim/two;tokens=10\n",
		  "quotas: { all: { spend: 1/day, output_tokens: 1000/hour, input_tokens: 1000/hour } }\n"
		  "prices: { 'sim/two*': { input: 0, output: 1000 }, '*': { input: 0, output: 1, request: 0.01 } }\n"
		  "cache: { policy: off }\n");
	ask_well(&world, body_of("m", ",\"max_tokens\":10"));
	check_nothing_reserved(&world, "all", "spend");
	assert_int_equal(limit_number(&world, "all", "spend", "remaining"), 1000000000 - 10000000 - 10 * 1000);
	ask_well(&world, body_of("dear", ",\"max_tokens\":10"));
	check_nothing_reserved(&world, "all", "spend");
	assert_int_equal(limit_number(&world, "all", "spend", "remaining"),
			 1000000000 - 10000000 - 10 * 1000 - 10 * 1000000);
}

/* ---- plans, and parts of one request ---- */

/* All children of `all` are asked at once: what each may use is reserved. */
static void a_plan_that_asks_all_children_reserves_for_all_of_them(void **state)
{
	(void)state;
	struct world world =
	    start("  m: { all: [sim/a;tokens=10, sim/b;tokens=10, sim/c;tokens=10, sim/d;tokens=10] }\n",
		  "quotas: { all: { output_tokens: 100/hour } }\ncache: { policy: off }\n");
	assert_int_equal(crowd(&world, body_of("m", ",\"max_tokens\":10"), 30), 2);
	check_nothing_reserved(&world, "all", "output_tokens");
	assert_int_equal(limit_number(&world, "all", "output_tokens", "remaining"), 20);
}

/* Nothing else is reserved: the guess takes what is left, whatever its number of models. */
static void a_fan_out_is_not_refused_for_a_guess(void **state)
{
	(void)state;
	struct world world = start("  a: sim/one;tokens=10\n  b: sim/two;tokens=10\n  c: sim/three;tokens=10\n",
				   "quotas: { all: { output_tokens: 1500/minute } }\n");
	static const char body[] = "{\"targets\":[\"a\",\"b\",\"c\"],\"request\":{%s\"messages\":[{\"role\":"
				   "\"user\",\"content\":\"x\"}]}}";
	char text[256];
	snprintf(text, sizeof text, body, "\"max_tokens\":700,");
	struct answer answer = ask(&world, "POST", "/v1/fanout", text);
	check_header(&answer, "retry-after", NULL);
	check_refused(&answer, "this request alone comes to about 2100 tokens of output");
	snprintf(text, sizeof text, body, "");
	answer = ask(&world, "POST", "/v1/fanout", text);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(so_many_requests_are_served_as_the_limit_says),
	    SCENARIO(tokens_are_never_granted_beyond_the_limit),
	    SCENARIO(so_many_run_at_once_and_whoever_leaves_makes_room),
	    SCENARIO(whatever_becomes_of_a_call_its_tokens_are_counted_once),
	    SCENARIO(who_leaves_pays_for_what_came),
	    SCENARIO(many_tokens_in_an_event_are_no_single_one),
	    SCENARIO(who_leaves_before_a_whole_answer_pays_for_the_time),
	    SCENARIO(kept_and_shared_answers_cost_no_tokens),
	    SCENARIO(a_kept_answer_is_a_request_all_the_same),
	    SCENARIO(a_fan_out_is_counted_for_every_model_that_it_asks),
	    SCENARIO(every_operation_is_limited_or_asks_no_backend),
	    SCENARIO(limits_of_a_model_that_is_not_there_are_refused),
	    SCENARIO(a_request_that_is_larger_than_the_limit_is_told_so),
	    SCENARIO(spend_is_counted_by_the_prices_of_targets),
	    SCENARIO(a_plan_that_asks_all_children_reserves_for_all_of_them),
	    SCENARIO(a_fan_out_is_not_refused_for_a_guess),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
