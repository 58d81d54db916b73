/* SPDX-License-Identifier: MIT */
/*
 * Backends of the Anthropic dialect: chats and messages in, Messages behind. A chat is translated on both ways; a
 * message keeps its bytes, and so does its answer. The backends are scripted, or another Sluice whose clients speak
 * Messages, which has all plans and faults of the simulator behind it.
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

#define MESSAGES "/v1/messages"
#define CHAT "/v1/chat/completions"
#define HELLO "\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]"

/* ---- a scripted backend ---- */

#define EVENT(name, data) "event: " name "\ndata: {\"type\":\"" name "\"" data "}\n\n"
#define BEGIN                                                                                                      \
	EVENT("message_start",                                                                                     \
	      ",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-x\"," \
	      "\"content\":[],\"new\": 1.0,\"stop_reason\":null,\"usage\":{\"input_tokens\":8,"                    \
	      "\"cache_read_input_tokens\":2,\"output_tokens\":1}}")
#define THOUGHT                                                                                                      \
	EVENT("content_block_start", ",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\"}")     \
	EVENT("content_block_delta", ",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}")     \
	EVENT("content_block_delta", ",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"c2ln\"}") \
	EVENT("content_block_stop", ",\"index\":0")
#define SAID                                                                                                        \
	EVENT("content_block_start", ",\"index\":1,\"content_block\":{\"type\":\"text\",\"text\":\"\"}")            \
	": a comment\n\n" EVENT("ping", "")                                                                         \
	    EVENT("content_block_delta", ",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi \"}")       \
		EVENT("content_block_delta", ",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"there\"}") \
		    EVENT("content_block_stop", ",\"index\":1") EVENT("of_tomorrow", ",\"x\":1E2")
#define END                                                                                                 \
	EVENT("message_delta", ",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":5}") \
	EVENT("message_stop", "")
#define STREAM BEGIN THOUGHT SAID END
#define WHOLE                                                                                                  \
	"{\"id\":\"msg_1\", \"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-x\",\"content\":["  \
	"{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"c2ln\"},{\"type\":\"text\",\"text\":\"Hi " \
	"there\"}],\"stop_reason\":\"end_turn\",\"new\": 1.0,\"usage\":{\"input_tokens\":8,"                   \
	"\"cache_read_input_tokens\":2,\"output_tokens\":5}}"

struct world {
	struct backend *backend;
	struct sim *sim;
	struct sluice *sluice;
};

static struct world start(void)
{
	struct world world = {.backend = backend_start(),
			      .sim =
				  sim_start((const char *const[]){"--tokens", "3", "--ttft", "0", "--itl", "0", NULL})};
	world.sluice =
	    sluice_start("backends: { a: { url: 'http://127.0.0.1:%d/v1', dialect: anthropic, api_key: sk-ant-secret, "
			 "breaker: { enabled: false } }, s: { url: 'http://127.0.0.1:%d/v1' } }\n"
			 "models: { m: a/claude, either: { fallback: [a/claude, s/one] } }\n",
			 backend_port(world.backend), world.sim->port);
	return world;
}

static void reply_stream(const struct world *world, const char *stream)
{
	backend_script(world->backend,
		       (const struct step[]){SEND(STREAM_HEAD), SEND_BYTES(stream, strlen(stream)), FIN});
}

static struct answer ask(const struct world *world, const char *path, const char *body)
{
	struct answer answer;
	client_fetch(world->sluice, VIA_H1, path, body, &answer);
	return answer;
}

static void a_chat_is_asked_for_in_messages_and_answered_in_chunks(void **state)
{
	(void)state;
	struct world world = start();
	struct bytes request = {0};
	reply_stream(&world, STREAM);
	struct answer answer = ask(&world, CHAT, "{\"model\":\"m\",\"stream\":true,\"seed\":1," HELLO "}");
	assert_int_equal(answer.status, 200);
	assert_string_equal(answer_header(&answer, "x-sluice-dropped"), "seed");
	check_contains(&answer.body,
		       "\"model\":\"claude-x\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}");
	check_contains(&answer.body, "\"delta\":{\"reasoning_content\":\"hm\"},\"finish_reason\":null}]}");
	check_contains(&answer.body, "\"delta\":{\"content\":\"Hi \"},\"finish_reason\":null}]}");
	check_contains(&answer.body, "\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
	check_lacks(&answer.body, "usage");
	answer_free(&answer);
	backend_request(world.backend, 0, &request);
	check_contains(&request, "POST /v1/messages HTTP/1.1\r\n");
	check_contains(&request, "x-api-key: sk-ant-secret\r\n");
	check_contains(&request, "anthropic-version: 2023-06-01\r\n");
	check_lacks(&request, "uthorization");
	check_contains(&request, "\r\n\r\n{\"model\":\"claude\",\"max_tokens\":8192,\"messages\":[{\"role\":\"user\","
				 "\"content\":[{\"type\":\"text\",\"text\":\"Hello\"}]}],\"stream\":true}");
	bytes_free(&request);
}

static void usage_is_told_to_those_who_ask(void **state)
{
	(void)state;
	struct world world = start();
	reply_stream(&world, STREAM);
	struct answer answer = ask(
	    &world, CHAT, "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":true}," HELLO "}");
	check_contains(&answer.body, "\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,"
				     "\"total_tokens\":15,\"prompt_tokens_details\":{\"cached_tokens\":2");
	answer_free(&answer);
}

static void a_whole_chat_is_a_whole_message(void **state)
{
	(void)state;
	struct world world = start();
	backend_reply(world.backend, "application/json", WHOLE);
	struct answer answer = ask(&world, CHAT, "{\"model\":\"m\"," HELLO "}");
	assert_int_equal(answer.status, 200);
	check_contains(&answer.body, "{\"id\":\"msg_1\",\"object\":\"chat.completion\"");
	check_contains(&answer.body,
		       "\"message\":{\"role\":\"assistant\",\"content\":\"Hi there\",\"reasoning_content\":"
		       "\"hm\"},\"finish_reason\":\"stop\"}]");
	check_contains(&answer.body, "\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15");
	answer_free(&answer);
}

static void an_answer_of_the_other_form_is_understood(void **state)
{
	(void)state;
	struct world world = start();
	reply_stream(&world, STREAM);
	struct answer answer = ask(&world, CHAT, "{\"model\":\"m\"," HELLO "}");
	assert_int_equal(answer.status, 200);
	check_contains(&answer.body, "\"content\":\"Hi there\"");
	answer_free(&answer);
	world = start();
	backend_reply(world.backend, "application/json", WHOLE);
	answer = ask(&world, CHAT, "{\"model\":\"m\",\"stream\":true," HELLO "}");
	assert_int_equal(answer.status, 200);
	check_contains(&answer.body, "\"content\":\"Hi there\"");
	check_contains(&answer.body, "\"finish_reason\":\"stop\"");
	check_contains(&answer.body, "data: [DONE]\n\n");
	answer_free(&answer);
}

#define OWN                                                                                                    \
	"\"max_tokens\" : 9.0e0 ,\"thinking\":{\"type\":\"adaptive\"},\"new\":[1E2], \"messages\":[{\"role\":" \
	"\"user\",\"content\":[{\"type\":\"new_block\",\"x\":1.50},{\"type\":\"text\",\"text\":\"\\u0048i\"}]}] }"

static void a_message_and_its_answer_keep_their_bytes(void **state)
{
	(void)state;
	struct world world = start();
	struct bytes request = {0};
	const struct h2_header headers[] = {
	    {"anthropic-version", "2023-06-01"}, {"anthropic-beta", "a-2026"}, {NULL, NULL}};
	struct answer answer;
	reply_stream(&world, STREAM);
	backend_reply(world.backend, "application/json", WHOLE);
	client_ask(world.sluice, VIA_H2, "POST", MESSAGES, headers, "{ \"stream\":true, \"model\": \"m\", " OWN,
		   &answer);
	assert_int_equal(answer.status, 200);
	check_same(bytes_text(&answer.body), answer.body.len, STREAM, sizeof STREAM - 1);
	assert_null(answer_header(&answer, "x-sluice-dropped"));
	answer_free(&answer);
	backend_request(world.backend, 0, &request);
	check_contains(&request, "anthropic-beta: a-2026\r\n");
	check_contains(&request, "\r\n\r\n{ \"stream\":true, \"model\": \"claude\", " OWN);
	bytes_free(&request);
	client_ask(world.sluice, VIA_H1, "POST", MESSAGES, headers, "{ \"model\": \"m\", " OWN, &answer);
	assert_int_equal(answer.status, 200);
	check_same(bytes_text(&answer.body), answer.body.len, WHOLE, sizeof WHOLE - 1);
	answer_free(&answer);
}

static void a_cut_stream_looks_cut_to_both(void **state)
{
	(void)state;
	static const char *const cut[] = {
	    BEGIN THOUGHT SAID, BEGIN THOUGHT SAID EVENT("message_delta", ",\"delta\":{\"stop_reason\":\"end_turn\"}")};
	for (size_t i = 0; i < 2; i++) {
		struct world world = start();
		reply_stream(&world, cut[i]);
		struct answer answer = ask(&world, CHAT, "{\"model\":\"m\",\"stream\":true," HELLO "}");
		check_contains(&answer.body, "\"code\":\"upstream_truncated\"");
		check_lacks(&answer.body, "[DONE]");
		answer_free(&answer);
		answer = ask(&world, MESSAGES, "{\"model\":\"m\",\"stream\":true,\"max_tokens\":9," HELLO "}");
		check_contains(&answer.body, "event: error\ndata: {\"type\":\"error\"");
		check_lacks(&answer.body, "message_stop");
		answer_free(&answer);
	}
}

/* A reply with that status. */
static void reply_error(const struct world *world, int status, const char *type)
{
	char head[512], body[256];
	int len =
	    snprintf(body, sizeof body, "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":\"words\"}}", type);
	snprintf(
	    head, sizeof head,
	    "HTTP/1.1 %d No\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
	    status, len, body);
	backend_script(world->backend, (const struct step[]){SEND_BYTES(head, strlen(head)), FIN});
}

static void errors_are_classified_and_told_in_the_clients_words(void **state)
{
	(void)state;
	static const struct {
		int status, told;
		const char *type, *message_type;
	} rows[] = {{400, 400, "invalid_request_error", "invalid_request_error"},
		    {404, 502, "not_found_error", "api_error"},
		    {529, 429, "overloaded_error", "rate_limit_error"},
		    {500, 502, "api_error", "api_error"}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char part[96];
		struct world world = start();
		reply_error(&world, rows[i].status, rows[i].type);
		struct answer answer = ask(&world, CHAT, "{\"model\":\"m\"," HELLO "}");
		assert_int_equal(answer.status, rows[i].told);
		check_contains(&answer.body, "{\"error\":{\"message\":");
		check_lacks(&answer.body, "\"type\":\"error\"");
		answer_free(&answer);
		answer = ask(&world, MESSAGES, "{\"model\":\"m\",\"max_tokens\":9," HELLO "}");
		snprintf(part, sizeof part, "{\"type\":\"error\",\"error\":{\"type\":\"%s\"", rows[i].message_type);
		check_contains(&answer.body, part);
		answer_free(&answer);
	}
}

static void an_error_that_comes_first_leads_to_the_next_target(void **state)
{
	(void)state;
	static const char *const paths[] = {CHAT, MESSAGES};
	for (size_t i = 0; i < 2; i++) {
		struct world world = start();
		reply_stream(&world,
			     BEGIN "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
				   "\"message\":\"Overloaded\"}}\n\n");
		struct answer answer =
		    ask(&world, paths[i], "{\"model\":\"either\",\"stream\":true,\"max_tokens\":9," HELLO "}");
		assert_int_equal(answer.status, 200);
		assert_string_equal(answer_header(&answer, "x-sluice-target"), "s/one");
		check_lacks(&answer.body, "error");
		check_lacks(&answer.body, "claude");
		answer_free(&answer);
	}
}

static void what_the_dialect_cannot_do_is_done_by_another_target(void **state)
{
	(void)state;
	struct world world = start();
	struct answer answer = ask(&world, CHAT, "{\"model\":\"m\",\"n\":2," HELLO "}");
	assert_int_equal(answer.status, 400);
	check_contains(&answer.body, "\"param\":\"n\",\"code\":\"unsupported_parameter\"");
	answer_free(&answer);
	answer = ask(&world, CHAT, "{\"model\":\"either\",\"n\":2," HELLO "}");
	assert_int_equal(answer.status, 200);
	assert_string_equal(answer_header(&answer, "x-sluice-target"), "s/one");
	assert_null(answer_header(&answer, "x-sluice-dropped"));
	answer_free(&answer);
	answer = ask(&world, "/v1/embeddings", "{\"model\":\"m\",\"input\":\"x\"}");
	assert_int_equal(answer.status, 400);
	answer_free(&answer);
	assert_int_equal(backend_requests(world.backend), 0);
}

static void what_only_messages_say_is_never_answered_from_the_cache(void **state)
{
	(void)state;
	struct world world = start();
	backend_reply(world.backend, "application/json", WHOLE);
	for (int i = 0; i < 2; i++) {
		struct answer answer =
		    ask(&world, CHAT, "{\"model\":\"m\",\"temperature\":0,\"max_tokens\":9," HELLO "}");
		assert_int_equal(answer.status, 200);
		answer_free(&answer);
		assert_int_equal(backend_requests(world.backend), 1);
	}
	struct answer answer = ask(&world, MESSAGES, "{\"model\":\"m\",\"temperature\":0,\"max_tokens\":9," HELLO "}");
	assert_int_equal(answer.status, 200); /* the same question */
	check_contains(&answer.body, "\"text\":\"Hi there\"");
	answer_free(&answer);
	assert_int_equal(backend_requests(world.backend), 1);
	for (size_t i = 2; i < 4; i++) {
		answer = ask(
		    &world, MESSAGES,
		    "{\"model\":\"m\",\"temperature\":0,\"max_tokens\":9,\"thinking\":{\"type\":\"adaptive\"}," HELLO
		    "}");
		check_same(bytes_text(&answer.body), answer.body.len, WHOLE, sizeof WHOLE - 1);
		answer_free(&answer);
		assert_int_equal(backend_requests(world.backend), i);
	}
}

/* ---- another Sluice as the backend ---- */

struct chain {
	struct sim *sim;
	struct sluice *inner, *outer;
};

static struct chain start_chain(void)
{
	struct chain chain = {
	    .sim = sim_start((const char *const[]){"--tokens", "12", "--ttft", "0", "--itl", "0", NULL})};
	chain.inner =
	    sluice_start("backends: { s: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } } }\n"
			 "models: { m: s/one, cut: s/one;fault=cut, tools: s/one;tools=2 }\ncache: { policy: off }\n",
			 chain.sim->port);
	chain.outer =
	    sluice_start("backends: { a: { url: 'http://127.0.0.1:%d/v1', dialect: anthropic, breaker: { enabled: "
			 "false } }, s: { url: 'http://127.0.0.1:%d/v1' } }\n"
			 "models: { m: a/m, plain: s/one, cut: a/cut, tools: a/tools }\ncache: { policy: off }\n",
			 chain.inner->port, chain.sim->port);
	return chain;
}

/* The text of a chat: every "content":"…" in it, one behind the other. */
static void text_of(const struct answer *answer, char text[4096])
{
	size_t len = 0;
	for (const char *at = bytes_text(&answer->body); (at = strstr(at, "\"content\":\"")) != NULL;)
		for (at += 11; *at != '"'; at++)
			text[len++] = *at;
	text[len] = '\0';
}

static void a_crowd_reads_the_same_through_both_dialects(void **state)
{
	(void)state;
	static const size_t sizes[] = {1, 30, 300};
	static const char *const bodies[] = {"{\"model\":\"%s\"," HELLO "}",
					     "{\"model\":\"%s\",\"stream\":true," HELLO "}"};
	struct chain chain = start_chain();
	for (size_t i = 0; i < 6; i++) {
		char body[256], wanted[4096], got[4096];
		snprintf(body, sizeof body, bodies[i % 2], "plain");
		struct answer answer;
		client_fetch(chain.outer, VIA_H1, CHAT, body, &answer);
		text_of(&answer, wanted);
		answer_free(&answer);
		assert_true(strlen(wanted) > 20);
		snprintf(body, sizeof body, bodies[i % 2], "m");
		struct mass_job *jobs = mass_jobs(sizes[i / 2], body);
		struct mass mass = mass_crowd(chain.outer, jobs, sizes[i / 2]);
		mass_run(&mass);
		for (size_t j = 0; j < sizes[i / 2]; j++) {
			assert_int_equal(jobs[j].answer.status, 200);
			assert_true(jobs[j].answer.ended);
			text_of(&jobs[j].answer, got);
			assert_string_equal(got, wanted);
		}
		mass_free_answers(&mass);
		free(jobs);
	}
	sluice_wait_idle(chain.outer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_chat_is_asked_for_in_messages_and_answered_in_chunks),
	    SCENARIO(usage_is_told_to_those_who_ask),
	    SCENARIO(a_whole_chat_is_a_whole_message),
	    SCENARIO(an_answer_of_the_other_form_is_understood),
	    SCENARIO(a_message_and_its_answer_keep_their_bytes),
	    SCENARIO(a_cut_stream_looks_cut_to_both),
	    SCENARIO(errors_are_classified_and_told_in_the_clients_words),
	    SCENARIO(an_error_that_comes_first_leads_to_the_next_target),
	    SCENARIO(what_the_dialect_cannot_do_is_done_by_another_target),
	    SCENARIO(what_only_messages_say_is_never_answered_from_the_cache),
	    SCENARIO(a_crowd_reads_the_same_through_both_dialects),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
