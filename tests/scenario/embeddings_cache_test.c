/* SPDX-License-Identifier: MIT */
/*
 * Embeddings are asked for once, input by input: whatever batches come, every
 * client gets what the backend would have said, and the backend sees only what
 * nobody has asked for before.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

#define PATH "/v1/embeddings"

enum { POOL = 24, ROUNDS = 60, BATCH_MOST = 9, BODY_MOST = 4096 };

struct world {
	struct sim *sim;
	struct sluice *sluice;
};

/* Both models give the same vectors: they differ in what the simulator's journal calls them. */
#define MODELS "models: { m: sim/vec;itl=0, plain: sim/vec }\n"

static struct world start(const char *rest)
{
	struct world world = {.sim = sim_start(NULL)};
	world.sluice = sluice_start("backends:\n"
				    "  sim: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } }\n"
				    "  dead: { url: 'http://127.0.0.1:1/v1', breaker: { enabled: false } }\n"
				    "%s",
				    world.sim->port, rest);
	return world;
}

static const char *body_of(const char *model, const char *input, const char *members)
{
	static char bodies[4][BODY_MOST];
	static unsigned turn;
	char *body = bodies[turn++ % 4];
	snprintf(body, BODY_MOST, "{\"model\":\"%s\",\"input\":%s%s}", model, input, members);
	return body;
}

/* One exchange over HTTP/1.1 with more header lines. odd: its answer is not what the contract says, and not for the
 * record. */
static void ask_odd(const struct world *world, const char *headers, const char *body, bool odd, struct answer *answer)
{
	struct h1 h1;
	h1_open(&h1, world->sluice->port, false);
	h1.silent = odd;
	h1_post(&h1, PATH, headers, body);
	h1_wait_end(&h1);
	*answer = h1.answer;
	h1.answer = (struct answer){.status = 0};
	h1_close(&h1);
}

static void ask(const struct world *world, const char *headers, const char *body, struct answer *answer)
{
	ask_odd(world, headers, body, false, answer);
}

static void check_status(const struct answer *answer, const char *want)
{
	char *status = answer_header(answer, "cache-status");
	if (status == NULL || strncmp(status, want, strlen(want)) != 0)
		fail_msg("cache-status is %s, not %s: %d %.300s", status == NULL ? "absent" : status, want,
			 answer->status, bytes_text(&answer->body));
	free(status);
}

/* Asks, and checks what the cache had to do with it; the tokens that the answer tells, -1 = none. */
static double told(const struct world *world, const char *headers, const char *body, const char *status)
{
	struct answer answer;
	ask(world, headers, body, &answer);
	assert_int_equal(answer.status, 200);
	check_status(&answer, status);
	cJSON *root = cJSON_Parse(bytes_text(&answer.body));
	cJSON *usage = cJSON_GetObjectItem(root, "usage");
	double tokens = usage == NULL ? -1 : cJSON_GetNumberValue(cJSON_GetObjectItem(usage, "prompt_tokens"));
	if (usage != NULL)
		assert_true(cJSON_GetNumberValue(cJSON_GetObjectItem(usage, "total_tokens")) == tokens);
	cJSON_Delete(root);
	answer_free(&answer);
	return tokens;
}

static size_t calls_of(const struct world *world, const char *model)
{
	return sim_call_count(world->sim, model);
}

/* The bytes from the vectors to the model, which must be there. */
static void take_vectors(const struct answer *answer, struct bytes *vectors)
{
	const char *from = strstr(bytes_text(&answer->body), "\"data\":[");
	const char *to = strstr(bytes_text(&answer->body), ",\"usage\":");
	if (answer->status != 200 || from == NULL || to == NULL)
		fail_msg("%d %.300s", answer->status, bytes_text(&answer->body));
	bytes_append(vectors, from, (size_t)(to - from));
}

/* The model that may use the cache says byte by byte what the backend says. */
static void check_as_plain(const struct world *world, enum via via, const char *input, const char *members)
{
	struct answer answer, plain;
	struct bytes got = {0}, want = {0};
	client_fetch(world->sluice, via, PATH, body_of("plain", input, members), &plain);
	client_fetch(world->sluice, via, PATH, body_of("m", input, members), &answer);
	take_vectors(&plain, &want);
	take_vectors(&answer, &got);
	check_same(got.at, got.len, want.at, want.len);
	bytes_free(&got);
	bytes_free(&want);
	answer_free(&answer);
	answer_free(&plain);
}

#define UNCACHED "cache: { models: { plain: { policy: off } } }\n"

/* The inputs of the pool: texts in several ways of writing, and arrays of tokens. */
static void write_input(struct bytes *out, size_t index)
{
	switch (index % 4) {
	case 0:
		bytes_printf(out, "\"text %zu\"", index);
		break;
	case 1:
		bytes_printf(out, "\"text \\u20ac %zu\"", index);
		break;
	case 2:
		bytes_printf(out, "[%zu,7]", index);
		break;
	default:
		bytes_printf(out, "\"\xc3\xa9 %zu\"", index);
	}
}

static void any_batches_cost_each_input_once(void **state)
{
	struct world world = start(MODELS UNCACHED);
	bool seen[POOL] = {false};
	size_t calls = 0, distinct = 0;
	unsigned seed = (unsigned)time(NULL);
	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	for (int round = 0; round < ROUNDS; round++) {
		size_t count = 1 + (size_t)rand() % BATCH_MOST;
		struct bytes input = {0}, missing = {0};
		for (size_t i = 0; i < count; i++) {
			size_t chosen = (size_t)rand() % (size_t)(2 + round * (POOL - 1) / ROUNDS);
			bytes_printf(&input, "%s", i == 0 ? "[" : ",");
			write_input(&input, chosen);
			if (seen[chosen])
				continue;
			bytes_printf(&missing, "%s", missing.len == 0 ? "\"input\":[" : ",");
			write_input(&missing, chosen);
			seen[chosen] = true;
			distinct++;
		}
		bytes_printf(&input, "]");
		check_as_plain(&world, (enum via)(round % VIA_COUNT), bytes_text(&input), ",\"dimensions\":3");
		if (missing.len > 0) {
			calls++;
			bytes_printf(&missing, "]");
			sim_check_body(world.sim, "itl", bytes_text(&missing));
		}
		if (calls_of(&world, "itl") != calls)
			fail_msg("%zu calls, not %zu, after %s", calls_of(&world, "itl"), calls, bytes_text(&input));
		bytes_free(&input);
		bytes_free(&missing);
	}
	assert_true(sluice_metric(world.sluice, "sluice_cache_answers_total{model=\"m\",result=\"stored\"}") ==
		    distinct);
	assert_true(sluice_metric(world.sluice, "sluice_cache_inputs_total{model=\"m\",result=\"miss\"}") == distinct);
	sluice_wait_idle(world.sluice);
}

static void one_input_is_the_same_in_any_form(void **state)
{
	static const struct {
		const char *input;
		const char *members;
		const char *headers;
		bool same;
	} rows[] = {
	    {"\"x\"", "", "", false},
	    {"[\"x\"]", "", "", true},
	    {"[\"\\u0078\",\"x\"]", ",\"user\":\"u\"", "", true},
	    {"\"x\"", ",\"encoding_format\":\"float\"", "", false},
	    {"\"x\"", ",\"encoding_format\":\"base64\"", "", false},
	    {"[\"x\"]", ",\"encoding_format\":\"base64\"", "", true},
	    {"\"x\"", ",\"dimensions\":4", "", false},
	    {"\"x\"", ",\"dimensions\":4.0", "", true},
	    {"\"x\"", ",\"dimensions\":5", "", false},
	    {"\"x\"", ",\"input_type\":1", "", false},
	    {"\"x \"", "", "", false},
	    {"[1,2]", "", "", false},
	    {"[[1,2.0]]", "", "", true},
	    {"[2,1]", "", "", false},
	    {"[[1],[2]]", "", "", false},
	    {"\"x\"", "", "Authorization: Bearer one\r\n", false},
	    {"[\"x\",\"x\"]", "", "Authorization: Bearer one\r\n", true},
	    {"\"x\"", "", "Authorization: Bearer two\r\n", false},
	};
	struct world world = start(MODELS);
	size_t calls = 0;
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *body = body_of("m", rows[i].input, rows[i].members);
		told(&world, rows[i].headers, body, rows[i].same ? "sluice; hit; ttl=" : "sluice; fwd=miss");
		calls += !rows[i].same;
		assert_int_equal(calls_of(&world, ""), calls);
	}
	sluice_wait_idle(world.sluice);
}

static void usage_is_what_backends_counted(void **state)
{
	struct world world = start(MODELS);
	(void)state;
	double both = told(&world, "", body_of("m", "[\"a long text of many words\",\"b\"]", ""), "sluice; fwd=miss");
	double again = told(&world, "", body_of("m", "[\"b\",\"a long text of many words\"]", ""), "sluice; hit");
	assert_true(both > 0 && again == both);
	double first = told(&world, "", body_of("m", "\"a long text of many words\"", ""), "sluice; hit");
	double second = told(&world, "", body_of("m", "[\"b\",\"b\"]", ""), "sluice; hit");
	assert_true(first + second == both && first > second);
	double alone = told(&world, "", body_of("m", "\"other\"", ""), "sluice; fwd=miss");
	double more = told(&world, "", body_of("m", "[\"other\",\"new\",\"b\"]", ""), "sluice; fwd=partial");
	double fresh = told(&world, "", body_of("m", "\"new\"", ""), "sluice; hit");
	assert_true(more == alone + second + fresh);
	double counted = sluice_metric(world.sluice, "sluice_tokens_total{model=\"m\",type=\"prompt\"}");
	assert_true(counted == both + alone + fresh);
	sluice_wait_idle(world.sluice);
}

static void clients_say_what_they_want(void **state)
{
	struct world world = start(MODELS);
	struct answer answer;
	(void)state;
	told(&world, "Cache-Control: no-store\r\n", body_of("m", "[\"a\"]", ""), "sluice; fwd=bypass");
	ask(&world, "Cache-Control: only-if-cached\r\n", body_of("m", "\"a\"", ""), &answer);
	check_error(&answer, 504, "not_cached");
	answer_free(&answer);
	told(&world, "", body_of("m", "[\"a\"]", ""), "sluice; fwd=miss");
	ask(&world, "Cache-Control: only-if-cached\r\n", body_of("m", "[\"a\",\"b\"]", ""), &answer);
	check_error(&answer, 504, "not_cached");
	answer_free(&answer);
	told(&world, "Cache-Control: only-if-cached, max-age=60\r\n", body_of("m", "\"a\"", ""), "sluice; hit");
	told(&world, "Cache-Control: no-cache\r\n", body_of("m", "[\"a\",\"b\"]", ""), "sluice; fwd=request");
	sim_check_body(world.sim, "", "[\"a\",\"b\"]");
	told(&world, "", body_of("m", "[\"b\"]", ""), "sluice; hit");
	assert_int_equal(calls_of(&world, ""), 3);
	sluice_wait_idle(world.sluice);
}

static void a_client_that_has_it_is_told_so(void **state)
{
	struct world world = start(MODELS);
	struct answer answer;
	char headers[160];
	(void)state;
	told(&world, "", body_of("m", "[\"a\",\"b\"]", ""), "sluice; fwd=miss");
	ask(&world, "", body_of("m", "[\"a\",\"b\"]", ""), &answer);
	check_header(&answer, "age", "0");
	char *etag = answer_header(&answer, "etag");
	assert_non_null(etag);
	answer_free(&answer);
	snprintf(headers, sizeof headers, "If-None-Match: \"other\", %s\r\n", etag);
	ask(&world, headers, body_of("m", "[\"a\",\"b\"]", ""), &answer);
	assert_int_equal(answer.status, 304);
	assert_int_equal(answer.body.len, 0);
	check_header(&answer, "etag", etag);
	answer_free(&answer);
	told(&world, headers, body_of("m", "[\"b\",\"a\"]", ""), "sluice; hit");
	ask(&world, headers, body_of("m", "[\"a\",\"c\"]", ""), &answer);
	check_status(&answer, "sluice; fwd=partial");
	check_header(&answer, "etag", NULL);
	check_header(&answer, "age", "0");
	answer_free(&answer);
	free(etag);
	sluice_wait_idle(world.sluice);
}

static void what_has_no_inputs_is_not_cached(void **state)
{
	static const char *const bodies[] = {
	    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
	    "{\"model\":\"m\",\"input\":[1,\"x\"]}",
	    "{\"model\":\"off\",\"input\":\"x\"}",
	};
	struct world world =
	    start("models: { m: sim/vec, off: sim/vec }\ncache: { models: { off: { policy: off } } }\n");
	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		for (size_t again = 1; again <= 2; again++) {
			struct answer answer;
			ask(&world, "", bodies[i], &answer);
			check_header(&answer, "cache-status", i < 2 ? "sluice; fwd=bypass" : NULL);
			assert_int_equal(calls_of(&world, ""), 2 * i + again);
			answer_free(&answer);
		}
	}
	assert_true(sluice_metric(world.sluice, "sluice_cache_entries") == 0);
}

static void what_failed_or_stood_in_is_never_kept(void **state)
{
	static const char *const plans[] = {
	    "sim/vec;status=503",
	    "sim/vec;status=400",
	    "sim/vec;error_json_200",
	    "sim/vec;wrong_content_length",
	    "sim/vec;reset_before_head",
	    "sim/vec;short_content_length",
	    "sim/vec;empty_200",
	    "sim/vec;not_json",
	    "{ fallback: [dead/other, sim/vec] }",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
		struct bytes yaml = {0};
		struct answer answer;
		bytes_printf(&yaml, "models: { m: '%s' }\n", plans[i]);
		if (plans[i][0] == '{') {
			bytes_free(&yaml);
			bytes_printf(&yaml, "models: { m: %s }\n", plans[i]);
		}
		struct world world = start(bytes_text(&yaml));
		for (int again = 0; again < 2; again++) {
			ask(&world, "", body_of("m", "[\"a\",\"b\",\"a\"]", ""), &answer);
			answer_free(&answer);
		}
		if (calls_of(&world, "") < 2 || sluice_metric(world.sluice, "sluice_cache_entries") != 0)
			fail_msg("%s: %zu calls", plans[i], calls_of(&world, ""));
		sluice_wait_idle(world.sluice);
		bytes_free(&yaml);
	}
}

static void a_vector_that_is_too_large_is_not_kept(void **state)
{
	struct world world = start(MODELS "cache: { entry: 1KiB }\n");
	(void)state;
	for (size_t i = 1; i <= 2; i++) {
		told(&world, "", body_of("m", "[\"a\",\"b\"]", ",\"dimensions\":500"), "sluice; fwd=miss");
		assert_int_equal(calls_of(&world, ""), i);
		assert_true(sluice_metric(world.sluice,
					  "sluice_cache_answers_total{model=\"m\",result=\"too_large\"}") == 2 * i);
	}
}

#define ITEM(index) "{\"object\":\"embedding\",\"index\":" #index ",\"embedding\":[" #index "." #index "0]}"

static void check_request(struct backend *backend, size_t index, const char *want)
{
	struct bytes request = {0};
	backend_request_body(backend, index, &request);
	check_same(request.at, request.len, want, strlen(want));
	bytes_free(&request);
}

/* Answers that are not what was asked for: relayed as they are, never kept, never put together with others. */
static void odd_answers_are_relayed_and_forgotten(void **state)
{
	static const char *const odd[] = {
	    "{\"data\":[" ITEM(0) "]}",
	    "{\"data\":[" ITEM(0) "," ITEM(0) "]}",
	    "{\"data\":[" ITEM(0) "," ITEM(1) "," ITEM(2) "," ITEM(3) "," ITEM(4) "]}",
	    "{\"data\":[1,2]}",
	    "{\"data\":[{\"index\":0,\"embedding\":null},{\"index\":1,\"embedding\":[]}]}",
	};
	static const char good[] = "{\"data\":[" ITEM(0) "],\"model\":\"q\"}";
	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct backend *backend = backend_start();
		struct answer answer;
		backend_reply(backend, "application/json", good);
		backend_reply(backend, "application/json", odd[i]);
		struct world world = {
		    .sluice = sluice_start("backends: { b: { url: 'http://127.0.0.1:%d/v1' } }\nmodels: { m: b/x }\n",
					   backend_port(backend))};
		assert_true(told(&world, "", body_of("m", "\"kept\"", ""), "sluice; fwd=miss") == -1);
		for (int round = 0; round < 2; round++) {
			ask_odd(&world, "", body_of("m", "[\"a\",\"b\"]", ""), true, &answer);
			check_status(&answer, "sluice; fwd=miss");
			check_same(answer.body.at, answer.body.len, odd[i], strlen(odd[i]));
			answer_free(&answer);
		}
		/* two are missing, and what comes does not fit: all of it is asked for */
		ask_odd(&world, "", body_of("m", "[\"a\",\"kept\",\"b\"]", ""), true, &answer);
		check_status(&answer, "sluice; fwd=bypass");
		check_same(answer.body.at, answer.body.len, odd[i], strlen(odd[i]));
		answer_free(&answer);
		assert_int_equal(backend_requests(backend), 5);
		check_request(backend, 3, "{\"model\":\"x\",\"input\":[\"a\",\"b\"]}");
		check_request(backend, 4, "{\"model\":\"x\",\"input\":[\"a\",\"kept\",\"b\"]}");
		assert_true(sluice_metric(world.sluice, "sluice_cache_entries") == 1);
		sluice_wait_idle(world.sluice);
	}
}

/* Digits, order and members of the backend's own; indexes and order of the client's. */
static void vectors_keep_the_backends_own_text(void **state)
{
	static const char reply[] =
	    "{\"object\":\"list\",\"id\":\"e-7\",\"data\":[{\"index\":1,\"object\":\"embedding\",\"embedding\": "
	    "[9007199254740993, -0.0,1E-9],\"extra\":{\"index\":5}},{\"object\":\"embedding\",\"embedding\":[0.5,2e1, "
	    "7],"
	    "\"index\":0}],\"model\":\"q\\u00e9\",\"usage\":{\"prompt_tokens\":5,\"total_tokens\":6}}";
	static const char want[] =
	    "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":[9007199254740993, "
	    "-0.0,1E-9],\"extra\":{\"index\":5}},{\"object\":\"embedding\",\"index\":1,\"embedding\":[0.5,2e1, 7]},"
	    "{\"object\":\"embedding\",\"index\":2,\"embedding\":[9007199254740993, -0.0,1E-9],\"extra\":{\"index\":5}}"
	    "],\"model\":\"q\\u00e9\",\"usage\":{\"prompt_tokens\":5,\"total_tokens\":6}}";
	struct backend *backend = backend_start();
	struct answer answer;
	(void)state;
	backend_reply(backend, "application/json", reply);
	struct world world = {
	    .sluice = sluice_start("backends: { b: { url: 'http://127.0.0.1:%d/v1' } }\nmodels: { m: b/x }\n",
				   backend_port(backend))};
	ask(&world, "", body_of("m", "[\"a\",\"b\"]", ""), &answer);
	check_same(answer.body.at, answer.body.len, reply, strlen(reply));
	answer_free(&answer);
	ask(&world, "", body_of("m", "[\"b\",\"a\",\"b\"]", ""), &answer);
	check_same(answer.body.at, answer.body.len, want, strlen(want));
	answer_free(&answer);
	assert_int_equal(backend_requests(backend), 1);
	sluice_wait_idle(world.sluice);
}

static void stale_vectors_stand_in_for_a_failure(void **state)
{
	struct world world = start(MODELS "cache: { ttl: 1s, stale_if_error: 1h }\n");
	struct patience patience = patience_for("vectors to become stale");
	struct answer answer;
	bool stale = false;
	(void)state;
	told(&world, "", body_of("m", "[\"a\",\"b\"]", ""), "sluice; fwd=miss");
	proc_kill(world.sim->proc);
	while (!stale) {
		ask(&world, "", body_of("m", "[\"b\",\"a\",\"b\"]", ""), &answer);
		assert_int_equal(answer.status, 200);
		check_status(&answer, "sluice; hit; ttl=");
		check_contains(&answer.body, "\"index\":2");
		answer_free(&answer);
		stale = sluice_metric(world.sluice, "sluice_cache_requests_total{model=\"m\",result=\"stale\"}") == 1;
		patience_wait(&patience);
	}
	ask(&world, "", body_of("m", "[\"b\",\"new\"]", ""), &answer);
	assert_int_equal(answer.status, 502);
	answer_free(&answer);
	sluice_wait_idle(world.sluice);
}

/* The same batch at once, on all ways in: one call; each gets all of it. Half of them have another order of the rest.
 */
static void a_crowd_is_one_call(void **state)
{
	enum { CROWD = 40 };
	struct world world = start("models: { m: 'sim/vec;gate=0' }\n");
	struct client clients[CROWD];
	(void)state;
	for (int i = 0; i < CROWD; i++)
		client_post(&clients[i], world.sluice, (enum via)(i % VIA_COUNT), PATH,
			    body_of("m", "[\"a\",\"b\",\"a\"]", i % 2 == 0 ? "" : ",\"user\":\"u\""));
	sluice_wait_in_flight(world.sluice, CROWD);
	for (int i = 0; i < CROWD / 4; i++) {
		client_leave(&clients[i], LEAVE_CANCEL);
		client_close(&clients[i]);
	}
	sim_open_gate(world.sim);
	for (int i = CROWD / 4; i < CROWD; i++) {
		struct answer *answer = client_answer(&clients[i]);
		client_wait_end(&clients[i]);
		assert_int_equal(answer->status, 200);
		check_contains(&answer->body, "{\"object\":\"embedding\",\"index\":2,");
		client_close(&clients[i]);
	}
	assert_int_equal(calls_of(&world, ""), 1);
	assert_true(sluice_metric(world.sluice, "sluice_cache_requests_total{model=\"m\",result=\"collapsed\"}") > 0);
	sluice_wait_idle(world.sluice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(any_batches_cost_each_input_once),      SCENARIO(one_input_is_the_same_in_any_form),
	    SCENARIO(usage_is_what_backends_counted),        SCENARIO(clients_say_what_they_want),
	    SCENARIO(a_client_that_has_it_is_told_so),       SCENARIO(what_has_no_inputs_is_not_cached),
	    SCENARIO(what_failed_or_stood_in_is_never_kept), SCENARIO(a_vector_that_is_too_large_is_not_kept),
	    SCENARIO(odd_answers_are_relayed_and_forgotten), SCENARIO(vectors_keep_the_backends_own_text),
	    SCENARIO(stale_vectors_stand_in_for_a_failure),  SCENARIO(a_crowd_is_one_call),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
