/* SPDX-License-Identifier: MIT */
/*
 * The surface: which paths and methods there are, and how a request that can't
 * be served is refused, in OpenAI's error shape and with words that help.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"

#define CHAT "/v1/chat/completions"

/* No request of this file reaches a backend. */
static struct sluice *start(void)
{
	return sluice_start("backends:\n  b: { url: 'http://127.0.0.1:1/v1' }\n"
			    "models:\n  small: b/m\n  big: { plan: { fallback: [b/x, b/y] }, strict: true }\n"
			    "limits: { body: 4KiB, json_depth: 8, header_list: 8KiB }\n");
}

static void check_param(const struct answer *answer, const char *param)
{
	cJSON *root = cJSON_ParseWithLength(bytes_text(&answer->body), answer->body.len);
	const cJSON *error = cJSON_GetObjectItemCaseSensitive(root, "error");
	const char *got = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(error, "param"));
	if (got == NULL || strcmp(got, param) != 0)
		fail_msg("want param %s in %s", param, bytes_text(&answer->body));
	cJSON_Delete(root);
}

/* Posts a body to chat over every way in and checks its refusal; param and words may be NULL. */
static void check_refused(const struct sluice *sluice, const char *body, int status, const char *code,
			  const char *param, const char *words)
{
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer;
		client_fetch(sluice, via, CHAT, body, &answer);
		check_error(&answer, status, code);
		if (param != NULL)
			check_param(&answer, param);
		if (words != NULL)
			check_contains(&answer.body, words);
		answer_free(&answer);
	}
}

static void models_are_listed_and_told_one_by_one(void **state)
{
	struct answer answer;
	(void)state;
	struct sluice *sluice = start();
	sluice_get(sluice, "/v1/models", &answer);
	assert_int_equal(answer.status, 200);
	cJSON *root = cJSON_ParseWithLength(answer.body.at, answer.body.len);
	const cJSON *data = cJSON_GetObjectItemCaseSensitive(root, "data");
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "object")), "list");
	assert_int_equal(cJSON_GetArraySize(data), 2);
	check_contains(&answer.body, "\"small\"");
	check_contains(&answer.body, "\"big\"");
	cJSON_Delete(root);
	answer_free(&answer);
	sluice_get(sluice, "/v1/models/small", &answer);
	assert_int_equal(answer.status, 200);
	root = cJSON_ParseWithLength(answer.body.at, answer.body.len);
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "id")), "small");
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "object")), "model");
	cJSON_Delete(root);
	answer_free(&answer);
}

static void an_unknown_model_is_404_model_not_found(void **state)
{
	struct answer answer;
	(void)state;
	struct sluice *sluice = start();
	sluice_get(sluice, "/v1/models/smal", &answer);
	check_error(&answer, 404, "model_not_found");
	answer_free(&answer);
	sluice_get(sluice, "/v1/models/small/", &answer);
	check_error(&answer, 404, "model_not_found");
	check_contains(&answer.body, "Did you mean `small`, without the slash at the end of the path?");
	answer_free(&answer);
	double before = sluice_errors(sluice, "model_not_found");
	check_refused(sluice, chat_body("smal", false), 404, "model_not_found", NULL, "smal");
	check_refused(sluice, chat_body("smal", true), 404, "model_not_found", NULL, NULL);
	assert_true(sluice_errors(sluice, "model_not_found") == before + 2 * VIA_COUNT);
}

static void every_answer_tells_its_request_id(void **state)
{
	static const char *const paths[] = {"/livez",     "/readyz",          "/metrics",
					    "/v1/models", "/v1/models/small", "/nowhere"};
	struct answer answer;
	(void)state;
	struct sluice *sluice = start();
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		sluice_get(sluice, paths[i], &answer);
		char *id = answer_header(&answer, "x-request-id");
		assert_non_null(id);
		assert_int_equal(strncmp(id, "req_", 4), 0);
		free(id);
		answer_free(&answer);
	}
}

static void health_and_metrics_answer(void **state)
{
	struct answer answer;
	(void)state;
	struct sluice *sluice = start();
	sluice_get(sluice, "/livez", &answer);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	sluice_get(sluice, "/readyz", &answer);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	sluice_get(sluice, "/metrics", &answer);
	assert_int_equal(answer.status, 200);
	char *type = answer_header(&answer, "content-type");
	assert_non_null(type);
	assert_memory_equal(type, "text/plain", 10);
	free(type);
	check_contains(&answer.body, "# TYPE sluice_errors_total counter");
	answer_free(&answer);
}

static void a_wrong_method_is_405_with_allow(void **state)
{
	static const struct {
		const char *method;
		const char *path;
		const char *allow;
	} cases[] = {
	    {"GET", CHAT, "POST, OPTIONS"},          {"HEAD", "/v1/embeddings", "POST, OPTIONS"},
	    {"DELETE", CHAT, "POST, OPTIONS"},       {"POST", "/v1/models", "GET, HEAD, OPTIONS"},
	    {"PUT", "/livez", "GET, HEAD, OPTIONS"},
	};
	(void)state;
	struct sluice *sluice = start();
	for (size_t i = 0; i < sizeof cases / sizeof *cases * VIA_COUNT; i++) {
		size_t n = i / VIA_COUNT;
		struct answer answer;
		client_ask(sluice, i % VIA_COUNT, cases[n].method, cases[n].path, NULL, NULL, &answer);
		if (strcmp(cases[n].method, "HEAD") == 0)
			assert_int_equal(answer.status, 405);
		else
			check_error(&answer, 405, "method_not_allowed");
		check_header(&answer, "allow", cases[n].allow);
		answer_free(&answer);
	}
}

static void a_body_over_the_limit_is_413(void **state)
{
	char body[8192];
	(void)state;
	struct sluice *sluice = start();
	memset(body, ' ', sizeof body);
	body[sizeof body - 1] = '\0';
	memcpy(body, "{}", 2);
	check_refused(sluice, body, 413, "request_too_large", NULL, NULL);
	struct h1 h1; /* chunked: the length is not known in advance */
	h1_open(&h1, sluice->port, false);
	h1_send(&h1,
		"POST " CHAT " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
		"Transfer-Encoding: chunked\r\n\r\n1fff\r\n%s\r\n0\r\n\r\n",
		body);
	h1_wait_end(&h1);
	check_error(&h1.answer, 413, "request_too_large");
	h1_close(&h1);
}

static void a_size_over_its_limit_is_told_with_limit_and_key(void **state)
{
	static char body[10001], long_field[20000];
	struct h1 h1;
	(void)state;
	struct sluice *sluice = start();
	memset(body, ' ', sizeof body - 1);
	h1_open(&h1, sluice->port, false);
	h1_post(&h1, CHAT, "", body);
	h1_wait_end(&h1);
	check_error(&h1.answer, 413, "request_too_large");
	check_contains(&h1.answer.body, "The request body has 10.0 kB; the limit is 4 KiB (limits.body)");
	h1_close(&h1);
	memset(long_field, 'a', sizeof long_field - 1);
	struct answer answer;
	client_ask(sluice, VIA_H2, "GET", "/v1/models",
		   (const struct h2_header[]){{"x-long", long_field}, {NULL, NULL}}, NULL, &answer);
	check_error(&answer, 431, "headers_too_large");
	check_contains(&answer.body, "the limit is 8 KiB (limits.header_list)");
	answer_free(&answer);
}

static void a_path_that_is_not_served_says_what_is(void **state)
{
	static const struct {
		const char *method, *path, *words;
	} rows[] = {
	    {"POST", "/v1/threads", "POST /v1/threads is not served; this gateway serves POST /v1/chat/completions, "},
	    {"POST", "/chat/completions", "did you mean /v1/chat/completions?"},
	    {"POST", "/v1/v1/embeddings", "did you mean /v1/embeddings?"},
	    {"GET", "/v1/models/", "did you mean /v1/models?"},
	    {"POST", "/", "POST / is not served"},
	};
	(void)state;
	struct sluice *sluice = start();
	for (size_t i = 0; i < sizeof rows / sizeof *rows * VIA_COUNT; i++) {
		size_t n = i / VIA_COUNT;
		struct answer answer;
		client_ask(sluice, i % VIA_COUNT, rows[n].method, rows[n].path, NULL, NULL, &answer);
		check_error(&answer, 404, "unknown_url");
		check_contains(&answer.body, rows[n].words);
		check_header(&answer, "x-should-retry", "false");
		answer_free(&answer);
	}
}

static void the_root_leads_to_the_docs_page(void **state)
{
	static const char *const methods[] = {"GET", "HEAD"};
	(void)state;
	struct sluice *sluice = start();
	for (size_t i = 0; i < 2 * VIA_COUNT; i++) {
		struct answer answer;
		client_ask(sluice, i % VIA_COUNT, methods[i / VIA_COUNT], "/", NULL, NULL, &answer);
		assert_int_equal(answer.status, 302);
		check_header(&answer, "location", "/docs");
		answer_free(&answer);
	}
}

/* Waits for a log line with these words. */
static bool has_line(const struct bytes *text, void *words)
{
	return text->len != 0 && strstr(bytes_text(text), words) != NULL;
}

static void expect_line(const struct sluice *sluice, const char *words)
{
	proc_wait_output(sluice->proc, PROC_STDERR, has_line, (char *)words);
}

static void the_log_line_of_a_refusal_says_what_was_asked(void **state)
{
	struct answer answer;
	(void)state;
	struct sluice *sluice = start();
	client_ask(sluice, VIA_H1, "PATCH", "/v1/threads?secret=1", NULL, NULL, &answer);
	answer_free(&answer);
	expect_line(
	    sluice,
	    "\"method\":\"PATCH\",\"path\":\"/v1/threads\",\"http\":11,\"status\":404,\"error\":\"unknown_url\"");
	client_fetch(sluice, VIA_H1, "/v1/threads", "{\"input\":\"x\",\"model\":\"mo\\\"del\"}", &answer);
	answer_free(&answer);
	expect_line(sluice, "\"path\":\"/v1/threads\",\"http\":11,\"model\":\"mo\\\"del\",\"status\":404");
	client_fetch(sluice, VIA_H2, "/chat/completions", chat_body("small", false), &answer);
	answer_free(&answer);
	expect_line(sluice, "\"path\":\"/chat/completions\",\"http\":20,\"model\":\"small\",\"status\":404");
	client_ask(sluice, VIA_H2, "PUT", CHAT, NULL, "{\"model\":\"put\"}", &answer);
	answer_free(&answer);
	expect_line(sluice, "\"method\":\"PUT\",\"path\":\"/v1/chat/completions\",\"http\":20,\"model\":\"put\","
			    "\"status\":405");
	client_fetch(sluice, VIA_H1, "/v1/other", "{\"model\":", &answer);
	answer_free(&answer);
	expect_line(sluice, "\"path\":\"/v1/other\",\"http\":11,\"status\":404");
	client_fetch(sluice, VIA_H1, CHAT, chat_body("smal", false), &answer);
	answer_free(&answer);
	expect_line(sluice, "\"endpoint\":\"chat\",\"method\":\"POST\",\"path\":\"/v1/chat/"
			    "completions\",\"http\":11,\"model\":\"smal\",\"status\":404");
	client_fetch(sluice, VIA_H1, CHAT, "{\"messages\":7,\"model\":\"asked-for\"}", &answer);
	answer_free(&answer);
	expect_line(sluice, "\"endpoint\":\"chat\",\"method\":\"POST\",\"path\":\"/v1/chat/"
			    "completions\",\"http\":11,\"model\":\"asked-for\",\"status\":400");
}

static void broken_json_is_told_with_line_and_column(void **state)
{
	(void)state;
	struct sluice *sluice = start();
	double before = sluice_errors(sluice, "invalid_json");
	check_refused(sluice, "{\"model\":\"small\",\n  \"messages\":[}", 400, "invalid_json", NULL, "line 2");
	check_refused(sluice, "{\"model\":\"small\",\n  \"messages\":[}", 400, "invalid_json", NULL, "column 15");
	check_refused(sluice, "", 400, "invalid_json", NULL, NULL);
	check_refused(sluice, "{\"a\":1}x", 400, "invalid_json", NULL, NULL);
	check_refused(sluice, "{\"a\":[0,{\"b\":1,\"b\":2}]}", 400, "invalid_json", "a[1].b", NULL);
	check_refused(sluice, "{\"a\":\"\\u0000\"}", 400, "invalid_json", NULL, NULL);
	check_refused(sluice, "{\"a\":\"\\ud800\"}", 400, "invalid_json", NULL, NULL);
	check_refused(sluice, "{\"a\":\"\xff\"}", 400, "invalid_json", NULL, NULL);
	check_refused(sluice, "{\"a\":[[[[[[[[[[1]]]]]]]]]]}", 400, "invalid_json", NULL,
		      "the limit is 8 levels (limits.json_depth)");
	assert_true(sluice_errors(sluice, "invalid_json") == before + 9 * VIA_COUNT);
}

static void a_bad_parameter_is_named_by_its_path(void **state)
{
	(void)state;
	struct sluice *sluice = start();
	check_refused(sluice, "{\"model\":\"small\"}", 400, "missing_required_parameter", "messages", NULL);
	check_refused(sluice, "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 400,
		      "missing_required_parameter", "model", NULL);
	check_refused(sluice, "{\"model\":7,\"messages\":[]}", 400, "invalid_type", "model", NULL);
	check_refused(sluice,
		      "{\"model\":\"big\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"king\","
		      "\"content\":\"y\"}]}",
		      400, "invalid_value", "messages[1].role", NULL);
	check_refused(sluice, "{\"model\":\"small\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"},{\"role\":1}]}",
		      400, "invalid_type", "messages[1].role", NULL);
	check_refused(sluice,
		      "{\"model\":\"small\",\"stream\":\"yes\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
		      400, "invalid_type", "stream", NULL);
	check_refused(sluice,
		      "{\"model\":\"big\",\"max_tokens\":-1,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 400,
		      "invalid_value", "max_tokens", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(models_are_listed_and_told_one_by_one),
	    SCENARIO(an_unknown_model_is_404_model_not_found),
	    SCENARIO(every_answer_tells_its_request_id),
	    SCENARIO(health_and_metrics_answer),
	    SCENARIO(a_wrong_method_is_405_with_allow),
	    SCENARIO(a_body_over_the_limit_is_413),
	    SCENARIO(a_size_over_its_limit_is_told_with_limit_and_key),
	    SCENARIO(a_path_that_is_not_served_says_what_is),
	    SCENARIO(the_root_leads_to_the_docs_page),
	    SCENARIO(the_log_line_of_a_refusal_says_what_was_asked),
	    SCENARIO(broken_json_is_told_with_line_and_column),
	    SCENARIO(a_bad_parameter_is_named_by_its_path),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
