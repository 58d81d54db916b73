/* SPDX-License-Identifier: MIT */
/*
 * What clients of the Responses dialect ask besides responses: counts of tokens, the WebSocket that Codex tries first,
 * compaction, and the list of models.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

#define RESPONSES "/v1/responses"
#define COUNT RESPONSES "/input_tokens"

static struct sluice *start(const struct sim *sim)
{
	return sluice_start("backends: { s: { url: 'http://127.0.0.1:%d/v1' } }\nmodels: { m: s/one }\n",
			    sim == NULL ? 1 : sim->port);
}

/* ---- counts ---- */

static long count(const struct sluice *sluice, enum via via, const char *body)
{
	static const char begin[] = "{\"object\":\"response.input_tokens\",\"input_tokens\":";
	struct answer answer;
	client_fetch(sluice, via, COUNT, body, &answer);
	if (answer.status != 200)
		fail_msg("%d: %s", answer.status, bytes_text(&answer.body));
	assert_string_equal(answer_header(&answer, "x-sluice-estimated"), "true");
	assert_memory_equal(bytes_text(&answer.body), begin, sizeof begin - 1);
	long tokens = strtol(bytes_text(&answer.body) + sizeof begin - 1, NULL, 10);
	answer_free(&answer);
	return tokens;
}

static void tokens_are_estimated_by_the_size_of_the_request(void **state)
{
	(void)state;
	struct sluice *sluice = start(NULL);
	for (int via = 0; via < VIA_COUNT; via++) {
		long small = count(sluice, (enum via)via, "{\"model\":\"m\",\"input\":\"Tell me about rivers\"}");
		long more =
		    count(sluice, (enum via)via,
			  "{\"model\":\"m\",\"input\":\"Tell me about rivers\",\"instructions\":\"One two three "
			  "four five six seven eight nine ten.\"}");
		assert_in_range(small, 10, 25);
		assert_in_range(more, small + 10, small + 30);
	}
}

/* A large body is read by a helper, and its picture counts as one. */
static void bytes_of_pictures_are_not_counted_as_text(void **state)
{
	enum { BYTES = 500000 };
	(void)state;
	struct sluice *sluice = start(NULL);
	char *body = malloc(BYTES + 1024);
	int len = sprintf(body, "{\"model\":\"m\",\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_image\","
				"\"image_url\":\"data:image/png;base64,");
	memset(body + len, 'A', BYTES);
	strcpy(body + len + BYTES, "\"}]}]}");
	assert_in_range(count(sluice, VIA_H1, body), 1600, 1700);
	free(body);
}

static void earlier_turns_are_counted_and_strangers_have_none(void **state)
{
	static const struct h2_header stranger[] = {{"authorization", "Bearer other"}, {NULL, NULL}};
	char body[256];
	(void)state;
	struct sim *sim = sim_start((const char *const[]){"--tokens", "40", "--ttft", "0", "--itl", "0", NULL});
	struct sluice *sluice = start(sim);
	struct answer answer;
	client_fetch(sluice, VIA_H1, RESPONSES, "{\"model\":\"m\",\"input\":\"Tell me about rivers\"}", &answer);
	const char *id = strstr(bytes_text(&answer.body), "\"id\":\"resp_");
	assert_non_null(id);
	snprintf(body, sizeof body, "{\"model\":\"m\",\"input\":\"And lakes?\",\"previous_response_id\":\"%.37s\"}",
		 id + 6);
	answer_free(&answer);
	long alone = count(sluice, VIA_H1, "{\"model\":\"m\",\"input\":\"And lakes?\"}");
	assert_in_range(count(sluice, VIA_H1, body), alone + 40, alone + 400);
	client_ask(sluice, VIA_H1, "POST", COUNT, stranger, body, &answer);
	check_error(&answer, 400, "previous_response_not_found");
	answer_free(&answer);
}

/* ---- what is not served ---- */

static struct answer ask_upgrade(const struct sluice *sluice, const char *lines)
{
	struct h1 h1;
	h1_open(&h1, sluice->port, false);
	h1_send(&h1,
		"GET " RESPONSES " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n%s"
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
		lines);
	h1_wait_end(&h1);
	struct answer answer = h1.answer;
	h1.answer = (struct answer){0};
	h1_close(&h1);
	return answer;
}

static void an_upgrade_to_websocket_is_refused_at_once_with_426(void **state)
{
	static const struct {
		const char *lines;
		int status;
		const char *code;
	} rows[] = {
	    {"Upgrade: websocket\r\n", 426, "upgrade_not_supported"},
	    {"Upgrade: h2c, WebSocket/13\r\n", 426, "upgrade_not_supported"},
	    {"Upgrade: websockets\r\n", 405, "method_not_allowed"},
	    {"Upgrade: h2c\r\n", 405, "method_not_allowed"},
	    {"", 405, "method_not_allowed"},
	};
	(void)state;
	struct sluice *sluice = start(NULL);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct answer answer = ask_upgrade(sluice, rows[i].lines);
		check_error(&answer, rows[i].status, rows[i].code);
		if (rows[i].status == 426) {
			assert_string_equal(answer_header(&answer, "upgrade"), "HTTP/1.1");
			assert_string_equal(answer_header(&answer, "connection"), "keep-alive, upgrade");
			check_contains(&answer.body, "\"param\":\"upgrade\"");
			check_contains(&answer.body, "WebSocket is not supported");
		} else {
			assert_string_equal(answer_header(&answer, "connection"), "keep-alive");
		}
		answer_free(&answer);
	}
}

static void compaction_and_background_are_refused_by_name(void **state)
{
	static const struct {
		const char *path, *body;
		int status;
		const char *code, *part;
	} rows[] = {
	    {RESPONSES "/compact", "{\"model\":\"m\",\"input\":\"x\"}", 404, "unknown_url",
	     "POST /v1/responses/compact is not supported: no backend compacts conversations."},
	    {RESPONSES, "{\"model\":\"m\",\"input\":\"x\",\"background\":true}", 400, "invalid_value",
	     "background must be false"},
	    {COUNT, "{\"model\":\"m\",\"input\":\"x\",\"background\":true}", 400, "invalid_value",
	     "background must be false"},
	};
	(void)state;
	struct sluice *sluice = start(NULL);
	for (size_t i = 0; i < sizeof rows / sizeof *rows * VIA_COUNT; i++) {
		size_t n = i / VIA_COUNT;
		struct answer answer;
		client_fetch(sluice, i % VIA_COUNT, rows[n].path, rows[n].body, &answer);
		check_error(&answer, rows[n].status, rows[n].code);
		check_contains(&answer.body, rows[n].part);
		answer_free(&answer);
	}
}

/* The path of an operation is no id of a response. */
static void the_path_of_counts_has_no_other_method(void **state)
{
	static const char *const methods[] = {"GET", "DELETE"};
	(void)state;
	struct sluice *sluice = start(NULL);
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		struct answer answer;
		client_ask(sluice, VIA_H1, methods[i], COUNT, NULL, NULL, &answer);
		check_error(&answer, 405, "method_not_allowed");
		assert_string_equal(answer_header(&answer, "allow"), "POST, OPTIONS");
		answer_free(&answer);
	}
}

/* Codex says who it is when it asks for the models. */
static void models_are_listed_whatever_version_the_client_names(void **state)
{
	(void)state;
	struct sluice *sluice = start(NULL);
	for (int via = 0; via < VIA_COUNT; via++) {
		struct answer answer;
		client_ask(sluice, (enum via)via, "GET", "/v1/models?client_version=0.171.0", NULL, NULL, &answer);
		assert_int_equal(answer.status, 200);
		check_contains(&answer.body, "\"id\":\"m\"");
		answer_free(&answer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(tokens_are_estimated_by_the_size_of_the_request),
	    SCENARIO(bytes_of_pictures_are_not_counted_as_text),
	    SCENARIO(earlier_turns_are_counted_and_strangers_have_none),
	    SCENARIO(an_upgrade_to_websocket_is_refused_at_once_with_426),
	    SCENARIO(compaction_and_background_are_refused_by_name),
	    SCENARIO(the_path_of_counts_has_no_other_method),
	    SCENARIO(models_are_listed_whatever_version_the_client_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
