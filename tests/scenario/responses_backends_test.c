/* SPDX-License-Identifier: MIT */
/*
 * Backends of the Responses dialect: chats, messages and responses in, Responses behind. The backends are scripted, or
 * another Sluice whose clients speak Responses, which has the simulator behind it.
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

#define RESPONSES "/v1/responses"
#define MESSAGES "/v1/messages"
#define CHAT "/v1/chat/completions"
#define HELLO "\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]"
#define INPUT "\"input\":\"Hello\""

/* ---- a scripted backend ---- */

#define EVENT(name, number, data) \
	"event: " name "\ndata: {\"type\":\"" name "\",\"sequence_number\":" #number "," data "}\n\n"
#define REST                                                                                                           \
	"\"completed_at\":null,\"incomplete_details\":null,\"background\":false,\"frequency_penalty\":0,"              \
	"\"instructions\":"                                                                                            \
	"null,\"max_output_tokens\":null,\"max_tool_calls\":null,\"metadata\":{},\"parallel_tool_calls\":true,"        \
	"\"presence_penalty\":0,\"previous_response_id\":null,\"prompt_cache_key\":null,\"reasoning\":{\"effort\":"    \
	"null,"                                                                                                        \
	"\"summary\":null},\"safety_identifier\":null,\"service_tier\":\"default\",\"store\":false,\"temperature\":1," \
	"\"text\":{\"format\":{\"type\":\"text\"}},\"tool_choice\":\"auto\",\"tools\":[],\"top_logprobs\":0,\"top_"    \
	"p\":1.0,"                                                                                                     \
	"\"truncation\":\"disabled\""
#define RESPONSE(status, output, usage)                                                              \
	"{\"id\":\"resp_1\", \"object\":\"response\",\"created_at\":1700000000,\"status\":\"" status \
	"\",\"model\":\"gpt-x\",\"error\":null,\"output\":[" output "],\"usage\":" usage "," REST "}"
#define OPENING "\"response\":" RESPONSE("in_progress", "", "null")
#define BEGIN EVENT("response.created", 0, OPENING) EVENT("response.in_progress", 1, OPENING)
#define REASONING(status)                                              \
	"{\"type\":\"reasoning\",\"id\":\"rs_1\",\"status\":\"" status \
	"\",\"summary\":[],\"content\":[],\"encrypted_content\":"      \
	"\"c2ln\",\"x\": 1.0}"
#define THOUGHT                                                                                         \
	EVENT("response.output_item.added", 2, "\"output_index\":0,\"item\":" REASONING("in_progress")) \
	EVENT("response.output_item.done", 3, "\"output_index\":0,\"item\":" REASONING("completed"))
#define DELTA "\"item_id\":\"msg_1\",\"content_index\":0,\"output_index\":1,\"delta\":"
#define SAID                                                            \
	EVENT("response.output_text.delta", 4, DELTA "\"Hi \"")         \
	": a comment\n\n" EVENT("response.of_tomorrow", 5, "\"x\":1E2") \
	    EVENT("response.output_text.delta", 6, DELTA "\"there\"")
#define OUTPUT                                                                                                   \
	REASONING("completed")                                                                                   \
	",{\"type\":\"message\",\"id\":\"msg_1\",\"status\":\"completed\",\"role\":\"assistant\",\"content\":[{" \
	"\"type\":"                                                                                              \
	"\"output_text\",\"text\":\"Hi there\",\"annotations\":[],\"logprobs\":[]}]}"
#define USAGE                                                                                      \
	"{\"input_tokens\":10,\"input_tokens_details\":{\"cached_tokens\":2},\"output_tokens\":5," \
	"\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_tokens\":15}"
#define WHOLE RESPONSE("completed", OUTPUT, USAGE)
#define DONE EVENT("response.completed", 7, "\"response\":" WHOLE)
#define STREAM BEGIN THOUGHT SAID DONE

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
	    sluice_start("backends: { r: { url: 'http://127.0.0.1:%d/v1', dialect: responses, api_key: sk-secret, "
			 "breaker: { enabled: false } }, s: { url: 'http://127.0.0.1:%d/v1' } }\n"
			 "models: { m: r/gpt, either: { fallback: [r/gpt, s/one] } }\n",
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

static void a_chat_is_asked_for_in_items_and_answered_in_chunks(void **state)
{
	(void)state;
	static const char *const streams[] = {STREAM, STREAM "data: [DONE]\n\n"};
	for (size_t i = 0; i < 2; i++) {
		struct world world = start();
		struct bytes request = {0};
		reply_stream(&world, streams[i]);
		struct answer answer =
		    ask(&world, CHAT, "{\"model\":\"m\",\"stream\":true,\"seed\":1,\"max_tokens\":9," HELLO "}");
		assert_int_equal(answer.status, 200);
		assert_string_equal(answer_header(&answer, "x-sluice-dropped"), "seed");
		check_contains(&answer.body,
			       "{\"id\":\"resp_1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
			       "\"model\":\"gpt-x\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}");
		check_contains(&answer.body, "\"delta\":{\"content\":\"Hi \"},\"finish_reason\":null}]}");
		check_contains(&answer.body, "\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
		check_lacks(&answer.body, "usage");
		answer_free(&answer);
		backend_request(world.backend, 0, &request);
		check_contains(&request, "POST /v1/responses HTTP/1.1\r\n");
		check_contains(&request, "Authorization: Bearer sk-secret\r\n");
		check_contains(&request,
			       "\r\n\r\n{\"model\":\"gpt\",\"input\":[{\"type\":\"message\",\"role\":\"user\","
			       "\"content\":[{\"type\":\"input_text\",\"text\":\"Hello\"}]}],\"max_output_tokens\":9,"
			       "\"store\":false,\"stream\":true}");
		bytes_free(&request);
	}
}

static void whole_answers_and_those_of_the_other_form_are_understood(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		bool stream = i % 2 == 1;
		struct world world = start();
		if (i / 2 == stream)
			reply_stream(&world, STREAM);
		else
			backend_reply(world.backend, "application/json", WHOLE);
		struct answer answer = ask(
		    &world, CHAT,
		    stream ? "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":true}," HELLO "}"
			   : "{\"model\":\"m\"," HELLO "}");
		assert_int_equal(answer.status, 200);
		check_contains(&answer.body, "\"finish_reason\":\"stop\"");
		check_contains(&answer.body, "\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15,"
					     "\"prompt_tokens_details\":{\"cached_tokens\":2}");
		check_contains(&answer.body, stream ? "data: [DONE]\n\n" : "\"content\":\"Hi there\"");
		answer_free(&answer);
	}
}

static void a_message_is_answered_by_a_response(void **state)
{
	(void)state;
	struct world world = start();
	reply_stream(&world, STREAM);
	struct answer answer = ask(&world, MESSAGES, "{\"model\":\"m\",\"stream\":true,\"max_tokens\":9," HELLO "}");
	assert_int_equal(answer.status, 200);
	check_contains(&answer.body, "\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi \"}");
	check_contains(&answer.body, "\"stop_reason\":\"end_turn\"");
	check_contains(&answer.body,
		       "\"input_tokens\":8,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":2,"
		       "\"output_tokens\":5");
	check_contains(&answer.body, "event: message_stop\n");
	answer_free(&answer);
}

#define OWN "\"store\" : false ,\"include\":[\"reasoning.encrypted_content\"],\"new\":[1E2], " INPUT " }"

static void a_response_and_its_answer_keep_their_bytes(void **state)
{
	(void)state;
	struct world world = start();
	struct bytes request = {0};
	reply_stream(&world, STREAM "data: [DONE]\n\n");
	backend_reply(world.backend, "application/json", WHOLE);
	struct answer answer = ask(&world, RESPONSES, "{ \"stream\":true, \"model\": \"m\", " OWN);
	assert_int_equal(answer.status, 200);
	check_same(bytes_text(&answer.body), answer.body.len, STREAM "data: [DONE]\n\n",
		   sizeof STREAM - 1 + strlen("data: [DONE]\n\n"));
	assert_null(answer_header(&answer, "x-sluice-dropped"));
	answer_free(&answer);
	backend_request(world.backend, 0, &request);
	check_contains(&request, "\r\n\r\n{ \"stream\":true, \"model\": \"gpt\", " OWN);
	bytes_free(&request);
	answer = ask(&world, RESPONSES, "{ \"model\": \"m\", " OWN);
	assert_int_equal(answer.status, 200);
	check_same(bytes_text(&answer.body), answer.body.len, WHOLE, sizeof WHOLE - 1);
	answer_free(&answer);
}

static void a_response_that_is_kept_here_is_told_anew(void **state)
{
	(void)state;
	struct world world = start();
	struct bytes request = {0};
	backend_reply(world.backend, "application/json", WHOLE);
	struct answer answer = ask(&world, RESPONSES, "{\"model\":\"m\"," INPUT "}");
	assert_int_equal(answer.status, 200);
	const char *id = strstr(bytes_text(&answer.body), "\"id\":\"resp_");
	assert_non_null(id);
	id = id == NULL ? "" : id;
	char body[256];
	snprintf(body, sizeof body, "{\"model\":\"m\",\"input\":\"And?\",\"previous_response_id\":\"%.*s\"}",
		 (int)strcspn(id + 6, "\""), id + 6);
	answer_free(&answer);
	answer = ask(&world, RESPONSES, body);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	backend_request(world.backend, 1, &request);
	check_contains(&request, "\"text\":\"Hello\"");
	check_contains(&request, "{\"type\":\"output_text\",\"text\":\"Hi there\"}");
	check_contains(&request, "\"text\":\"And?\"");
	check_lacks(&request, "previous_response_id");
	bytes_free(&request);
}

static void a_cut_stream_looks_cut_to_all(void **state)
{
	(void)state;
	struct world world = start();
	reply_stream(&world, BEGIN THOUGHT SAID);
	struct answer answer = ask(&world, CHAT, "{\"model\":\"m\",\"stream\":true," HELLO "}");
	check_contains(&answer.body, "\"code\":\"upstream_truncated\"");
	check_lacks(&answer.body, "[DONE]");
	answer_free(&answer);
	answer = ask(&world, MESSAGES, "{\"model\":\"m\",\"stream\":true,\"max_tokens\":9," HELLO "}");
	check_contains(&answer.body, "event: error\n");
	check_lacks(&answer.body, "message_stop");
	answer_free(&answer);
	answer = ask(&world, RESPONSES, "{\"model\":\"m\",\"stream\":true,\"store\":false," INPUT "}");
	assert_memory_equal(bytes_text(&answer.body), BEGIN THOUGHT SAID, sizeof(BEGIN THOUGHT SAID) - 1);
	const char *rest = bytes_text(&answer.body) + sizeof(BEGIN THOUGHT SAID) - 1;
	assert_ptr_equal(strstr(rest, "event: error\ndata: {\"error\":"), rest);
	assert_non_null(strstr(rest, "\"code\":\"upstream_truncated\""));
	assert_null(strstr(rest, "response."));
	answer_free(&answer);
}

static void an_error_that_comes_first_leads_to_the_next_target(void **state)
{
	(void)state;
	static const char *const errors[] = {
	    BEGIN EVENT("response.failed", 2,
			"\"response\":{\"status\":\"failed\",\"error\":{\"code\":\"server_error\",\"message\":"
			"\"no\"}}"),
	    "event: error\ndata: "
	    "{\"type\":\"error\",\"code\":\"rate_limit_exceeded\",\"message\":\"no\",\"param\":null}\n\n"};
	for (size_t i = 0; i < 2; i++) {
		struct world world = start();
		reply_stream(&world, errors[i]);
		struct answer answer = ask(&world, CHAT, "{\"model\":\"either\",\"stream\":true," HELLO "}");
		assert_int_equal(answer.status, 200);
		assert_string_equal(answer_header(&answer, "x-sluice-target"), "s/one");
		check_lacks(&answer.body, "error");
		answer_free(&answer);
	}
}

/* ---- another Sluice as the backend ---- */

/* The text of an answer: every value of that member, one behind the other. */
static void text_of(const struct answer *answer, const char *member, char text[4096])
{
	size_t len = 0;
	for (const char *at = bytes_text(&answer->body); (at = strstr(at, member)) != NULL;)
		for (at += strlen(member); *at != '"'; at++)
			text[len++] = *at;
	text[len] = '\0';
}

static void a_crowd_reads_the_same_through_both_dialects(void **state)
{
	(void)state;
	static const size_t sizes[] = {1, 30, 300};
	static const char *const bodies[] = {"{\"model\":\"%s\"," HELLO "}",
					     "{\"model\":\"%s\",\"stream\":true," HELLO "}"};
	struct sim *sim = sim_start((const char *const[]){"--tokens", "12", "--ttft", "0", "--itl", "0", NULL});
	struct sluice *inner =
	    sluice_start("backends: { s: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } } }\n"
			 "models: { m: s/one }\ncache: { policy: off }\n",
			 sim->port);
	struct sluice *outer = sluice_start(
	    "backends: { r: { url: 'http://127.0.0.1:%d/v1', dialect: responses, breaker: { enabled: false } }, "
	    "s: { url: 'http://127.0.0.1:%d/v1' } }\nmodels: { m: r/m, plain: s/one }\ncache: { policy: off }\n",
	    inner->port, sim->port);
	for (size_t i = 0; i < 6; i++) {
		char body[256], wanted[4096], got[4096];
		struct answer answer;
		snprintf(body, sizeof body, bodies[i % 2], "plain");
		client_fetch(outer, VIA_H1, CHAT, body, &answer);
		text_of(&answer, "\"content\":\"", wanted);
		answer_free(&answer);
		assert_true(strlen(wanted) > 20);
		snprintf(body, sizeof body, bodies[i % 2], "m");
		struct mass_job *jobs = mass_jobs(sizes[i / 2], body);
		struct mass mass = mass_crowd(outer, jobs, sizes[i / 2]);
		mass_run(&mass);
		for (size_t j = 0; j < sizes[i / 2]; j++) {
			assert_int_equal(jobs[j].answer.status, 200);
			assert_true(jobs[j].answer.ended);
			text_of(&jobs[j].answer, "\"content\":\"", got);
			assert_string_equal(got, wanted);
		}
		mass_free_answers(&mass);
		free(jobs);
	}
	sluice_wait_idle(outer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_chat_is_asked_for_in_items_and_answered_in_chunks),
	    SCENARIO(whole_answers_and_those_of_the_other_form_are_understood),
	    SCENARIO(a_message_is_answered_by_a_response),
	    SCENARIO(a_response_and_its_answer_keep_their_bytes),
	    SCENARIO(a_response_that_is_kept_here_is_told_anew),
	    SCENARIO(a_cut_stream_looks_cut_to_all),
	    SCENARIO(an_error_that_comes_first_leads_to_the_next_target),
	    SCENARIO(a_crowd_reads_the_same_through_both_dialects),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
