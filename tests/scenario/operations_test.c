/* SPDX-License-Identifier: MIT */
/*
 * Every operation refuses what every operation refuses: broken HTTP, unknown
 * expectations, heads and bodies beyond the limits, other methods; those with a
 * body refuse wrong bodies; those that ask backends tell what these did wrong.
 * tests/conformance finds an operation that is missing here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"

struct operation {
	const char *method;
	const char *path;
	const char *body;  /* with a place for the model's name; NULL: none is read */
	const char *wrong; /* a body of which a member has the wrong type */
};

static const struct operation operations[] = {
    {"POST", "/v1/chat/completions", "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
     "{\"model\":1}"},
    {"POST", "/v1/completions", "{\"model\":\"%s\",\"prompt\":\"x\"}", "{\"model\":1}"},
    {"POST", "/v1/embeddings", "{\"model\":\"%s\",\"input\":\"x\"}", "{\"model\":1}"},
    {"POST", "/v1/fanout", "{\"targets\":[\"%s\"],\"request\":{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}}",
     "{\"targets\":1}"},
    {"GET", "/v1/models", NULL, NULL},
    {"GET", "/v1/models/small", NULL, NULL},
    {"GET", "/admin/cache", NULL, NULL},
    {"DELETE", "/admin/cache", NULL, NULL},
    {"GET", "/livez", NULL, NULL},
    {"GET", "/readyz", NULL, NULL},
    {"GET", "/metrics", NULL, NULL},
    {"GET", "/openapi.json", NULL, NULL},
    {"GET", "/docs", NULL, NULL},
    {"GET", "/docs/docs.js", NULL, NULL},
    {"GET", "/admin/backends", NULL, NULL},
    {"GET", "/admin/usage", NULL, NULL},
    {"GET", "/v1/limits", NULL, NULL},
    {"GET", "/admin/keys", NULL, NULL},
    {"POST", "/admin/keys", NULL, NULL},
    {"GET", "/admin/keys/4kQ9xYb2", NULL, NULL},
    {"PATCH", "/admin/keys/4kQ9xYb2", NULL, NULL},
    {"DELETE", "/admin/keys/4kQ9xYb2", NULL, NULL},
    {"POST", "/admin/keys/4kQ9xYb2/rotate", NULL, NULL},
    {"POST", "/v1/messages", "{\"model\":\"%s\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
     "{\"model\":1}"},
    {"POST", "/v1/messages/count_tokens", "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
     "{\"model\":1}"},
    {"GET", "/v1/responses/resp_1", NULL, NULL},
    {"DELETE", "/v1/responses/resp_1", NULL, NULL},
    {"GET", "/v1/responses/resp_1/input_items", NULL, NULL},
    {"POST", "/v1/responses/input_tokens", "{\"model\":\"%s\",\"input\":\"x\"}", "{\"model\":1}"},
    {"POST", "/v1/responses", "{\"model\":\"%s\",\"input\":\"x\"}", "{\"model\":1}"},
};
enum { OPERATIONS = sizeof operations / sizeof *operations, BIG = 8192 };

#define for_each_operation(operation) \
	for (const struct operation *operation = operations; operation < operations + OPERATIONS; operation++)

/* No request of the scenarios that use it reaches a backend. */
static struct sluice *start(void)
{
	return sluice_start("backends:\n  b: { url: 'http://127.0.0.1:1/v1' }\n"
			    "models:\n  small: b/m\n  both: { all: [b/m, b/m] }\n"
			    "limits: { body: 4KiB, header_list: 4KiB }\n");
}

/* A line of BIG letters. Static. */
static const char *big_text(void)
{
	static char text[BIG + 1];
	memset(text, 'x', BIG);
	return text;
}

/* Sends a head of HTTP/1.1 with more header lines, and a body of that many letters. */
static struct answer ask_h1(const struct sluice *sluice, const struct operation *operation, const char *lines,
			    size_t body_len)
{
	struct h1 h1;
	h1_open(&h1, sluice->port, false);
	h1_send(&h1, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n%.*s",
		operation->method, operation->path, body_len, lines, (int)body_len, big_text());
	h1_wait_end(&h1);
	struct answer answer = h1.answer;
	h1.answer = (struct answer){0};
	h1_close(&h1);
	return answer;
}

/* The same over HTTP/2; name NULL: no header more. */
static struct answer ask_h2(const struct sluice *sluice, const char *method, const char *path, const char *name,
			    const char *value, const char *body)
{
	const struct h2_header headers[] = {{name, value}, {NULL, NULL}};
	struct h2 h2;
	h2_open(&h2, sluice->port, 0);
	struct h2_stream *stream = h2_request(&h2, method, path, headers, body);
	h2_wait_end(&h2, stream);
	struct answer answer = stream->answer;
	stream->answer = (struct answer){.ended = answer.ended};
	h2_close(&h2);
	return answer;
}

static void check_and_free(const struct operation *operation, struct answer answer, int status, const char *code)
{
	if (answer.status != status)
		fail_msg("%s %s: want %d, got %d: %s", operation->method, operation->path, status, answer.status,
			 bytes_text(&answer.body));
	check_error(&answer, status, code);
	answer_free(&answer);
}

static void every_operation_refuses_an_unknown_expectation(void **state)
{
	(void)state;
	struct sluice *sluice = start();
	for_each_operation(operation)
	{
		check_and_free(operation, ask_h1(sluice, operation, "Expect: wonders\r\n", 0), 417,
			       "expectation_failed");
		check_and_free(operation, ask_h2(sluice, operation->method, operation->path, "expect", "wonders", NULL),
			       417, "expectation_failed");
	}
}

static void every_operation_refuses_a_head_over_the_limit(void **state)
{
	char *line;
	(void)state;
	struct sluice *sluice = start();
	assert_true(asprintf(&line, "X-Much: %s\r\n", big_text()) > 0);
	for_each_operation(operation)
	{
		check_and_free(operation, ask_h1(sluice, operation, line, 0), 431, "headers_too_large");
		check_and_free(operation,
			       ask_h2(sluice, operation->method, operation->path, "x-much", big_text(), NULL), 431,
			       "headers_too_large");
	}
	free(line);
}

static void every_operation_refuses_a_body_over_the_limit(void **state)
{
	(void)state;
	struct sluice *sluice = start();
	for_each_operation(operation)
	{
		check_and_free(operation, ask_h1(sluice, operation, "", BIG), 413, "request_too_large");
		check_and_free(operation, ask_h2(sluice, operation->method, operation->path, NULL, NULL, big_text()),
			       413, "request_too_large");
	}
}

/* A sluice of the same with more settings. */
static struct sluice *start_with(const char *settings)
{
	return sluice_start("backends:\n  b: { url: 'http://127.0.0.1:1/v1' }\nmodels:\n  small: b/m\n%s", settings);
}

static void every_operation_refuses_a_body_that_does_not_come(void **state)
{
	(void)state;
	struct sluice *sluice = start_with("limits: { body_stall: 100ms }\n");
	for_each_operation(operation)
	{
		struct h2 h2;
		h2_open(&h2, sluice->port, 0);
		h2.withhold = true;
		struct h2_stream *stream = h2_request(&h2, operation->method, operation->path, NULL, "{\"a\":1}");
		h2_wait_body(&h2, stream, 1);
		assert_int_equal(stream->answer.status, 408);
		check_error(&stream->answer, 408, "request_timeout");
		h2_wait_end(&h2, stream);
		h2_close(&h2);
	}
}

static void every_operation_refuses_a_name_that_is_not_the_listeners(void **state)
{
	(void)state;
	struct sluice *sluice = start_with("hosts: sluice.test\n");
	for_each_operation(operation)
	{
		check_and_free(operation, ask_h1(sluice, operation, "", 0), 421, "misdirected_request");
	}
}

static void every_operation_that_spends_or_changes_refuses_pages_of_others(void **state)
{
	(void)state;
	struct sluice *sluice = start();
	for_each_operation(operation)
	{
		struct answer answer =
		    ask_h2(sluice, operation->method, operation->path, "origin", "https://a.example", operation->wrong);
		if (strcmp(operation->method, "GET") != 0)
			check_and_free(operation, answer, 403, "foreign_origin");
		else if (answer.status == 403)
			fail_msg("%s may be read", operation->path);
		else
			answer_free(&answer);
	}
}

/* Two Host fields: RFC 9112, section 3.2. HTTP/2 breaks the stream instead (RFC 9113, section 8.1.1). */
static void every_operation_refuses_a_head_that_is_not_well_formed(void **state)
{
	(void)state;
	struct sluice *sluice = start();
	for_each_operation(operation)
	    check_and_free(operation, ask_h1(sluice, operation, "Host: y\r\n", 0), 400, "malformed_http");
}

/* These requests are refused before any code of ours sees them. */
static void every_operation_refuses_a_broken_chunk(void **state)
{
	(void)state;
	struct sluice *sluice = start();
	for_each_operation(operation)
	{
		struct h1 h1;
		h1_open(&h1, sluice->port, false);
		h1_send(&h1,
			"%s %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
			"Transfer-Encoding: chunked\r\n\r\nwhat\r\n{}\r\n0\r\n\r\n",
			operation->method, operation->path);
		h1_wait_end(&h1);
		check_error(&h1.answer, 400, "malformed_http");
		h1_close(&h1);
	}
}

static void every_operation_refuses_another_method(void **state)
{
	(void)state;
	struct sluice *sluice = start();
	for_each_operation(operation)
	{
		struct operation other = {"PUT", operation->path, NULL, NULL};
		check_and_free(&other, ask_h1(sluice, &other, "", 0), 405, "method_not_allowed");
		check_and_free(&other, ask_h2(sluice, "PUT", operation->path, NULL, NULL, NULL), 405,
			       "method_not_allowed");
	}
}

/* Posts a body over HTTP/1.1 and checks the refusal. */
static void check_refused(const struct sluice *sluice, const struct operation *operation, const char *body, int status,
			  const char *code)
{
	struct answer answer;
	client_fetch(sluice, VIA_H1, operation->path, body, &answer);
	check_and_free(operation, answer, status, code);
}

static void every_operation_with_a_body_refuses_a_wrong_one(void **state)
{
	(void)state;
	struct sluice *sluice = start();
	for_each_operation(operation)
	{
		char text[256];
		bool of_keys = strncmp(operation->path, "/admin/keys", strlen("/admin/keys")) == 0;
		if (of_keys && operation->method[0] == 'P') /* there is no store: the body is not read */
			check_and_free(operation, ask_h1(sluice, operation, "Content-Encoding: br\r\n", 2), 415,
				       "unsupported_media_type");
		if (operation->body == NULL)
			continue;
		check_refused(sluice, operation, "{", 400, "invalid_json");
		check_refused(sluice, operation, "{}", 400, "missing_required_parameter");
		check_refused(sluice, operation, operation->wrong, 400, "invalid_type");
		snprintf(text, sizeof text, operation->body, "");
		check_refused(sluice, operation, text, 400, "invalid_value");
		snprintf(text, sizeof text, operation->body, "nobody");
		check_refused(sluice, operation, text, 404, "model_not_found");
		check_and_free(operation, ask_h1(sluice, operation, "Content-Encoding: br\r\n", 2), 415,
			       "unsupported_media_type");
	}
}

/* Vectors can't be gathered from several backends. */
static void embeddings_refuse_a_model_that_gathers(void **state)
{
	char text[256];
	(void)state;
	snprintf(text, sizeof text, operations[2].body, "both");
	check_refused(start(), &operations[2], text, 400, "unsupported_parameter");
}

/* Returns whether an operation with a body asks backends. */
static bool asks(const struct operation *operation)
{
	return strcmp(operation->path, "/v1/messages/count_tokens") != 0 &&
	       strcmp(operation->path, "/v1/responses/input_tokens") != 0;
}

/* Asks model over every operation that asks backends; code NULL: the backend's own words. */
static void check_told(const struct sluice *sluice, const char *model, int status, const char *code)
{
	for_each_operation(operation)
	{
		struct answer answer;
		char text[256];
		if (operation->body == NULL || !asks(operation))
			continue;
		snprintf(text, sizeof text, operation->body, model);
		client_fetch(sluice, VIA_H1, operation->path, text, &answer);
		/* told in another dialect, 501 is an error of ours, for what the request lacks */
		int want = status == 501 && strcmp(operation->path, "/v1/messages") == 0 ? 400 : status;
		if (answer.status != want)
			fail_msg("%s: want %d, got %d: %s", operation->path, want, answer.status,
				 bytes_text(&answer.body));
		if (code != NULL)
			check_error(&answer, status, code);
		answer_free(&answer);
	}
}

/* A backend that answers with that status, in its own words or in none that could be relayed. */
static int start_refusing(const char *status, const char *body)
{
	struct bytes text = {0};
	bytes_printf(&text, "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body),
		     body);
	struct backend *backend = backend_start();
	backend_script(backend, (const struct step[]){SEND_BYTES(text.at, text.len), FIN});
	bytes_free(&text);
	return backend_port(backend);
}

static void a_refusal_without_an_error_object_gets_one(void **state)
{
	(void)state;
	int busy = start_refusing("429 Slow Down", "slow down");
	int rejects = start_refusing("400 Bad Request", "no");
	int fails = start_refusing("500 Oh No", "oh no");
	struct sluice *sluice =
	    sluice_start("backends:\n  busy: { url: 'http://127.0.0.1:%d/v1' }\n"
			 "  rejects: { url: 'http://127.0.0.1:%d/v1' }\n  fails: { url: 'http://127.0.0.1:%d/v1' }\n"
			 "models:\n  busy: busy/m\n  rejects: rejects/m\n  fails: fails/m\n",
			 busy, rejects, fails);
	check_told(sluice, "busy", 429, "upstream_busy");
	check_told(sluice, "rejects", 400, "upstream_rejected");
	check_told(sluice, "fails", 502, "upstream_status");
}

static void a_refusal_with_an_error_object_is_relayed_by_every_operation(void **state)
{
	static const char body[] = "{\"error\":{\"message\":\"oh no\",\"type\":\"odd\",\"param\":null,\"code\":null}}";
	static const struct {
		const char *line;
		int status;
	} cases[] = {{"422 No", 422}, {"500 Oh No", 500}, {"501 Not Here", 501}};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sluice *sluice =
		    sluice_start("backends:\n  b: { url: 'http://127.0.0.1:%d/v1' }\nmodels:\n  m: b/m\n",
				 start_refusing(cases[i].line, body));
		check_told(sluice, "m", cases[i].status, NULL);
	}
}

static void a_silent_backend_is_told_by_every_operation(void **state)
{
	static const struct step script[] = {SCRIPT_END};
	(void)state;
	struct backend *backend = backend_start();
	backend_script(backend, script);
	struct sluice *sluice = sluice_start(
	    "backends:\n  b: { url: 'http://127.0.0.1:%d/v1', timeouts: { total: 300ms } }\nmodels:\n  m: b/m\n",
	    backend_port(backend));
	check_told(sluice, "m", 504, "upstream_total");
}

/* Whether a connection to a backend can be opened: what was open before stays open. */
static void limit_descriptors(const struct sluice *sluice, rlim_t soft)
{
	struct rlimit limit;
	assert_int_equal(prlimit(sluice->proc->pid, RLIMIT_NOFILE, NULL, &limit), 0);
	limit.rlim_cur = soft == 0 ? limit.rlim_max : soft;
	assert_int_equal(prlimit(sluice->proc->pid, RLIMIT_NOFILE, &limit, NULL), 0);
}

static void without_descriptors_an_exchange_is_refused_and_the_process_lives(void **state)
{
	(void)state;
	struct backend *backend = backend_start();
	struct sluice *sluice = sluice_start("backends:\n  b: { url: 'http://127.0.0.1:%d/v1' }\nmodels:\n  m: b/m\n",
					     backend_port(backend));
	for_each_operation(operation)
	{
		char text[256];
		struct h1 h1;
		if (operation->body == NULL || !asks(operation))
			continue;
		h1_open(&h1, sluice->port, false);
		h1_get(&h1, "/livez");
		h1_wait_end(&h1);
		h1_next(&h1);
		limit_descriptors(sluice, 3);
		snprintf(text, sizeof text, operation->body, "m");
		h1_post(&h1, operation->path, "", text);
		h1_wait_end(&h1);
		check_error(&h1.answer, 503, "overloaded");
		h1_close(&h1);
		limit_descriptors(sluice, 0);
	}
	assert_int_equal(backend_connections(backend), 0);
	sluice_wait_idle(sluice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(every_operation_refuses_a_body_that_does_not_come),
	    SCENARIO(every_operation_refuses_a_name_that_is_not_the_listeners),
	    SCENARIO(every_operation_that_spends_or_changes_refuses_pages_of_others),
	    SCENARIO(every_operation_refuses_an_unknown_expectation),
	    SCENARIO(every_operation_refuses_a_head_over_the_limit),
	    SCENARIO(every_operation_refuses_a_body_over_the_limit),
	    SCENARIO(every_operation_refuses_a_head_that_is_not_well_formed),
	    SCENARIO(every_operation_refuses_a_broken_chunk),
	    SCENARIO(every_operation_refuses_another_method),
	    SCENARIO(every_operation_with_a_body_refuses_a_wrong_one),
	    SCENARIO(embeddings_refuse_a_model_that_gathers),
	    SCENARIO(a_refusal_without_an_error_object_gets_one),
	    SCENARIO(a_refusal_with_an_error_object_is_relayed_by_every_operation),
	    SCENARIO(a_silent_backend_is_told_by_every_operation),
	    SCENARIO(without_descriptors_an_exchange_is_refused_and_the_process_lives),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
