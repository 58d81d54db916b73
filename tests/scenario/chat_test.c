/* SPDX-License-Identifier: MIT */
/*
 * The main job: a chat completion goes to a backend and its answer comes back
 * as the backend's own bytes, whole or event by event, over every way in. The
 * backend is scripted, so that every byte of both sides is known.
 */
#include <stdio.h>
#include <string.h>

#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sse.h"

/* Odd spacing, escapes, an unknown member and an integer that no double holds: all of it must survive. */
static const char whole_answer[] =
    "{ \"id\":\"chatcmpl-1\", \"object\":\"chat.completion\",\"created\":1700000000,\n"
    "\"model\":\"real-model\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"h\\u00e9\\/"
    "\"},"
    "\"logprobs\":null,\"finish_reason\":\"stop\"}] , \"x_engine\":{\"big\":9007199254740993,\"one\":1.0},"
    "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1,\"total_tokens\":4}}\n";

#define CHUNK(rest)                                                                                                    \
	"data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"real-model\"," rest "}\n" \
	"\n"
#define ROLE_CHUNK                                                                                                    \
	CHUNK("\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}" \
	      "]")
#define TEXT_CHUNK(text) \
	CHUNK("\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text "\"},\"finish_reason\":null}]")
#define FINISH_CHUNK CHUNK("\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]")
#define USAGE_CHUNK CHUNK("\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}")
#define DONE "data: [DONE]\n\n"

static const char streamed_answer[] = ROLE_CHUNK TEXT_CHUNK("h\\u00e9 \xc3\xa9")
    CHUNK(" \"choices\":[ {\"index\":0, \"delta\":{\"content\":\" 2\"},\"big\":9007199254740993 } ]") FINISH_CHUNK DONE;

static struct sluice *start_for(const struct backend *backend)
{
	return sluice_start("backends:\n"
			    "  b: { url: 'http://127.0.0.1:%d/v1', stream_usage: false }\n"
			    "  asks: { url: 'http://127.0.0.1:%d/v1', stream_usage: true }\n"
			    "models:\n"
			    "  small: b/real-model\n"
			    "  counted: asks/real-model\n",
			    backend_port(backend), backend_port(backend));
}

/* Fetches a streamed answer of the scripted events over one way in, and checks that it is want. */
static void check_stream(const struct sluice *sluice, enum via via, const char *body, const char *want)
{
	struct answer answer;
	client_fetch(sluice, via, "/v1/chat/completions", body, &answer);
	assert_int_equal(answer.status, 200);
	assert_true(answer.ended);
	check_same(answer.body.at, answer.body.len, want, strlen(want));
	answer_free(&answer);
}

static void a_whole_answer_is_the_backends_own_bytes(void **state)
{
	(void)state;
	struct backend *backend = backend_start();
	backend_reply(backend, "application/json", whole_answer);
	struct sluice *sluice = start_for(backend);
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer;
		client_fetch_chat(sluice, via, "small", false, &answer);
		assert_int_equal(answer.status, 200);
		check_same(answer.body.at, answer.body.len, whole_answer, strlen(whole_answer));
		check_header(&answer, "content-type", "application/json");
		check_header(&answer, "x-sluice-target", "b/real-model");
		check_header(&answer, "x-sluice-attempts", "1");
		answer_free(&answer);
	}
}

static void a_streamed_answer_is_the_backends_own_bytes(void **state)
{
	(void)state;
	struct backend *backend = backend_start();
	backend_reply(backend, "text/event-stream", streamed_answer);
	struct sluice *sluice = start_for(backend);
	for (enum via via = 0; via < VIA_COUNT; via++)
		check_stream(sluice, via, chat_body("small", true), streamed_answer);
}

static void a_stream_carries_the_headers_that_readers_and_proxies_need(void **state)
{
	(void)state;
	struct backend *backend = backend_start();
	backend_reply(backend, "text/event-stream", streamed_answer);
	struct sluice *sluice = start_for(backend);
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer;
		client_fetch_chat(sluice, via, "small", true, &answer);
		char *type = answer_header(&answer, "content-type");
		assert_non_null(type);
		assert_memory_equal(type, "text/event-stream", 17);
		free(type);
		check_header(&answer, "cache-control", "no-cache");
		check_header(&answer, "x-accel-buffering", "no");
		check_header(&answer, "x-sluice-target", "b/real-model");
		check_header(&answer, "x-sluice-attempts", "1");
		check_header(&answer, "content-length", NULL);
		answer_free(&answer);
	}
}

static void a_request_id_is_echoed_or_made(void **state)
{
	(void)state;
	struct backend *backend = backend_start();
	backend_reply(backend, "application/json", whole_answer);
	struct sluice *sluice = start_for(backend);
	struct bytes request = {0};
	struct h1 h1;
	h1_open(&h1, sluice->port, false);
	h1_post(&h1, "/v1/chat/completions", "X-Request-Id: my-own-id\r\n", chat_body("small", false));
	h1_wait_end(&h1);
	check_header(&h1.answer, "x-request-id", "my-own-id");
	backend_request(backend, 0, &request);
	check_contains(&request, "my-own-id");
	h1_next(&h1);
	h1_post(&h1, "/v1/chat/completions", "", chat_body("small", false));
	h1_wait_end(&h1);
	char *made = answer_header(&h1.answer, "x-request-id");
	assert_non_null(made);
	assert_true(strlen(made) >= 8);
	free(made);
	bytes_free(&request);
	h1_close(&h1);
}

static void a_missing_role_is_added_to_the_first_delta_only(void **state)
{
	static const char roleless[] = TEXT_CHUNK("one") TEXT_CHUNK(" two") FINISH_CHUNK DONE;
	(void)state;
	struct backend *backend = backend_start();
	backend_reply(backend, "text/event-stream", roleless);
	struct sluice *sluice = start_for(backend);
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer;
		struct sse sse = {0};
		client_fetch_chat(sluice, via, "small", true, &answer);
		check_sse_whole(&answer.body, 1);
		sse_read(&sse, &answer.body);
		assert_int_equal(sse.count, 4);
		assert_non_null(strstr(sse.data[0], "\"role\":\"assistant\""));
		assert_null(strstr(sse.data[1], "\"role\""));
		assert_non_null(strstr(sse.data[0], "\"content\":\"one\""));
		sse_free(&sse);
		answer_free(&answer);
	}
}

static void a_stream_with_finish_reason_but_without_done_gets_one(void **state)
{
	static const char doneless[] = ROLE_CHUNK TEXT_CHUNK("all") FINISH_CHUNK;
	static const char whole[] = ROLE_CHUNK TEXT_CHUNK("all") FINISH_CHUNK DONE;
	(void)state;
	struct backend *backend = backend_start();
	backend_reply(backend, "text/event-stream", doneless);
	struct sluice *sluice = start_for(backend);
	for (enum via via = 0; via < VIA_COUNT; via++)
		check_stream(sluice, via, chat_body("small", true), whole);
}

/* Comments, names, ids, several data lines and any ends of lines; only the end is the gateway's own. */
static void events_keep_every_byte_however_they_are_written(void **state)
{
	static const char odd[] =
	    "\xef\xbb\xbf: hello\r\n\r\n: once "
	    "more\r\ndata:{\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\","
	    "\"content\":\"a\"}}]}\r\n\r\nid: 7\revent: message\rdata: {\"choices\":[{\"index\":0,\r"
	    "data: \"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}]}\r\r: a trailer\n\ndata: [DONE]\r\n\r\n";
	const char *tail = strstr(odd, "data: [DONE]");
	(void)state;
	struct backend *backend = backend_start();
	backend_reply(backend, "text/event-stream", odd);
	struct sluice *sluice = start_for(backend);
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer;
		struct sse sse = {0};
		struct bytes text = {0};
		client_fetch_chat(sluice, via, "small", true, &answer);
		check_sse_whole(&answer.body, 1);
		size_t kept = (size_t)(tail - odd) - 3; /* the byte order mark is not relayed */
		assert_int_equal(answer.body.len, kept + strlen(DONE));
		assert_memory_equal(answer.body.at, odd + 3, kept);
		assert_string_equal(bytes_text(&answer.body) + kept, DONE);
		sse_read(&sse, &answer.body);
		sse_text(&sse, 0, &text);
		assert_string_equal(bytes_text(&text), "ab");
		assert_int_equal(sse.count, 3);
		bytes_free(&text);
		sse_free(&sse);
		answer_free(&answer);
	}
}

static void usage_that_only_sluice_asked_for_is_stripped(void **state)
{
	static const char with_usage[] = ROLE_CHUNK TEXT_CHUNK("hi") FINISH_CHUNK USAGE_CHUNK DONE;
	static const char without[] = ROLE_CHUNK TEXT_CHUNK("hi") FINISH_CHUNK DONE;
	struct bytes request = {0};
	(void)state;
	struct backend *backend = backend_start();
	backend_reply(backend, "text/event-stream", with_usage);
	struct sluice *sluice = start_for(backend);
	for (enum via via = 0; via < VIA_COUNT; via++)
		check_stream(sluice, via, chat_body("counted", true), without);
	backend_request_body(backend, 0, &request);
	check_contains(&request, "\"stream_options\":{\"include_usage\":true}");
	bytes_free(&request);
}

static void usage_that_the_client_asked_for_is_relayed(void **state)
{
	static const char with_usage[] = ROLE_CHUNK TEXT_CHUNK("hi") FINISH_CHUNK USAGE_CHUNK DONE;
	static const char *const models[] = {"small", "counted"};
	(void)state;
	struct backend *backend = backend_start();
	backend_reply(backend, "text/event-stream", with_usage);
	struct sluice *sluice = start_for(backend);
	for (size_t i = 0; i < 2; i++) {
		char body[256];
		snprintf(body, sizeof body,
			 "{\"model\":\"%s\",\"stream\":true,\"stream_options\":{\"include_usage\":true},"
			 "\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
			 models[i]);
		for (enum via via = 0; via < VIA_COUNT; via++)
			check_stream(sluice, via, body, with_usage);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_whole_answer_is_the_backends_own_bytes),
	    SCENARIO(a_streamed_answer_is_the_backends_own_bytes),
	    SCENARIO(a_stream_carries_the_headers_that_readers_and_proxies_need),
	    SCENARIO(a_request_id_is_echoed_or_made),
	    SCENARIO(a_missing_role_is_added_to_the_first_delta_only),
	    SCENARIO(a_stream_with_finish_reason_but_without_done_gets_one),
	    SCENARIO(events_keep_every_byte_however_they_are_written),
	    SCENARIO(usage_that_only_sluice_asked_for_is_stripped),
	    SCENARIO(usage_that_the_client_asked_for_is_relayed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
