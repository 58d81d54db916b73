/* SPDX-License-Identifier: MIT */
/*
 * Web pages of other origins, as the fetch standard has browsers ask for them:
 * preflights, then answers, errors and streams that the page may read or not.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

#define CHAT "/v1/chat/completions"
#define PAGE "https://app.example.com"
#define END                \
	{                  \
		NULL, NULL \
	}

/* What openai-node sends from a page. */
#define SDK_FIELDS                                                                                                 \
	"authorization,content-type,x-stainless-arch,x-stainless-lang,x-stainless-os,x-stainless-package-version," \
	"x-stainless-retry-count,x-stainless-runtime,x-stainless-runtime-version,x-stainless-timeout"

static const struct h2_header from_page[] = {{"origin", PAGE}, END};
static const struct h2_header from_elsewhere[] = {{"origin", "https://elsewhere.example"}, END};

static struct sluice *start(const char *cors)
{
	return sluice_start("backends:\n  b: { url: 'http://127.0.0.1:1/v1' }\nmodels:\n  one: b/m\n%s", cors);
}

#define LISTED "cors: { origins: ['http://localhost:3000', 'HTTPS://App.Example.com:443'], max_age: 20m }\n"

static struct answer ask(const struct sluice *sluice, enum via via, const char *method, const char *path,
			 const struct h2_header *headers, const char *body)
{
	struct answer answer;
	client_ask(sluice, via, method, path, headers, body, &answer);
	return answer;
}

static void check_readable(const struct answer *answer, const char *origin)
{
	check_header(answer, "access-control-allow-origin", origin);
	check_header(answer, "access-control-allow-credentials", NULL);
	static const char *const names[] = {"etag",           "openai-processing-ms", "retry-after",    "x-request-id",
					    "x-should-retry", "x-sluice-attempts",    "x-sluice-target"};
	char *exposed = answer_header(answer, "access-control-expose-headers");
	assert_non_null(exposed);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strstr(exposed, names[i]) == NULL)
			fail_msg("%s is not exposed: %s", names[i], exposed);
	free(exposed);
}

static void check_closed(const struct answer *answer)
{
	check_lacks(&answer->head, "access-control-");
}

static void without_origins_there_is_no_cors_at_all(void **state)
{
	static const struct h2_header preflight[] = {{"origin", PAGE}, {"access-control-request-method", "POST"}, END};
	(void)state;
	struct sluice *sluice = start("");
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer = ask(sluice, via, "GET", "/v1/models", from_page, NULL);
		assert_int_equal(answer.status, 200);
		check_closed(&answer);
		check_header(&answer, "vary", "anthropic-version"); /* not the origin */
		answer_free(&answer);
		answer = ask(sluice, via, "OPTIONS", CHAT, preflight, NULL);
		assert_int_equal(answer.status, 204);
		check_closed(&answer);
		answer_free(&answer);
	}
}

static void a_preflight_of_a_listed_origin_may_send_what_it_asks_for(void **state)
{
	static const struct h2_header preflight[] = {{"origin", PAGE},
						     {"access-control-request-method", "POST"},
						     {"access-control-request-headers", SDK_FIELDS},
						     END};
	(void)state;
	struct sluice *sluice = start(LISTED);
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer = ask(sluice, via, "OPTIONS", CHAT, preflight, NULL);
		assert_int_equal(answer.status, 204);
		check_header(&answer, "access-control-allow-origin", PAGE);
		check_header(&answer, "access-control-allow-methods", "POST, OPTIONS");
		check_header(&answer, "access-control-allow-headers", SDK_FIELDS);
		check_header(&answer, "access-control-max-age", "1200");
		check_header(&answer, "vary", "origin");
		answer_free(&answer);
	}
}

static void a_preflight_of_another_origin_is_allowed_nothing(void **state)
{
	static const char *const others[] = {"https://elsewhere.example",
					     "http://app.example.com",
					     PAGE ":8443",
					     PAGE ".evil.example",
					     "null",
					     "",
					     "https://app.example.co",
					     "*"};
	(void)state;
	struct sluice *sluice = start(LISTED);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		const struct h2_header preflight[] = {{"origin", others[i]},
						      {"access-control-request-method", "POST"},
						      {"access-control-request-headers", "authorization"},
						      END};
		struct answer answer = ask(sluice, i % VIA_COUNT, "OPTIONS", CHAT, preflight, NULL);
		assert_int_equal(answer.status, 204);
		check_closed(&answer);
		check_header(&answer, "vary", "origin");
		answer_free(&answer);
	}
}

static void names_that_are_none_are_not_repeated(void **state)
{
	static const char *const lists[] = {"a b", "a,,b", "a:b", "a,", "\"a\"", "a;b", "<script>"};
	(void)state;
	struct sluice *sluice = start(LISTED);
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		const struct h2_header preflight[] = {{"origin", PAGE},
						      {"access-control-request-method", "POST"},
						      {"access-control-request-headers", lists[i]},
						      END};
		struct answer answer = ask(sluice, i % VIA_COUNT, "OPTIONS", CHAT, preflight, NULL);
		assert_int_equal(answer.status, 204);
		check_header(&answer, "access-control-allow-headers", NULL);
		answer_free(&answer);
	}
}

static void options_that_are_no_preflight_stay_plain(void **state)
{
	(void)state;
	struct sluice *sluice = start(LISTED);
	struct answer answer = ask(sluice, VIA_H2, "OPTIONS", "/v1/models", from_page, NULL);
	assert_int_equal(answer.status, 204);
	check_header(&answer, "access-control-allow-methods", NULL);
	check_header(&answer, "access-control-max-age", NULL);
	check_header(&answer, "allow", "GET, HEAD, OPTIONS");
	answer_free(&answer);
}

static void answers_and_errors_can_be_read_by_listed_pages_only(void **state)
{
	static const struct {
		const char *method;
		const char *path;
		const char *body;
		int status;
	} cases[] = {
	    {"GET", "/v1/models", NULL, 200},
	    {"GET", "/livez", NULL, 200},
	    {"GET", "/nowhere", NULL, 404},
	    {"GET", CHAT, NULL, 405},
	    {"POST", CHAT, "{", 400},
	    {"HEAD", "/openapi.json", NULL, 200},
	    {"GET", "/v1/models?limit=0", NULL, 400},
	    {"POST", CHAT, NULL, 400},
	};
	(void)state;
	struct sluice *sluice = start(LISTED);
	for (size_t i = 0; i < sizeof cases / sizeof *cases * VIA_COUNT; i++) {
		enum via via = i % VIA_COUNT;
		size_t n = i / VIA_COUNT;
		struct answer answer = ask(sluice, via, cases[n].method, cases[n].path, from_page, cases[n].body);
		assert_int_equal(answer.status, cases[n].status);
		check_readable(&answer, PAGE);
		check_contains(&answer.head, "vary: origin\n");
		answer_free(&answer);
		answer = ask(sluice, via, cases[n].method, cases[n].path, from_elsewhere, cases[n].body);
		assert_int_equal(answer.status, strcmp(cases[n].method, "POST") == 0 ? 403 : cases[n].status);
		check_closed(&answer);
		check_contains(&answer.head, "vary: origin\n");
		answer_free(&answer);
		answer = ask(sluice, via, cases[n].method, cases[n].path, NULL, cases[n].body);
		check_closed(&answer);
		check_contains(&answer.head, "vary: origin\n");
		answer_free(&answer);
	}
}

static void what_the_page_has_already_can_be_read_too(void **state)
{
	static const struct h2_header again[] = {{"origin", PAGE}, {"if-none-match", "*"}, END};
	(void)state;
	struct sluice *sluice = start(LISTED);
	struct answer answer = ask(sluice, VIA_H1, "GET", "/v1/models", again, NULL);
	assert_int_equal(answer.status, 304);
	check_readable(&answer, PAGE);
	answer_free(&answer);
}

static void malformed_http_can_be_read_too(void **state)
{
	(void)state;
	struct sluice *sluice = start(LISTED);
	struct h1 h1;
	h1_open(&h1, sluice->port, false);
	h1_send(&h1, "GET /livez HTTP/1.1\r\nHost: x\r\nHost: y\r\nOrigin: " PAGE "\r\n\r\n");
	h1_wait_end(&h1);
	assert_int_equal(h1.answer.status, 400);
	check_readable(&h1.answer, PAGE);
	h1_close(&h1);
}

static void streams_and_whole_answers_can_be_read(void **state)
{
	(void)state;
	struct sim *sim = sim_start(NULL);
	struct sluice *sluice =
	    sluice_start("backends:\n  sim: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } }\n"
			 "models:\n  count: sim/count;tokens=3\n  bad: sim/count;status=500\n%s",
			 sim->port, LISTED);
	for (int i = 0; i < 2 * VIA_COUNT; i++) {
		struct answer answer = ask(sluice, i / 2, "POST", CHAT, from_page, chat_body("count", i % 2 == 0));
		assert_int_equal(answer.status, 200);
		check_readable(&answer, PAGE);
		answer_free(&answer);
		answer = ask(sluice, i / 2, "POST", CHAT, from_page, chat_body("bad", i % 2 == 0));
		assert_int_equal(answer.status, 500);
		check_readable(&answer, PAGE);
		answer_free(&answer);
		answer = ask(sluice, i / 2, "POST", CHAT, from_elsewhere, chat_body("count", i % 2 == 0));
		assert_int_equal(answer.status, 403);
		check_closed(&answer);
		answer_free(&answer);
	}
}

static void a_star_lets_every_page_read(void **state)
{
	static const struct h2_header preflight[] = {{"origin", "null"},
						     {"access-control-request-method", "GET"},
						     {"access-control-request-headers", "authorization"},
						     END};
	(void)state;
	struct sluice *sluice = start("cors: { origins: '*', max_age: 0s }\n");
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer = ask(sluice, via, "GET", "/v1/models", from_elsewhere, NULL);
		check_readable(&answer, "*");
		check_header(&answer, "vary", "anthropic-version"); /* not the origin */
		answer_free(&answer);
		answer = ask(sluice, via, "OPTIONS", "/v1/models", preflight, NULL);
		check_header(&answer, "access-control-allow-origin", "*");
		check_header(&answer, "access-control-allow-methods", "GET, HEAD, OPTIONS");
		check_header(&answer, "access-control-allow-headers", "authorization"); /* which "*" would leave out */
		check_header(&answer, "access-control-max-age", "0");
		answer_free(&answer);
		answer = ask(sluice, via, "GET", "/v1/models", NULL, NULL); /* the same for all: caches may share it */
		check_readable(&answer, "*");
		answer_free(&answer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(without_origins_there_is_no_cors_at_all),
	    SCENARIO(a_preflight_of_a_listed_origin_may_send_what_it_asks_for),
	    SCENARIO(a_preflight_of_another_origin_is_allowed_nothing),
	    SCENARIO(names_that_are_none_are_not_repeated),
	    SCENARIO(options_that_are_no_preflight_stay_plain),
	    SCENARIO(answers_and_errors_can_be_read_by_listed_pages_only),
	    SCENARIO(what_the_page_has_already_can_be_read_too),
	    SCENARIO(malformed_http_can_be_read_too),
	    SCENARIO(streams_and_whole_answers_can_be_read),
	    SCENARIO(a_star_lets_every_page_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
