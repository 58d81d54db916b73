/* SPDX-License-Identifier: MIT */
/*
 * Requests that fail by what is in them, at a model that has one backend only: they take the model away from nobody.
 * Five pictures sent to a model without eyes, or two calls of an SDK that repeats what fails, opened its breaker, and
 * everybody's plain chats got 503 for more than a minute.
 */
#include <stdio.h>
#include <string.h>

#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"

#define WHOLE                                                                                                   \
	"{\"id\":\"x\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"x\",\"choices\":[{\"index\":0," \
	"\"message\":{\"role\":\"assistant\",\"content\":\"fine\"},\"finish_reason\":\"stop\"}]}"

struct world {
	struct backend *backend;
	struct sluice *sluice;
};

static struct world start(void)
{
	struct world world = {.backend = backend_start()};
	world.sluice = sluice_start("backends: { b: { url: 'http://127.0.0.1:%d/v1' } }\nmodels: { m: b/x }\n",
				    backend_port(world.backend));
	return world;
}

/* The next request gets that status and body. */
static void script(const struct world *world, const char *status, const char *type, const char *body)
{
	char text[2048];
	snprintf(text, sizeof text,
		 "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", status, type,
		 strlen(body), body);
	const struct step steps[] = {SEND(text), FIN};
	backend_script(world->backend, steps);
}

static void expect_plain_chat(const struct world *world)
{
	struct answer answer;
	script(world, "200 OK", "application/json", WHOLE);
	client_fetch_chat(world->sluice, VIA_H1, "m", false, &answer);
	if (answer.status != 200)
		fail_msg("a plain chat got %d: %s", answer.status, bytes_text(&answer.body));
	check_contains(&answer.body, "fine");
	answer_free(&answer);
}

/* Ten requests fail like that; then a plain chat is served. */
static void check(const char *path, const char *body, const char *status, const char *told,
		  const struct h2_header *headers, int expected)
{
	struct world world = start();
	for (int i = 0; i < 10; i++) {
		struct answer answer;
		script(&world, status, "application/json", told);
		client_ask(world.sluice, i % 2 == 0 ? VIA_H1 : VIA_H2, "POST", path, headers, body, &answer);
		if (answer.status != expected)
			fail_msg("want %d, got %d: %s", expected, answer.status, bytes_text(&answer.body));
		answer_free(&answer);
	}
	expect_plain_chat(&world);
	sluice_wait_idle(world.sluice);
}

static void pictures_that_a_model_cannot_see_take_nothing_from_others(void **state)
{
	(void)state;
	check("/v1/chat/completions",
	      "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":"
	      "{\"url\":\"data:image/png;base64,AA==\"}}]}]}",
	      "500 Internal Server Error",
	      "{\"error\":{\"code\":500,\"message\":\"image input is not supported - hint: if this is unexpected, you "
	      "may "
	      "need to provide the mmproj\",\"type\":\"server_error\"}}",
	      NULL, 500);
}

static void embeddings_that_fail_take_nothing_from_chats(void **state)
{
	(void)state;
	check("/v1/embeddings", "{\"model\":\"m\",\"input\":\"x\"}", "501 Not Implemented",
	      "{\"error\":{\"code\":501,\"message\":\"This server does not support embeddings.\",\"type\":"
	      "\"not_supported_error\"}}",
	      NULL, 501);
	check("/v1/embeddings", "{\"model\":\"m\",\"input\":\"x\"}", "501 Not Implemented", "no embeddings here", NULL,
	      400);
	check("/v1/completions", "{\"model\":\"m\",\"prompt\":\"x\"}", "400 Bad Request",
	      "{\"error\":{\"message\":\"no\",\"type\":\"invalid_request_error\"}}", NULL, 400);
}

static void repetitions_of_an_sdk_count_once(void **state)
{
	static const struct h2_header repeated[] = {{"x-stainless-retry-count", "1"}, {NULL, NULL}};
	(void)state;
	check("/v1/chat/completions", "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
	      "500 Internal Server Error", "{\"error\":{\"message\":\"assertion failed\"}}", repeated, 500);
}

static void rate_limits_and_refused_keys_open_no_breaker(void **state)
{
	static const char chat[] = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}";
	(void)state;
	check("/v1/chat/completions", chat, "429 Too Many Requests", "{\"error\":{\"message\":\"slow down\"}}", NULL,
	      429);
	check("/v1/chat/completions", chat, "403 Forbidden", "{\"error\":{\"message\":\"the word is forbidden\"}}",
	      NULL, 502);
}

/* The client never sent stream_options, and read that they are not permitted, on every stream. */
static void stream_options_that_are_refused_are_not_sent_again(void **state)
{
	struct world world = start();
	(void)state;
	script(&world, "422 Unprocessable Entity", "application/json",
	       "{\"detail\":[{\"type\":\"extra_forbidden\",\"loc\":[\"body\",\"stream_options\"],\"msg\":\"Extra "
	       "inputs are "
	       "not permitted\"}]}");
	for (size_t i = 0; i < 2; i++) {
		struct answer answer;
		struct bytes body = {0};
		script(
		    &world, "200 OK", "text/event-stream",
		    "data: "
		    "{\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"fine\"},"
		    "\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
		client_fetch_chat(world.sluice, VIA_H1, "m", true, &answer);
		assert_int_equal(answer.status, 200);
		check_contains(&answer.body, "fine");
		check_header(&answer, "x-sluice-attempts", "1");
		answer_free(&answer);
		assert_int_equal(backend_requests(world.backend), i + 2);
		backend_request_body(world.backend, i + 1, &body);
		check_lacks(&body, "stream_options");
		bytes_free(&body);
	}
	sluice_wait_idle(world.sluice);
}

/* A 401 that echoes the gateway's key reached a client, as it was. */
static void credentials_of_the_gateway_reach_no_client(void **state)
{
	static const char *const statuses[] = {"401 Unauthorized", "400 Bad Request", "500 Internal Server Error",
					       "429 Too Many Requests"};
	struct backend *backend = backend_start();
	struct sluice *sluice = sluice_start(
	    "backends: { b: { url: 'http://127.0.0.1:%d/v1', api_key: s3cr3t-of-the-gateway } }\nmodels: { m: b/x }\n",
	    backend_port(backend));
	struct world world = {backend, sluice};
	(void)state;
	for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
		for (int stream = 0; stream < 2; stream++) {
			struct answer answer;
			script(&world, statuses[i], "application/json",
			       "{\"error\":{\"message\":\"Incorrect API key provided: Bearer sk-abcdefghijkl, "
			       "s3cr3t-of-the-gateway\",\"type\":\"t\",\"param\":null,\"code\":null}}");
			client_fetch_chat(sluice, VIA_H2, "m", stream, &answer);
			assert_in_range(answer.status, 400, 599);
			check_lacks(&answer.body, "s3cr3t");
			check_lacks(&answer.body, "abcdefgh");
			answer_free(&answer);
		}
	}
}

/* Engines that tell an error as an event of some form of their own: its bytes reached clients as they were. */
static void an_error_of_any_form_within_a_stream_is_told_as_one(void **state)
{
	static const char *const events[] = {
	    "data: {\"object\":\"error\",\"message\":\"boom s3cr3t-of-the-gateway\",\"code\":500}\n\n",
	    "data: {\"detail\":\"boom s3cr3t-of-the-gateway\"}\n\n",
	    "data: {\"code\":1102,\"msg\":\"boom s3cr3t-of-the-gateway\"}\n\n",
	    "event: error\ndata: {\"text\":\"boom s3cr3t-of-the-gateway\"}\n\n",
	    "event: error\ndata: boom s3cr3t-of-the-gateway\n\n",
	    "data: {\"choices\":[{\"error\":{\"message\":\"boom s3cr3t-of-the-gateway\"}}]}\n\n",
	};
	struct backend *backend = backend_start();
	struct sluice *sluice =
	    sluice_start("backends: { b: { url: 'http://127.0.0.1:%d/v1', api_key: s3cr3t-of-the-gateway,"
			 " breaker: { enabled: false } } }\nmodels: { m: b/x }\n",
			 backend_port(backend));
	struct world world = {backend, sluice};
	(void)state;
	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
		for (enum via via = VIA_H1; via <= VIA_H2; via += VIA_H2) {
			struct answer answer;
			script(&world, "200 OK", "text/event-stream", events[i]);
			client_fetch_chat(sluice, via, "m", true, &answer);
			check_error(&answer, 502, "upstream_error");
			check_lacks(&answer.body, "s3cr3t");
			check_lacks(&answer.body, "[DONE]");
			answer_free(&answer);
		}
	}
	sluice_wait_idle(sluice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(pictures_that_a_model_cannot_see_take_nothing_from_others),
	    SCENARIO(embeddings_that_fail_take_nothing_from_chats),
	    SCENARIO(repetitions_of_an_sdk_count_once),
	    SCENARIO(rate_limits_and_refused_keys_open_no_breaker),
	    SCENARIO(stream_options_that_are_refused_are_not_sent_again),
	    SCENARIO(credentials_of_the_gateway_reach_no_client),
	    SCENARIO(an_error_of_any_form_within_a_stream_is_told_as_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
