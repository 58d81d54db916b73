/* SPDX-License-Identifier: MIT */
/*
 * The HTTP contract over every way in: methods, validators, pages, both forms
 * of errors, expectations. What a generated client or a cache relies on.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"

#define CHAT "/v1/chat/completions"
#define PROBLEM                                                              \
	{                                                                    \
		"accept", "application/json;q=0.5, application/problem+json" \
	}
#define END                \
	{                  \
		NULL, NULL \
	}

/* No request of this file reaches a backend. */
static struct sluice *start(void)
{
	return sluice_start("backends:\n  b: { url: 'http://127.0.0.1:1/v1', breaker: { enabled: false } }\n"
			    "models:\n  one: b/m\n  two: b/m\n  three: b/m\n  'four/4': b/m\n"
			    "limits: { body: 4KiB }\n");
}

static struct answer ask(const struct sluice *sluice, enum via via, const char *method, const char *path,
			 const struct h2_header *headers, const char *body)
{
	struct answer answer;
	client_ask(sluice, via, method, path, headers, body, &answer);
	return answer;
}

static struct answer get(const struct sluice *sluice, enum via via, const char *path)
{
	return ask(sluice, via, "GET", path, NULL, NULL);
}

/* ---- pages of models ---- */

/* want: what the page must be, written as {"ids":[…],"first_id":…,"last_id":…,"has_more":…}. */
static void check_page(const struct sluice *sluice, enum via via, const char *path, const char *want)
{
	struct answer answer = get(sluice, via, path);
	cJSON *got = cJSON_ParseWithLength(bytes_text(&answer.body), answer.body.len);
	cJSON *ids = cJSON_CreateArray();
	const cJSON *model;
	assert_int_equal(answer.status, 200);
	cJSON_ArrayForEach(model, cJSON_GetObjectItemCaseSensitive(got, "data"))
	{
		cJSON_AddItemToArray(ids, cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(model, "id"), true));
		assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(model, "object")), "model");
	}
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(got, "object")), "list");
	cJSON_DeleteItemFromObjectCaseSensitive(got, "object");
	cJSON_ReplaceItemInObjectCaseSensitive(got, "data", ids);
	char *text = cJSON_PrintUnformatted(got);
	assert_string_equal(text, want);
	free(text);
	cJSON_Delete(got);
	answer_free(&answer);
}

static void models_come_in_pages(void **state)
{
	(void)state;
	struct sluice *sluice = start();
	for (enum via via = 0; via < VIA_COUNT; via++) {
		check_page(sluice, via, "/v1/models",
			   "{\"data\":[\"one\",\"two\",\"three\",\"four/4\"],\"first_id\":\"one\",\"last_id\":"
			   "\"four/4\",\"has_more\":false}");
		check_page(sluice, via, "/v1/models?limit=2",
			   "{\"data\":[\"one\",\"two\"],\"first_id\":\"one\",\"last_id\":\"two\",\"has_more\":true}");
		check_page(sluice, via, "/v1/models?after=two&limit=2",
			   "{\"data\":[\"three\",\"four/4\"],\"first_id\":\"three\",\"last_id\":\"four/4\",\"has_"
			   "more\":false}");
		check_page(sluice, via, "/v1/models?limit=1000&after=three",
			   "{\"data\":[\"four/4\"],\"first_id\":\"four/4\",\"last_id\":\"four/4\",\"has_more\":false}");
		check_page(sluice, via, "/v1/models?after=four%2F4",
			   "{\"data\":[],\"first_id\":null,\"last_id\":null,\"has_more\":false}");
	}
}

static void reading_ignores_unknown_parameters_and_a_purge_refuses_them(void **state)
{
	static const char *const paths[] = {"/v1/models?client_version=0.2.1&limit=1000",
					    "/v1/models?api-version=1&api-version=2", "/v1/models/one?x=%ff",
					    "/admin/cache?page=2", "/openapi.json?v=1"};
	(void)state;
	struct sluice *sluice = start();
	struct answer answer;
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		answer = get(sluice, VIA_H1, paths[i]);
		if (answer.status != 200)
			fail_msg("%s: %d", paths[i], answer.status);
		answer_free(&answer);
	}
	client_ask(sluice, VIA_H1, "DELETE", "/admin/cache?modle=one", NULL, NULL, &answer);
	check_error(&answer, 400, "unsupported_parameter");
	check_contains(&answer.body, "did you mean \\\"model\\\"?");
	answer_free(&answer);
}

static void a_page_that_cannot_be_is_refused_by_name(void **state)
{
	static const struct {
		const char *query;
		const char *code;
		const char *details;
		int status; /* 0 = 400 */
	} cases[] = {
	    {"?after=five", "model_not_found", "\"details\":[{\"loc\":[\"query\",\"after\"],", 404},
	    {"?limit=0", "invalid_value", "\"details\":[{\"loc\":[\"query\",\"limit\"],", 0},
	    {"?limit=1001", "invalid_value", "\"input\":1001}", 0},
	    {"?limit=ten", "invalid_type", "\"input\":\"ten\"}", 0},
	    {"?limit=1&limit=2", "invalid_value", "\"loc\":[\"query\",\"limit\"]", 0},
	    {"?after=%ff", "invalid_value", "\"loc\":[\"query\",\"after\"]", 0},
	};
	(void)state;
	struct sluice *sluice = start();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char path[64];
		snprintf(path, sizeof path, "/v1/models%s", cases[i].query);
		int status = cases[i].status == 0 ? 400 : cases[i].status;
		struct answer answer = get(sluice, VIA_H2, path);
		check_error(&answer, status, cases[i].code);
		check_contains(&answer.body, cases[i].details);
		answer_free(&answer);
		answer = ask(sluice, VIA_H1, "GET", path, (struct h2_header[]){PROBLEM, END}, NULL);
		check_problem(&answer, status, cases[i].code);
		check_contains(&answer.body, cases[i].details);
		answer_free(&answer);
	}
}

/* ---- validators ---- */

static const char *const revalidated[] = {"/v1/models", "/v1/models?limit=2", "/v1/models/one", "/openapi.json"};
enum { REVALIDATED = sizeof revalidated / sizeof *revalidated };

static void check_304(struct answer answer, const char *etag)
{
	assert_int_equal(answer.status, 304);
	assert_int_equal(answer.body.len, 0);
	check_header(&answer, "etag", etag);
	check_header(&answer, "cache-control", "no-cache");
	check_header(&answer, "content-type", NULL);
	answer_free(&answer);
}

static void what_the_client_has_is_304(void **state)
{
	(void)state;
	struct sluice *sluice = start();
	for (size_t i = 0; i < REVALIDATED * VIA_COUNT; i++) {
		const char *path = revalidated[i / VIA_COUNT];
		enum via via = i % VIA_COUNT;
		char list[256];
		struct answer answer = get(sluice, via, path);
		char *etag = answer_header(&answer, "etag");
		assert_int_equal(answer.status, 200);
		assert_non_null(etag);
		check_header(&answer, "cache-control", "no-cache");
		answer_free(&answer);
		check_304(ask(sluice, via, "GET", path, (struct h2_header[]){{"if-none-match", etag}, END}, NULL),
			  etag);
		snprintf(list, sizeof list, "\"other\", W/%s", etag);
		check_304(ask(sluice, via, "HEAD", path, (struct h2_header[]){{"if-none-match", list}, END}, NULL),
			  etag);
		check_304(ask(sluice, via, "GET", path,
			      (struct h2_header[]){{"if-none-match", "\"a\""}, {"if-none-match", etag}, END}, NULL),
			  etag);
		check_304(ask(sluice, via, "GET", path, (struct h2_header[]){{"if-none-match", "*"}, END}, NULL), etag);
		free(etag);
	}
}

static void what_the_client_has_not_is_sent(void **state)
{
	static const char *const others[] = {"\"other\"", "W/\"other\"", "other", "", "\"*\""};
	(void)state;
	struct sluice *sluice = start();
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		struct answer answer = ask(sluice, VIA_H1, "GET", "/v1/models",
					   (struct h2_header[]){{"if-none-match", others[i]}, END}, NULL);
		assert_int_equal(answer.status, 200);
		assert_true(answer.body.len > 0);
		answer_free(&answer);
	}
}

static void tags_follow_the_body(void **state)
{
	(void)state;
	struct sluice *sluice = start();
	struct answer all = get(sluice, VIA_H1, "/v1/models");
	struct answer page = get(sluice, VIA_H1, "/v1/models?limit=1");
	struct answer again = get(sluice, VIA_H2, "/v1/models");
	char *etag = answer_header(&all, "etag");
	char *other = answer_header(&page, "etag");
	assert_string_not_equal(etag, other);
	check_header(&again, "etag", etag);
	free(etag);
	free(other);
	answer_free(&all);
	answer_free(&page);
	answer_free(&again);
}

static void health_metrics_and_errors_are_not_stored(void **state)
{
	static const char *const paths[] = {"/livez", "/readyz", "/metrics", "/v1/models/none", "/nowhere"};
	(void)state;
	struct sluice *sluice = start();
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		struct answer answer =
		    ask(sluice, VIA_H2, "GET", paths[i], (struct h2_header[]){{"if-none-match", "*"}, END}, NULL);
		assert_true(answer.status == 200 || answer.status == 404);
		check_header(&answer, "cache-control", "no-store");
		check_header(&answer, "etag", NULL);
		answer_free(&answer);
	}
}

/* An answer without a body that the client takes for one with a body would spoil the next. */
static void answers_without_a_body_keep_the_connection(void **state)
{
	static const char *const requests[] = {
	    "GET /v1/models HTTP/1.1\r\nHost: x\r\nIf-None-Match: *\r\n\r\n",
	    "OPTIONS /v1/models HTTP/1.1\r\nHost: x\r\n\r\n",
	    "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
	};
	static const int statuses[] = {304, 204, 204};
	(void)state;
	struct sluice *sluice = start();
	struct h1 h1;
	h1_open(&h1, sluice->port, false);
	for (size_t i = 0; i < 9; i++) {
		h1_send(&h1, "%s", requests[i % 3]);
		h1_wait_end(&h1);
		assert_int_equal(h1.answer.status, statuses[i % 3]);
		assert_int_equal(h1.in.len, 0);
		check_header(&h1.answer, "content-length", NULL);
		h1_next(&h1);
	}
	h1_get(&h1, "/livez");
	h1_wait_end(&h1);
	assert_int_equal(h1.answer.status, 200);
	h1_close(&h1);
}

/* ---- methods ---- */

static void head_is_get_without_the_body(void **state)
{
	static const char *const paths[] = {"/livez",          "/readyz",       "/v1/models", "/v1/models/one",
					    "/v1/models/none", "/openapi.json", "/nowhere"};
	(void)state;
	struct sluice *sluice = start();
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		for (enum via via = 0; via < VIA_COUNT; via++) {
			struct answer whole = get(sluice, via, paths[i]);
			struct answer head = ask(sluice, via, "HEAD", paths[i], NULL, NULL);
			assert_int_equal(head.status, whole.status);
			assert_int_equal(head.body.len, 0);
			assert_true(whole.body.len > 0);
			static const char *const same[] = {"content-length", "content-type", "etag", "cache-control"};
			for (size_t k = 0; k < sizeof same / sizeof *same; k++) {
				char *value = answer_header(&whole, same[k]);
				check_header(&head, same[k], value);
				free(value);
			}
			answer_free(&whole);
			answer_free(&head);
		}
	}
}

/* The content of /metrics changes from one look to the next. */
static void head_of_the_metrics_has_no_body(void **state)
{
	(void)state;
	struct sluice *sluice = start();
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer = ask(sluice, via, "HEAD", "/metrics", NULL, NULL);
		assert_int_equal(answer.status, 200);
		assert_int_equal(answer.body.len, 0);
		answer_free(&answer);
	}
}

static void options_tells_the_methods(void **state)
{
	static const struct {
		const char *path;
		const char *allow;
	} cases[] = {
	    {CHAT, "POST, OPTIONS"},
	    {"/v1/embeddings", "POST, OPTIONS"},
	    {"/v1/models", "GET, HEAD, OPTIONS"},
	    {"/v1/models/one?x=y", "GET, HEAD, OPTIONS"},
	    {"/openapi.json", "GET, HEAD, OPTIONS"},
	    {"*", "POST, GET, HEAD, DELETE, PATCH, OPTIONS"},
	};
	(void)state;
	struct sluice *sluice = start();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (enum via via = 0; via < VIA_COUNT; via++) {
			struct answer answer = ask(sluice, via, "OPTIONS", cases[i].path, NULL, NULL);
			assert_int_equal(answer.status, 204);
			assert_int_equal(answer.body.len, 0);
			check_header(&answer, "allow", cases[i].allow);
			check_header(&answer, "access-control-allow-origin", NULL);
			answer_free(&answer);
		}
	}
}

static void a_path_that_is_not_there_is_404_whatever_the_method(void **state)
{
	static const char *const methods[] = {"GET", "POST", "DELETE", "OPTIONS", "PATCH"};
	(void)state;
	struct sluice *sluice = start();
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		struct answer answer = ask(sluice, i % VIA_COUNT, methods[i], "/v1/nothing", NULL, NULL);
		check_error(&answer, 404, "unknown_url");
		check_header(&answer, "allow", NULL);
		answer_free(&answer);
	}
}

/* ---- errors ---- */

/* The same refusal in both forms, over every way in. body NULL: none. extra: one more field, or END. */
static void check_both_forms(const struct sluice *sluice, const char *method, const char *path, struct h2_header extra,
			     const char *body, int status, const char *code)
{
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer =
		    ask(sluice, via, method, path, (struct h2_header[]){{"accept", "*/*"}, extra, END}, body);
		check_error(&answer, status, code);
		check_header(&answer, "vary", "accept");
		answer_free(&answer);
		answer = ask(sluice, via, method, path, (struct h2_header[]){PROBLEM, extra, END}, body);
		check_problem(&answer, status, code);
		check_header(&answer, "vary", "accept");
		answer_free(&answer);
	}
}

static void every_refusal_has_both_forms(void **state)
{
	static const struct h2_header none = END;
	char big[8192];
	(void)state;
	struct sluice *sluice = start();
	memset(big, ' ', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	check_both_forms(sluice, "GET", "/nowhere", none, NULL, 404, "unknown_url");
	check_both_forms(sluice, "GET", "/v1/models/none", none, NULL, 404, "model_not_found");
	check_both_forms(sluice, "GET", CHAT, none, NULL, 405, "method_not_allowed");
	check_both_forms(sluice, "POST", CHAT, (struct h2_header){"content-encoding", "br"}, "{}", 415,
			 "unsupported_media_type");
	check_both_forms(sluice, "POST", CHAT, none, "{", 400, "invalid_json");
	check_both_forms(sluice, "POST", CHAT, none, "{\"model\":\"one\"}", 400, "missing_required_parameter");
	check_both_forms(sluice, "POST", CHAT, none, chat_body("none", true), 404, "model_not_found");
	check_both_forms(sluice, "POST", CHAT, none, big, 413, "request_too_large");
	check_both_forms(sluice, "GET", "/livez", (struct h2_header){"expect", "wonders"}, NULL, 417,
			 "expectation_failed");
}

static void a_backend_that_cannot_be_reached_has_both_forms(void **state)
{
	(void)state;
	struct sluice *sluice = start();
	check_both_forms(sluice, "POST", CHAT, (struct h2_header)END, chat_body("one", true), 502, "upstream_connect");
}

static void malformed_http_is_told_as_a_problem_too(void **state)
{
	(void)state;
	struct sluice *sluice = start();
	for (int tls = 0; tls < 2; tls++) {
		struct h1 h1;
		h1_open(&h1, tls ? sluice->tls_port : sluice->port, tls);
		h1_send(&h1, "GET /livez HTTP/1.1\r\nHost: x\r\nHost: y\r\nAccept: application/problem+json\r\n\r\n");
		h1_wait_end(&h1);
		check_problem(&h1.answer, 400, "malformed_http");
		h1_close(&h1);
	}
}

/* This one is answered by the HTTP library before any of our code sees a request. */
static void a_broken_chunk_is_told_as_a_problem_too(void **state)
{
	(void)state;
	struct sluice *sluice = start();
	struct h1 h1;
	h1_open(&h1, sluice->port, false);
	h1_send(&h1, "POST " CHAT " HTTP/1.1\r\nHost: x\r\nAccept: application/problem+json\r\n"
		     "X-Request-Id: mine-1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
	h1_wait_end(&h1);
	check_problem(&h1.answer, 400, "malformed_http");
	check_header(&h1.answer, "x-request-id", "mine-1");
	h1_close(&h1);
}

static void the_type_of_a_body_is_judged_by_name(void **state)
{
	static const struct {
		const char *type; /* NULL: no such field */
		int status;
		const char *code;
	} cases[] = {
	    {NULL, 400, "missing_required_parameter"},
	    {"application/json", 400, "missing_required_parameter"},
	    {"Application/JSON;charset=utf-8", 400, "missing_required_parameter"},
	    {"application/jsonp", 415, "unsupported_media_type"},
	    {"text/plain", 415, "unsupported_media_type"},
	    {"multipart/form-data; boundary=x", 415, "unsupported_media_type"},
	};
	(void)state;
	struct sluice *sluice = start();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct h1 h1;
		h1_open(&h1, sluice->port, false);
		h1_send(&h1, "POST " CHAT " HTTP/1.1\r\nHost: x\r\n%s%s%sContent-Length: 2\r\n\r\n{}",
			cases[i].type == NULL ? "" : "Content-Type: ", cases[i].type == NULL ? "" : cases[i].type,
			cases[i].type == NULL ? "" : "\r\n");
		h1_wait_end(&h1);
		check_error(&h1.answer, cases[i].status, cases[i].code);
		h1_close(&h1);
	}
}

/* ---- expectations ---- */

static void expect_100_continue_is_obeyed_over_http_1(void **state)
{
	struct h1 h1;
	(void)state;
	struct sluice *sluice = start();
	h1_open(&h1, sluice->port, false);
	h1_send(&h1, "POST " CHAT " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
		     "Expect: 100-continue\r\n\r\n");
	struct patience patience = patience_for("100 Continue");
	char line[128];
	ssize_t got;
	while ((got = wire_read(&h1.wire, line, sizeof line)) == WIRE_AGAIN)
		patience_wait(&patience);
	assert_true(got > 12);
	assert_memory_equal(line, "HTTP/1.1 100", 12);
	h1_send(&h1, "{}");
	h1_wait_end(&h1);
	check_error(&h1.answer, 400, "missing_required_parameter");
	h1_close(&h1);
}

static void expect_100_continue_is_obeyed_over_http_2(void **state)
{
	(void)state;
	struct sluice *sluice = start();
	for (int tls = 0; tls < 2; tls++) {
		struct h2 h2;
		h2_open(&h2, tls ? sluice->tls_port : sluice->port, tls ? H2_TLS : 0);
		h2.withhold = true; /* half of the body waits */
		struct h2_stream *stream =
		    h2_request(&h2, "POST", CHAT, (struct h2_header[]){{"expect", "100-continue"}, END}, "{}");
		h2_wait_continue(&h2, stream);
		h2_send_rest(&h2, stream);
		h2_wait_end(&h2, stream);
		check_error(&stream->answer, 400, "missing_required_parameter");
		h2_close(&h2);
	}
}

/* ---- on every answer ---- */

static void every_answer_names_server_and_request(void **state)
{
	static const struct {
		const char *method;
		const char *path;
		const char *body;
	} cases[] = {
	    {"GET", "/livez", NULL}, {"GET", "/openapi.json", NULL}, {"OPTIONS", CHAT, NULL},
	    {"OPTIONS", "*", NULL},  {"PUT", "/livez", NULL},        {"GET", "/nowhere", NULL},
	    {"POST", CHAT, "{}"},    {"HEAD", "/v1/models", NULL},   {"POST", "/v1/embeddings", "["},
	};
	char version[64] = "sluice/";
	(void)state;
	FILE *file = fopen("VERSION", "r");
	assert_non_null(file);
	assert_non_null(fgets(version + 7, sizeof version - 7, file));
	fclose(file);
	version[strcspn(version, "\n")] = '\0';
	struct sluice *sluice = start();
	for (size_t i = 0; i < sizeof cases / sizeof *cases * VIA_COUNT; i++) {
		const struct h2_header id[] = {{"x-request-id", "mine-7"}, END};
		struct answer answer = ask(sluice, i % VIA_COUNT, cases[i / VIA_COUNT].method,
					   cases[i / VIA_COUNT].path, id, cases[i / VIA_COUNT].body);
		check_header(&answer, "server", version);
		check_header(&answer, "x-request-id", "mine-7");
		answer_free(&answer);
	}
}

static void the_document_is_json_and_the_same_for_all(void **state)
{
	struct answer first;
	(void)state;
	struct sluice *sluice = start();
	client_ask(sluice, VIA_H1, "GET", "/openapi.json", NULL, NULL, &first);
	check_header(&first, "content-type", "application/json");
	cJSON *root = cJSON_ParseWithLength(bytes_text(&first.body), first.body.len);
	assert_non_null(cJSON_GetObjectItemCaseSensitive(root, "openapi"));
	assert_non_null(cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(root, "paths"), CHAT));
	cJSON_Delete(root);
	for (enum via via = 1; via < VIA_COUNT; via++) {
		struct answer answer = get(sluice, via, "/openapi.json");
		check_same(answer.body.at, answer.body.len, first.body.at, first.body.len);
		answer_free(&answer);
	}
	answer_free(&first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(models_come_in_pages),
	    SCENARIO(reading_ignores_unknown_parameters_and_a_purge_refuses_them),
	    SCENARIO(a_page_that_cannot_be_is_refused_by_name),
	    SCENARIO(what_the_client_has_is_304),
	    SCENARIO(what_the_client_has_not_is_sent),
	    SCENARIO(tags_follow_the_body),
	    SCENARIO(health_metrics_and_errors_are_not_stored),
	    SCENARIO(answers_without_a_body_keep_the_connection),
	    SCENARIO(head_is_get_without_the_body),
	    SCENARIO(head_of_the_metrics_has_no_body),
	    SCENARIO(options_tells_the_methods),
	    SCENARIO(a_path_that_is_not_there_is_404_whatever_the_method),
	    SCENARIO(every_refusal_has_both_forms),
	    SCENARIO(a_backend_that_cannot_be_reached_has_both_forms),
	    SCENARIO(malformed_http_is_told_as_a_problem_too),
	    SCENARIO(a_broken_chunk_is_told_as_a_problem_too),
	    SCENARIO(the_type_of_a_body_is_judged_by_name),
	    SCENARIO(expect_100_continue_is_obeyed_over_http_1),
	    SCENARIO(expect_100_continue_is_obeyed_over_http_2),
	    SCENARIO(every_answer_names_server_and_request),
	    SCENARIO(the_document_is_json_and_the_same_for_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
