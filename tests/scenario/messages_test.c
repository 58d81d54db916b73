/* SPDX-License-Identifier: MIT */
/*
 * Clients of the Anthropic dialect: Messages in, any model and plan behind, Messages out. Whatever becomes of the
 * answer, a stream is one of message_start to message_stop, or ends with an event `error`; it shares cache, flights and
 * limits with chats that ask for the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

#define MESSAGES "/v1/messages"
#define CHAT "/v1/chat/completions"
#define ASKED "\"messages\":[{\"role\":\"user\",\"content\":\"Tell me about rivers\"}]"

struct world {
	struct sim *sim;
	struct sluice *sluice;
};

static struct world start(const char *models, const char *more)
{
	struct world world = {
	    .sim = sim_start((const char *const[]){"--tokens", "12", "--ttft", "0", "--itl", "0", NULL})};
	world.sluice = sluice_start("%s\nbackends: { s: { url: 'http://127.0.0.1:%d/v1' }, hasty: { url: "
				    "'http://127.0.0.1:%d/v1', timeouts: { first_content: 300ms } } }\nmodels:\n%s",
				    more, world.sim->port, world.sim->port, models);
	return world;
}

static const char *body_of(const char *model, bool stream, const char *more)
{
	static char body[1024];
	snprintf(body, sizeof body, "{\"model\":\"%s\",\"max_tokens\":64,\"stream\":%s," ASKED "%s}", model,
		 stream ? "true" : "false", more);
	return body;
}

static struct answer ask(const struct world *world, enum via via, const char *body)
{
	struct answer answer;
	client_fetch(world->sluice, via, MESSAGES, body, &answer);
	return answer;
}

/* Counts how often a part comes. */
static size_t count_of(const struct answer *answer, const char *part)
{
	size_t count = 0;
	for (const char *at = bytes_text(&answer->body); (at = strstr(at, part)) != NULL; at += strlen(part))
		count++;
	return count;
}

static void check_stream(const struct answer *answer)
{
	assert_int_equal(answer->status, 200);
	assert_int_equal(count_of(answer, "event: message_start\n"), 1);
	assert_int_equal(count_of(answer, "event: content_block_start\n"),
			 count_of(answer, "event: content_block_stop\n"));
	assert_int_equal(count_of(answer, "event: message_delta\n"), 1);
	assert_int_equal(count_of(answer, "event: message_stop\n"), 1);
	assert_int_equal(count_of(answer, "event: error"), 0);
	check_lacks(&answer->body, "[DONE]");
	const char end[] = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
	assert_true(answer->body.len > sizeof end);
	assert_string_equal(bytes_text(&answer->body) + answer->body.len - (sizeof end - 1), end);
}

/* The text of a whole message or of a stream: every "text":"…" in it, one behind the other. */
static void text_of(const struct answer *answer, char text[4096])
{
	size_t len = 0;
	for (const char *at = bytes_text(&answer->body); (at = strstr(at, "\"text\":\"")) != NULL;)
		for (at += 8; *at != '"'; at++)
			text[len++] = *at;
	text[len] = '\0';
}

static void a_message_is_answered_whole_and_streamed_over_every_way_in(void **state)
{
	(void)state;
	struct world world = start("  m: s/one\n", "");
	char whole[4096], streamed[4096];
	for (int via = 0; via < VIA_COUNT; via++) {
		struct answer answer = ask(&world, (enum via)via, body_of("m", false, ""));
		assert_int_equal(answer.status, 200);
		assert_string_equal(answer_header(&answer, "content-type"), "application/json");
		assert_string_equal(answer_header(&answer, "request-id"), answer_header(&answer, "x-request-id"));
		assert_string_equal(answer_header(&answer, "x-sluice-target"), "s/one");
		check_contains(&answer.body, "\"type\":\"message\",\"role\":\"assistant\"");
		check_contains(&answer.body, "\"stop_reason\":\"end_turn\"");
		check_contains(&answer.body, "\"output_tokens\":12}");
		text_of(&answer, whole);
		answer_free(&answer);
		answer = ask(&world, (enum via)via, body_of("m", true, ""));
		check_stream(&answer);
		assert_string_equal(answer_header(&answer, "content-type"), "text/event-stream; charset=utf-8");
		check_contains(&answer.body, "\"output_tokens\":12}");
		text_of(&answer, streamed);
		answer_free(&answer);
		assert_true(strlen(whole) > 20);
		assert_string_equal(whole, streamed);
	}
}

static void what_no_backend_is_told_is_named(void **state)
{
	(void)state;
	struct world world = start("  m: s/one\n", "");
	struct answer answer = ask(&world, VIA_H1,
				   body_of("m", true,
					   ",\"thinking\":{\"type\":\"adaptive\"},\"mcp_servers\":[],\"system\":"
					   "[{\"type\":\"text\",\"text\":\"Be brief\",\"cache_control\":{}}]"));
	check_stream(&answer);
	assert_string_equal(answer_header(&answer, "x-sluice-dropped"),
			    "system[0].cache_control, thinking, mcp_servers");
	sim_check_body(world.sim, "one", "{\"role\":\"system\",\"content\":\"Be brief\"}");
	answer_free(&answer);
	answer = ask(&world, VIA_H1, body_of("m", false, ""));
	assert_null(answer_header(&answer, "x-sluice-dropped"));
	answer_free(&answer);
}

/* The name of a tool is longer than any that can be told: the backend's fault, not the gateway's. */
static void a_stream_that_cannot_be_told_is_an_answer_that_makes_no_sense(void **state)
{
	static char name[3000];
	struct bytes events = {0};
	(void)state;
	memset(name, 'n', sizeof name - 1);
	bytes_printf(&events,
		     "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
		     "data: "
		     "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{"
		     "\"index\":0,"
		     "\"delta\":{\"role\":\"assistant\",\"tool_calls\":[{\"index\":0,\"id\":\"t\",\"type\":"
		     "\"function\",\"function\":"
		     "{\"name\":\"%s\",\"arguments\":\"{}\"}}]},\"finish_reason\":null}]}\n\n",
		     name);
	struct backend *backend = backend_start();
	backend_script(backend, (const struct step[]){SEND_BYTES(events.at, events.len), FIN});
	struct world world = {.sim = NULL};
	world.sluice = sluice_start("backends: { b: { url: 'http://127.0.0.1:%d/v1' } }\nmodels: { m: b/m }\n",
				    backend_port(backend));
	struct answer answer = ask(&world, VIA_H1, body_of("m", true, ""));
	assert_int_equal(count_of(&answer, "event: error\n"), 1);
	check_contains(&answer.body, "upstream_invalid_response");
	answer_free(&answer);
	bytes_free(&events);
}

/* ---- errors ---- */

static void check_told(const struct answer *answer, int status, const char *type, const char *part)
{
	if (answer->status != status)
		fail_msg("status %d: %s", answer->status, bytes_text(&answer->body));
	check_contains(&answer->body, "{\"type\":\"error\",\"error\":{\"type\":\"");
	check_contains(&answer->body, type);
	check_contains(&answer->body, part);
	assert_non_null(answer_header(answer, "x-request-id"));
}

static void errors_are_told_as_this_dialect_tells_them(void **state)
{
	static const struct {
		const char *body;
		int status;
		const char *type, *part;
	} rows[] = {
	    {"{", 400, "invalid_request_error", "line 1"},
	    {"{\"model\":\"m\"," ASKED "}", 400, "invalid_request_error", "max_tokens is required"},
	    {"{\"model\":\"m\",\"max_tokens\":1,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\","
	     "\"source\":"
	     "{\"type\":\"file\",\"file_id\":\"f\"}}]}]}",
	     400, "invalid_request_error", "messages[0].content[0].source"},
	    {"{\"model\":\"none\",\"max_tokens\":1," ASKED "}", 404, "not_found_error", "does not exist"},
	    {"{\"model\":\"busy\",\"max_tokens\":1," ASKED "}", 429, "rate_limit_error", "simulated status 429"},
	    {"{\"model\":\"busy\",\"stream\":true,\"max_tokens\":1," ASKED "}", 429, "rate_limit_error", "simulated"},
	    {"{\"model\":\"tea\",\"max_tokens\":1," ASKED "}", 418, "invalid_request_error", "simulated status 418"},
	    {"{\"model\":\"ill\",\"max_tokens\":1," ASKED "}", 500, "api_error", "simulated status 500"},
	    {"{\"model\":\"full\",\"max_tokens\":1," ASKED "}", 507, "api_error", "simulated status 507"},
	    {"{\"model\":\"none-yet\",\"max_tokens\":1," ASKED "}", 503, "overloaded_error", "simulated status 503"},
	    {"{\"model\":\"mute\",\"stream\":true,\"max_tokens\":1," ASKED "}", 504, "timeout_error", "time"},
	    {"{\"model\":\"odd\",\"max_tokens\":1," ASKED "}", 502, "api_error", "upstream"},
	};
	(void)state;
	struct world world = start("  m: s/one\n  busy: s/m;fault=status;status=429\n  odd: s/m;fault=not_json\n"
				   "  tea: s/m;fault=status;status=418\n  ill: s/m;fault=status;status=500\n"
				   "  full: s/m;fault=status;status=507\n  none-yet: s/m;fault=status;status=503\n"
				   "  mute: hasty/m;fault=hang_before_head\n",
				   "retries: { percent: 0, least: 0 }");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct answer answer = ask(&world, VIA_H1, rows[i].body);
		check_told(&answer, rows[i].status, rows[i].type, rows[i].part);
		answer_free(&answer);
	}
	struct answer answer;
	client_ask(world.sluice, VIA_H2, "GET", MESSAGES, NULL, NULL, &answer);
	check_told(&answer, 405, "invalid_request_error", "POST");
	answer_free(&answer);
}

static void who_shows_no_key_is_refused_in_this_dialect(void **state)
{
	(void)state;
	struct world world =
	    start("  m: s/one\n", "auth: { pepper: 0123456789abcdef0123456789abcdef }\nkeys: { k: { hash: 'aaaaaaa0:"
				  "0000000000000000000000000000000000000000000000000000000000000000' } }\n");
	struct answer answer = ask(&world, VIA_H1, body_of("m", false, ""));
	check_told(&answer, 401, "authentication_error", "missing_api_key");
	answer_free(&answer);
}

static void a_stream_that_breaks_off_ends_with_an_event_error(void **state)
{
	static const char *const faults[] = {"reset_mid", "fin_mid", "end_no_finish", "error_mid", "broken_json"};
	(void)state;
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		char models[128];
		snprintf(models, sizeof models, "  m: s/m;fault=%s;after=4\n", faults[i]);
		struct world world = start(models, "");
		struct answer answer = ask(&world, VIA_H1, body_of("m", true, ""));
		assert_int_equal(answer.status, 200);
		assert_int_equal(count_of(&answer, "event: error\ndata: {\"type\":\"error\",\"error\":{"), 1);
		check_lacks(&answer.body, "message_stop");
		assert_in_range(count_of(&answer, "text_delta"), 4, 5);
		answer_free(&answer);
	}
}

/* ---- what is shared with chats ---- */

static void an_answer_kept_for_a_chat_is_a_hit_and_so_the_other_way(void **state)
{
	(void)state;
	struct world world = start("  m: s/one\n", "cache: { policy: always }\n");
	struct answer chat, answer;
	char kept[4200], told[4096];
	client_fetch(world.sluice, VIA_H1, CHAT, "{\"model\":\"m\",\"max_tokens\":64,\"temperature\":0," ASKED "}",
		     &chat);
	assert_int_equal(chat.status, 200);
	for (int stream = 0; stream < 2; stream++)
		for (int twice = 0; twice < 2; twice++) {
			answer = ask(&world, VIA_H1, body_of("m", stream, ",\"temperature\":0"));
			assert_non_null(strstr(answer_header(&answer, "cache-status"), "hit"));
			if (stream)
				check_stream(&answer);
			text_of(&answer, told);
			snprintf(kept, sizeof kept, "\"content\":\"%s\"", told);
			check_contains(&chat.body, kept);
			check_contains(&answer.body, "\"output_tokens\":12}");
			answer_free(&answer);
		}
	assert_int_equal(sim_call_count(world.sim, "one"), 1);
	answer_free(&chat);
	answer = ask(&world, VIA_H1, body_of("m", false, ",\"temperature\":0"));
	const struct h2_header have[] = {{"if-none-match", answer_header(&answer, "etag")}, {NULL, NULL}};
	client_ask(world.sluice, VIA_H1, "POST", MESSAGES, have, body_of("m", false, ",\"temperature\":0"), &chat);
	assert_int_equal(chat.status, 304);
	answer_free(&chat);
	client_ask(world.sluice, VIA_H1, "POST", CHAT, have,
		   "{\"model\":\"m\",\"max_tokens\":64,\"temperature\":0," ASKED "}", &chat);
	assert_int_equal(chat.status, 200); /* it has the answer in the other dialect */
	answer_free(&chat);
	answer_free(&answer);
	answer = ask(&world, VIA_H1, body_of("m", true, ",\"temperature\":0,\"top_p\":0.5"));
	check_stream(&answer);
	text_of(&answer, told);
	answer_free(&answer);
	client_fetch(world.sluice, VIA_H1, CHAT,
		     "{\"model\":\"m\",\"max_tokens\":64,\"temperature\":0,\"top_p\":0.5," ASKED "}", &chat);
	assert_non_null(strstr(answer_header(&chat, "cache-status"), "hit"));
	check_contains(&chat.body, told);
	answer_free(&chat);
	assert_int_equal(sim_call_count(world.sim, "one"), 2);
}

static void messages_and_chats_that_ask_for_the_same_share_a_flight(void **state)
{
	enum { EACH = 10 };
	(void)state;
	struct world world = start("  m: s/one;gate=1\n", "cache: { policy: always }\n");
	static struct client clients[3 * EACH];
	sim_close_gate(world.sim);
	for (size_t i = 0; i < 3 * EACH; i++) {
		const char *chat = "{\"model\":\"m\",\"max_tokens\":64,\"temperature\":0," ASKED "}";
		bool message = i % 3 != 0;
		client_post(&clients[i], world.sluice, (enum via)(i % VIA_COUNT), message ? MESSAGES : CHAT,
			    message ? body_of("m", i % 3 == 1, ",\"temperature\":0") : chat);
	}
	sim_wait_calls(world.sim, "one", 1);
	sim_open_gate(world.sim);
	for (size_t i = 0; i < 3 * EACH; i++) {
		struct answer answer;
		client_finish(&clients[i], &answer);
		assert_int_equal(answer.status, 200);
		if (i % 3 == 1)
			check_stream(&answer);
		else
			check_contains(&answer.body, i % 3 == 0 ? "\"chat.completion\"" : "\"type\":\"message\"");
		answer_free(&answer);
	}
	assert_int_equal(sim_call_count(world.sim, "one"), 1);
}

/* ---- crowds, sizes, leaving ---- */

static void of_so_many_at_once_each_gets_all_of_its_message(void **state)
{
	static const size_t counts[] = {1, 30, 300};
	(void)state;
	struct world world = start("  m: s/one;itl=1ms\n", "");
	for (size_t i = 0; i < 3; i++) {
		char body[1024];
		snprintf(body, sizeof body, "%s", body_of("m", true, ""));
		struct mass_job *jobs = mass_jobs(counts[i], body);
		for (size_t j = 0; j < counts[i]; j++)
			jobs[j].path = MESSAGES;
		struct mass mass = mass_crowd(world.sluice, jobs, counts[i]);
		mass_run(&mass);
		for (size_t j = 0; j < counts[i]; j++)
			check_stream(&jobs[j].answer);
		mass_free_answers(&mass);
		free(jobs);
	}
}

/* So large that helpers read the request and write the answer. */
static void large_messages_come_whole(void **state)
{
	enum { PROMPT = 3 << 20 };
	(void)state;
	struct world world = start("  m: s/one;tokens=800;token_bytes=1000\n", "");
	char *body = malloc(PROMPT + 1024);
	for (int stream = 0; stream < 2; stream++) {
		int len = sprintf(body,
				  "{\"model\":\"m\",\"max_tokens\":1000,\"stream\":%s,\"messages\":[{\"role\":\"user\","
				  "\"content\":\"",
				  stream ? "true" : "false");
		memset(body + len, 'x', PROMPT);
		strcpy(body + len + PROMPT, "\"}]}");
		struct answer answer = ask(&world, VIA_H2, body);
		assert_int_equal(answer.status, 200);
		assert_true(answer.body.len > 800000);
		if (stream)
			check_stream(&answer);
		else
			check_contains(&answer.body, "\"output_tokens\":800}");
		answer_free(&answer);
	}
	free(body);
	sluice_wait_idle(world.sluice);
}

static void a_client_that_leaves_ends_the_call(void **state)
{
	(void)state;
	struct world world = start("  m: s/one;itl=100s\n", "");
	for (int via = 0; via < VIA_COUNT; via++) {
		struct client client;
		client_post(&client, world.sluice, (enum via)via, MESSAGES, body_of("m", true, ""));
		client_wait_body(&client, 1);
		client_leave(&client, LEAVE_CANCEL);
		sim_wait_left(world.sim, "one");
		client_close(&client);
	}
	sim_wait_idle(world.sim);
	sluice_wait_idle(world.sluice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_message_is_answered_whole_and_streamed_over_every_way_in),
	    SCENARIO(what_no_backend_is_told_is_named),
	    SCENARIO(a_stream_that_cannot_be_told_is_an_answer_that_makes_no_sense),
	    SCENARIO(errors_are_told_as_this_dialect_tells_them),
	    SCENARIO(who_shows_no_key_is_refused_in_this_dialect),
	    SCENARIO(a_stream_that_breaks_off_ends_with_an_event_error),
	    SCENARIO(an_answer_kept_for_a_chat_is_a_hit_and_so_the_other_way),
	    SCENARIO(messages_and_chats_that_ask_for_the_same_share_a_flight),
	    SCENARIO(of_so_many_at_once_each_gets_all_of_its_message),
	    SCENARIO(large_messages_come_whole),
	    SCENARIO(a_client_that_leaves_ends_the_call),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
