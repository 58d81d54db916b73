/* SPDX-License-Identifier: MIT */
/*
 * A backend that refuses by status: row 21 of the fault table and its
 * neighbours. What another target may mend is tried there; what the client did
 * wrong is told to the client at once; what concerns our own credentials is not
 * blamed on it; and no Retry-After makes a client wait for ever.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

struct world {
	struct sim *sim;
	struct sim *spare;
	struct sluice *sluice;
};

static struct world start(const char *settings)
{
	struct world world = {.sim = sim_start(NULL), .spare = sim_start(NULL)};
	world.sluice = sluice_start("backends:\n"
				    "  sim: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } }\n"
				    "  spare: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } }\n"
				    "models:\n"
				    "  alone: 'sim/count;%s'\n"
				    "  guarded: { fallback: ['sim/count;%s', spare/count;tokens=4] }\n",
				    world.sim->port, world.spare->port, settings, settings);
	return world;
}

/* Exchanges that failed by what a backend said, whatever it was. */
static double refusals(const struct world *world)
{
	static const char *const codes[] = {"upstream_status",         "upstream_busy",        "upstream_rejected",
					    "context_length_exceeded", "upstream_unsupported", "request_too_large"};
	double sum = 0;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		sum += sluice_errors(world->sluice, codes[i]);
	return sum;
}

/* status: what the client sees alone. code: in the error body, NULL = the backend's own words are relayed. */
static void check_status(const char *settings, int status, const char *code, bool fails_over)
{
	struct world world = start(settings);
	for (enum via via = VIA_H1; via <= VIA_H2; via += VIA_H2) {
		for (int stream = 0; stream < 2; stream++) {
			struct answer answer;
			double before = refusals(&world);
			sim_reset(world.sim);
			sim_reset(world.spare);
			client_fetch_chat(world.sluice, via, "alone", stream, &answer);
			if (answer.status != status)
				fail_msg("%s: want %d, got %d: %s", settings, status, answer.status,
					 bytes_text(&answer.body));
			check_contains(&answer.body, "\"error\"");
			if (code != NULL)
				check_error(&answer, status, code);
			answer_free(&answer);
			assert_int_equal(sim_call_count(world.sim, ""), 1);
			assert_true(refusals(&world) == before + 1);
			client_fetch_chat(world.sluice, via, "guarded", stream, &answer);
			assert_int_equal(answer.status, fails_over ? 200 : status);
			answer_free(&answer);
			assert_int_equal(sim_call_count(world.sim, ""), 2);
			assert_int_equal(sim_call_count(world.spare, ""), fails_over ? 1 : 0);
			assert_true(refusals(&world) == before + (fails_over ? 1 : 2));
		}
	}
	sluice_wait_idle(world.sluice);
}

static void a_server_error_fails_over_and_alone_is_relayed(void **state)
{
	(void)state;
	check_status("status=500", 500, NULL, true);
	check_status("status=503", 503, NULL, true);
}

static void a_rate_limit_and_an_overload_fail_over_and_alone_are_429(void **state)
{
	(void)state;
	check_status("status=429", 429, NULL, true);
	check_status("status=529", 429, NULL, true);
}

static void a_bad_request_is_the_clients_own_and_not_tried_elsewhere(void **state)
{
	(void)state;
	check_status("status=400;code=bad_thing", 400, NULL, false);
	check_status("status=422", 422, NULL, false);
}

static void a_context_overflow_may_go_to_another_target(void **state)
{
	(void)state;
	check_status("status=400;code=context_length_exceeded", 400, "context_length_exceeded", true);
}

/* What only another backend can mend is tried there; alone it is told in our words. */
static void odd_statuses_fail_over_and_alone_are_told_in_our_words(void **state)
{
	(void)state;
	check_status("status=402", 502, "upstream_status", true);
	check_status("status=404", 502, "upstream_status", true);
	check_status("status=410", 502, "upstream_status", true);
	check_status("status=413", 413, "request_too_large", true);
	check_status("status=424", 502, "upstream_status", true);
	check_status("status=499", 502, "upstream_status", true);
	check_status("status=400;code=model_not_found", 502, "upstream_status", true);
	check_status("status=400;code=model_decommissioned", 502, "upstream_status", true);
	check_status("status=400;code=exceed_context_size_error", 400, "context_length_exceeded", true);
	check_status("status=429;code=insufficient_quota", 502, "upstream_status", true);
}

static void a_content_filter_is_not_tried_elsewhere(void **state)
{
	(void)state;
	check_status("status=400;code=content_filter", 400, "content_filter", false);
}

static void the_gateways_own_credentials_are_not_the_clients_fault(void **state)
{
	(void)state;
	check_status("status=401", 502, "upstream_status", true);
	check_status("status=403", 502, "upstream_status", true);
}

/* The client's Retry-After is a sane number of seconds, or absent. */
static void check_retry_after(const char *told, long least, long most)
{
	char settings[128];
	struct answer answer;
	snprintf(settings, sizeof settings, "status=429;retry_after=%s", told);
	struct world world = start(settings);
	client_fetch_chat(world.sluice, VIA_H1, "alone", true, &answer);
	assert_int_equal(answer.status, 429);
	char *value = answer_header(&answer, "retry-after");
	if (value == NULL)
		fail_msg("Retry-After «%s» of the backend is not told to the client", told);
	char *end;
	long seconds = strtol(value, &end, 10);
	if (end == value || *end != '\0' || seconds < least || seconds > most)
		fail_msg("Retry-After «%s» became «%s»", told, value);
	free(value);
	answer_free(&answer);
}

static void row_21_retry_after_is_clamped(void **state)
{
	(void)state;
	check_retry_after("7", 7, 7);
	check_retry_after("-5", 0, 0);
	check_retry_after("1000000000", 1, 3600);
	check_retry_after("Fri, 31 Dec 2100 23:59:59 GMT", 1, 3600);
	check_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_server_error_fails_over_and_alone_is_relayed),
	    SCENARIO(a_rate_limit_and_an_overload_fail_over_and_alone_are_429),
	    SCENARIO(a_bad_request_is_the_clients_own_and_not_tried_elsewhere),
	    SCENARIO(a_context_overflow_may_go_to_another_target),
	    SCENARIO(odd_statuses_fail_over_and_alone_are_told_in_our_words),
	    SCENARIO(a_content_filter_is_not_tried_elsewhere),
	    SCENARIO(the_gateways_own_credentials_are_not_the_clients_fault),
	    SCENARIO(row_21_retry_after_is_clamped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
