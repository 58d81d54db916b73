/* SPDX-License-Identifier: MIT */
/*
 * What reaches the backend: the client's own bytes with the few spliced members
 * changed and nothing else. Judged by text, never by parsing and printing, for
 * that is how other gateways lose integers and unknown fields.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"

static const char chat_answer[] =
    "{\"id\":\"1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,"
    "\"message\":{\"role\":\"assistant\",\"content\":\"ok\"},\"finish_reason\":\"stop\"}]}";
static const char stream_answer[] =
    "data: "
    "{\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"ok\"},\"finish_reason\":\"stop\"}]}"
    "\n\ndata: [DONE]\n\n";

static struct sluice *start_for(const struct backend *backend)
{
	return sluice_start("backends:\n"
			    "  b: { url: 'http://127.0.0.1:%d/prefix/v1', api_key: s3cret, stream_usage: false }\n"
			    "  asks: { url: 'http://127.0.0.1:%d/v1', stream_usage: true }\n"
			    "models:\n"
			    "  small: b/org/real-model:7b\n"
			    "  closed: { plan: b/org/real-model:7b, strict: true }\n"
			    "  counted: asks/real\n",
			    backend_port(backend), backend_port(backend));
}

/* Posts body over one way in and returns what the backend received as the body of request index. */
static struct bytes relayed(const struct sluice *sluice, struct backend *backend, enum via via, const char *path,
			    const char *body, size_t index)
{
	struct answer answer;
	struct bytes received = {0};
	client_fetch(sluice, via, path, body, &answer);
	if (answer.status != 200)
		fail_msg("%s answered %d: %s", path, answer.status, bytes_text(&answer.body));
	answer_free(&answer);
	backend_request_body(backend, index, &received);
	return received;
}

#define ODD_HEAD "{ \"seed\" : 9007199254740993 ,\n\t\"model\":"
#define ODD_TAIL                                                                                            \
	" ,\"messages\" : [ {\"content\":\"h\\u00e9\\ud83d\\ude00 \xf0\x9f\x98\x80\",\"role\":\"user\"} ]," \
	"\"x_unknown\":{\"model\":\"not this "                                                              \
	"one\",\"numbers\":[1.0,1e3,-0,18446744073709551615]},\"temperature\":0.70 }"

static void unknown_members_and_big_integers_reach_the_backend_verbatim(void **state)
{
	static const char sent[] = ODD_HEAD "\"small\"" ODD_TAIL;
	static const char want[] = ODD_HEAD "\"org/real-model:7b\"" ODD_TAIL;
	(void)state;
	struct backend *backend = backend_start();
	backend_reply(backend, "application/json", chat_answer);
	struct sluice *sluice = start_for(backend);
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct bytes got = relayed(sluice, backend, via, "/v1/chat/completions", sent, via);
		check_same(got.at, got.len, want, strlen(want));
		bytes_free(&got);
	}
}

/* Takes the one spliced member and the comma that joins it out of the text. */
static void cut_usage_option(struct bytes *text)
{
	static const char *const forms[] = {",\"stream_options\":{\"include_usage\":true}",
					    "\"stream_options\":{\"include_usage\":true},"};
	for (size_t i = 0; i < 2; i++) {
		char *at = strstr(text->at, forms[i]);
		if (at == NULL)
			continue;
		size_t len = strlen(forms[i]);
		memmove(at, at + len, strlen(at + len) + 1);
		text->len -= len;
		return;
	}
	fail_msg("no spliced stream_options in %s", text->at);
}

static void only_the_usage_option_is_added_to_a_stream(void **state)
{
	static const char sent[] = "{\"stream\":true, \"model\" : \"counted\"" ODD_TAIL;
	static const char want[] = "{\"stream\":true, \"model\" : \"real\"" ODD_TAIL;
	(void)state;
	struct backend *backend = backend_start();
	backend_reply(backend, "text/event-stream", stream_answer);
	struct sluice *sluice = start_for(backend);
	struct bytes got = relayed(sluice, backend, VIA_H1, "/v1/chat/completions", sent, 0);
	cut_usage_option(&got);
	check_same(got.at, got.len, want, strlen(want));
	bytes_free(&got);
}

static void the_clients_own_stream_options_survive_the_splice(void **state)
{
	static const char sent[] = "{\"stream\":true,\"stream_options\":{\"x\":9007199254740993},\"model\":\"counted\","
				   "\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}";
	(void)state;
	struct backend *backend = backend_start();
	backend_reply(backend, "text/event-stream", stream_answer);
	struct sluice *sluice = start_for(backend);
	struct bytes got = relayed(sluice, backend, VIA_H1, "/v1/chat/completions", sent, 0);
	check_contains(&got, "\"x\":9007199254740993");
	check_contains(&got, "\"include_usage\":true");
	check_contains(&got, "\"model\":\"real\"");
	bytes_free(&got);
}

static void a_stream_is_not_changed_when_usage_is_not_wanted(void **state)
{
	static const char sent[] =
	    "{\"model\":\"small\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}";
	static const char want[] =
	    "{\"model\":\"org/real-model:7b\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}";
	(void)state;
	struct backend *backend = backend_start();
	backend_reply(backend, "text/event-stream", stream_answer);
	struct sluice *sluice = start_for(backend);
	struct bytes got = relayed(sluice, backend, VIA_H1, "/v1/chat/completions", sent, 0);
	check_same(got.at, got.len, want, strlen(want));
	bytes_free(&got);
}

static void the_backend_gets_its_own_key_and_path_and_none_of_the_clients_secrets(void **state)
{
	struct bytes request = {0};
	struct h1 h1;
	(void)state;
	struct backend *backend = backend_start();
	backend_reply(backend, "application/json", chat_answer);
	struct sluice *sluice = start_for(backend);
	h1_open(&h1, sluice->port, false);
	h1_post(&h1, "/v1/chat/completions", "Authorization: Bearer clients-own\r\nCookie: crumb=1\r\n",
		chat_body("small", false));
	h1_wait_end(&h1);
	assert_int_equal(h1.answer.status, 200);
	backend_request(backend, 0, &request);
	check_contains(&request, "POST /prefix/v1/chat/completions HTTP/1.1\r\n");
	check_contains(&request, "Authorization: Bearer s3cret\r\n");
	check_contains(&request, "application/json");
	check_lacks(&request, "clients-own");
	check_lacks(&request, "crumb");
	check_lacks(&request, "Expect:");
	bytes_free(&request);
	h1_close(&h1);
}

static void completions_and_embeddings_keep_their_bytes_too(void **state)
{
	static const char completion[] =
	    "{\"id\":\"1\",\"object\":\"text_completion\",\"choices\":[{\"index\":0,\"text\":\"hi\","
	    "\"finish_reason\":\"stop\"}],\"big\":9007199254740993}";
	static const char embedding[] = "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,"
					"\"embedding\":[0.10000000149011612,-1e-9]}],\"model\":\"m\"}";
	static const char ask_completion[] = "{\"model\":\"small\",\"prompt\":\"a\",\"seed\":9007199254740993}";
	static const char ask_embedding[] = "{\"model\":\"small\",\"input\":[\"a\",\"b\"],\"x\":9007199254740993}";
	struct answer answer;
	struct bytes request = {0};
	(void)state;
	struct backend *backend = backend_start();
	backend_reply(backend, "application/json", completion);
	backend_reply(backend, "application/json", embedding);
	struct sluice *sluice = start_for(backend);
	client_fetch(sluice, VIA_H1, "/v1/completions", ask_completion, &answer);
	assert_int_equal(answer.status, 200);
	check_same(answer.body.at, answer.body.len, completion, strlen(completion));
	answer_free(&answer);
	client_fetch(sluice, VIA_H2, "/v1/embeddings", ask_embedding, &answer);
	assert_int_equal(answer.status, 200);
	check_same(answer.body.at, answer.body.len, embedding, strlen(embedding));
	answer_free(&answer);
	backend_request(backend, 0, &request);
	check_contains(&request, "POST /prefix/v1/completions HTTP/1.1\r\n");
	check_contains(&request, "{\"model\":\"org/real-model:7b\",\"prompt\":\"a\",\"seed\":9007199254740993}");
	backend_request(backend, 1, &request);
	check_contains(&request, "POST /prefix/v1/embeddings HTTP/1.1\r\n");
	check_contains(&request, "{\"model\":\"org/real-model:7b\",\"input\":[\"a\",\"b\"],\"x\":9007199254740993}");
	bytes_free(&request);
}

static void a_streamed_completion_keeps_its_bytes(void **state)
{
	static const char events[] = "data: {\"choices\":[{\"index\":0,\"text\":\"a\",\"finish_reason\":null}]}\n\n"
				     "data: {\"choices\":[{\"index\":0,\"text\":\"b\",\"finish_reason\":\"stop\"}]}\n\n"
				     "data: [DONE]\n\n";
	(void)state;
	struct backend *backend = backend_start();
	backend_reply(backend, "text/event-stream", events);
	struct sluice *sluice = start_for(backend);
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer;
		client_fetch(sluice, via, "/v1/completions", "{\"model\":\"small\",\"prompt\":\"a\",\"stream\":true}",
			     &answer);
		check_same(answer.body.at, answer.body.len, events, strlen(events));
		answer_free(&answer);
	}
}

static void calls_one_after_the_other_share_a_backend_connection(void **state)
{
	(void)state;
	struct backend *backend = backend_start();
	backend_reply(backend, "application/json", chat_answer);
	struct sluice *sluice = start_for(backend);
	struct h1 h1;
	h1_open(&h1, sluice->port, false);
	for (int i = 0; i < 20; i++) {
		h1_post(&h1, "/v1/chat/completions", "", chat_body("small", false));
		h1_wait_end(&h1);
		assert_int_equal(h1.answer.status, 200);
		h1_next(&h1);
	}
	h1_close(&h1);
	assert_int_equal(backend_requests(backend), 20);
	assert_int_equal(backend_connections(backend), 1);
}

/* A chat of the model with these members behind the messages. */
static const char *chat_with(const char *model, const char *role, const char *members)
{
	static char body[512];
	snprintf(
	    body, sizeof body,
	    "{\"model\":\"%s\",\"messages\":[{\"role\":\"%s\",\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}]%s}",
	    model, role, members);
	return body;
}

static void what_some_backend_accepts_reaches_it_unless_the_model_is_strict(void **state)
{
	static const struct {
		const char *role, *members;
	} rows[] = {
	    {"user", ",\"max_tokens\":-1"},
	    {"user", ",\"max_tokens\":0"},
	    {"user", ",\"temperature\":3,\"presence_penalty\":-5,\"frequency_penalty\":5"},
	    {"user", ",\"n\":500,\"top_logprobs\":100"},
	    {"user", ",\"logit_bias\":[[50256,-100]]"},
	    {"user", ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{}}}"},
	    {"ipython", ""},
	};
	(void)state;
	struct backend *backend = backend_start();
	backend_reply(backend, "application/json", chat_answer);
	struct sluice *sluice = start_for(backend);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct answer answer;
		struct bytes got;
		client_fetch(sluice, VIA_H1, "/v1/chat/completions", chat_with("closed", rows[i].role, rows[i].members),
			     &answer);
		assert_int_equal(answer.status, 400);
		check_contains(&answer.body, "\"type\":\"invalid_request_error\"");
		answer_free(&answer);
		got = relayed(sluice, backend, VIA_H1, "/v1/chat/completions",
			      chat_with("small", rows[i].role, rows[i].members), i);
		const char *want = chat_with("org/real-model:7b", rows[i].role, rows[i].members);
		check_same(got.at, got.len, want, strlen(want));
		bytes_free(&got);
	}
}

static void an_empty_input_reaches_the_backend_unless_the_model_is_strict(void **state)
{
	struct answer answer;
	(void)state;
	struct backend *backend = backend_start();
	backend_reply(backend, "application/json",
		      "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":[1]}]}");
	struct sluice *sluice = start_for(backend);
	struct bytes got =
	    relayed(sluice, backend, VIA_H1, "/v1/embeddings", "{\"model\":\"small\",\"input\":\"\"}", 0);
	check_contains(&got, "\"input\":\"\"");
	bytes_free(&got);
	client_fetch(sluice, VIA_H1, "/v1/embeddings", "{\"model\":\"closed\",\"input\":\"\"}", &answer);
	check_error(&answer, 400, "invalid_value");
	answer_free(&answer);
}

static void a_strict_model_in_a_fan_out_makes_the_request_strict(void **state)
{
	static const char request[] =
	    "{\"%s\":%s,\"request\":{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"max_tokens\":-1}}";
	char body[256];
	struct answer answer;
	(void)state;
	struct backend *backend = backend_start();
	backend_reply(backend, "application/json", chat_answer);
	struct sluice *sluice = start_for(backend);
	snprintf(body, sizeof body, request, "plan", "{\"fallback\":[\"small\",{\"retry\":\"closed\"}]}");
	client_fetch(sluice, VIA_H1, "/v1/fanout", body, &answer);
	check_error(&answer, 400, "invalid_value");
	check_contains(&answer.body, "\"request.max_tokens\"");
	answer_free(&answer);
	snprintf(body, sizeof body, request, "targets", "[\"small\"]");
	client_fetch(sluice, VIA_H1, "/v1/fanout", body, &answer);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(unknown_members_and_big_integers_reach_the_backend_verbatim),
	    SCENARIO(only_the_usage_option_is_added_to_a_stream),
	    SCENARIO(the_clients_own_stream_options_survive_the_splice),
	    SCENARIO(a_stream_is_not_changed_when_usage_is_not_wanted),
	    SCENARIO(the_backend_gets_its_own_key_and_path_and_none_of_the_clients_secrets),
	    SCENARIO(completions_and_embeddings_keep_their_bytes_too),
	    SCENARIO(a_streamed_completion_keeps_its_bytes),
	    SCENARIO(calls_one_after_the_other_share_a_backend_connection),
	    SCENARIO(what_some_backend_accepts_reaches_it_unless_the_model_is_strict),
	    SCENARIO(an_empty_input_reaches_the_backend_unless_the_model_is_strict),
	    SCENARIO(a_strict_model_in_a_fan_out_makes_the_request_strict),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
