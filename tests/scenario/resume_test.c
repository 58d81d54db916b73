/* SPDX-License-Identifier: MIT */
/*
 * Streams that break off behind their first content and are gone on with on
 * another target: what the client reads, what the backends saw, and that what
 * cannot be joined ends with the truth.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"
#include "tests/scenario/harness/sse.h"

enum { TOKENS = 20 };

struct world {
	struct sim *a;
	struct sim *b;
	struct sluice *sluice;
};

static struct world start(const char *models)
{
	struct world world = {.a = sim_start(NULL), .b = sim_start(NULL)};
	world.sluice = sluice_start(
	    "backends:\n"
	    "  a: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } }\n"
	    "  hasty: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false }, timeouts: { idle: 100ms } }\n"
	    "  b: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false }, prefill: true }\n"
	    "cache: { policy: off }\nmodels:\n%s",
	    world.a->port, world.a->port, world.b->port, models);
	return world;
}

static void post(struct client *client, const struct world *world, enum via via, const char *model, const char *members)
{
	char body[1024];
	snprintf(body, sizeof body,
		 "{\"model\":\"%s\",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"messages\":"
		 "[{\"role\":\"user\",\"content\":\"a tool\"}]%s}",
		 model, members);
	client_post(client, world->sluice, via, "/v1/chat/completions", body);
}

static void fetch(const struct world *world, enum via via, const char *model, const char *members,
		  struct answer *answer)
{
	struct client client;
	post(&client, world, via, model, members);
	client_finish(&client, answer);
}

/* All events tell the same id and the role is told once, as if one backend had answered. */
static void check_one_answer(const struct sse *sse)
{
	char id[128] = "";
	int roles = 0;
	for (size_t i = 0; i + 1 < sse->count; i++) {
		cJSON *event = cJSON_Parse(sse->data[i]);
		const char *own = cJSON_GetStringValue(cJSON_GetObjectItem(event, "id"));
		assert_non_null(own);
		if (i == 0)
			snprintf(id, sizeof id, "%s", own);
		assert_string_equal(own, id);
		roles += strstr(sse->data[i], "\"role\"") != NULL;
		cJSON_Delete(event);
	}
	assert_int_equal(roles, 1);
}

static void check_joined(struct answer *answer, const char *how)
{
	struct sse sse = {0};
	assert_int_equal(answer->status, 200);
	check_sse_whole(&answer->body, 1);
	sse_read(&sse, &answer->body);
	check_sse_counted(&sse, 0, TOKENS);
	check_one_answer(&sse);
	check_contains(&answer->body, how);
	sse_free(&sse);
	answer_free(answer);
}

static void any_cut_is_joined_by_a_replay(void **state)
{
	static const char *const faults[] = {"reset_mid", "fin_mid",        "end_no_finish",
					     "error_mid", "done_no_finish", "events_then_hang"};
	enum { FAULTS = sizeof(faults) / sizeof(faults[0]) };
	struct bytes models = {0};
	for (size_t i = 0; i < FAULTS; i++)
		bytes_printf(
		    &models,
		    "  m%zu: { fallback: [%s/count;%s;after=%zu;tokens=20, b/count;tokens=20], resume: replay }\n", i,
		    strstr(faults[i], "hang") != NULL ? "hasty" : "a", faults[i], 1 + i * 3);
	struct world world = start(bytes_text(&models));
	(void)state;
	for (size_t i = 0; i < FAULTS; i++) {
		for (enum via via = 0; via < VIA_COUNT; via++) {
			struct answer answer;
			char model[8];
			snprintf(model, sizeof model, "m%zu", i);
			fetch(&world, via, model, ",\"temperature\":0", &answer);
			check_joined(&answer, ": resumed by replay on b/count;tokens=20 behind ");
		}
	}
	assert_int_equal(sim_call_count(world.a, ""), FAULTS * VIA_COUNT);
	assert_int_equal(sim_call_count(world.b, ""), FAULTS * VIA_COUNT);
	assert_true(sluice_metric(world.sluice, "sluice_resumes_total{model=\"m0\",result=\"joined\"}") == VIA_COUNT);
	assert_true(sluice_metric(world.sluice, "sluice_attempts_total{model=\"m0\",reason=\"resume\"}") == VIA_COUNT);
	sluice_wait_idle(world.sluice);
	bytes_free(&models);
}

static void every_combinator_can_go_on(void **state)
{
	static const char *const models[] = {"balanced", "retried", "hedged", "raced", "again", "twice"};
	struct world world =
	    start("  balanced: { balance: [a/count;reset_mid;tokens=20, b/count;tokens=20], resume: replay }\n"
		  "  retried: { retry: [a/count;reset_mid;tokens=20, b/count;tokens=20], resume: replay }\n"
		  "  hedged: { hedge: [a/count;reset_mid;tokens=20, b/count;tokens=20], after: 1h, resume: replay }\n"
		  "  raced: { race: [a/count;reset_mid;tokens=20, b/count;tokens=20;gate=0], resume: replay }\n"
		  "  again: { retry: a/count;reset_mid;times=1;tokens=20, resume: replay }\n"
		  "  twice: { fallback: [a/count;reset_mid;tokens=20, a/count;fin_mid;after=9;tokens=20, "
		  "b/count;tokens=20], resume: replay }\n");
	(void)state;
	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
		struct client client;
		struct answer answer;
		sim_reset(world.a);
		post(&client, &world, VIA_H2, models[i], ",\"seed\":1");
		if (strcmp(models[i], "raced") == 0) { /* the one that breaks off is first */
			sim_wait_calls(world.a, "reset_mid", 1);
			sim_wait_idle(world.a);
			sim_open_gate(world.b);
		}
		client_finish(&client, &answer);
		check_joined(&answer, strcmp(models[i], "balanced") == 0 ? "data: " : ": resumed by replay on ");
	}
	sluice_wait_idle(world.sluice);
}

static void check_broken(struct answer *answer, const char *code, const char *detail, size_t tokens)
{
	struct bytes text = {0};
	struct sse sse = {0};
	check_sse_error(&answer->body, code);
	if (detail != NULL)
		check_contains(&answer->body, detail);
	sse_read(&sse, &answer->body);
	sse_text(&sse, 0, &text);
	assert_int_equal(sse.comments, 0);
	assert_true(tokens == 0 || text.len == 2 * tokens);
	sse_free(&sse);
	bytes_free(&text);
	answer_free(answer);
}

static void what_differs_is_not_joined(void **state)
{
	struct world world =
	    start("  differs: { fallback: [a/count;reset_mid;after=3, b/words], resume: replay }\n"
		  "  shorter: { fallback: [a/count;reset_mid;after=3, b/count;tokens=2], resume: replay }\n"
		  "  dead: { fallback: [a/count;reset_mid;after=3, b/count;status=503], resume: replay }\n"
		  "  both: { fallback: [a/count;reset_mid;after=3, b/count;reset_mid;after=2], resume: replay }\n");
	struct answer answer;
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		fetch(&world, via, "differs", ",\"temperature\":0", &answer);
		check_broken(&answer, "upstream_reset", "upstream_diverged", 3);
		fetch(&world, via, "shorter", ",\"temperature\":0", &answer);
		check_broken(&answer, "upstream_reset", "upstream_diverged", 3);
		fetch(&world, via, "dead", ",\"temperature\":0", &answer);
		check_broken(&answer, "upstream_status", "upstream_reset", 3);
		fetch(&world, via, "both", ",\"temperature\":0", &answer);
		check_broken(&answer, "upstream_reset", "b/count;reset_mid;after=2", 3);
	}
	assert_true(sluice_metric(world.sluice, "sluice_resumes_total{model=\"differs\",result=\"diverged\"}") ==
		    VIA_COUNT);
	assert_true(sluice_metric(world.sluice, "sluice_resumes_total{model=\"dead\",result=\"failed\"}") >= VIA_COUNT);
	sluice_wait_idle(world.sluice);
	sim_wait_idle(world.b);
}

static void what_may_differ_is_not_asked_again(void **state)
{
	struct world world =
	    start("  replay: { fallback: [a/count;reset_mid;after=3, b/count;tokens=20], resume: replay }\n"
		  "  off: { fallback: [a/count;reset_mid;after=3, b/count;tokens=20] }\n");
	struct answer answer;
	(void)state;
	fetch(&world, VIA_H1, "replay", "", &answer);
	check_broken(&answer, "upstream_reset", NULL, 3);
	fetch(&world, VIA_H1, "off", ",\"temperature\":0", &answer);
	check_broken(&answer, "upstream_reset", NULL, 3);
	fetch(&world, VIA_H1, "replay", ",\"temperature\":0,\"n\":2", &answer);
	check_broken(&answer, "upstream_reset", NULL, 0);
	assert_int_equal(sim_call_count(world.b, ""), 0);
}

static void a_target_with_prefill_goes_on_with_the_text(void **state)
{
	struct world world = start(
	    "  on: { fallback: [a/count;reset_mid;after=5;tokens=20, b/count;tokens=20], resume: continue }\n"
	    "  either: { fallback: [a/count;fin_mid;after=5;tokens=20, b/count;tokens=20], resume: either }\n"
	    "  nowhere: { fallback: [b/count;reset_mid;after=3;tokens=20, a/count;tokens=20], resume: continue }\n");
	struct answer answer;
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		fetch(&world, via, "on", ",\"max_tokens\":100", &answer);
		check_joined(&answer, ": resumed by continue on b/count;tokens=20 behind 10 bytes");
		sim_check_body(world.b, "", "{\"role\":\"assistant\",\"content\":\" 0 1 2 3 4\"}]");
		sim_check_body(world.b, "", "\"max_tokens\":95");
		fetch(&world, via, "either", "", &answer);
		check_joined(&answer, ": resumed by continue on ");
		fetch(&world, via, "either", ",\"seed\":3", &answer);
		check_joined(&answer, ": resumed by replay on ");
	}
	fetch(&world, VIA_H1, "on", ",\"response_format\":{\"type\":\"json_object\"}", &answer);
	check_broken(&answer, "upstream_reset", NULL, 5);
	sluice_wait_idle(world.sluice);
}

/* The client got the 400 of the backend that went on, about a message that it never sent; the cut stood in the details.
 */
static void a_refused_prefill_is_not_the_clients_fault_and_is_tried_once(void **state)
{
	struct world world =
	    start("  m: { fallback: [a/count;reset_mid;tokens=20, b/count;status=400], resume: continue }\n");
	(void)state;
	for (int round = 0; round < 3; round++) {
		struct answer answer;
		fetch(&world, VIA_H1, "m", "", &answer);
		check_broken(&answer, "upstream_reset", round == 0 ? "upstream_rejected" : NULL, 3);
	}
	assert_int_equal(sim_call_count(world.b, ""), 1);
	sluice_wait_idle(world.sluice);
}

/* It told the tokens of the last call only. */
static void the_usage_behind_a_prefill_counts_all_that_the_client_received(void **state)
{
	struct world world =
	    start("  cut: { fallback: [a/count;reset_mid;after=8;tokens=20, b/count;tokens=20], resume: continue }\n"
		  "  whole: b/count;tokens=20\n");
	static const char *const models[] = {"whole", "cut"};
	int total[2], completion[2];
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct answer answer;
		struct sse sse = {0};
		fetch(&world, VIA_H2, models[i], "", &answer);
		check_sse_whole(&answer.body, 1);
		sse_read(&sse, &answer.body);
		cJSON *last = cJSON_Parse(sse.data[sse.count - 2]);
		const cJSON *usage = cJSON_GetObjectItem(last, "usage");
		assert_non_null(usage);
		completion[i] = cJSON_GetObjectItem(usage, "completion_tokens")->valueint;
		total[i] = cJSON_GetObjectItem(usage, "total_tokens")->valueint;
		assert_int_equal(total[i], completion[i] + cJSON_GetObjectItem(usage, "prompt_tokens")->valueint);
		cJSON_Delete(last);
		sse_free(&sse);
		answer_free(&answer);
	}
	assert_int_equal(completion[0], TOKENS);
	assert_int_equal(completion[1], TOKENS);
}

/* The only target with prefill is the one that broke off: it is asked, and breaks off again. */
static void without_another_target_the_same_is_asked(void **state)
{
	struct world world =
	    start("  m: { fallback: [b/count;reset_mid;after=3;tokens=20, a/count;tokens=20], resume: continue }\n");
	struct answer answer;
	(void)state;
	fetch(&world, VIA_H2, "m", "", &answer);
	struct sse sse = {0};
	check_sse_error(&answer.body, "upstream_reset");
	sse_read(&sse, &answer.body);
	check_sse_counted(&sse, 0, 12);
	sse_free(&sse);
	answer_free(&answer);
	assert_int_equal(sim_call_count(world.b, ""), 4);
	assert_int_equal(sim_call_count(world.a, ""), 0);
	sluice_wait_idle(world.sluice);
}

#define TOOLS ",\"temperature\":0,\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]"

static void a_tool_call_is_joined_between_its_pieces(void **state)
{
	struct world world =
	    start("  m: { fallback: [a/count;reset_mid;after=2;tokens=5, b/count;tokens=5], resume: either }\n");
	struct bytes arguments = {0};
	struct answer answer;
	struct sse sse = {0};
	int ids = 0;
	(void)state;
	fetch(&world, VIA_H1, "m", TOOLS, &answer);
	check_sse_whole(&answer.body, 1);
	sse_read(&sse, &answer.body);
	for (size_t i = 0; i + 1 < sse.count; i++) {
		cJSON *event = cJSON_Parse(sse.data[i]);
		cJSON *choice = cJSON_GetArrayItem(cJSON_GetObjectItem(event, "choices"), 0);
		cJSON *calls = cJSON_GetObjectItem(cJSON_GetObjectItem(choice, "delta"), "tool_calls");
		cJSON *call = cJSON_GetArrayItem(calls, 0);
		cJSON *function = cJSON_GetObjectItem(call, "function");
		const char *piece = cJSON_GetStringValue(cJSON_GetObjectItem(function, "arguments"));
		bytes_printf(&arguments, "%s", piece == NULL ? "" : piece);
		ids += cJSON_GetObjectItem(call, "id") != NULL;
		cJSON_Delete(event);
	}
	assert_string_equal(bytes_text(&arguments), "{\"text\":\" 0 1 2 3 4\"}");
	assert_int_equal(ids, 1);
	assert_int_equal(sse.comments, 1);
	bytes_free(&arguments);
	sse_free(&sse);
	answer_free(&answer);
}

static void a_client_that_leaves_meanwhile_ends_it(void **state)
{
	struct world world =
	    start("  m: { fallback: [a/count;reset_mid;after=3, b/count;head=10s], resume: replay }\n");
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct client client;
		client_post(&client, world.sluice, via, "/v1/chat/completions",
			    "{\"model\":\"m\",\"stream\":true,\"temperature\":0,\"messages\":[{\"role\":\"user\","
			    "\"content\":\"x\"}]}");
		sim_wait_calls(world.b, "count", via + 1);
		client_leave(&client, LEAVE_CANCEL);
		client_close(&client);
		sim_wait_idle(world.b);
	}
	sluice_wait_idle(world.sluice);
}

static void a_whole_answer_passes_as_without(void **state)
{
	struct world world = start("  m: { fallback: [a/count;reset_mid;after=3, b/count;tokens=20], resume: replay }\n"
				   "  lanes: { all: [{ fallback: [a/count;reset_mid;tokens=20, b/count;tokens=20], "
				   "resume: replay }, b/count;tokens=20] }\n");
	struct answer answer;
	struct sse sse = {0};
	(void)state;
	client_fetch_chat(world.sluice, VIA_H1, "m", false, &answer);
	assert_int_equal(answer.status, 200);
	check_header(&answer, "x-sluice-target", "b/count;tokens=20");
	answer_free(&answer);
	fetch(&world, VIA_H2, "lanes", ",\"temperature\":0", &answer);
	check_sse_whole(&answer.body, 2);
	sse_read(&sse, &answer.body);
	check_sse_counted(&sse, 0, TOKENS);
	check_sse_counted(&sse, 1, TOKENS);
	sse_free(&sse);
	answer_free(&answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(any_cut_is_joined_by_a_replay),
	    SCENARIO(every_combinator_can_go_on),
	    SCENARIO(what_differs_is_not_joined),
	    SCENARIO(what_may_differ_is_not_asked_again),
	    SCENARIO(a_target_with_prefill_goes_on_with_the_text),
	    SCENARIO(a_refused_prefill_is_not_the_clients_fault_and_is_tried_once),
	    SCENARIO(the_usage_behind_a_prefill_counts_all_that_the_client_received),
	    SCENARIO(without_another_target_the_same_is_asked),
	    SCENARIO(a_tool_call_is_joined_between_its_pieces),
	    SCENARIO(a_client_that_leaves_meanwhile_ends_it),
	    SCENARIO(a_whole_answer_passes_as_without),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
