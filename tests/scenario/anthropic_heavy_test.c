/* SPDX-License-Identifier: MIT */
/*
 * Heavy requests for backends of the Anthropic dialect: 5,000 calls of tools with their results held the loop for
 * 140 ms, as each result looked for its call among all of them, in the turn. What is counted is who writes them, and
 * that everybody has the right answer; never time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

#define CHAT "/v1/chat/completions"
#define MESSAGES "/v1/messages"
#define WRITTEN "sluice_offloaded_total{work=\"translate\"}"

enum { CALLS = 20000, CALL_MOST = 160, LARGE = 10000000 };

static struct sluice *start_with(struct sim **sim)
{
	*sim = sim_start((const char *const[]){"--tokens", "3", "--ttft", "0", "--itl", "0", NULL});
	return sluice_start_workers(
	    1,
	    "backends: { a: { url: 'http://127.0.0.1:%d/v1', dialect: anthropic, breaker: { enabled: false } }, "
	    "s: { url: 'http://127.0.0.1:%d/v1' } }\n"
	    "limits: { body: 16MiB }\ncache: { policy: off }\n"
	    "models:\n  m: a/count\n  other: s/other\n"
	    "  stale: a/stale;fault=stale_conn\n"
	    "  retried: { retry: ['a/bad;status=500', a/count] }\n"
	    "  first: { race: [a/count, a/late;head=60s] }\n",
	    (*sim)->port, (*sim)->port);
}

/* A chat of an assistant that called many tools, and their results in the other order. The caller frees it. */
static char *calls_body(const char *model, bool stream)
{
	size_t size = (size_t)CALLS * CALL_MOST + 512, len = 0;
	char *body = malloc(size);
	assert_non_null(body);
	len += (size_t)snprintf(body, size,
				"{\"model\":\"%s\",\"stream\":%s,\"seed\":1,\"messages\":[{\"role\":\"user\","
				"\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[",
				model, stream ? "true" : "false");
	for (int i = 0; i < CALLS; i++)
		len += (size_t)snprintf(body + len, size - len,
					"%s{\"id\":\"c%d\",\"type\":\"function\",\"function\":{\"name\":\"f\","
					"\"arguments\":\"{}\"}}",
					i == 0 ? "" : ",", i);
	len += (size_t)snprintf(body + len, size - len, "]}");
	for (int i = CALLS; i-- > 0;)
		len += (size_t)snprintf(body + len, size - len,
					",{\"role\":\"tool\",\"tool_call_id\":\"c%d\",\"content\":\"x\"}", i);
	snprintf(body + len, size - len, "]}");
	return body;
}

/* A message of that many bytes. The caller frees it. */
static char *large_message(size_t bytes)
{
	static const char before[] =
	    "{\"model\":\"m\",\"max_tokens\":99,\"messages\":[{\"role\":\"user\",\"content\":\"",
			  after[] = "\"}]}";
	char *body = malloc(bytes + sizeof before + sizeof after);
	assert_non_null(body);
	memcpy(body, before, sizeof before - 1);
	memset(body + sizeof before - 1, 'x', bytes);
	memcpy(body + sizeof before - 1 + bytes, after, sizeof after);
	return body;
}

static void a_heavy_chat_is_written_by_a_helper_and_reaches_the_backend_whole(void **state)
{
	(void)state;
	static const char *const models[] = {"m", "stale", "retried", "first"};
	static const double calls[] = {1, 1, 2, 2};
	struct sim *sim;
	struct sluice *sluice = start_with(&sim);
	double written = 0;
	for (size_t i = 0; i < 8; i++) {
		char *body = calls_body(models[i / 2], i % 2 == 1);
		struct answer answer;
		client_fetch(sluice, VIA_H1, CHAT, body, &answer);
		assert_int_equal(answer.status, 200);
		assert_true(answer.ended);
		assert_string_equal(answer_header(&answer, "x-sluice-dropped"), "seed");
		check_contains(&answer.body, "\"finish_reason\":\"stop\"");
		answer_free(&answer);
		free(body);
		written += calls[i / 2];
	}
	assert_true(sluice_metric(sluice, WRITTEN) == written);
	sluice_wait_idle(sluice);
}

static void every_result_of_many_finds_its_call(void **state)
{
	(void)state;
	struct bytes request = {0};
	struct backend *backend = backend_start();
	struct sluice *sluice = sluice_start(
	    "backends: { a: { url: 'http://127.0.0.1:%d/v1', dialect: anthropic } }\nlimits: { body: 16MiB }\n"
	    "models: { m: a/claude }\n",
	    backend_port(backend));
	char *body = calls_body("m", false), last[64];
	struct answer answer;
	backend_reply(backend, "application/json",
		      "{\"id\":\"m\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}],\"stop_reason\":\"end_turn\"}");
	client_fetch(sluice, VIA_H1, CHAT, body, &answer);
	assert_int_equal(answer.status, 200);
	assert_string_equal(answer_header(&answer, "x-sluice-dropped"), "seed");
	backend_request(backend, 0, &request);
	size_t results = 0;
	for (const char *at = bytes_text(&request); (at = strstr(at, "\"tool_result\"")) != NULL; at++)
		results++;
	assert_int_equal(results, CALLS);
	snprintf(last, sizeof last, "\"tool_use_id\":\"c%d\"", CALLS - 1);
	check_contains(&request, last);
	bytes_free(&request);
	answer_free(&answer);
	free(body);
}

static void a_large_message_is_copied_by_a_helper(void **state)
{
	(void)state;
	struct sim *sim;
	struct sluice *sluice = start_with(&sim);
	char *body = large_message(LARGE);
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer;
		client_fetch(sluice, via, MESSAGES, body, &answer);
		assert_int_equal(answer.status, 200);
		check_contains(&answer.body, "\"text\":\" 0 1 2\"");
		answer_free(&answer);
	}
	assert_int_equal(sluice_metric(sluice, WRITTEN), VIA_COUNT);
	free(body);
	sluice_wait_idle(sluice);
}

static void clients_that_leave_while_their_request_is_written_leave_nothing(void **state)
{
	(void)state;
	enum { CLIENTS = 40 };
	static const char *const models[] = {"m", "retried", "first"};
	struct sim *sim;
	struct sluice *sluice = start_with(&sim);
	char *bodies[3];
	struct mass_job jobs[CLIENTS] = {{.body = NULL}};
	for (size_t i = 0; i < 3; i++)
		bodies[i] = calls_body(models[i], i == 1);
	for (size_t i = 0; i < CLIENTS; i++)
		jobs[i] = (struct mass_job){.body = bodies[i % 3],
					    .leaves = MASS_LEAVES_AFTER_TIME,
					    .leave_at = i * 3000,
					    .how = (enum leave)(i / 3 % 3)};
	struct mass mass = {
	    .sluice = sluice, .via = VIA_H1, .connections = CLIENTS, .streams = 1, .jobs = jobs, .count = CLIENTS};
	mass_run(&mass);
	mass_free_answers(&mass);
	for (size_t i = 0; i < 3; i++)
		free(bodies[i]);
	struct answer answer;
	client_fetch_chat(sluice, VIA_H1, "m", true, &answer);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	sluice_wait_idle(sluice);
	sim_wait_idle(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_heavy_chat_is_written_by_a_helper_and_reaches_the_backend_whole),
	    SCENARIO(every_result_of_many_finds_its_call),
	    SCENARIO(a_large_message_is_copied_by_a_helper),
	    SCENARIO(clients_that_leave_while_their_request_is_written_leave_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
