/* SPDX-License-Identifier: MIT */
/*
 * What clients of Anthropic's API ask for besides Messages: which models there are, how many tokens a request has,
 * whether anybody is there at all. Errors have the form that the client reads, wherever it says which API it speaks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/client_key.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

#define COUNT "/v1/messages/count_tokens"
#define HELLO "\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]"
#define INFO(id)                                                                            \
	"{\"type\":\"model\",\"id\":\"" id "\",\"display_name\":\"" id "\",\"created_at\":" \
	"\"1970-01-01T00:00:00Z\"}"

static const struct h2_header speaks_anthropic[] = {{"anthropic-version", "2023-06-01"}, {NULL, NULL}};

static struct sluice *start(const char *more)
{
	return sluice_start("backends: { b: { url: 'http://127.0.0.1:1/v1' } }\n"
			    "models: { one: b/m, two: b/m, three: b/m, four: b/m }\n%s",
			    more);
}

static struct answer get(const struct sluice *sluice, enum via via, const char *path)
{
	struct answer answer;
	client_ask(sluice, via, "GET", path, speaks_anthropic, NULL, &answer);
	return answer;
}

static void check_body(struct answer answer, int status, const char *body)
{
	assert_int_equal(answer.status, status);
	assert_string_equal(bytes_text(&answer.body), body);
	answer_free(&answer);
}

static void models_are_listed_in_the_form_of_the_client(void **state)
{
	(void)state;
	struct sluice *sluice = start("");
	for (int via = 0; via < VIA_COUNT; via++) {
		struct answer answer = get(sluice, (enum via)via, "/v1/models");
		assert_string_equal(answer_header(&answer, "request-id"), answer_header(&answer, "x-request-id"));
		assert_non_null(strstr(answer_header(&answer, "vary"), "anthropic-version"));
		check_body(answer, 200,
			   "{\"data\":[" INFO("one") "," INFO("two") "," INFO("three") "," INFO(
			       "four") "],\"first_id\":\"one\",\"last_id\":\"four\",\"has_more\":false}");
		check_body(get(sluice, (enum via)via, "/v1/models/two"), 200, INFO("two"));
		client_ask(sluice, (enum via)via, "GET", "/v1/models/two", NULL, NULL, &answer);
		assert_null(answer_header(&answer, "request-id"));
		check_body(answer, 200, "{\"id\":\"two\",\"object\":\"model\",\"created\":0,\"owned_by\":\"sluice\"}");
	}
}

static void models_come_in_pages_forwards_and_backwards(void **state)
{
	static const struct {
		const char *query, *first, *last;
		bool more;
	} rows[] = {
	    {"limit=2", "one", "two", true},
	    {"limit=2&after_id=two", "three", "four", false},
	    {"limit=2&after=one", "two", "three", true},
	    {"after=one&after_id=two", "three", "four", false},
	    {"limit=2&before_id=four", "two", "three", true},
	    {"limit=1&before_id=two", "one", "one", false},
	    {"limit=3&before_id=four", "one", "three", false},
	    {"before_id=three", "one", "two", false},
	    {"limit=1&after_id=one&before_id=four", "two", "two", true},
	    {"after_id=one&before_id=four", "two", "three", false},
	    {"after_id=four", NULL, NULL, false},
	    {"before_id=one", NULL, NULL, false},
	    {"after_id=three&before_id=two", NULL, NULL, false},
	};
	(void)state;
	struct sluice *sluice = start("");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char path[128], tail[128];
		snprintf(path, sizeof path, "/v1/models?%s", rows[i].query);
		if (rows[i].first == NULL)
			snprintf(tail, sizeof tail,
				 "{\"data\":[],\"first_id\":null,\"last_id\":null,\"has_more\":false}");
		else
			snprintf(tail, sizeof tail, "\"first_id\":\"%s\",\"last_id\":\"%s\",\"has_more\":%s}",
				 rows[i].first, rows[i].last, rows[i].more ? "true" : "false");
		struct answer answer = get(sluice, VIA_H1, path);
		if (answer.status != 200 || strstr(bytes_text(&answer.body), tail) == NULL)
			fail_msg("%s: want %s, got %s", rows[i].query, tail, bytes_text(&answer.body));
		answer_free(&answer);
	}
}

static void a_page_has_only_models_that_the_key_may_use(void **state)
{
	static const struct {
		const char *path;
		int status;
		const char *part;
	} rows[] = {
	    {"/v1/models", 200, "\"first_id\":\"two\",\"last_id\":\"four\",\"has_more\":false}"},
	    {"/v1/models?limit=1", 200, "\"first_id\":\"two\",\"last_id\":\"two\",\"has_more\":true}"},
	    {"/v1/models?limit=1&before_id=four", 200, "\"last_id\":\"two\",\"has_more\":false}"},
	    {"/v1/models?before_id=three", 404, "not_found_error"},
	    {"/v1/models/three", 403, "permission_error"},
	};
	char key[CLIENT_KEY_SIZE], hash[CLIENT_KEY_HASH_SIZE], more[512];
	(void)state;
	client_key_make("k", key, hash);
	snprintf(more, sizeof more,
		 "auth: { pepper: '" CLIENT_KEY_PEPPER "' }\nkeys: { k: { hash: '%s', models: [two, four] } }\n", hash);
	struct sluice *sluice = start(more);
	const struct h2_header headers[] = {{"anthropic-version", "2023-06-01"}, {"x-api-key", key}, {NULL, NULL}};
	struct answer answer;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		client_ask(sluice, VIA_H1, "GET", rows[i].path, headers, NULL, &answer);
		assert_int_equal(answer.status, rows[i].status);
		check_contains(&answer.body, rows[i].part);
		answer_free(&answer);
	}
	client_ask(sluice, VIA_H1, "GET", "/v1/models", speaks_anthropic, NULL, &answer);
	assert_int_equal(answer.status, 401);
	check_contains(&answer.body, "{\"type\":\"error\",\"error\":{\"type\":\"authentication_error\"");
	answer_free(&answer);
	client_ask(sluice, VIA_H1, "POST", COUNT, headers, "{\"model\":\"three\"," HELLO "}", &answer);
	assert_int_equal(answer.status, 403);
	check_contains(&answer.body, "permission_error");
	answer_free(&answer);
}

static void errors_have_the_form_of_the_client(void **state)
{
	static const struct {
		const char *method, *path;
		int status;
		const char *type, *part;
	} rows[] = {
	    {"GET", "/v1/models/none", 404, "not_found_error", "The model `none` does not exist"},
	    {"GET", "/v1/models?limit=0", 400, "invalid_request_error", "limit"},
	    {"GET", "/v1/models?before_id=none", 404, "not_found_error", "before_id must be the id of a listed model"},
	    {"DELETE", "/v1/models", 405, "invalid_request_error", "GET"},
	    {"POST", "/v1/messages/batches", 404, "not_found_error", "is not served"},
	    {"GET", "/v1/messages/count_tokens", 405, "invalid_request_error", "POST"},
	};
	(void)state;
	struct sluice *sluice = start("");
	for (size_t i = 0; i < sizeof rows / sizeof *rows * VIA_COUNT; i++) {
		size_t n = i / VIA_COUNT;
		struct answer answer;
		char begin[128];
		client_ask(sluice, i % VIA_COUNT, rows[n].method, rows[n].path, speaks_anthropic, NULL, &answer);
		snprintf(begin, sizeof begin, "{\"type\":\"error\",\"error\":{\"type\":\"%s\"", rows[n].type);
		assert_int_equal(answer.status, rows[n].status);
		check_contains(&answer.body, begin);
		check_contains(&answer.body, rows[n].part);
		assert_string_equal(answer_header(&answer, "request-id"), answer_header(&answer, "x-request-id"));
		answer_free(&answer);
		client_ask(sluice, i % VIA_COUNT, rows[n].method, rows[n].path, NULL, NULL, &answer);
		if (strncmp(rows[n].path, "/v1/messages/c", 14) != 0)
			check_lacks(&answer.body, "\"type\":\"error\"");
		answer_free(&answer);
	}
}

/* Claude Code asks for it before anything else. */
static void the_head_of_the_root_says_that_somebody_is_there(void **state)
{
	(void)state;
	struct sluice *sluice = start("public: []\n");
	for (int via = 0; via < VIA_COUNT; via++) {
		struct answer answer;
		client_ask(sluice, (enum via)via, "HEAD", "/", NULL, NULL, &answer);
		assert_int_equal(answer.status, 200);
		assert_int_equal(answer.body.len, 0);
		assert_non_null(answer_header(&answer, "x-request-id"));
		answer_free(&answer);
	}
}

/* ---- counts ---- */

/* Returns the tokens of a request. */
static long count(const struct sluice *sluice, enum via via, const char *body)
{
	struct answer answer;
	client_fetch(sluice, via, COUNT, body, &answer);
	if (answer.status != 200)
		fail_msg("%d: %s", answer.status, bytes_text(&answer.body));
	assert_string_equal(answer_header(&answer, "x-sluice-estimated"), "true");
	static const char begin[] = "{\"input_tokens\":";
	assert_memory_equal(bytes_text(&answer.body), begin, sizeof begin - 1);
	long tokens = strtol(bytes_text(&answer.body) + sizeof begin - 1, NULL, 10);
	answer_free(&answer);
	return tokens;
}

static void tokens_are_estimated_by_the_size_of_the_request(void **state)
{
	(void)state;
	struct sluice *sluice = start("");
	for (int via = 0; via < VIA_COUNT; via++) {
		long small = count(sluice, (enum via)via, "{\"model\":\"one\"," HELLO "}");
		long more = count(sluice, (enum via)via,
				  "{\"model\":\"one\"," HELLO
				  ",\"system\":\"One two three four five six seven eight nine ten.\"}");
		assert_in_range(small, 10, 25);
		assert_in_range(more, small + 10, small + 30);
	}
}

/* A picture has the tokens that models have for it, however many bytes it has. */
static void bytes_of_pictures_are_not_counted_as_text(void **state)
{
	enum { BYTES = 200000 };
	(void)state;
	struct sluice *sluice = start("");
	char *body = malloc(BYTES + 1024);
	int len = sprintf(body, "{\"model\":\"one\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\","
				"\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"");
	memset(body + len, 'A', BYTES);
	strcpy(body + len + BYTES, "\"}}]}]}");
	assert_in_range(count(sluice, VIA_H1, body), 1600, 1700);
	free(body);
}

/* So large, or of so many values, that helpers read them. */
static void large_requests_are_counted_beside_the_loop(void **state)
{
	enum { BYTES = 3 << 20, BLOCKS = 20000 };
	(void)state;
	struct sluice *sluice = start("");
	char *body = malloc(BYTES + 1024);
	int len = sprintf(body, "{\"model\":\"one\",\"messages\":[{\"role\":\"user\",\"content\":\"");
	memset(body + len, 'x', BYTES);
	strcpy(body + len + BYTES, "\"}]}");
	for (int via = 0; via < VIA_COUNT; via++)
		assert_in_range(count(sluice, (enum via)via, body), BYTES / 4, BYTES / 2);
	len = sprintf(body, "{\"model\":\"one\",\"messages\":[{\"role\":\"user\",\"content\":[");
	for (int i = 0; i < BLOCKS; i++)
		len += sprintf(body + len, "%s{\"type\":\"text\",\"text\":\"x\"}", i == 0 ? "" : ",");
	strcpy(body + len, "]}]}");
	assert_in_range(count(sluice, VIA_H2, body), BLOCKS * 26 / 4, BLOCKS * 26 / 3);
	strcpy(body + len, "]}],\"tools\":7}");
	struct answer answer;
	client_fetch(sluice, VIA_H1, COUNT, body, &answer);
	assert_int_equal(answer.status, 400);
	check_contains(&answer.body, "\"param\":\"tools\"");
	answer_free(&answer);
	struct client client; /* who leaves meanwhile disturbs nobody */
	client_post(&client, sluice, VIA_H2, COUNT, body);
	client_leave(&client, LEAVE_CANCEL);
	client_close(&client);
	free(body);
	sluice_wait_idle(sluice);
}

static void requests_that_cannot_be_counted_are_refused(void **state)
{
	static const struct {
		const char *body;
		int status;
		const char *part;
	} rows[] = {
	    {"{", 400, "invalid_json"},
	    {"{\"model\":\"one\"}", 400, "messages is required"},
	    {"{\"model\":\"none\"," HELLO "}", 404, "The model `none` does not exist"},
	};
	(void)state;
	struct sluice *sluice = start("");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct answer answer;
		client_fetch(sluice, VIA_H1, COUNT, rows[i].body, &answer);
		assert_int_equal(answer.status, rows[i].status);
		check_contains(&answer.body, "{\"type\":\"error\",\"error\":{");
		check_contains(&answer.body, rows[i].part);
		answer_free(&answer);
	}
}

/* The estimate goes by what earlier requests had, where limits count that; it costs nothing under them. */
static void counting_costs_nothing_and_learns_from_requests(void **state)
{
	enum { REQUESTS = 30 };
	static const char body[] = "{\"model\":\"m\",\"max_tokens\":5," HELLO "}";
	(void)state;
	struct sim *sim = sim_start(NULL);
	struct sluice *sluice = sluice_start("backends: { s: { url: 'http://127.0.0.1:%d/v1' } }\nmodels: { m: s/m }\n"
					     "quotas: { all: { requests: 31/hour, tokens: 100000/hour } }\n",
					     sim->port);
	long before = count(sluice, VIA_H1, "{\"model\":\"m\"," HELLO "}");
	for (int i = 0; i < REQUESTS; i++) {
		struct answer answer;
		client_fetch(sluice, VIA_H1, "/v1/messages", body, &answer);
		assert_int_equal(answer.status, 200);
		answer_free(&answer);
	}
	/* the simulator counts a token for each 4 bytes of the chat request, and one more */
	long after = count(sluice, VIA_H1, "{\"model\":\"m\"," HELLO "}");
	assert_true(after < before);
	for (int i = 0; i < REQUESTS; i++)
		count(sluice, VIA_H1, "{\"model\":\"m\"," HELLO "}");
	struct answer answer;
	client_fetch(sluice, VIA_H1, "/v1/messages", body, &answer);
	assert_int_equal(answer.status, 200); /* the last one of 31 */
	answer_free(&answer);
	client_fetch(sluice, VIA_H1, "/v1/messages", body, &answer);
	assert_int_equal(answer.status, 429);
	answer_free(&answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(models_are_listed_in_the_form_of_the_client),
	    SCENARIO(models_come_in_pages_forwards_and_backwards),
	    SCENARIO(a_page_has_only_models_that_the_key_may_use),
	    SCENARIO(errors_have_the_form_of_the_client),
	    SCENARIO(the_head_of_the_root_says_that_somebody_is_there),
	    SCENARIO(tokens_are_estimated_by_the_size_of_the_request),
	    SCENARIO(bytes_of_pictures_are_not_counted_as_text),
	    SCENARIO(large_requests_are_counted_beside_the_loop),
	    SCENARIO(requests_that_cannot_be_counted_are_refused),
	    SCENARIO(counting_costs_nothing_and_learns_from_requests),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
