/* SPDX-License-Identifier: MIT */
/*
 * Fan-outs through the front door: a plan that comes with the request. Every
 * lane that starts is told once how it ended, whatever the plan made of it, and the last event says
 * how all of it ended.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"
#include "tests/scenario/harness/sse.h"

enum { LANES_MOST = 16, BODY_SIZE = 2048 };

#define QUESTION "\"request\":{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}"

struct world {
	struct sim *sim;
	struct sluice *sluice;
};

static struct world start(void)
{
	struct world world = {.sim = sim_start(NULL)};
	world.sluice = sluice_start(
	    "backends:\n"
	    "  dead: { url: 'http://127.0.0.1:1/v1', breaker: { enabled: false }, timeouts: { connect: 60s } }\n"
	    "  a: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } }\n"
	    "models:\n"
	    "  three: a/count;tokens=3\n"
	    "  five: a/count;tokens=5\n"
	    "  later: a/count;tokens=2;gate=0\n"
	    "  slow: a/count;tokens=1000000;ttft=60s\n"
	    "  ticking: a/count;tokens=1000000;itl=5ms\n"
	    "  cut: a/count;reset_mid;after=2\n"
	    "  flaky: a/count;tokens=2;status=503;times=1\n"
	    "  gone: dead/x\n"
	    "  busy: a/sim;status=503;times=1000\n"
	    "  safe: { fallback: [dead/x, a/count;tokens=4] }\n",
	    world.sim->port);
	return world;
}

static void fetch(const struct world *world, enum via via, const char *how, bool stream, struct answer *answer)
{
	char body[BODY_SIZE];
	snprintf(body, sizeof body, "{%s," QUESTION "%s}", how, stream ? ",\"stream\":true" : "");
	client_fetch(world->sluice, via, "/v1/fanout", body, answer);
}

/* ---- reading what was told ---- */

static const cJSON *member(const cJSON *object, const char *name)
{
	const cJSON *found = cJSON_GetObjectItemCaseSensitive(object, name);
	if (found == NULL)
		fail_msg("no member %s", name);
	return found;
}

static const char *text_of(const cJSON *object, const char *name)
{
	const char *text = cJSON_GetStringValue(member(object, name));
	return text == NULL ? "" : text;
}

static int number_of(const cJSON *object, const char *name)
{
	assert_true(cJSON_IsNumber(member(object, name)));
	return member(object, name)->valueint;
}

/* "name:status" of each lane, by blanks. */
static void list_lanes(const cJSON *lanes, struct bytes *list)
{
	const cJSON *lane;
	int index = 0;
	cJSON_ArrayForEach(lane, lanes)
	{
		assert_int_equal(number_of(lane, "index"), index++);
		assert_int_equal(strcmp(text_of(lane, "status"), "failed") == 0, cJSON_IsObject(member(lane, "error")));
		bytes_printf(list, "%s%s:%s", list->len == 0 ? "" : " ", text_of(lane, "name"),
			     text_of(lane, "status"));
	}
}

static void check_lanes(const cJSON *result, const char *want)
{
	struct bytes list = {0};
	list_lanes(member(result, "lanes"), &list);
	assert_string_equal(bytes_text(&list), want);
	bytes_free(&list);
}

/* What a stream told, read lane by lane. */
struct told {
	struct sse sse;
	size_t started;
	bool ended[LANES_MOST];
	struct bytes text[LANES_MOST]; /* of the deltas */
	cJSON *last;                   /* the terminal event */
	char last_name[16];
};

static void add_delta(struct told *told, int index, const cJSON *event)
{
	const cJSON *choice = cJSON_GetArrayItem(member(member(event, "chunk"), "choices"), 0);
	const char *content =
	    cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(member(choice, "delta"), "content"));
	if (content != NULL)
		bytes_append(&told->text[index], content, strlen(content));
}

/* A lane starts before it says anything, and says nothing behind its one end. */
static void read_lane_event(struct told *told, const char *name, const cJSON *event)
{
	int index = number_of(member(event, "lane"), "index");
	assert_in_range(index, 0, LANES_MOST - 1);
	if (strcmp(name, "lane.started") == 0) {
		assert_int_equal(index, told->started++);
		return;
	}
	assert_true((size_t)index < told->started);
	assert_false(told->ended[index]);
	if (strcmp(name, "lane.delta") == 0) {
		add_delta(told, index, event);
		return;
	}
	assert_string_equal(name + strlen("lane."), text_of(member(event, "lane"), "status"));
	told->ended[index] = true;
}

static void read_event(struct told *told, const char *name, const char *data)
{
	cJSON *event = cJSON_Parse(data);
	assert_non_null(event);
	assert_non_null(name);
	assert_null(told->last); /* nothing behind the terminal event */
	if (strncmp(name, "lane.", 5) == 0) {
		assert_string_equal(text_of(event, "type"), name);
		read_lane_event(told, name, event);
		cJSON_Delete(event);
		return;
	}
	snprintf(told->last_name, sizeof told->last_name, "%s", name);
	told->last = event;
}

/* All lanes that started were told how they ended; [DONE] follows a result, and nothing follows an error. */
static void read_stream(struct told *told, const struct answer *answer)
{
	*told = (struct told){.sse = {.named = true}};
	assert_int_equal(answer->status, 200);
	assert_true(answer->ended);
	sse_read(&told->sse, &answer->body);
	bool done = sse_is_done(&told->sse);
	for (size_t i = 0; i < told->sse.count - done; i++)
		read_event(told, told->sse.names[i], told->sse.data[i]);
	assert_non_null(told->last);
	assert_string_equal(told->last_name, done ? "result" : "error");
	for (size_t i = 0; i < told->started; i++)
		assert_true(told->ended[i]);
}

static void told_free(struct told *told)
{
	sse_free(&told->sse);
	for (size_t i = 0; i < LANES_MOST; i++)
		bytes_free(&told->text[i]);
	cJSON_Delete(told->last);
}

static void fetch_told(const struct world *world, enum via via, const char *how, struct told *told)
{
	struct answer answer;
	fetch(world, via, how, true, &answer);
	read_stream(told, &answer);
	answer_free(&answer);
}

/* ---- good lanes ---- */

static void check_completion(const cJSON *result, const char *first, const char *second)
{
	const char *texts[] = {first, second};
	const cJSON *choices = member(result, "choices");
	assert_string_equal(text_of(result, "object"), "chat.completion");
	assert_int_equal(cJSON_GetArraySize(choices), second == NULL ? 1 : 2);
	for (int i = 0; i < cJSON_GetArraySize(choices); i++) {
		const cJSON *choice = cJSON_GetArrayItem(choices, i);
		assert_int_equal(number_of(choice, "index"), i);
		assert_string_equal(text_of(member(choice, "message"), "content"), texts[i]);
		assert_string_equal(text_of(choice, "finish_reason"), "stop");
	}
}

static void two_models_answer_side_by_side(void **state)
{
	struct world world = start();
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer;
		fetch(&world, via, "\"targets\":[\"three\",\"five\"]", false, &answer);
		assert_int_equal(answer.status, 200);
		check_header(&answer, "content-type", "application/json");
		check_header(&answer, "x-sluice-attempts", "2");
		check_header(&answer, "x-sluice-target", NULL);
		cJSON *root = cJSON_ParseWithLength(answer.body.at, answer.body.len);
		assert_string_equal(text_of(root, "object"), "fanout");
		assert_string_equal(text_of(root, "strategy"), "all");
		assert_true(cJSON_IsNull(member(root, "winner")));
		check_lanes(root, "three:finished five:finished");
		check_completion(member(root, "result"), " 0 1 2", " 0 1 2 3 4");
		assert_int_equal(number_of(member(root, "usage"), "completion_tokens"), 8);
		cJSON_Delete(root);
		answer_free(&answer);
	}
}

static void two_models_stream_side_by_side(void **state)
{
	struct world world = start();
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct told told;
		fetch_told(&world, via, "\"targets\":[\"three\",\"five\"]", &told);
		assert_int_equal(told.started, 2);
		assert_string_equal(bytes_text(&told.text[0]), " 0 1 2");
		assert_string_equal(bytes_text(&told.text[1]), " 0 1 2 3 4");
		assert_true(cJSON_IsNull(member(told.last, "winner")));
		check_lanes(told.last, "three:finished five:finished");
		check_completion(member(told.last, "result"), " 0 1 2", " 0 1 2 3 4");
		assert_int_equal(number_of(member(told.last, "usage"), "completion_tokens"), 8);
		told_free(&told);
	}
}

static void a_race_tells_the_winner_and_cancels_the_loser(void **state)
{
	struct world world = start();
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct told told;
		fetch_told(&world, via, "\"targets\":[\"slow\",\"three\"],\"strategy\":\"race\"", &told);
		assert_int_equal(number_of(told.last, "winner"), 1);
		check_lanes(told.last, "slow:cancelled three:finished");
		assert_true(cJSON_IsNull(member(told.last, "result")));
		assert_string_equal(bytes_text(&told.text[0]), "");
		assert_string_equal(bytes_text(&told.text[1]), " 0 1 2");
		told_free(&told);
	}
	sim_wait_idle(world.sim);
}

static void a_quorum_tells_whose_answer_it_took(void **state)
{
	struct world world = start();
	struct answer answer;
	struct told told;
	(void)state;
	fetch(&world, VIA_H1, "\"targets\":[\"five\",\"three\",\"three\"],\"strategy\":\"quorum\"", false, &answer);
	cJSON *root = cJSON_ParseWithLength(answer.body.at, answer.body.len);
	assert_in_range(number_of(root, "winner"), 1, 2);
	check_completion(member(root, "result"), " 0 1 2", NULL);
	cJSON_Delete(root);
	answer_free(&answer);
	fetch_told(&world, VIA_H2, "\"targets\":[\"slow\",\"three\",\"three\"],\"strategy\":\"quorum\"", &told);
	assert_in_range(number_of(told.last, "winner"), 1, 2);
	check_lanes(told.last, "slow:cancelled three:finished three:finished");
	told_free(&told);
	sim_wait_idle(world.sim);
}

static void a_plan_nests_and_its_children_have_names(void **state)
{
	struct world world = start();
	struct told told;
	(void)state;
	fetch_told(
	    &world, VIA_H1,
	    "\"plan\":{\"all\":[{\"name\":\"mine\",\"plan\":\"three\"},{\"fallback\":[\"gone\",\"five\"]},\"safe\"]}",
	    &told);
	assert_string_equal(text_of(told.last, "strategy"), "all");
	assert_int_equal(told.started, 5); /* two of them failed, and another took their place */
	int failed = 0;
	const cJSON *lane;
	cJSON_ArrayForEach(lane, member(told.last, "lanes"))
	{
		failed += strcmp(text_of(lane, "status"), "failed") == 0;
		if (number_of(lane, "index") == 0)
			assert_string_equal(text_of(lane, "name"), "mine");
	}
	assert_int_equal(failed, 2);
	assert_int_equal(cJSON_GetArraySize(member(member(told.last, "result"), "choices")), 3);
	told_free(&told);
}

static void another_try_is_a_lane_of_its_own(void **state)
{
	struct world world = start();
	struct told told;
	(void)state;
	fetch_told(&world, VIA_H1, "\"plan\":{\"retry\":\"flaky\",\"attempts\":3}", &told);
	check_lanes(told.last, "flaky:failed flaky:finished");
	assert_int_equal(number_of(told.last, "winner"), 1);
	assert_string_equal(bytes_text(&told.text[1]), " 0 1");
	told_free(&told);
}

/* ---- failing lanes ---- */

static void one_lane_that_fails_fails_all_of_them(void **state)
{
	struct world world = start();
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer;
		struct told told;
		fetch(&world, via, "\"targets\":[\"ticking\",\"gone\"]", false, &answer);
		check_error(&answer, 502, "upstream_connect");
		answer_free(&answer);
		fetch_told(&world, via, "\"targets\":[\"ticking\",\"gone\"]", &told);
		assert_string_equal(text_of(member(told.last, "error"), "code"), "upstream_connect");
		told_free(&told);
	}
	sim_wait_idle(world.sim);
}

/* A race of a lane that fails with one that begins when the other has failed. */
static void fetch_later(const struct world *world, enum via via, bool stream, struct answer *answer)
{
	static const char failed[] = "sluice_calls_total{backend=\"dead\",outcome=\"upstream_connect\"}";
	struct patience patience = patience_for("the first lane to fail");
	char body[BODY_SIZE];
	struct client client;
	double before = sluice_metric(world->sluice, failed);
	sim_close_gate(world->sim);
	snprintf(body, sizeof body, "{\"targets\":[\"gone\",\"later\"],\"strategy\":\"race\"," QUESTION "%s}",
		 stream ? ",\"stream\":true" : "");
	client_post(&client, world->sluice, via, "/v1/fanout", body);
	while (sluice_metric(world->sluice, failed) == before)
		patience_wait(&patience);
	sim_open_gate(world->sim);
	client_finish(&client, answer);
}

static void one_lane_that_fails_only_leaves_a_race(void **state)
{
	struct world world = start();
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer;
		struct told told;
		fetch_later(&world, via, false, &answer);
		assert_int_equal(answer.status, 200);
		check_header(&answer, "x-sluice-target", "a/count;tokens=2;gate=0");
		cJSON *root = cJSON_ParseWithLength(answer.body.at, answer.body.len);
		check_lanes(root, "gone:failed later:finished");
		assert_int_equal(number_of(root, "winner"), 1);
		cJSON_Delete(root);
		answer_free(&answer);
		fetch_later(&world, via, true, &answer);
		read_stream(&told, &answer);
		answer_free(&answer);
		check_lanes(told.last, "gone:failed later:finished");
		told_free(&told);
	}
}

static void a_plan_that_fails_tells_all_causes(void **state)
{
	struct world world = start();
	(void)state;
	for (int stream = 0; stream < 2; stream++) {
		struct answer answer;
		fetch(&world, VIA_H2, "\"targets\":[\"gone\",\"busy\"],\"strategy\":\"race\"", stream, &answer);
		assert_int_equal(answer.status, stream ? 200 : 503);
		check_contains(&answer.body, "\"details\":[");
		check_contains(&answer.body, "[\"plan\",\"gone\"]");
		check_contains(&answer.body, "[\"plan\",\"busy\"]");
		answer_free(&answer);
	}
}

/* The race was won by a lane that then breaks: it was relayed, so the fan-out fails, and says so. */
static void a_lane_that_is_cut_is_told_as_cut(void **state)
{
	struct world world = start();
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct told told;
		fetch_told(&world, via, "\"targets\":[\"cut\",\"slow\"],\"strategy\":\"race\"", &told);
		assert_string_equal(text_of(member(told.last, "error"), "code"), "upstream_reset");
		assert_string_equal(bytes_text(&told.text[0]), " 0 1");
		told_free(&told);
	}
	sim_wait_idle(world.sim);
}

/* ---- refusals ---- */

static void check_refusal(const struct world *world, const char *body, int status, const char *code, const char *param)
{
	struct answer answer;
	client_fetch(world->sluice, VIA_H1, "/v1/fanout", body, &answer);
	check_error(&answer, status, code);
	cJSON *root = cJSON_ParseWithLength(answer.body.at, answer.body.len);
	assert_string_equal(text_of(member(root, "error"), "param"), param);
	cJSON_Delete(root);
	answer_free(&answer);
}

static void refusals_name_the_place(void **state)
{
	static const struct {
		const char *body;
		int status;
		const char *code, *param;
	} cases[] = {
	    {"{\"targets\":[\"three\"]}", 400, "missing_required_parameter", "request"},
	    {"{" QUESTION "}", 400, "missing_required_parameter", "targets"},
	    {"{\"targets\":[\"three\"],\"strateggy\":\"all\"," QUESTION "}", 400, "unsupported_parameter", "strateggy"},
	    {"{\"targets\":[\"three\"],\"strategy\":\"vote\"," QUESTION "}", 400, "invalid_value", "strategy"},
	    {"{\"targets\":[],\"strategy\":\"all\"," QUESTION "}", 400, "invalid_value", "targets"},
	    {"{\"targets\":[\"three\",7]," QUESTION "}", 400, "invalid_type", "targets[1]"},
	    {"{\"targets\":[\"three\"],\"request\":{\"messages\":[{\"content\":\"x\"}]}}", 400,
	     "missing_required_parameter", "request.messages[0].role"},
	    {"{\"targets\":[\"three\"],\"request\":{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}"
	     "]}}",
	     400, "unsupported_parameter", "request.model"},
	    {"{\"targets\":[\"three\"],\"request\":{\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}"
	     "]}}",
	     400, "unsupported_parameter", "request.stream"},
	    {"{\"targets\":[\"three\",\"five\",\"six\"]," QUESTION "}", 404, "model_not_found", "targets[2]"},
	    {"{\"targets\":[\"a/count\"]," QUESTION "}", 404, "model_not_found", "targets[0]"},
	    {"{\"targets\":[\"three\"],\"strategy\":\"race\"," QUESTION "}", 400, "invalid_plan", "targets"},
	    {"{\"targets\":[\"three\"],\"plan\":\"three\"," QUESTION "}", 400, "unsupported_parameter", "targets"},
	    {"{\"plan\":\"three\",\"strategy\":\"all\"," QUESTION "}", 400, "unsupported_parameter", "strategy"},
	    {"{\"plan\":{\"race\":[\"three\",\"six\"]}," QUESTION "}", 400, "invalid_plan", "plan.race[1]"},
	    {"{\"plan\":{\"race\":[\"three\",\"a/count\"]}," QUESTION "}", 400, "invalid_plan", "plan.race[1]"},
	    {"{\"plan\":{\"vote\":[\"three\"]}," QUESTION "}", 400, "invalid_plan", "plan"},
	    {"{\"plan\":{\"retry\":{\"retry\":{\"retry\":\"three\",\"attempts\":10},\"attempts\":10},\"attempts\":10}"
	     "," QUESTION "}",
	     400, "invalid_plan", "plan.retry"},
	    {"{\"targets\":[\"three\",\"three\"],\"strategy\":\"quorum\",\"request\":{\"n\":2,\"messages\":[{\"role\":"
	     "\"user\",\"content\":\"x\"}]}}",
	     400, "invalid_plan", "request.n"},
	};
	struct world world = start();
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_refusal(&world, cases[i].body, cases[i].status, cases[i].code, cases[i].param);
	assert_int_equal(sim_call_count(world.sim, ""), 0);
}

static void a_plan_that_is_too_wide_or_too_deep_is_refused(void **state)
{
	struct sim *sim = sim_start(NULL);
	struct world world = {.sim = sim};
	(void)state;
	world.sluice = sluice_start("backends:\n  a: { url: 'http://127.0.0.1:%d/v1' }\n"
				    "models:\n  m: a/count;tokens=2\n"
				    "fanout: { width: 2, depth: 2 }\n",
				    sim->port);
	check_refusal(&world, "{\"targets\":[\"m\",\"m\",\"m\"]," QUESTION "}", 400, "invalid_plan", "targets");
	check_refusal(&world, "{\"plan\":{\"all\":[\"m\",\"m\",\"m\"]}," QUESTION "}", 400, "invalid_plan",
		      "plan.all[2]");
	check_refusal(&world, "{\"plan\":{\"all\":[{\"all\":[\"m\"]}]}," QUESTION "}", 400, "invalid_plan",
		      "plan.all[0].all[0]");
	struct told told;
	fetch_told(&world, VIA_H1, "\"plan\":{\"all\":[\"m\",\"m\"]}", &told);
	check_lanes(told.last, "m:finished m:finished");
	told_free(&told);
	assert_int_equal(sim_call_count(sim, ""), 2);
}

/* ---- leaving, and slow reading ---- */

static void a_client_that_leaves_takes_every_lane_along(void **state)
{
	static const char *const how[] = {"{\"targets\":[\"ticking\",\"slow\",\"ticking\"]," QUESTION
					  ",\"stream\":true}",
					  "{\"targets\":[\"ticking\",\"slow\",\"ticking\"]," QUESTION "}"};
	struct world world = start();
	size_t calls = 0;
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		for (int whole = 0; whole < 2; whole++) {
			struct client client;
			struct sse sse = {.named = true};
			client_post(&client, world.sluice, via, "/v1/fanout", how[whole]);
			sim_wait_calls(world.sim, "", calls += 3);
			if (!whole)
				client_wait_events(&client, &sse, 12);
			client_leave(&client, LEAVE_CANCEL);
			sim_wait_idle(world.sim);
			sse_free(&sse);
			client_close(&client);
		}
	}
	sluice_wait_idle(world.sluice);
	assert_int_equal(sim_call_count(world.sim, ""), calls);
}

/* A token is about 1,000 bytes: each lane's answer is far bigger than all buffers together. */
enum { TOKENS = 20000, SENT_MOST = 15000, GROWTH_MOST = 32 << 20 };

/* All three lanes together are looked at for longer than a backend may be idle. */
enum { STALLED_MS = 1500 };

static void check_paced(const struct world *world, const char *how)
{
	char body[BODY_SIZE];
	struct h1 h1 = {0};
	struct told told;
	size_t rss = proc_rss(world->sluice->proc);
	sim_reset(world->sim);
	snprintf(body, sizeof body, "{%s," QUESTION ",\"stream\":true}", how);
	wire_open_narrow(&h1.wire, world->sluice->port, NULL);
	h1_post(&h1, "/v1/fanout", "", body);
	sim_wait_calls(world->sim, "token_bytes", 3);
	for (int i = 0; i < 3; i++) {
		char lane[32];
		snprintf(lane, sizeof lane, "token_bytes=100%d", i);
		double sent = sim_wait_stalled(world->sim, lane, STALLED_MS);
		if (sent > SENT_MOST)
			fail_msg("lane %d could send %.0f tokens for a client that reads none", i, sent);
	}
	check_memory("three lanes of one client that does not read", rss, proc_rss(world->sluice->proc), GROWTH_MOST);
	h1_wait_end(&h1);
	read_stream(&told, &h1.answer);
	for (int i = 0; i < 3; i++)
		assert_true(told.text[i].len > (size_t)TOKENS * 900);
	check_lanes(told.last, "x:finished y:finished z:finished");
	told_free(&told);
	h1_close(&h1);
}

static void a_client_that_does_not_read_pauses_every_lane(void **state)
{
	struct world world = {.sim = sim_start(NULL)};
	(void)state;
	world.sluice = sluice_start("backends:\n  a: { url: 'http://127.0.0.1:%d/v1', timeouts: { idle: 3s } }\n"
				    "models:\n"
				    "  x: a/count;tokens=%d;token_bytes=1000\n"
				    "  y: a/count;tokens=%d;token_bytes=1001\n"
				    "  z: a/count;tokens=%d;token_bytes=1002\n",
				    world.sim->port, TOKENS, TOKENS, TOKENS);
	check_paced(&world, "\"targets\":[\"x\",\"y\",\"z\"]");
	sluice_wait_idle(world.sluice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(two_models_answer_side_by_side),
	    SCENARIO(two_models_stream_side_by_side),
	    SCENARIO(a_race_tells_the_winner_and_cancels_the_loser),
	    SCENARIO(a_quorum_tells_whose_answer_it_took),
	    SCENARIO(a_plan_nests_and_its_children_have_names),
	    SCENARIO(another_try_is_a_lane_of_its_own),
	    SCENARIO(one_lane_that_fails_fails_all_of_them),
	    SCENARIO(one_lane_that_fails_only_leaves_a_race),
	    SCENARIO(a_plan_that_fails_tells_all_causes),
	    SCENARIO(a_lane_that_is_cut_is_told_as_cut),
	    SCENARIO(refusals_name_the_place),
	    SCENARIO(a_plan_that_is_too_wide_or_too_deep_is_refused),
	    SCENARIO(a_client_that_leaves_takes_every_lane_along),
	    SCENARIO(a_client_that_does_not_read_pauses_every_lane),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
