/* SPDX-License-Identifier: MIT */
/*
 * The plan algebra through the front door: fallback and all, and each inside
 * the other. A configured model is a plan, so any client gets this by name.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"
#include "tests/scenario/harness/sse.h"

struct world {
	struct sim *a;
	struct sim *b;
	struct sluice *sluice;
};

static struct world start(void)
{
	struct world world = {.a = sim_start(NULL), .b = sim_start(NULL)};
	world.sluice = sluice_start(
	    "backends:\n"
	    "  dead: { url: 'http://127.0.0.1:1/v1', breaker: { enabled: false }, timeouts: { connect: 60s } }\n"
	    "  a: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } }\n"
	    "  b: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } }\n"
	    "models:\n"
	    "  third: { fallback: [dead/x, b/sim;status=503, a/count;tokens=3] }\n"
	    "  none: { fallback: [dead/x, b/sim;status=503;times=1000] }\n"
	    "  late: { fallback: [a/count;reset_mid;after=2, b/count;tokens=3] }\n"
	    "  both: { all: [a/count;tokens=3, b/count;tokens=5] }\n"
	    "  guarded: { all: [{ fallback: [dead/x, a/count;tokens=3] }, b/count;tokens=5] }\n"
	    "  rescued: { fallback: [{ all: [a/count;tokens=3, dead/x] }, b/count;tokens=4] }\n"
	    "  nested: { all: [{ all: [a/count;tokens=2, b/count;tokens=3] }, a/count;tokens=4] }\n"
	    "  broken: { all: [a/count;itl=5ms;tokens=100000, b/count;reset_mid;after=2] }\n",
	    world.a->port, world.b->port);
	return world;
}

static void fetch(const struct world *world, enum via via, const char *model, bool stream, struct answer *answer)
{
	char body[512];
	snprintf(body, sizeof body, "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]%s}", model,
		 stream ? ",\"stream\":true,\"stream_options\":{\"include_usage\":true}" : "");
	client_fetch(world->sluice, via, "/v1/chat/completions", body, answer);
}

static void a_fallback_answers_with_the_first_child_that_can(void **state)
{
	struct world world = start();
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		for (int stream = 0; stream < 2; stream++) {
			struct answer answer;
			fetch(&world, via, "third", stream, &answer);
			assert_int_equal(answer.status, 200);
			check_header(&answer, "x-sluice-target", "a/count;tokens=3");
			check_header(&answer, "x-sluice-attempts", "3");
			check_contains(&answer.body, " 2\"");
			answer_free(&answer);
		}
	}
	assert_int_equal(sim_call_count(world.a, ""), 2 * VIA_COUNT);
	assert_int_equal(sim_call_count(world.b, ""), 2 * VIA_COUNT);
}

static void a_fallback_of_which_none_can_tells_the_last_failure(void **state)
{
	struct world world = start();
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		for (int stream = 0; stream < 2; stream++) {
			struct answer answer;
			fetch(&world, via, "none", stream, &answer);
			assert_int_equal(answer.status, 503);
			check_header(&answer, "x-sluice-attempts", "2");
			check_contains(&answer.body, "\"error\"");
			answer_free(&answer);
		}
	}
}

static void a_fallback_never_changes_horses_mid_stream(void **state)
{
	struct world world = start();
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer;
		fetch(&world, via, "late", true, &answer);
		check_sse_error(&answer.body, "upstream_reset");
		check_header(&answer, "x-sluice-target", "a/count;reset_mid;after=2");
		answer_free(&answer);
	}
	assert_int_equal(sim_call_count(world.b, ""), 0);
}

struct lane {
	const char *target;
	size_t tokens;
};

static const struct lane both_lanes[] = {{"a/count;tokens=3", 3}, {"b/count;tokens=5", 5}};
static const struct lane nested_lanes[] = {{"a/count;tokens=2", 2}, {"b/count;tokens=3", 3}, {"a/count;tokens=4", 4}};

static void check_usage(const cJSON *root, const struct lane *lanes, size_t count)
{
	int completion = 0;
	for (size_t i = 0; i < count; i++)
		completion += (int)lanes[i].tokens;
	const cJSON *usage = cJSON_GetObjectItemCaseSensitive(root, "usage");
	const cJSON *prompt_tokens = cJSON_GetObjectItemCaseSensitive(usage, "prompt_tokens");
	const cJSON *completion_tokens = cJSON_GetObjectItemCaseSensitive(usage, "completion_tokens");
	const cJSON *total_tokens = cJSON_GetObjectItemCaseSensitive(usage, "total_tokens");
	assert_true(cJSON_IsNumber(completion_tokens));
	assert_int_equal(completion_tokens->valueint, completion);
	assert_int_equal(total_tokens->valueint, completion + prompt_tokens->valueint);
	assert_int_equal(prompt_tokens->valueint % (int)count, 0);
}

static void check_choice(const cJSON *choice, size_t index, const struct lane *lane)
{
	char last[32];
	const char *target = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(choice, "sluice_target"));
	const cJSON *message = cJSON_GetObjectItemCaseSensitive(choice, "message");
	const char *content = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(message, "content"));
	assert_int_equal(cJSON_GetObjectItemCaseSensitive(choice, "index")->valueint, index);
	assert_non_null(target);
	assert_string_equal(target, lane->target);
	assert_non_null(content);
	snprintf(last, sizeof last, " %zu", lane->tokens - 1);
	assert_string_equal(content + strlen(content) - strlen(last), last);
}

static void check_whole(const struct world *world, const char *model, const struct lane *lanes, size_t count)
{
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer;
		fetch(world, via, model, false, &answer);
		assert_int_equal(answer.status, 200);
		cJSON *root = cJSON_ParseWithLength(answer.body.at, answer.body.len);
		const cJSON *choices = cJSON_GetObjectItemCaseSensitive(root, "choices");
		assert_int_equal(cJSON_GetArraySize(choices), count);
		for (size_t i = 0; i < count; i++)
			check_choice(cJSON_GetArrayItem(choices, (int)i), i, &lanes[i]);
		check_usage(root, lanes, count);
		cJSON_Delete(root);
		answer_free(&answer);
	}
}

/* Every choice of every chunk says which target it came from; every chunk has the same id. */
static void check_chunk(const cJSON *chunk, const struct lane *lanes, size_t count, char *id, size_t id_size)
{
	const char *own = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(chunk, "id"));
	assert_non_null(own);
	if (*id == '\0')
		snprintf(id, id_size, "%s", own);
	assert_string_equal(own, id);
	const cJSON *choice;
	cJSON_ArrayForEach(choice, cJSON_GetObjectItemCaseSensitive(chunk, "choices"))
	{
		int index = cJSON_GetObjectItemCaseSensitive(choice, "index")->valueint;
		assert_in_range(index, 0, count - 1);
		const char *target = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(choice, "sluice_target"));
		assert_non_null(target);
		assert_string_equal(target, lanes[index].target);
	}
}

static void check_stream(const struct answer *answer, const struct lane *lanes, size_t count)
{
	char id[128] = "";
	struct sse sse = {0};
	assert_int_equal(answer->status, 200);
	check_sse_whole(&answer->body, (int)count);
	sse_read(&sse, &answer->body);
	for (size_t i = 0; i + 1 < sse.count; i++) {
		cJSON *chunk = cJSON_Parse(sse.data[i]);
		check_chunk(chunk, lanes, count, id, sizeof id);
		if (i + 2 == sse.count)
			check_usage(chunk, lanes, count);
		cJSON_Delete(chunk);
	}
	for (size_t i = 0; i < count; i++)
		check_sse_counted(&sse, (int)i, lanes[i].tokens);
	sse_free(&sse);
}

static void check_streamed(const struct world *world, const char *model, const struct lane *lanes, size_t count)
{
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer;
		fetch(world, via, model, true, &answer);
		check_stream(&answer, lanes, count);
		answer_free(&answer);
	}
}

static void all_gathers_whole_answers_as_choices(void **state)
{
	struct world world = start();
	(void)state;
	check_whole(&world, "both", both_lanes, 2);
}

static void all_gathers_streams_as_choices(void **state)
{
	struct world world = start();
	(void)state;
	check_streamed(&world, "both", both_lanes, 2);
}

static void a_fallback_inside_all_rescues_its_own_lane(void **state)
{
	struct world world = start();
	(void)state;
	check_whole(&world, "guarded", both_lanes, 2);
	check_streamed(&world, "guarded", both_lanes, 2);
}

static void an_all_inside_all_becomes_one_row_of_choices(void **state)
{
	struct world world = start();
	(void)state;
	check_whole(&world, "nested", nested_lanes, 3);
	check_streamed(&world, "nested", nested_lanes, 3);
}

/* The first child of the fallback can't gather: one of its lanes is dead. The second one answers alone. */
static void an_all_inside_a_fallback_is_replaced_as_a_whole(void **state)
{
	struct world world = start();
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer;
		fetch(&world, via, "rescued", false, &answer);
		assert_int_equal(answer.status, 200);
		check_header(&answer, "x-sluice-target", "b/count;tokens=4");
		check_contains(&answer.body, " 3\"");
		answer_free(&answer);
	}
}

static void a_lane_that_breaks_ends_the_gathered_stream_truthfully_and_aborts_the_others(void **state)
{
	struct world world = start();
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer;
		fetch(&world, via, "broken", true, &answer);
		check_sse_error(&answer.body, "upstream_reset");
		answer_free(&answer);
	}
	sim_wait_idle(world.a);
	sluice_wait_idle(world.sluice);
}

static void every_lane_gets_its_own_model_and_the_clients_own_bytes(void **state)
{
	struct world world = start();
	(void)state;
	struct answer answer;
	fetch(&world, VIA_H1, "both", false, &answer);
	answer_free(&answer);
	assert_int_equal(sim_call_count(world.a, "count;tokens=3"), 1);
	assert_int_equal(sim_call_count(world.b, "count;tokens=5"), 1);
	assert_int_equal(sim_call_count(world.a, ""), 1);
	assert_int_equal(sim_call_count(world.b, ""), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_fallback_answers_with_the_first_child_that_can),
	    SCENARIO(a_fallback_of_which_none_can_tells_the_last_failure),
	    SCENARIO(a_fallback_never_changes_horses_mid_stream),
	    SCENARIO(all_gathers_whole_answers_as_choices),
	    SCENARIO(all_gathers_streams_as_choices),
	    SCENARIO(a_fallback_inside_all_rescues_its_own_lane),
	    SCENARIO(an_all_inside_all_becomes_one_row_of_choices),
	    SCENARIO(an_all_inside_a_fallback_is_replaced_as_a_whole),
	    SCENARIO(a_lane_that_breaks_ends_the_gathered_stream_truthfully_and_aborts_the_others),
	    SCENARIO(every_lane_gets_its_own_model_and_the_clients_own_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
