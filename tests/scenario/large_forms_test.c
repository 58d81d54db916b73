/* SPDX-License-Identifier: MIT */
/*
 * Large answers in another form than the one asked for: a backend that sends the other form, kept answers, followers of
 * a flight in the other form, fan-outs. Each was put together in one turn of the loop, up to half a second for 10 MB; a
 * whole answer of more than 1 MiB for a stream was even refused. Counts helpers' work, and judges every answer.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/scenario/harness/cached.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/h1.h"
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"
#include "tests/scenario/harness/sse.h"

enum { TOKENS = 12000, TOKEN_BYTES = 200, TEXT = TOKENS * TOKEN_BYTES, HUGE_TOKENS = 60000, CLIENTS = 30 };

#define RECASTS "sluice_offloaded_total{work=\"recast\"}"
#define ANSWERS "sluice_offloaded_total{work=\"answer\"}"
#define LARGE "s/count;tokens=12000;token_bytes=200;itl=0;ttft=0"

static struct sluice *start_large(struct sim **sim)
{
	*sim = sim_start(NULL);
	return sluice_start_workers(2,
				    "backends: { s: { url: 'http://127.0.0.1:%d/v1' } }\n"
				    "models: { m: '" LARGE "', slow: '" LARGE ";gate=0', other: s/other }\n"
				    "cache: { entry: 8MiB, size: 512MiB }\n",
				    (*sim)->port);
}

static void check_stream(const struct answer *answer, size_t tokens)
{
	struct sse sse = {0};
	check_sse_whole(&answer->body, 1);
	sse_read(&sse, &answer->body);
	check_sse_counted(&sse, 0, tokens);
	sse_free(&sse);
}

/* The text of the answer's message, read as a stream's would be. */
static void check_message(const char *text)
{
	assert_non_null(text);
	assert_int_equal(strlen(text), TEXT);
	for (int i = 0; i < TOKENS; i++) {
		char token[16];
		int len = snprintf(token, sizeof token, " %d", i);
		const char *at = text + (size_t)i * TOKEN_BYTES;
		assert_memory_equal(at, token, (size_t)len);
		assert_int_equal(strspn(at + len, "_"), TOKEN_BYTES - len);
	}
}

static const char *message_of(const cJSON *answer)
{
	const cJSON *choice = cJSON_GetArrayItem(cJSON_GetObjectItem(answer, "choices"), 0);
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(choice, "finish_reason")), "stop");
	return cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetObjectItem(choice, "message"), "content"));
}

static void check_whole(const struct answer *answer)
{
	cJSON *root = cJSON_Parse(bytes_text(&answer->body));
	check_message(message_of(root));
	cJSON_Delete(root);
}

static void check_answer(const struct answer *answer, bool stream)
{
	if (answer->status != 200 || !answer->ended)
		fail_msg("status %d: %.300s", answer->status, bytes_text(&answer->body));
	if (stream)
		check_stream(answer, TOKENS);
	else
		check_whole(answer);
}

static void neighbours_ask(const struct sluice *sluice)
{
	for (int i = 0; i < 8; i++) {
		struct answer answer;
		client_fetch_chat(sluice, (enum via)(i % VIA_COUNT), "other", i % 2 == 0, &answer);
		assert_int_equal(answer.status, 200);
		assert_true(answer.ended);
		answer_free(&answer);
	}
}

static void a_backend_may_send_the_other_form_of_a_large_answer(void **state)
{
	struct sim *sim;
	struct sluice *sluice = start_large(&sim);
	(void)state;
	for (int stream = 0; stream < 2; stream++) {
		sim_control(sim, stream ? "{\"fault\":\"json_for_sse\"}" : "{\"fault\":\"sse_for_json\"}");
		for (enum via via = 0; via < VIA_COUNT; via++) {
			struct answer answer;
			client_fetch_chat(sluice, via, "m", stream != 0, &answer);
			check_answer(&answer, stream != 0);
			answer_free(&answer);
		}
	}
	assert_int_equal(sluice_metric(sluice, ANSWERS), 2 * VIA_COUNT);
	sluice_wait_idle(sluice);
}

/* Reads nothing for longer than the backend may be silent: the answer is there, and its end waits for the client. */
static void a_slow_reader_gets_all_of_an_answer_in_the_other_form(void **state)
{
	struct sim *sim = sim_start((const char *const[]){"--fault", "json_for_sse", NULL});
	struct sluice *sluice =
	    sluice_start_workers(1,
				 "backends: { s: { url: 'http://127.0.0.1:%d/v1', timeouts: { idle: 3s, idle_whole: "
				 "3s, first_content: 60s } } }\n"
				 "models: { m: 's/count;tokens=60000;token_bytes=200;itl=0;ttft=0' }\n"
				 "limits: { event: 16MiB }\n",
				 sim->port);
	(void)state;
	for (int tls = 0; tls < 2; tls++) {
		struct h1 h1 = {0};
		wire_open_narrow(&h1.wire, tls ? sluice->tls_port : sluice->port, tls ? "http/1.1" : NULL);
		h1_post(&h1, "/v1/chat/completions", "", chat_body("m", true));
		struct patience patience = patience_for("the answer to be read by a helper");
		while (sluice_metric(sluice, ANSWERS) <= tls)
			patience_wait(&patience);
		sleep(4);
		assert_int_equal(sluice_metric(sluice, "sluice_exchanges_in_flight"), 1);
		h1_wait_end(&h1);
		assert_true(h1.answer.ended);
		check_stream(&h1.answer, HUGE_TOKENS);
		h1_close(&h1);
	}
	sluice_wait_idle(sluice);
}

/* Asks for one deterministic answer. number: another one for each. */
static void ask_zero(const struct sluice *sluice, enum via via, unsigned number, bool stream, struct answer *answer)
{
	char members[64];
	snprintf(members, sizeof members, CACHED_ZERO ",\"max_tokens\":%u", 100000 + number);
	client_fetch(sluice, via, "/v1/chat/completions", cached_body("m", stream, members), answer);
}

static void a_large_kept_answer_is_given_in_either_form(void **state)
{
	struct sim *sim;
	struct sluice *sluice = start_large(&sim);
	unsigned hits = 0;
	(void)state;
	for (unsigned first = 0; first < 2; first++) {
		struct answer answer;
		ask_zero(sluice, VIA_H1, first, first != 0, &answer);
		check_answer(&answer, first != 0);
		answer_free(&answer);
		struct patience patience = patience_for("the answer to be kept");
		while (sluice_metric(sluice, "sluice_cache_answers_total{model=\"m\",result=\"stored\"}") <= first)
			patience_wait(&patience);
		for (enum via via = 0; via < VIA_COUNT; via++) {
			for (int stream = 0; stream < 2; stream++, hits++) {
				ask_zero(sluice, via, first, stream != 0, &answer);
				cached_check_status(&answer, "sluice; hit");
				check_answer(&answer, stream != 0);
				answer_free(&answer);
			}
		}
		neighbours_ask(sluice);
	}
	assert_int_equal(sluice_metric(sluice, RECASTS), hits);
	assert_int_equal(sim_call_count(sim, "count"), 2);
	sluice_wait_idle(sluice);
}

/* They come while the answer is generated, in both forms; some leave in the middle. */
static void check_followers(bool leaves)
{
	struct sim *sim;
	struct sluice *sluice = start_large(&sim);
	char *bodies[] = {strdup(cached_body("slow", false, CACHED_ZERO)),
			  strdup(cached_body("slow", true, CACHED_ZERO))};
	struct mass_job jobs[CLIENTS] = {{.body = NULL}};
	for (size_t i = 0; i < CLIENTS; i++) {
		jobs[i] = (struct mass_job){.body = bodies[i % 2], .leaves = MASS_STAYS};
		if (leaves && i % 3 == 0)
			jobs[i] = (struct mass_job){.body = bodies[i % 2],
						    .leaves = MASS_LEAVES_AFTER_BYTES,
						    .leave_at = i * TEXT / CLIENTS,
						    .how = (enum leave)(i / 3 % 3)};
	}
	struct mass mass = {.sluice = sluice,
			    .via = VIA_H1,
			    .connections = CLIENTS,
			    .streams = 1,
			    .jobs = jobs,
			    .count = CLIENTS,
			    .gate = sim};
	mass_run(&mass);
	for (size_t i = 0; i < CLIENTS; i++)
		if (!jobs[i].left)
			check_answer(&jobs[i].answer, i % 2 == 1);
	mass_free_answers(&mass);
	assert_true(sluice_metric(sluice, RECASTS) > 0);
	assert_int_equal(sim_call_count(sim, "count"), 1);
	neighbours_ask(sluice);
	for (size_t i = 0; i < 2; i++)
		free(bodies[i]);
	sluice_wait_idle(sluice);
	sim_wait_idle(sim);
}

static void followers_of_a_large_answer_have_it_in_their_own_form(void **state)
{
	(void)state;
	check_followers(false);
}

static void followers_that_leave_a_large_answer_disturb_no_others(void **state)
{
	(void)state;
	check_followers(true);
}

static void a_large_answer_of_a_fan_out_is_framed_by_a_helper(void **state)
{
	struct sim *sim;
	struct sluice *sluice = start_large(&sim);
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer;
		client_fetch(sluice, via, "/v1/fanout",
			     "{\"targets\":[\"m\",\"other\"],\"request\":{\"messages\":[{\"role\":\"user\",\"content\":"
			     "\"x\"}]}}",
			     &answer);
		assert_int_equal(answer.status, 200);
		cJSON *root = cJSON_Parse(bytes_text(&answer.body));
		assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(root, "lanes")), 2);
		check_message(message_of(cJSON_GetObjectItem(root, "result")));
		cJSON_Delete(root);
		answer_free(&answer);
	}
	assert_int_equal(sluice_metric(sluice, RECASTS), VIA_COUNT);
	sluice_wait_idle(sluice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_backend_may_send_the_other_form_of_a_large_answer),
	    SCENARIO(a_slow_reader_gets_all_of_an_answer_in_the_other_form),
	    SCENARIO(a_large_kept_answer_is_given_in_either_form),
	    SCENARIO(followers_of_a_large_answer_have_it_in_their_own_form),
	    SCENARIO(followers_that_leave_a_large_answer_disturb_no_others),
	    SCENARIO(a_large_answer_of_a_fan_out_is_framed_by_a_helper),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
