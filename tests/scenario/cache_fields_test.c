/* SPDX-License-Identifier: MIT */
/*
 * Cache-Control, If-None-Match and ETag mean what HTTP says (RFC 9110, 9111, 5861). A second line was not read, an age
 * that was no number meant any age, and within a second a tag stood for two answers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/cached.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

enum { HEADERS_MOST = 256, TAGS = 5 };

struct world {
	struct sim *sim;
	struct sluice *sluice;
};

static struct world start(const char *rest)
{
	struct world world = {.sim = sim_start(NULL)};
	world.sluice =
	    sluice_start("backends: { sim: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } } }\n"
			 "models: { m: sim/count;tokens=20 }\n%s",
			 world.sim->port, rest);
	return world;
}

static void ask(const struct world *world, const char *headers, struct answer *answer)
{
	cached_ask(world->sluice, headers, cached_body("m", false, CACHED_ZERO), answer);
}

/* Asks until the answer is a hit that is so old. */
static void wait_age(const struct world *world, int seconds)
{
	struct patience patience = patience_for("an answer to age");
	for (int age = 0; age < seconds;) {
		struct answer answer;
		patience_wait(&patience);
		ask(world, "", &answer);
		char *text = answer_header(&answer, "age");
		age = text == NULL ? 0 : atoi(text);
		free(text);
		answer_free(&answer);
	}
}

static void lines_of_a_list_are_one_list(void **state)
{
	static const struct {
		const char *headers, *status;
	} rows[] = {
	    {"Cache-Control: max-age=60\r\nX: y\r\ncache-control: no-cache\r\n", "sluice; fwd=request"},
	    {"Cache-Control: max-age=60\r\nCache-Control: private\r\n", "sluice; hit"},
	    {"Cache-Control: x=\"a, no-cache\"\r\nCache-Control: y\r\n", "sluice; hit"},
	};
	struct world world = start("");
	struct answer answer;
	(void)state;
	ask(&world, "", &answer);
	answer_free(&answer);
	for (size_t i = 0; i < 2 * (sizeof rows / sizeof rows[0]); i++) {
		if (i % 2 == 0) {
			ask(&world, rows[i / 2].headers, &answer);
			cached_check_status(&answer, rows[i / 2].status);
		} else {
			ask(&world, "", &answer);
			cached_check_status(&answer, "sluice; hit");
		}
		answer_free(&answer);
	}
	sluice_wait_idle(world.sluice);
}

static void an_age_that_is_none_is_no_age_at_all(void **state)
{
	static const struct {
		const char *directive;
		bool given;
	} rows[] = {
	    {"max-age=60", true},
	    {"max-age=\"60\"", true},
	    {"max-age=99999999999999999999", true},
	    {"max-age=60, max-age=120", true},
	    {"max-age=0", false},
	    {"max-age=\"0\"", false},
	    {"max-age=-1", false},
	    {"max-age=abc", false},
	    {"max-age=1.5e9", false},
	    {"max-age=", false},
	    {"max-age", false},
	    {"max-age=60, max-age=0", false},
	};
	struct world world = start("");
	struct answer answer;
	(void)state;
	ask(&world, "", &answer);
	answer_free(&answer);
	wait_age(&world, 1);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char headers[HEADERS_MOST];
		snprintf(headers, sizeof headers, "Cache-Control: only-if-cached, %s\r\n", rows[i].directive);
		ask(&world, headers, &answer);
		if (answer.status != (rows[i].given ? 200 : 504))
			fail_msg("%s: %d", rows[i].directive, answer.status);
		answer_free(&answer);
	}
	sluice_wait_idle(world.sluice);
}

/* The plan fails: what is too old for the client stands in for as long as the rule and the client allow. */
static void what_is_too_old_stands_in_as_long_as_it_may(void **state)
{
	static const struct {
		const char *rest, *headers;
		bool stands_in;
	} rows[] = {
	    {"cache: { stale_if_error: 1h }\n", "Cache-Control: max-age=0\r\n", true},
	    {"cache: { stale_if_error: 1s }\n", "Cache-Control: max-age=0\r\n", false},
	    {"cache: { stale_if_error: 1h }\n", "Cache-Control: max-age=0, stale-if-error=0\r\n", false},
	    {"cache: { stale_if_error: 1h }\n", "Cache-Control: max-age=0\r\nCache-Control: stale-if-error=60\r\n",
	     true},
	    {"", "Cache-Control: max-age=0, stale-if-error=60\r\n", false},
	    {"cache: { stale_if_error: 1h }\n", "Cache-Control: no-cache\r\n", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct world world = start(rows[i].rest);
		struct answer answer;
		ask(&world, "", &answer);
		answer_free(&answer);
		wait_age(&world, 2);
		proc_kill(world.sim->proc);
		ask(&world, rows[i].headers, &answer);
		if ((answer.status == 200) != rows[i].stands_in)
			fail_msg("%s with %s: %d", rows[i].rest, rows[i].headers, answer.status);
		answer_free(&answer);
	}
}

#define SAYS(text)                                                                                               \
	"{\"id\":\"i\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"x\",\"choices\":[{\"index\":0,"  \
	"\"message\":{\"role\":\"assistant\",\"content\":\"" text "\"},\"finish_reason\":\"stop\"}],\"usage\":{" \
	"\"prompt_tokens\":1,\"completion_tokens\":1,\"total_tokens\":2}}"

static char *tag_of(const struct sluice *sluice, const char *body)
{
	struct answer answer;
	cached_ask(sluice, "", body, &answer);
	cached_check_status(&answer, "sluice; hit");
	char *tag = answer_header(&answer, "etag");
	assert_non_null(tag);
	answer_free(&answer);
	return tag;
}

static void a_tag_is_of_one_answer_in_one_form(void **state)
{
	struct backend *backend = backend_start();
	static const char usage[] = CACHED_ZERO ",\"stream_options\":{\"include_usage\":true}";
	char *tags[TAGS], headers[HEADERS_MOST];
	struct answer answer;
	(void)state;
	backend_reply(backend, "application/json", SAYS("one"));
	backend_reply(backend, "application/json", SAYS("two"));
	struct sluice *sluice = sluice_start("backends: { b: { url: 'http://127.0.0.1:%d/v1' } }\nmodels: { m: b/x }\n",
					     backend_port(backend));
	cached_ask(sluice, "", cached_body("m", false, CACHED_ZERO), &answer);
	answer_free(&answer);
	tags[0] = tag_of(sluice, cached_body("m", false, CACHED_ZERO));
	tags[1] = tag_of(sluice, cached_body("m", true, CACHED_ZERO));
	tags[2] = tag_of(sluice, cached_body("m", true, usage));
	cached_ask(sluice, "Cache-Control: no-cache\r\n", cached_body("m", false, CACHED_ZERO), &answer);
	answer_free(&answer);
	tags[3] = tag_of(sluice, cached_body("m", false, CACHED_ZERO));
	tags[4] = tag_of(sluice, cached_body("m", true, CACHED_ZERO));
	for (int i = 0; i < TAGS; i++) {
		for (int k = 0; k < i; k++)
			assert_string_not_equal(tags[i], tags[k]);
		snprintf(headers, sizeof headers, "If-None-Match: \"other\"\r\nIf-None-Match: %s\r\n", tags[i]);
		cached_ask(sluice, headers, cached_body("m", false, CACHED_ZERO), &answer);
		assert_int_equal(answer.status, i == 3 ? 304 : 200);
		answer_free(&answer);
		cached_ask(sluice, headers, cached_body("m", true, CACHED_ZERO), &answer);
		assert_int_equal(answer.status, i == 4 ? 304 : 200);
		answer_free(&answer);
	}
	for (int i = 0; i < TAGS; i++)
		free(tags[i]);
	assert_int_equal(backend_requests(backend), 2);
	sluice_wait_idle(sluice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(lines_of_a_list_are_one_list),
	    SCENARIO(an_age_that_is_none_is_no_age_at_all),
	    SCENARIO(what_is_too_old_stands_in_as_long_as_it_may),
	    SCENARIO(a_tag_is_of_one_answer_in_one_form),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
