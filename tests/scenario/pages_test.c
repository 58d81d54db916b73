/* SPDX-License-Identifier: MIT */
/*
 * Web pages that a browser lets send requests anywhere: they cannot spend, purge
 * or reach a local listener by a name of their own, while listed pages, our own
 * page and programs that are no browsers can.
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
	struct sluice *sluice;
};

static struct world start(const char *more)
{
	struct world world = {.sim = sim_start(NULL)};
	world.sluice = sluice_start("backends:\n  sim: { url: 'http://127.0.0.1:%d/v1' }\nmodels:\n  m: sim/count\n%s",
				    world.sim->port, more);
	return world;
}

static void ask(const struct world *world, enum via via, const char *method, const char *path, const char *origin,
		const char *body, struct answer *answer)
{
	const struct h2_header headers[] = {{"origin", origin}, {NULL, NULL}};
	client_ask(world->sluice, via, method, path, headers, body, answer);
}

static void a_foreign_page_can_neither_spend_nor_purge(void **state)
{
	static const char *const origins[] = {"https://evil.example.com", "null", "http://127.0.0.1:1", "evil"};
	(void)state;
	struct world world = start("cors: { origins: 'https://app.example.com' }\n");
	for (enum via via = 0; via < VIA_COUNT; via++) {
		for (size_t i = 0; i < sizeof origins / sizeof *origins; i++) {
			struct answer answer;
			ask(&world, via, "POST", "/v1/chat/completions", origins[i], chat_body("m", false), &answer);
			check_error(&answer, 403, "foreign_origin");
			answer_free(&answer);
			ask(&world, via, "DELETE", "/admin/cache", origins[i], NULL, &answer);
			check_error(&answer, 403, "foreign_origin");
			answer_free(&answer);
		}
	}
	assert_int_equal(sim_call_count(world.sim, ""), 0);
	sluice_wait_base(world.sluice);
}

/* What a form of a foreign page sends: no preflight comes before it. */
static void a_post_without_a_type_from_a_foreign_page_does_not_run(void **state)
{
	(void)state;
	struct world world = start("");
	const char *body = chat_body("m", false);
	struct h1 h1;
	h1_open(&h1, world.sluice->port, false);
	h1_send(&h1,
		"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.example.com\r\n"
		"Content-Length: %zu\r\n\r\n%s",
		strlen(body), body);
	h1_wait_end(&h1);
	check_error(&h1.answer, 403, "foreign_origin");
	h1_close(&h1);
	assert_int_equal(sim_call_count(world.sim, ""), 0);
	sluice_wait_base(world.sluice);
}

static void listed_pages_and_our_own_can_ask_models(void **state)
{
	(void)state;
	struct world world = start("cors: { origins: 'https://app.example.com' }\n");
	static const char own[] = "http://sluice.test"; /* as the clients call the service */
	struct answer answer;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		ask(&world, via, "POST", "/v1/chat/completions", "https://app.example.com", chat_body("m", false),
		    &answer);
		assert_int_equal(answer.status, 200);
		check_header(&answer, "access-control-allow-origin", "https://app.example.com");
		answer_free(&answer);
		ask(&world, via, "POST", "/v1/chat/completions", own, chat_body("m", false), &answer);
		assert_int_equal(answer.status, 200);
		answer_free(&answer);
		ask(&world, via, "DELETE", "/admin/cache", own, NULL, &answer);
		assert_int_equal(answer.status, 200);
		answer_free(&answer);
	}
	sluice_wait_base(world.sluice);
}

static void the_operators_paths_are_never_for_pages_of_others(void **state)
{
	static const char *const paths[] = {"/admin/cache", "/admin/backends", "/metrics"};
	const struct h2_header preflight[] = {
	    {"origin", "https://app.example.com"}, {"access-control-request-method", "DELETE"}, {NULL, NULL}};
	(void)state;
	struct world world = start("cors: { origins: '*' }\n");
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer;
		for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
			client_ask(world.sluice, via, "OPTIONS", paths[i], preflight, NULL, &answer);
			check_header(&answer, "access-control-allow-origin", NULL);
			check_header(&answer, "access-control-allow-methods", NULL);
			answer_free(&answer);
			ask(&world, via, "GET", paths[i], "https://app.example.com", NULL, &answer);
			assert_int_equal(answer.status, 200);
			check_header(&answer, "access-control-allow-origin", NULL);
			answer_free(&answer);
		}
		ask(&world, via, "DELETE", "/admin/cache", "https://app.example.com", NULL, &answer);
		check_error(&answer, 403, "foreign_origin");
		answer_free(&answer);
		ask(&world, via, "POST", "/v1/chat/completions", "https://any.example.com", chat_body("m", false),
		    &answer);
		assert_int_equal(answer.status, 200);
		check_header(&answer, "access-control-allow-origin", "*");
		answer_free(&answer);
	}
	sluice_wait_base(world.sluice);
}

static int status_for(const struct world *world, const char *host)
{
	struct h1 h1;
	h1_open(&h1, world->sluice->port, false);
	h1_send(&h1, "GET /v1/models HTTP/1.1\r\nHost: %s\r\n\r\n", host);
	h1_wait_end(&h1);
	int status = h1.answer.status;
	if (status != 200)
		check_error(&h1.answer, 421, "misdirected_request");
	h1_close(&h1);
	return status;
}

static void a_local_listener_is_called_by_local_names_only(void **state)
{
	static const char *const local[] = {"localhost",           "LOCALHOST:8080",       "127.0.0.1",
					    "127.0.0.1:80",        "127.8.9.10",           "[::1]:8080",
					    "gateway.example.com", "Gateway.Example.com:1"};
	static const char *const foreign[] = {"evil.example.com",
					      "localhost.evil.example.com",
					      "127.0.0.1.evil.example.com",
					      "10.0.0.1",
					      "[::2]",
					      "gateway.example.com.",
					      "xlocalhost",
					      "0.0.0.0"};
	(void)state;
	struct world world = start("hosts: [gateway.example.com, sluice.test]\n");
	for (size_t i = 0; i < sizeof local / sizeof *local; i++)
		if (status_for(&world, local[i]) != 200)
			fail_msg("%s is refused", local[i]);
	for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
		if (status_for(&world, foreign[i]) != 421)
			fail_msg("%s is accepted", foreign[i]);
	sluice_wait_base(world.sluice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_foreign_page_can_neither_spend_nor_purge),
	    SCENARIO(a_post_without_a_type_from_a_foreign_page_does_not_run),
	    SCENARIO(listed_pages_and_our_own_can_ask_models),
	    SCENARIO(the_operators_paths_are_never_for_pages_of_others),
	    SCENARIO(a_local_listener_is_called_by_local_names_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
