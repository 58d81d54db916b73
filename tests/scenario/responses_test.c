/* SPDX-License-Identifier: MIT */
/*
 * Clients of the Responses dialect: responses in, any model and plan behind, responses out. Whatever becomes of the
 * answer, its stream follows the grammar (tests/grammar/responses.h) and ends with one terminal event and [DONE]; it
 * shares cache, flights and limits with chats that ask for the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/grammar/responses.h"
#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

#define RESPONSES "/v1/responses"
#define CHAT "/v1/chat/completions"
#define ASKED "\"input\":\"Tell me about rivers\""
#define CHAT_ASKED "\"messages\":[{\"role\":\"user\",\"content\":\"Tell me about rivers\"}]"

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
	snprintf(body, sizeof body, "{\"model\":\"%s\",\"max_output_tokens\":64,\"stream\":%s," ASKED "%s}", model,
		 stream ? "true" : "false", more);
	return body;
}

static struct answer ask(const struct world *world, enum via via, const char *body)
{
	struct answer answer;
	client_fetch(world->sluice, via, RESPONSES, body, &answer);
	return answer;
}

/* Reads a stream by its grammar; grammar_free() follows. */
static struct grammar read_stream(const struct answer *answer)
{
	struct grammar grammar;
	assert_int_equal(answer->status, 200);
	if (!grammar_read(&grammar, bytes_text(&answer->body)))
		fail_msg("%s in\n%s", grammar.fault, bytes_text(&answer->body));
	return grammar;
}

/* Fails unless the stream follows the grammar and ends in that way. */
static void check_stream(const struct answer *answer, const char *end)
{
	struct grammar grammar = read_stream(answer);
	assert_string_equal(grammar.end, end);
	grammar_free(&grammar);
}

/* The text of the first item, of a whole answer or of a stream. */
static void text_of(const struct answer *answer, bool stream, char text[4096])
{
	if (stream) {
		struct grammar grammar = read_stream(answer);
		assert_true(grammar.count > 0);
		snprintf(text, 4096, "%s", grammar.items[0].text);
		grammar_free(&grammar);
		return;
	}
	cJSON *whole = cJSON_Parse(bytes_text(&answer->body));
	const cJSON *item = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(whole, "output"), 0);
	snprintf(text, 4096, "%s", grammar_said(item, "message"));
	cJSON_Delete(whole);
}

static void a_response_is_whole_or_streamed_over_every_way_in(void **state)
{
	(void)state;
	struct world world = start("  m: s/one\n", "");
	char whole[4096], streamed[4096];
	for (int via = 0; via < VIA_COUNT; via++) {
		struct answer answer = ask(&world, (enum via)via, body_of("m", false, ""));
		assert_int_equal(answer.status, 200);
		assert_string_equal(answer_header(&answer, "content-type"), "application/json");
		assert_string_equal(answer_header(&answer, "x-sluice-target"), "s/one");
		check_contains(&answer.body, "\"object\":\"response\"");
		check_contains(&answer.body, "\"status\":\"completed\"");
		check_contains(&answer.body, "\"output_tokens\":12,");
		check_contains(&answer.body, "\"max_output_tokens\":64");
		text_of(&answer, false, whole);
		answer_free(&answer);
		answer = ask(&world, (enum via)via, body_of("m", true, ""));
		check_stream(&answer, "completed");
		assert_string_equal(answer_header(&answer, "content-type"), "text/event-stream; charset=utf-8");
		check_contains(&answer.body, "\"output_tokens\":12,");
		text_of(&answer, true, streamed);
		answer_free(&answer);
		assert_true(strlen(whole) > 20);
		assert_string_equal(whole, streamed);
	}
}

static void what_no_backend_is_told_is_named(void **state)
{
	(void)state;
	struct world world = start("  m: s/one\n", "");
	struct answer answer = ask(
	    &world, VIA_H1,
	    body_of("m", true,
		    ",\"instructions\":\"Be brief\",\"truncation\":\"auto\",\"tools\":[{\"type\":\"web_search\"}]"));
	check_stream(&answer, "completed");
	assert_string_equal(answer_header(&answer, "x-sluice-dropped"), "tools[0], truncation");
	sim_check_body(world.sim, "one", "{\"role\":\"system\",\"content\":\"Be brief\"}");
	answer_free(&answer);
	answer = ask(&world, VIA_H1, body_of("m", false, ""));
	assert_null(answer_header(&answer, "x-sluice-dropped"));
	answer_free(&answer);
	const struct h2_header strict[] = {{"x-sluice-lossy", "refuse"}, {NULL, NULL}};
	client_ask(world.sluice, VIA_H1, "POST", RESPONSES, strict, body_of("m", false, ",\"truncation\":\"auto\""),
		   &answer);
	assert_int_equal(answer.status, 400);
	check_contains(&answer.body, "truncation");
	answer_free(&answer);
}

static void an_answer_that_is_cut_by_its_limit_is_incomplete(void **state)
{
	(void)state;
	struct world world = start("  m: s/one\n", "");
	struct answer answer = ask(&world, VIA_H1, "{\"model\":\"m\",\"max_output_tokens\":3," ASKED "}");
	check_contains(&answer.body, "\"status\":\"incomplete\"");
	check_contains(&answer.body, "\"incomplete_details\":{\"reason\":\"max_output_tokens\"}");
	answer_free(&answer);
	answer = ask(&world, VIA_H1, "{\"model\":\"m\",\"max_output_tokens\":3,\"stream\":true," ASKED "}");
	check_stream(&answer, "incomplete");
	answer_free(&answer);
}

/* ---- what backends send ---- */

#define CHUNK(DELTA) \
	"data: {\"id\":\"c\",\"created\":1,\"model\":\"raw\",\"choices\":[{\"index\":0,\"delta\":{" DELTA "}}]}\n\n"
#define FINISH(WORD)                                                                                              \
	"data: "                                                                                                  \
	"{\"id\":\"c\",\"created\":1,\"model\":\"raw\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":" \
	"\"" WORD "\"}]}\n\n"
#define CALL(INDEX, MEMBERS) CHUNK("\"tool_calls\":[{\"index\":" INDEX "," MEMBERS "}]")
#define NAMED(ID, NAME, ARGUMENTS) \
	"\"id\":\"" ID "\",\"type\":\"function\",\"function\":{\"name\":\"" NAME "\",\"arguments\":\"" ARGUMENTS "\"}"
#define MORE(ARGUMENTS) "\"function\":{\"arguments\":\"" ARGUMENTS "\"}"
#define ROLE CHUNK("\"role\":\"assistant\",\"content\":null")
#define DONE "data: [DONE]\n\n"

/* A stream of a backend, and the items that it becomes: [KIND NAME:TEXT]. */
struct trap {
	const char *story, *stream, *told;
};

static const struct trap traps[] = {
    {"parallel calls whose arguments come mixed",
     ROLE CALL("0", NAMED("t0", "f", "")) CALL("1", NAMED("t1", "g", "")) CALL("0", MORE("{\\\"a\\\":"))
	 CALL("1", MORE("{}")) CALL("0", MORE("1}")) FINISH("tool_calls") DONE,
     "[function_call f:{\"a\":1}][function_call g:{}]completed"},
    {"a call as the first chunk, without a role", CALL("0", NAMED("t0", "f", "{}")) FINISH("tool_calls") DONE,
     "[function_call f:{}]completed"},
    {"arguments before the name",
     ROLE CALL("0", "\"id\":\"t0\"," MORE("{\\\"a\\\"")) CALL("0", "\"function\":{\"name\":\"f\"}")
	 CALL("0", MORE(":1}")) FINISH("tool_calls") DONE,
     "[function_call f:{\"a\":1}]completed"},
    {"no arguments", ROLE CALL("0", NAMED("t0", "f", "")) FINISH("tool_calls") DONE, "[function_call f:]completed"},
    {"two finish chunks, and usage in a last one without choices",
     CHUNK("\"content\":\"a\"") FINISH("stop")
	 FINISH("length") "data: "
			  "{\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":6,\"total_"
			  "tokens\":10}}\n\n" DONE,
     "[message:a]completed"},
    {"finish stop although a tool is called", ROLE CALL("0", NAMED("t0", "f", "{}")) FINISH("stop") DONE,
     "[function_call f:{}]completed"},
    {"a refusal", ROLE CHUNK("\"refusal\":\"no\"") FINISH("stop") DONE, "[message:no]completed"},
    {"a content filter", ROLE CHUNK("\"content\":\"a\"") FINISH("content_filter") DONE, "[message:a]incomplete"},
    {"reasoning before the text",
     ROLE CHUNK("\"reasoning_content\":\"hm\"") CHUNK("\"content\":\"a\"") FINISH("stop") DONE,
     "[reasoning:hm][message:a]completed"},
    {"text, a call, and text again",
     CHUNK("\"content\":\"a\"") CALL("0", NAMED("t0", "f", "{}")) CHUNK("\"content\":\"b\"") FINISH("stop") DONE,
     "[message:a][function_call f:{}][message:b]completed"},
    {"a custom tool", ROLE CALL("0", NAMED("t0", "sql", "{\\\"input\\\":\\\"SELECT 1\\\"}")) FINISH("tool_calls") DONE,
     "[custom_tool_call sql:SELECT 1]completed"},
    {"events that nobody knows", CHUNK("\"content\":\"a\",\"odd\":{\"x\":1}") FINISH("eos") DONE,
     "[message:a]completed"},
};
enum { TRAPS = sizeof traps / sizeof *traps };

/* Asks a backend that sends this for all requests. */
static struct answer ask_raw(struct backend *backend, const char *stream)
{
	struct step script[] = {SEND(STREAM_HEAD), SEND(stream), FIN};
	backend_script(backend, script);
	struct sluice *sluice =
	    sluice_start("backends: { raw: { url: 'http://127.0.0.1:%d/v1' } }\nmodels: { m: raw/m }\n"
			 "retries: { percent: 0, least: 0 }\n",
			 backend_port(backend));
	struct answer answer;
	client_fetch(sluice, VIA_H1, RESPONSES,
		     body_of("m", true, ",\"tools\":[{\"type\":\"custom\",\"name\":\"sql\"}]"), &answer);
	return answer;
}

static void streams_of_odd_backends_follow_the_grammar(void **state)
{
	(void)state;
	for (size_t i = 0; i < TRAPS; i++) {
		char told[1024] = "";
		struct answer answer = ask_raw(backend_start(), traps[i].stream);
		struct grammar grammar = read_stream(&answer);
		for (int j = 0; j < grammar.count; j++)
			snprintf(told + strlen(told), sizeof told - strlen(told), "[%s%s%s:%s]", grammar.items[j].kind,
				 grammar.items[j].name == NULL ? "" : " ",
				 grammar.items[j].name == NULL ? "" : grammar.items[j].name, grammar.items[j].text);
		snprintf(told + strlen(told), sizeof told - strlen(told), "%s", grammar.end);
		if (strcmp(told, traps[i].told) != 0)
			fail_msg("%s: %s, not %s", traps[i].story, told, traps[i].told);
		if (strstr(traps[i].stream, "\"usage\"") != NULL)
			check_contains(&answer.body, "\"total_tokens\":10}");
		grammar_free(&grammar);
		answer_free(&answer);
	}
}

static void an_error_in_the_first_event_regains_its_status(void **state)
{
	(void)state;
	struct answer answer =
	    ask_raw(backend_start(), "data: {\"error\":{\"message\":\"slow down\",\"code\":429}}\n\n" DONE);
	assert_int_equal(answer.status, 429);
	check_contains(&answer.body, "slow down");
	answer_free(&answer);
}

/* The backend is another Sluice, whose clients speak Messages. */
static void backends_of_another_dialect_answer_responses_too(void **state)
{
	(void)state;
	struct world behind =
	    start("  m: s/one\n  busy: s/m;fault=status;status=429\n  cut: s/m;fault=reset_mid;after=4\n",
		  "retries: { percent: 0, least: 0 }");
	struct sluice *front = sluice_start("backends: { a: { url: 'http://127.0.0.1:%d/v1', dialect: anthropic } }\n"
					    "models: { m: a/m, busy: a/busy, cut: a/cut }\n"
					    "retries: { percent: 0, least: 0 }",
					    behind.sluice->port);
	const struct world world = {behind.sim, front};
	char whole[4096], streamed[4096];
	struct answer answer = ask(&world, VIA_H1, body_of("m", false, ""));
	assert_int_equal(answer.status, 200);
	check_contains(&answer.body, "\"output_tokens\":12,");
	text_of(&answer, false, whole);
	answer_free(&answer);
	answer = ask(&world, VIA_H1, body_of("m", true, ""));
	check_stream(&answer, "completed");
	text_of(&answer, true, streamed);
	answer_free(&answer);
	assert_string_equal(whole, streamed);
	answer = ask(&world, VIA_H1, body_of("busy", true, ""));
	assert_int_equal(answer.status, 429);
	check_contains(&answer.body, "{\"error\":{\"message\":\"simulated status 429");
	answer_free(&answer);
	answer = ask(&world, VIA_H1, body_of("cut", true, ""));
	check_stream(&answer, "failed");
	answer_free(&answer);
}

/* ---- errors ---- */

static void errors_are_those_of_openai(void **state)
{
	static const struct {
		const char *body;
		int status;
		const char *code, *part;
	} rows[] = {
	    {"{", 400, "invalid_json", "line 1"},
	    {"{\"model\":\"m\"}", 400, "missing_required_parameter", "input is required"},
	    {"{\"model\":\"m\",\"background\":true," ASKED "}", 400, "invalid_value", "\"param\":\"background\""},
	    {"{\"model\":\"m\",\"previous_response_id\":\"resp_1\"," ASKED "}", 400, "previous_response_not_found",
	     "\"param\":\"previous_response_id\""},
	    {"{\"model\":\"m\",\"input\":[{\"type\":\"item_reference\",\"id\":\"i\"}]}", 400, "unsupported_parameter",
	     "\"param\":\"input[0].id\""},
	    {"{\"model\":\"none\"," ASKED "}", 404, "model_not_found", "does not exist"},
	    {"{\"model\":\"busy\"," ASKED "}", 429, NULL, "simulated status 429"},
	    {"{\"model\":\"busy\",\"stream\":true," ASKED "}", 429, NULL, "simulated"},
	    {"{\"model\":\"tea\"," ASKED "}", 418, NULL, "simulated status 418"},
	    {"{\"model\":\"ill\"," ASKED "}", 500, NULL, "simulated status 500"},
	    {"{\"model\":\"none-yet\"," ASKED "}", 503, NULL, "simulated status 503"},
	    {"{\"model\":\"mute\",\"stream\":true," ASKED "}", 504, "upstream_first_content", "time"},
	    {"{\"model\":\"odd\"," ASKED "}", 502, "upstream_invalid_response", "upstream"},
	};
	(void)state;
	struct world world = start("  m: s/one\n  busy: s/m;fault=status;status=429\n  odd: s/m;fault=not_json\n"
				   "  tea: s/m;fault=status;status=418\n  ill: s/m;fault=status;status=500\n"
				   "  none-yet: s/m;fault=status;status=503\n"
				   "  mute: hasty/m;fault=hang_before_head\n",
				   "retries: { percent: 0, least: 0 }");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct answer answer = ask(&world, VIA_H1, rows[i].body);
		assert_int_equal(answer.status, rows[i].status);
		if (rows[i].code != NULL) /* else the backend's own words */
			check_error(&answer, rows[i].status, rows[i].code);
		check_contains(&answer.body, rows[i].part);
		answer_free(&answer);
	}
	struct answer answer;
	client_ask(world.sluice, VIA_H2, "GET", RESPONSES, NULL, NULL, &answer);
	check_error(&answer, 405, "method_not_allowed");
	answer_free(&answer);
}

static void who_shows_no_key_is_refused(void **state)
{
	(void)state;
	struct world world =
	    start("  m: s/one\n", "auth: { pepper: 0123456789abcdef0123456789abcdef }\nkeys: { k: { hash: 'aaaaaaa0:"
				  "0000000000000000000000000000000000000000000000000000000000000000' } }\n");
	struct answer answer = ask(&world, VIA_H1, body_of("m", false, ""));
	check_error(&answer, 401, "missing_api_key");
	answer_free(&answer);
}

static void a_stream_that_breaks_off_ends_with_response_failed(void **state)
{
	static const char *const faults[] = {"reset_mid", "fin_mid", "end_no_finish", "error_mid", "broken_json"};
	(void)state;
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		char models[128];
		snprintf(models, sizeof models, "  m: s/m;fault=%s;after=4\n", faults[i]);
		struct world world = start(models, "");
		struct answer answer = ask(&world, VIA_H1, body_of("m", true, ""));
		check_stream(&answer, "failed");
		check_contains(&answer.body, "\"error\":{\"message\":\"");
		check_lacks(&answer.body, "response.completed");
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
	client_fetch(world.sluice, VIA_H1, CHAT,
		     "{\"model\":\"m\",\"max_completion_tokens\":64,\"temperature\":0," CHAT_ASKED "}", &chat);
	assert_int_equal(chat.status, 200);
	for (int stream = 0; stream < 2; stream++)
		for (int twice = 0; twice < 2; twice++) {
			answer = ask(&world, VIA_H1, body_of("m", stream, ",\"temperature\":0"));
			assert_non_null(strstr(answer_header(&answer, "cache-status"), "hit"));
			text_of(&answer, stream, told);
			snprintf(kept, sizeof kept, "\"content\":\"%s\"", told);
			check_contains(&chat.body, kept);
			check_contains(&answer.body, "\"output_tokens\":12,");
			answer_free(&answer);
		}
	assert_int_equal(sim_call_count(world.sim, "one"), 1);
	answer_free(&chat);
	answer = ask(&world, VIA_H1, body_of("m", false, ",\"temperature\":0"));
	const struct h2_header have[] = {{"if-none-match", answer_header(&answer, "etag")}, {NULL, NULL}};
	client_ask(world.sluice, VIA_H1, "POST", RESPONSES, have, body_of("m", false, ",\"temperature\":0"), &chat);
	assert_int_equal(chat.status, 304);
	answer_free(&chat);
	client_ask(world.sluice, VIA_H1, "POST", CHAT, have,
		   "{\"model\":\"m\",\"max_completion_tokens\":64,\"temperature\":0," CHAT_ASKED "}", &chat);
	assert_int_equal(chat.status, 200); /* it has the answer in the other dialect */
	answer_free(&chat);
	answer_free(&answer);
	answer = ask(&world, VIA_H1, body_of("m", true, ",\"temperature\":0,\"top_p\":0.5"));
	text_of(&answer, true, told);
	answer_free(&answer);
	client_fetch(world.sluice, VIA_H1, CHAT,
		     "{\"model\":\"m\",\"max_completion_tokens\":64,\"temperature\":0,\"top_p\":0.5," CHAT_ASKED "}",
		     &chat);
	assert_non_null(strstr(answer_header(&chat, "cache-status"), "hit"));
	check_contains(&chat.body, told);
	answer_free(&chat);
	assert_int_equal(sim_call_count(world.sim, "one"), 2);
}

static void responses_and_chats_that_ask_for_the_same_share_a_flight(void **state)
{
	enum { EACH = 10 };
	(void)state;
	struct world world = start("  m: s/one;gate=1\n", "cache: { policy: always }\n");
	static struct client clients[3 * EACH];
	sim_close_gate(world.sim);
	for (size_t i = 0; i < 3 * EACH; i++) {
		const char *chat = "{\"model\":\"m\",\"max_completion_tokens\":64,\"temperature\":0," CHAT_ASKED "}";
		bool response = i % 3 != 0;
		client_post(&clients[i], world.sluice, (enum via)(i % VIA_COUNT), response ? RESPONSES : CHAT,
			    response ? body_of("m", i % 3 == 1, ",\"temperature\":0") : chat);
	}
	sim_wait_calls(world.sim, "one", 1);
	sim_open_gate(world.sim);
	for (size_t i = 0; i < 3 * EACH; i++) {
		struct answer answer;
		client_finish(&clients[i], &answer);
		assert_int_equal(answer.status, 200);
		if (i % 3 == 1)
			check_stream(&answer, "completed");
		else
			check_contains(&answer.body, i % 3 == 0 ? "\"chat.completion\"" : "\"object\":\"response\"");
		answer_free(&answer);
	}
	assert_int_equal(sim_call_count(world.sim, "one"), 1);
}

/* ---- crowds, sizes, leaving ---- */

static void of_so_many_at_once_each_gets_all_of_its_response(void **state)
{
	static const size_t counts[] = {1, 30, 300};
	(void)state;
	struct world world = start("  m: s/one;itl=1ms\n", "");
	for (size_t i = 0; i < 3; i++) {
		char body[1024];
		snprintf(body, sizeof body, "%s", body_of("m", true, ""));
		struct mass_job *jobs = mass_jobs(counts[i], body);
		for (size_t j = 0; j < counts[i]; j++)
			jobs[j].path = RESPONSES;
		struct mass mass = mass_crowd(world.sluice, jobs, counts[i]);
		mass_run(&mass);
		for (size_t j = 0; j < counts[i]; j++)
			check_stream(&jobs[j].answer, "completed");
		mass_free_answers(&mass);
		free(jobs);
	}
}

/* So large that helpers read the request and write the answer. */
static void large_responses_come_whole(void **state)
{
	enum { PROMPT = 3 << 20 };
	(void)state;
	struct world world = start("  m: s/one;tokens=800;token_bytes=1000\n", "");
	char *body = malloc(PROMPT + 1024);
	for (int stream = 0; stream < 2; stream++) {
		int len = sprintf(
		    body, "{\"model\":\"m\",\"max_output_tokens\":1000,\"store\":false,\"stream\":%s,\"input\":\"",
		    stream ? "true" : "false");
		memset(body + len, 'x', PROMPT);
		strcpy(body + len + PROMPT, "\"}");
		struct answer answer = ask(&world, VIA_H2, body);
		assert_int_equal(answer.status, 200);
		assert_true(answer.body.len > 800000);
		if (stream)
			check_stream(&answer, "completed");
		else
			check_contains(&answer.body, "\"output_tokens\":800,");
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
		client_post(&client, world.sluice, (enum via)via, RESPONSES, body_of("m", true, ""));
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
	    SCENARIO(a_response_is_whole_or_streamed_over_every_way_in),
	    SCENARIO(what_no_backend_is_told_is_named),
	    SCENARIO(an_answer_that_is_cut_by_its_limit_is_incomplete),
	    SCENARIO(streams_of_odd_backends_follow_the_grammar),
	    SCENARIO(an_error_in_the_first_event_regains_its_status),
	    SCENARIO(backends_of_another_dialect_answer_responses_too),
	    SCENARIO(errors_are_those_of_openai),
	    SCENARIO(who_shows_no_key_is_refused),
	    SCENARIO(a_stream_that_breaks_off_ends_with_response_failed),
	    SCENARIO(an_answer_kept_for_a_chat_is_a_hit_and_so_the_other_way),
	    SCENARIO(responses_and_chats_that_ask_for_the_same_share_a_flight),
	    SCENARIO(of_so_many_at_once_each_gets_all_of_its_response),
	    SCENARIO(large_responses_come_whole),
	    SCENARIO(a_client_that_leaves_ends_the_call),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
