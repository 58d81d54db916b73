/* SPDX-License-Identifier: MIT */
/*
 * Deterministic completions are asked for once: hits in either form, answers
 * that are shared while they come, and all that must never be kept or given to
 * somebody else.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/cached.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"
#include "tests/scenario/harness/sse.h"

enum { CROWD = 1000, CROWD_H2_STREAMS = 50 };

struct world {
	struct sim *sim;
	struct sluice *sluice;
};

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

#define MODEL "models:\n  m: sim/count;tokens=20\n"

#define ZERO CACHED_ZERO

static void ask(const struct world *world, const char *headers, const char *body, struct answer *answer)
{
	cached_ask(world->sluice, headers, body, answer);
}

static double kept(const struct world *world, const char *result)
{
	char sample[128];
	snprintf(sample, sizeof sample, "sluice_cache_answers_total{model=\"m\",result=\"%s\"}", result);
	return sluice_metric(world->sluice, sample);
}

static void one_answer_serves_both_forms(void **state)
{
	(void)state;
	for (int first = 0; first < 2; first++) {
		struct world world = start(MODEL);
		for (int round = 0; round < 2; round++) {
			for (enum via via = 0; via < VIA_COUNT; via++) {
				for (int form = 0; form < 2; form++) {
					struct answer answer;
					bool stream = form == first;
					client_fetch(world.sluice, via, "/v1/chat/completions",
						     cached_body("m", stream, ZERO), &answer);
					cached_check(&answer, stream);
					bool fill = round == 0 && via == 0 && form == 0;
					cached_check_status(&answer, fill ? "sluice; fwd=miss" : "sluice; hit; ttl=");
					if (!fill)
						check_header(&answer, "age", "0");
					answer_free(&answer);
				}
			}
		}
		assert_int_equal(sim_call_count(world.sim, ""), 1);
		assert_true(kept(&world, "stored") == 1);
		assert_true(sluice_metric(world.sluice, "sluice_cache_entries") == 1);
		assert_true(sluice_metric(world.sluice, "sluice_cache_requests_total{model=\"m\",result=\"hit\"}") ==
			    4 * VIA_COUNT - 1);
		double bytes = sluice_metric(world.sluice, "sluice_cache_stored_bytes_total{model=\"m\"}");
		assert_true(bytes > 0 && sluice_metric(world.sluice, "sluice_cache_given_bytes_total{model=\"m\"}") ==
					     bytes * (4 * VIA_COUNT - 1));
		sluice_wait_idle(world.sluice);
	}
}

static void usage_is_told_to_those_who_ask(void **state)
{
	struct world world = start(MODEL);
	struct answer answer;
	(void)state;
	for (int i = 0; i < 4; i++) {
		bool wants = i % 2 == 1;
		ask(&world, "",
		    cached_body("m", true, wants ? ZERO ",\"stream_options\":{\"include_usage\":true}" : ZERO),
		    &answer);
		cached_check_stream(&answer);
		if (wants)
			check_contains(&answer.body, "\"completion_tokens\":20");
		else
			check_lacks(&answer.body, "completion_tokens");
		answer_free(&answer);
	}
	assert_int_equal(sim_call_count(world.sim, ""), 1);
}

static void what_is_not_the_same_request_is_asked_for(void **state)
{
	static const struct {
		const char *headers;
		const char *members;
		bool same;
	} rows[] = {
	    {"", ZERO, false},
	    {"", ZERO, true},
	    {"", ",\"temperature\":0.0", true},
	    {"", ",\"temperature\":0,\"user\":\"u\",\"metadata\":{\"a\":\"b\"}", true},
	    {"", ",\"temperature\":0,\"top_p\":1", false},
	    {"", ",\"temperature\":0,\"max_tokens\":2147483647", false},
	    {"", ",\"temperature\":0,\"max_tokens\":2147483646", false},
	    {"", ",\"temperature\":0,\"top_k\":1", false},
	    {"Authorization: Bearer one\r\n", ZERO, false},
	    {"Authorization: Bearer one\r\n", ZERO, true},
	    {"Authorization: Bearer two\r\n", ZERO, false},
	};
	struct world world = start(MODEL);
	size_t calls = 0;
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct answer answer;
		ask(&world, rows[i].headers, cached_body("m", false, rows[i].members), &answer);
		cached_check(&answer, false);
		cached_check_status(&answer, rows[i].same ? "sluice; hit" : "sluice; fwd=miss");
		calls += !rows[i].same;
		answer_free(&answer);
	}
	assert_int_equal(sim_call_count(world.sim, ""), calls);
}

static void what_may_differ_is_not_cached(void **state)
{
	static const char *const members[] = {"",
					      ",\"temperature\":0.1",
					      ",\"seed\":1",
					      ZERO ",\"n\":2",
					      ZERO ",\"store\":true",
					      ZERO ",\"web_search_options\":{}"};
	struct world world = start(MODEL);
	(void)state;
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		for (size_t again = 0; again < 2; again++) {
			struct answer answer;
			ask(&world, "", cached_body("m", false, members[i]), &answer);
			assert_int_equal(answer.status, 200);
			cached_check_status(&answer, "sluice; fwd=bypass");
			answer_free(&answer);
			assert_int_equal(sim_call_count(world.sim, ""), 2 * i + again + 1);
		}
	}
	assert_true(sluice_metric(world.sluice, "sluice_cache_entries") == 0);
}

static void models_have_rules_of_their_own(void **state)
{
	struct world world =
	    start("models:\n  m: sim/count;tokens=20\n  off: sim/count;tokens=20\n  all: sim/count;tokens=20\n"
		  "  cut: sim/count;tokens=20;finish=length\n  any: sim/count;tokens=20;finish=length\n"
		  "  filtered: sim/count;tokens=20;finish=content_filter\n"
		  "cache: { seed: true, models: { off: { policy: off }, all: { policy: always }, any: { finish: any }, "
		  "filtered: { finish: any } } }\n");
	static const struct {
		const char *model;
		const char *members;
		size_t calls;
	} rows[] = {
	    {"m", ",\"seed\":1", 1}, {"m", "", 2},     {"off", ZERO, 2},      {"all", "", 1},
	    {"cut", ZERO, 2},        {"any", ZERO, 1}, {"filtered", ZERO, 2},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		sim_reset(world.sim);
		for (int again = 0; again < 2; again++) {
			struct answer answer;
			ask(&world, "", cached_body(rows[i].model, again == 1, rows[i].members), &answer);
			assert_int_equal(answer.status, 200);
			answer_free(&answer);
		}
		if (sim_call_count(world.sim, "") != rows[i].calls)
			fail_msg("%s%s: %zu calls", rows[i].model, rows[i].members, sim_call_count(world.sim, ""));
	}
}

static void clients_say_what_they_want(void **state)
{
	struct world world = start(MODEL);
	struct answer answer;
	(void)state;
	ask(&world, "Cache-Control: only-if-cached\r\n", cached_body("m", false, ZERO), &answer);
	check_error(&answer, 504, "not_cached");
	answer_free(&answer);
	ask(&world, "Cache-Control: No-Store\r\n", cached_body("m", false, ZERO), &answer);
	cached_check_status(&answer, "sluice; fwd=bypass");
	answer_free(&answer);
	ask(&world, "", cached_body("m", false, ZERO), &answer);
	cached_check_status(&answer, "sluice; fwd=miss");
	answer_free(&answer);
	ask(&world, "Cache-Control: max-age=60, only-if-cached\r\n", cached_body("m", true, ZERO), &answer);
	cached_check_status(&answer, "sluice; hit");
	char *etag = answer_header(&answer, "etag");
	answer_free(&answer);
	ask(&world, "Cache-Control: no-cache\r\n", cached_body("m", false, ZERO), &answer);
	cached_check_status(&answer, "sluice; fwd=request");
	answer_free(&answer);
	assert_int_equal(sim_call_count(world.sim, ""), 3);
	free(etag);
	sluice_wait_idle(world.sluice);
}

static void a_client_that_has_it_is_told_so(void **state)
{
	struct world world = start(MODEL);
	struct answer answer;
	char headers[128];
	(void)state;
	for (int i = 0; i < 2; i++) {
		ask(&world, "", cached_body("m", false, ZERO), &answer);
		if (i == 0)
			answer_free(&answer);
	}
	char *etag = answer_header(&answer, "etag");
	assert_non_null(etag);
	answer_free(&answer);
	snprintf(headers, sizeof headers, "If-None-Match: \"other\", %s\r\n", etag);
	ask(&world, headers, cached_body("m", false, ZERO), &answer);
	assert_int_equal(answer.status, 304);
	assert_int_equal(answer.body.len, 0);
	check_header(&answer, "etag", etag);
	answer_free(&answer);
	ask(&world, "If-None-Match: \"other\"\r\n", cached_body("m", false, ZERO), &answer);
	cached_check(&answer, false);
	answer_free(&answer);
	free(etag);
	sluice_wait_idle(world.sluice);
}

static void completions_are_kept_as_well(void **state)
{
	static const char whole[] = "{\"model\":\"m\",\"prompt\":\"x\",\"temperature\":0}";
	static const char stream[] = "{\"model\":\"m\",\"prompt\":\"x\",\"temperature\":0,\"stream\":true}";
	struct world world = start(MODEL);
	struct answer answer;
	struct h1 h1;
	(void)state;
	client_fetch(world.sluice, VIA_H1, "/v1/completions", whole, &answer);
	cached_check_status(&answer, "sluice; fwd=miss");
	answer_free(&answer);
	client_fetch(world.sluice, VIA_H2, "/v1/completions", stream, &answer);
	cached_check_status(&answer, "sluice; hit");
	cached_check_stream(&answer);
	answer_free(&answer);
	client_fetch(world.sluice, VIA_H2, "/v1/completions", whole, &answer);
	char *etag = answer_header(&answer, "etag");
	answer_free(&answer);
	h1_open(&h1, world.sluice->port, false);
	h1_send(&h1,
		"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nIf-None-Match: %s\r\n"
		"Content-Length: %zu\r\n\r\n%s",
		etag, strlen(whole), whole);
	h1_wait_end(&h1);
	assert_int_equal(h1.answer.status, 304);
	h1_close(&h1);
	free(etag);
	assert_int_equal(sim_call_count(world.sim, ""), 1);
	sluice_wait_idle(world.sluice);
}

/* ---- what was asked only as a stream ---- */

#define CHUNK(choice) "data: {\"id\":\"i\",\"created\":1,\"model\":\"x\",\"choices\":[{\"index\":0," choice "}]}\n\n"
#define LAST "data: [DONE]\n\n"

struct streamed {
	const char *path, *request, *stream, *whole;
};

static const struct streamed asked[] = {
    {"/v1/completions", "{\"model\":\"m\",\"prompt\":\"x\",\"temperature\":0",
     CHUNK("\"text\":\"one \",\"finish_reason\":null") CHUNK("\"text\":\"two\",\"finish_reason\":\"stop\"") LAST,
     "\"model\":\"x\",\"choices\":[{\"index\":0,\"text\":\"one two\","
     "\"logprobs\":null,\"finish_reason\":\"stop\"}]"},
    {"/v1/completions", "{\"model\":\"m\",\"prompt\":\"x\",\"temperature\":0,\"logprobs\":1",
     CHUNK("\"text\":\"one \",\"logprobs\":{\"tokens\":[\"one\",\" \"],\"token_logprobs\":[null,-0.5],"
	   "\"top_logprobs\":null},\"finish_reason\":null")
	 CHUNK("\"text\":\"two\",\"logprobs\":{\"tokens\":[\"two\"],\"token_logprobs\":[-1.50],\"top_logprobs\":null},"
	       "\"finish_reason\":\"stop\"") LAST,
     "\"text\":\"one two\",\"logprobs\":{\"tokens\":[\"one\",\" \",\"two\"],\"token_logprobs\":[null,-0.5,-1.50],"
     "\"top_logprobs\":null},\"finish_reason\":\"stop\"}]"},
    {"/v1/chat/completions",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"temperature\":0,\"logprobs\":true",
     CHUNK("\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null")
	 CHUNK("\"delta\":{\"content\":\"one \"},\"logprobs\":{\"content\":[{\"token\":\"one \",\"logprob\":-1.0}],"
	       "\"refusal\":null},\"finish_reason\":null")
	     CHUNK("\"delta\":{\"content\":\"two\"},\"logprobs\":{\"content\":[{\"token\":\"two\",\"logprob\":-2.0}],"
		   "\"refusal\":null},\"finish_reason\":\"stop\"") LAST,
     "\"message\":{\"role\":\"assistant\",\"content\":\"one two\"},\"logprobs\":{\"content\":[{\"token\":\"one \","
     "\"logprob\":-1.0},{\"token\":\"two\",\"logprob\":-2.0}],\"refusal\":null},\"finish_reason\":\"stop\"}]"},
};

static void ask_streamed(const struct sluice *sluice, const struct streamed *row, bool stream, const char *status,
			 struct answer *answer)
{
	char body[256];
	snprintf(body, sizeof body, "%s%s}", row->request, stream ? ",\"stream\":true" : "");
	client_fetch(sluice, VIA_H1, row->path, body, answer);
	assert_int_equal(answer->status, 200);
	cached_check_status(answer, status);
}

static void what_was_asked_as_a_stream_is_given_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
		struct backend *backend = backend_start();
		struct answer answer;
		backend_script(backend, (const struct step[]){SEND(STREAM_HEAD), SEND(asked[i].stream), FIN});
		struct sluice *sluice = sluice_start(
		    "backends: { b: { url: 'http://127.0.0.1:%d/v1' } }\nmodels: { m: b/x }\n", backend_port(backend));
		ask_streamed(sluice, &asked[i], true, "sluice; fwd=miss", &answer);
		check_contains(&answer.body, "[DONE]");
		answer_free(&answer);
		ask_streamed(sluice, &asked[i], false, "sluice; hit", &answer);
		check_contains(&answer.body, asked[i].whole);
		answer_free(&answer);
		ask_streamed(sluice, &asked[i], true, "sluice; hit", &answer);
		check_contains(&answer.body, "one two");
		answer_free(&answer);
		assert_int_equal(backend_requests(backend), 1);
	}
}

/* What only a whole answer, or only a stream, can tell is kept in that form alone. */
static void what_one_form_cannot_tell_is_asked_for(void **state)
{
	static const struct streamed row = {
	    "/v1/completions", "{\"model\":\"m\",\"prompt\":\"x\",\"temperature\":0,\"prompt_logprobs\":1",
	    CHUNK("\"text\":\"one\",\"prompt_logprobs\":[null,1],\"finish_reason\":\"stop\"") LAST, NULL};
	struct backend *backend = backend_start();
	struct answer answer;
	(void)state;
	backend_script(backend, (const struct step[]){SEND(STREAM_HEAD), SEND(row.stream), FIN});
	backend_reply(backend, "application/json",
		      "{\"id\":\"i\",\"created\":1,\"model\":\"x\",\"choices\":[{\"index\":0,\"text\":\"one\","
		      "\"prompt_logprobs\":[null,1],\"finish_reason\":\"stop\"}]}");
	struct sluice *sluice = sluice_start("backends: { b: { url: 'http://127.0.0.1:%d/v1' } }\nmodels: { m: b/x }\n",
					     backend_port(backend));
	ask_streamed(sluice, &row, true, "sluice; fwd=miss", &answer);
	answer_free(&answer);
	ask_streamed(sluice, &row, false, "sluice; fwd=miss", &answer);
	check_contains(&answer.body, "\"prompt_logprobs\":[null,1]");
	answer_free(&answer);
	assert_int_equal(backend_requests(backend), 2);
}

static void what_is_not_complete_is_never_kept(void **state)
{
	static const char *const faults[] = {
	    "reset_mid",   "fin_mid",    "end_no_finish", "done_no_finish", "error_first_event",    "error_mid",
	    "broken_json", "status=503", "status=400",    "finish=length",  "finish=content_filter"};
	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct bytes yaml = {0};
		bytes_printf(&yaml, "models:\n  m: sim/count;tokens=20;%s\n", faults[i]);
		struct world world = start(bytes_text(&yaml));
		for (int form = 0; form < 4; form++) {
			struct answer answer;
			ask(&world, "", cached_body("m", form % 2 == 1, ZERO), &answer);
			answer_free(&answer);
		}
		if (sim_call_count(world.sim, "") != 4 || sluice_metric(world.sluice, "sluice_cache_entries") != 0)
			fail_msg("%s: %zu calls", faults[i], sim_call_count(world.sim, ""));
		sluice_wait_idle(world.sluice);
		bytes_free(&yaml);
	}
}

static void what_stood_in_is_never_kept(void **state)
{
	static const struct {
		const char *plan;
		bool kept;
	} rows[] = {
	    {"{ fallback: [dead/other, sim/count;tokens=20] }", false},
	    {"{ fallback: [dead/count;tokens=20, sim/count;tokens=20] }", true},
	    {"{ retry: [dead/other, sim/count;tokens=20] }", true},
	    {"{ balance: [sim/count;tokens=20, sim/count;tokens=20;pings] }", true},
	    {"{ fallback: [sim/count;reset_mid;tokens=20, sim/count;tokens=20], resume: replay }", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bytes yaml = {0};
		struct answer answer;
		bytes_printf(&yaml, "models:\n  m: %s\n", rows[i].plan);
		struct world world = start(bytes_text(&yaml));
		ask(&world, "", cached_body("m", true, ZERO), &answer);
		cached_check(&answer, true);
		answer_free(&answer);
		if (kept(&world, "stored") != rows[i].kept || kept(&world, "stand_in") == rows[i].kept)
			fail_msg("%s: %s", rows[i].plan, rows[i].kept ? "not kept" : "kept");
		bytes_free(&yaml);
	}
}

static void too_large_is_not_kept(void **state)
{
	struct world world = start("models:\n  m: sim/count;tokens=20;token_bytes=1000\ncache: { entry: 4KiB }\n");
	(void)state;
	for (size_t i = 1; i <= 2; i++) {
		struct answer answer;
		ask(&world, "", cached_body("m", i == 1, ZERO), &answer);
		assert_int_equal(answer.status, 200);
		answer_free(&answer);
		assert_int_equal(sim_call_count(world.sim, ""), i);
		assert_true(kept(&world, "too_large") == i);
	}
}

static void a_stale_answer_stands_in_for_a_failure(void **state)
{
	struct world world = start("models:\n  m: sim/count;tokens=20;status=503;times=1000\n"
				   "  good: sim/count;tokens=20\ncache: { ttl: 1s, stale_if_error: 1h }\n");
	struct patience patience = patience_for("an answer to become stale");
	struct answer answer;
	bool stale = false;
	(void)state;
	ask(&world, "", cached_body("good", false, ZERO), &answer);
	cached_check(&answer, false);
	answer_free(&answer);
	proc_kill(world.sim->proc);
	while (!stale) {
		ask(&world, "", cached_body("good", stale, ZERO), &answer);
		cached_check(&answer, false);
		stale =
		    sluice_metric(world.sluice, "sluice_cache_requests_total{model=\"good\",result=\"stale\"}") == 1;
		if (stale)
			cached_check_status(&answer, "sluice; hit; ttl=");
		answer_free(&answer);
		patience_wait(&patience);
	}
	ask(&world, "", cached_body("good", true, ZERO), &answer);
	cached_check(&answer, true);
	answer_free(&answer);
	sluice_wait_idle(world.sluice);
}

static void memory_is_bounded(void **state)
{
	enum { ASKED = 200, MOST = 256 << 10 };
	struct world world = start("models:\n  m: sim/count;tokens=20;token_bytes=200\ncache: { size: 256KiB }\n");
	(void)state;
	for (int i = 0; i < ASKED; i++) {
		char members[64];
		struct answer answer;
		snprintf(members, sizeof members, ZERO ",\"top_k\":%d", i);
		ask(&world, "", cached_body("m", false, members), &answer);
		assert_int_equal(answer.status, 200);
		answer_free(&answer);
	}
	assert_true(sluice_metric(world.sluice, "sluice_cache_bytes") <= MOST);
	assert_true(sluice_metric(world.sluice, "sluice_cache_evictions_total") > 0);
	assert_true(sluice_metric(world.sluice, "sluice_cache_entries") > 0);
}

/* The value of a member of what that path of the admin says. */
static void check_admin(const struct world *world, const char *method, const char *query, const char *member,
			double want)
{
	char path[256];
	struct answer answer;
	snprintf(path, sizeof path, "/admin/cache%s", query);
	client_ask(world->sluice, VIA_H2, method, path, NULL, NULL, &answer);
	cJSON *root = cJSON_Parse(bytes_text(&answer.body));
	cJSON *value = cJSON_GetObjectItem(root, member);
	if (answer.status != 200 || !cJSON_IsNumber(value) || value->valuedouble != want)
		fail_msg("%s %s: %d %s", method, path, answer.status, bytes_text(&answer.body));
	cJSON_Delete(root);
	answer_free(&answer);
}

static void fill(const struct world *world, const char *model, const char *headers)
{
	struct answer answer;
	ask(world, headers, cached_body(model, false, ZERO), &answer);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
}

static void an_operator_looks_and_purges(void **state)
{
	struct world world = start("models:\n  m: sim/count;tokens=20\n  n: { balance: [sim/count;tokens=20] }\n");
	(void)state;
	fill(&world, "m", "");
	fill(&world, "n", "");
	fill(&world, "n", "Authorization: Bearer one\r\n");
	check_admin(&world, "GET", "", "entries", 3);
	check_admin(&world, "DELETE", "?model=n&tenant=cbf29ce484222325", "purged", 1);
	check_admin(&world, "DELETE", "?model=n", "purged", 1);
	check_admin(&world, "DELETE", "?key=5f89a0e6c16ad5b9581364b03fa49064c4ce5cc14e6dd4ed5acf1db5d2c4ddab", "purged",
		    0);
	check_admin(&world, "DELETE", "", "purged", 1);
	check_admin(&world, "GET", "?key=5f89a0e6c16ad5b9581364b03fa49064c4ce5cc14e6dd4ed5acf1db5d2c4ddab", "entries",
		    0);
	struct answer answer;
	client_ask(world.sluice, VIA_H1, "DELETE", "/admin/cache?model=none", NULL, NULL, &answer);
	check_error(&answer, 404, "model_not_found");
	answer_free(&answer);
	static const char *const unclear[] = {"?key=abc", "?key=", "?tenant=", "?tenant=1"}; /* not everything, then */
	for (size_t i = 0; i < sizeof(unclear) / sizeof(unclear[0]); i++) {
		char path[64];
		snprintf(path, sizeof path, "/admin/cache%s", unclear[i]);
		client_ask(world.sluice, VIA_H1, "DELETE", path, NULL, NULL, &answer);
		check_error(&answer, 400, "invalid_value");
		answer_free(&answer);
	}
	client_ask(world.sluice, VIA_H1, "GET", "/admin/cache?key=short", NULL, NULL, &answer);
	check_error(&answer, 400, "invalid_value");
	answer_free(&answer);
	client_ask(world.sluice, VIA_H1, "DELETE", "/admin/cache?all=true", NULL, NULL, &answer);
	check_error(&answer, 400, "unsupported_parameter");
	answer_free(&answer);
}

static void the_key_of_a_request_finds_its_answer(void **state)
{
	struct world world = start(MODEL);
	char request[160], config[160], path[160];
	struct bytes out = {0}, err = {0};
	struct answer answer;
	(void)state;
	fill(&world, "m", "");
	snprintf(request, sizeof request, "%s/request.json", scenario_directory());
	FILE *file = fopen(request, "w");
	assert_non_null(file);
	fputs(cached_body("m", true, ZERO), file);
	fclose(file);
	snprintf(config, sizeof config, "%s/same.yaml", scenario_directory());
	file = fopen(config, "w");
	assert_non_null(file);
	fprintf(file, "listen: [127.0.0.1:0]\nbackends:\n  sim: { url: 'http://127.0.0.1:%d/v1' }\n" MODEL,
		world.sim->port);
	fclose(file);
	const char *const arguments[] = {"cache", "key", "--config", config, request, NULL};
	assert_int_equal(sluice_run(arguments, &out, &err), 0);
	const char *key = strstr(bytes_text(&out), "key:");
	assert_non_null(key);
	snprintf(path, sizeof path, "/admin/cache?text=true&key=%.64s", key + strlen("key:       "));
	client_ask(world.sluice, VIA_H1, "GET", path, NULL, NULL, &answer);
	check_contains(&answer.body,
		       "\"model\":\"m\",\"tenant\":\"cbf29ce484222325\",\"target\":\"sim/count;tokens=20\","
		       "\"finish_reason\":\"stop\"");
	check_contains(&answer.body, "\"answer\":{\"id\":");
	answer_free(&answer);
	bytes_free(&out);
	bytes_free(&err);
}

/* ---- answers that are shared while they come ---- */

static void a_crowd_over(enum via via, size_t connections, size_t streams)
{
	struct world world = start("models:\n  m: sim/count;tokens=20;gate=0;itl=20ms\n");
	struct mass_job *jobs = calloc(CROWD, sizeof *jobs);
	static char whole[CACHED_BODY_MOST], stream[CACHED_BODY_MOST];
	snprintf(whole, sizeof whole, "%s", cached_body("m", false, ZERO));
	snprintf(stream, sizeof stream, "%s", cached_body("m", true, ZERO));
	for (size_t i = 0; i < CROWD; i++)
		jobs[i].body = i % 2 == 0 ? whole : stream;
	struct mass mass = {.sluice = world.sluice,
			    .via = via,
			    .connections = connections,
			    .streams = streams,
			    .jobs = jobs,
			    .count = CROWD,
			    .gate = world.sim};
	mass_run(&mass);
	for (size_t i = 0; i < CROWD; i++)
		cached_check(&jobs[i].answer, i % 2 == 1);
	assert_int_equal(sim_call_count(world.sim, ""), 1);
	mass_free_answers(&mass);
	free(jobs);
	sluice_wait_idle(world.sluice);
}

static void a_crowd_is_one_call_over_h1(void **state)
{
	(void)state;
	a_crowd_over(VIA_H1, CROWD, 1);
}

static void a_crowd_is_one_call_over_h2(void **state)
{
	(void)state;
	a_crowd_over(VIA_H2, CROWD / CROWD_H2_STREAMS, CROWD_H2_STREAMS);
}

/* In the middle it waits until the gate of the simulator opens. */
#define SLOWLY "models:\n  m: sim/count;tokens=20;gate=10\n"

/* Several clients of one answer; the first, which leads, leaves in the middle, others wherever they are. */
static void who_leaves_hurts_nobody(void **state)
{
	enum { CLIENTS = 8, LEAVERS = 4 };
	struct world world = start(SLOWLY);
	struct client clients[CLIENTS];
	struct sse sse = {0};
	(void)state;
	for (int i = 0; i < CLIENTS; i++)
		client_post(&clients[i], world.sluice, (enum via)(i % VIA_COUNT), "/v1/chat/completions",
			    cached_body("m", true, ZERO));
	sluice_wait_in_flight(world.sluice, CLIENTS);
	client_wait_events(&clients[CLIENTS - 1], &sse, 3);
	for (int i = 0; i < LEAVERS; i++) {
		client_leave(&clients[i], LEAVE_CANCEL);
		client_close(&clients[i]);
	}
	sim_open_gate(world.sim);
	for (int i = LEAVERS; i < CLIENTS; i++) {
		client_wait_end(&clients[i]);
		cached_check(client_answer(&clients[i]), true);
		client_close(&clients[i]);
	}
	assert_int_equal(sim_call_count(world.sim, ""), 1);
	sse_free(&sse);
	sluice_wait_idle(world.sluice);
}

static void when_all_leave_the_call_ends(void **state)
{
	struct world world = start(SLOWLY);
	struct client clients[VIA_COUNT];
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++)
		client_post(&clients[via], world.sluice, via, "/v1/chat/completions", cached_body("m", true, ZERO));
	sluice_wait_in_flight(world.sluice, VIA_COUNT);
	client_wait_head(&clients[VIA_COUNT - 1]);
	for (enum via via = 0; via < VIA_COUNT; via++) {
		client_leave(&clients[via], LEAVE_CANCEL);
		client_close(&clients[via]);
	}
	sim_wait_idle(world.sim);
	assert_int_equal(sim_call_count(world.sim, ""), 1);
	sluice_wait_idle(world.sluice);
	assert_true(sluice_metric(world.sluice, "sluice_cache_entries") == 0);
}

static void late_ones_get_all_of_it(void **state)
{
	struct world world = start(SLOWLY);
	struct client first, late;
	struct sse sse = {0};
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		char members[64];
		snprintf(members, sizeof members, ZERO ",\"top_k\":%d", (int)via);
		sse = (struct sse){0};
		sim_close_gate(world.sim);
		client_post(&first, world.sluice, via, "/v1/chat/completions", cached_body("m", true, members));
		client_wait_events(&first, &sse, 8);
		client_post(&late, world.sluice, via, "/v1/chat/completions", cached_body("m", via % 2 == 0, members));
		sluice_wait_in_flight(world.sluice, 2);
		sim_open_gate(world.sim);
		client_wait_end(&late);
		cached_check(client_answer(&late), via % 2 == 0);
		cached_check_status(client_answer(&late), "sluice; fwd=miss; collapsed");
		client_wait_end(&first);
		cached_check(client_answer(&first), true);
		client_close(&first);
		client_close(&late);
		sse_free(&sse);
	}
	assert_int_equal(sim_call_count(world.sim, ""), VIA_COUNT);
	sluice_wait_idle(world.sluice);
}

static void a_failure_is_everybodys(void **state)
{
	struct world world =
	    start("models:\n  m: sim/count;reset_mid;after=3;gate=2\n  early: sim/count;status=503;gate=0\n");
	struct client clients[VIA_COUNT];
	(void)state;
	for (int early = 0; early < 2; early++) {
		sim_close_gate(world.sim);
		for (enum via via = 0; via < VIA_COUNT; via++)
			client_post(&clients[via], world.sluice, via, "/v1/chat/completions",
				    cached_body(early ? "early" : "m", via != VIA_H2, ZERO));
		sluice_wait_in_flight(world.sluice, VIA_COUNT);
		sim_open_gate(world.sim);
		for (enum via via = 0; via < VIA_COUNT; via++) {
			struct answer *answer = client_answer(&clients[via]);
			client_wait_end(&clients[via]);
			if (early)
				assert_int_equal(answer->status, 503);
			else if (via == VIA_H2)
				check_error(answer, 502, "upstream_reset");
			else
				check_sse_error(&answer->body, "upstream_reset");
			client_close(&clients[via]);
		}
		assert_int_equal(sim_call_count(world.sim, early ? "status" : "reset_mid"), 1);
	}
	assert_true(sluice_metric(world.sluice, "sluice_cache_entries") == 0);
	sluice_wait_idle(world.sluice);
}

/* Too much for all buffers: one that reads nothing is cut off, one that reads gets all of it. */
static void a_slow_one_does_not_slow_the_rest(void **state)
{
	enum { MANY = 40000 };
	struct world world = start("models:\n  m: sim/count;tokens=40000;token_bytes=1000\n");
	struct h1 slow = {0};
	struct client quick;
	struct sse sse = {0};
	(void)state;
	wire_open_narrow(&slow.wire, world.sluice->port, NULL);
	h1_post(&slow, "/v1/chat/completions", "", cached_body("m", true, ZERO));
	sim_wait_calls(world.sim, "count", 1);
	client_post(&quick, world.sluice, VIA_H2, "/v1/chat/completions", cached_body("m", true, ZERO));
	client_wait_end(&quick);
	struct answer *answer = client_answer(&quick);
	assert_true(answer->ended);
	sse_read(&sse, &answer->body);
	check_sse_counted(&sse, 0, MANY);
	sse_free(&sse);
	client_close(&quick);
	h1_wait_end(&slow);
	assert_int_equal(sim_call_count(world.sim, ""), 1);
	check_sse_error(&slow.answer.body, "client_too_slow");
	h1_close(&slow);
	sluice_wait_idle(world.sluice);
}

/* Returns how long a client of its own waits for all of the answer, microseconds. */
static uint64_t time_alone(const struct world *world)
{
	struct client client;
	uint64_t began_us = clock_us();
	client_post(&client, world->sluice, VIA_H1, "/v1/chat/completions", chat_body("m", true));
	client_wait_end(&client);
	client_close(&client);
	return clock_us() - began_us;
}

/*
 * Clients that read nothing join one after the other. Each one's patience was the whole flight's: it took 71 seconds
 * instead of 6. How long an answer takes on this machine is seen before and after, from one that nobody joins.
 */
static void nobody_waits_for_those_who_join_and_do_not_read(void **state)
{
	enum { FIRST = 2000, APART = 400, MOST = 10, TIMES = 3, PATIENCES_US = 30000000 };
	struct world world = start("models:\n  m: sim/count;tokens=6000;token_bytes=1000\n");
	struct h1 slow[MOST] = {0};
	struct client quick;
	struct sse sse = {0};
	(void)state;
	uint64_t before_us = time_alone(&world);
	uint64_t began_us = clock_us();
	client_post(&quick, world.sluice, VIA_H1, "/v1/chat/completions", cached_body("m", true, ZERO));
	for (size_t i = 0; i < MOST; i++) {
		client_wait_events(&quick, &sse, FIRST + i * APART);
		wire_open_narrow(&slow[i].wire, world.sluice->port, NULL);
		h1_post(&slow[i], "/v1/chat/completions", "", cached_body("m", true, ZERO));
	}
	client_wait_end(&quick);
	uint64_t joined_us = clock_us() - began_us;
	check_sse_whole(&client_answer(&quick)->body, 1);
	client_close(&quick);
	sse_free(&sse);
	uint64_t after_us = time_alone(&world), alone_us = before_us > after_us ? before_us : after_us;
	print_message("%.1f s alone, %.1f s with those who do not read\n", (double)alone_us / 1e6,
		      (double)joined_us / 1e6);
	assert_true(joined_us < TIMES * alone_us + PATIENCES_US);
	assert_int_equal(sim_call_count(world.sim, ""), 3);
	for (size_t i = 0; i < MOST; i++)
		h1_close(&slow[i]);
	sluice_wait_idle(world.sluice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(one_answer_serves_both_forms),
	    SCENARIO(usage_is_told_to_those_who_ask),
	    SCENARIO(what_is_not_the_same_request_is_asked_for),
	    SCENARIO(what_may_differ_is_not_cached),
	    SCENARIO(models_have_rules_of_their_own),
	    SCENARIO(clients_say_what_they_want),
	    SCENARIO(a_client_that_has_it_is_told_so),
	    SCENARIO(completions_are_kept_as_well),
	    SCENARIO(what_was_asked_as_a_stream_is_given_whole),
	    SCENARIO(what_one_form_cannot_tell_is_asked_for),
	    SCENARIO(what_is_not_complete_is_never_kept),
	    SCENARIO(what_stood_in_is_never_kept),
	    SCENARIO(too_large_is_not_kept),
	    SCENARIO(a_stale_answer_stands_in_for_a_failure),
	    SCENARIO(memory_is_bounded),
	    SCENARIO(an_operator_looks_and_purges),
	    SCENARIO(the_key_of_a_request_finds_its_answer),
	    SCENARIO(a_crowd_is_one_call_over_h1),
	    SCENARIO(a_crowd_is_one_call_over_h2),
	    SCENARIO(who_leaves_hurts_nobody),
	    SCENARIO(when_all_leave_the_call_ends),
	    SCENARIO(late_ones_get_all_of_it),
	    SCENARIO(a_failure_is_everybodys),
	    SCENARIO(a_slow_one_does_not_slow_the_rest),
	    SCENARIO(nobody_waits_for_those_who_join_and_do_not_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
