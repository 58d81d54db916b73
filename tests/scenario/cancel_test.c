/* SPDX-License-Identifier: MIT */
/*
 * Cancellation end to end: when the client leaves, the backend sees it, whatever
 * the client was waiting for and whichever way it came in. The calls last for
 * an hour and no limit ends them before: only the client's leaving does. How long
 * that took is printed, and judged by nobody: both ends read the same
 * monotonic clock.
 */
#include <stdio.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"
#include "tests/scenario/harness/sse.h"

enum moment { BEFORE_HEAD, BEFORE_CONTENT, MID_STREAM, WHOLE_ANSWER };

static const char *const moment_models[] = {
    [BEFORE_HEAD] = "no-head",
    [BEFORE_CONTENT] = "no-content",
    [MID_STREAM] = "ticking",
    [WHOLE_ANSWER] = "no-content",
};

struct world {
	struct sim *sim;
	struct sluice *sluice;
	size_t calls; /* made so far */
};

static struct world start(void)
{
	struct world world = {0};
	world.sim = sim_start(NULL);
	world.sluice = sluice_start("backends:\n  sim: { url: 'http://127.0.0.1:%d/v1', timeouts: { first_content: 2h, "
				    "idle: 2h, idle_whole: 2h, total: 2h } }\n"
				    "models:\n"
				    "  no-head: sim/count;head=3600s\n"
				    "  no-content: sim/count;ttft=3600s\n"
				    "  ticking: sim/count;itl=5ms;tokens=1000000\n"
				    "  chain: { fallback: [sim/count;ttft=3600s, sim/spare] }\n"
				    "  pair: { all: [sim/count;ttft=3600s, sim/count;itl=5ms;tokens=1000000] }\n"
				    "  soon: sim/count;ttft=100ms;itl=10ms;tokens=5\n",
				    world.sim->port);
	return world;
}

/* Everything is back at its base line, and the books say that the client left. */
static void check_settled(const struct world *world)
{
	sim_wait_idle(world->sim);
	sluice_wait_idle(world->sluice);
	assert_true(sluice_metric(world->sluice, "sluice_calls_in_flight{backend=\"sim\"}") == 0);
}

static void check_leaving(struct world *world, enum via via, enum moment moment, enum leave how)
{
	struct client client;
	struct sse sse = {0};
	client_chat(&client, world->sluice, via, moment_models[moment], moment != WHOLE_ANSWER);
	sim_wait_calls(world->sim, "", ++world->calls);
	if (moment == MID_STREAM)
		client_wait_events(&client, &sse, 5);
	uint64_t left_us = client_leave(&client, how);
	uint64_t seen_us = sim_wait_left(world->sim, "");
	print_message("%s, %s: the backend saw it after %.1f ms\n", via_name(via), moment_models[moment],
		      ((double)seen_us - (double)left_us) / 1000);
	sse_free(&sse);
	client_close(&client);
}

static void check_leaving_every_way(enum moment moment, enum leave how)
{
	struct world world = start();
	for (enum via via = 0; via < VIA_COUNT; via++)
		check_leaving(&world, via, moment, how);
	check_settled(&world);
}

static void a_client_that_resets_before_the_head_takes_its_call_along(void **state)
{
	(void)state;
	check_leaving_every_way(BEFORE_HEAD, LEAVE_RST);
}

static void a_client_that_resets_before_any_content_takes_its_call_along(void **state)
{
	(void)state;
	check_leaving_every_way(BEFORE_CONTENT, LEAVE_RST);
}

static void a_client_that_resets_mid_stream_takes_its_call_along(void **state)
{
	(void)state;
	check_leaving_every_way(MID_STREAM, LEAVE_RST);
}

static void a_client_that_resets_while_waiting_for_a_whole_answer_takes_its_call_along(void **state)
{
	(void)state;
	check_leaving_every_way(WHOLE_ANSWER, LEAVE_RST);
}

static void a_client_that_closes_before_the_head_takes_its_call_along(void **state)
{
	(void)state;
	check_leaving_every_way(BEFORE_HEAD, LEAVE_FIN);
}

static void a_client_that_closes_before_any_content_takes_its_call_along(void **state)
{
	(void)state;
	check_leaving_every_way(BEFORE_CONTENT, LEAVE_FIN);
}

static void a_client_that_closes_mid_stream_takes_its_call_along(void **state)
{
	(void)state;
	check_leaving_every_way(MID_STREAM, LEAVE_FIN);
}

static void a_client_that_closes_while_waiting_for_a_whole_answer_takes_its_call_along(void **state)
{
	(void)state;
	check_leaving_every_way(WHOLE_ANSWER, LEAVE_FIN);
}

/* One stream of a connection with a neighbour leaves; fragment: of the model string that the backend sees. */
static void check_cancel(const struct world *world, struct h2 *h2, enum moment moment, const char *fragment)
{
	size_t calls = sim_call_count(world->sim, fragment);
	struct h2_stream *stream =
	    h2_post(h2, "/v1/chat/completions", chat_body(moment_models[moment], moment != WHOLE_ANSWER));
	sim_wait_calls(world->sim, fragment, calls + 1);
	if (moment == MID_STREAM)
		h2_wait_body(h2, stream, 500);
	h2_cancel(h2, stream);
	sim_wait_left(world->sim, fragment);
}

static void a_cancelled_stream_takes_its_call_along_and_leaves_its_neighbours(void **state)
{
	struct world world = start();
	(void)state;
	for (int tls = 0; tls < 2; tls++) {
		struct h2 h2;
		h2_open(&h2, tls ? world.sluice->tls_port : world.sluice->port, tls ? H2_TLS : 0);
		struct h2_stream *neighbour = h2_post(&h2, "/v1/chat/completions", chat_body("soon", true));
		check_cancel(&world, &h2, BEFORE_HEAD, "head=3600s");
		check_cancel(&world, &h2, BEFORE_CONTENT, "ttft=3600s");
		check_cancel(&world, &h2, MID_STREAM, "itl=5ms");
		check_cancel(&world, &h2, WHOLE_ANSWER, "ttft=3600s");
		h2_wait_end(&h2, neighbour);
		check_sse_whole(&neighbour->answer.body, 1);
		h2_close(&h2);
	}
	check_settled(&world);
}

static void a_client_that_leaves_while_uploading_starts_no_call(void **state)
{
	struct world world = start();
	(void)state;
	for (int tls = 0; tls < 2; tls++) {
		struct h1 h1;
		struct h2 h2;
		h1_open(&h1, tls ? world.sluice->tls_port : world.sluice->port, tls);
		h1_send(&h1, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
			     "Content-Length: 100\r\n\r\n{\"model\":\"ticking\",");
		h1_close(&h1);
		h2_open(&h2, tls ? world.sluice->tls_port : world.sluice->port, tls ? H2_TLS : 0);
		h2.withhold = true;
		h2_cancel(&h2, h2_post(&h2, "/v1/chat/completions", chat_body("ticking", true)));
		h2_post(&h2, "/v1/chat/completions", chat_body("ticking", true));
		h2_close(&h2);
	}
	check_settled(&world);
	assert_int_equal(sim_call_count(world.sim, ""), 0);
}

static void a_plan_whose_client_left_starts_no_further_call(void **state)
{
	struct world world = start();
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct client client;
		client_chat(&client, world.sluice, via, "chain", true);
		sim_wait_calls(world.sim, "ttft=3600s", via + 1u);
		client_leave(&client, LEAVE_CANCEL);
		client_close(&client);
	}
	check_settled(&world);
	assert_int_equal(sim_call_count(world.sim, "spare"), 0);
}

static void every_call_of_a_gathering_plan_is_aborted(void **state)
{
	struct world world = start();
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct client client;
		client_chat(&client, world.sluice, via, "pair", true);
		sim_wait_calls(world.sim, "", 2 * (via + 1u));
		client_leave(&client, LEAVE_CANCEL);
		sim_wait_left(world.sim, "ttft=3600s");
		sim_wait_left(world.sim, "itl=5ms");
		client_close(&client);
	}
	check_settled(&world);
}

static void a_half_close_after_the_request_still_gets_its_answer(void **state)
{
	struct world world = start();
	(void)state;
	for (int stream = 0; stream < 2; stream++) {
		struct h1 h1;
		h1_open(&h1, world.sluice->port, false);
		h1_post(&h1, "/v1/chat/completions", "", chat_body("soon", stream));
		wire_half_close(&h1.wire);
		h1_wait_end(&h1);
		assert_int_equal(h1.answer.status, 200);
		assert_true(h1.answer.ended);
		check_contains(&h1.answer.body, "4");
		if (stream)
			check_sse_whole(&h1.answer.body, 1);
		h1_close(&h1);
	}
	check_settled(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_client_that_resets_before_the_head_takes_its_call_along),
	    SCENARIO(a_client_that_resets_before_any_content_takes_its_call_along),
	    SCENARIO(a_client_that_resets_mid_stream_takes_its_call_along),
	    SCENARIO(a_client_that_resets_while_waiting_for_a_whole_answer_takes_its_call_along),
	    SCENARIO(a_client_that_closes_before_the_head_takes_its_call_along),
	    SCENARIO(a_client_that_closes_before_any_content_takes_its_call_along),
	    SCENARIO(a_client_that_closes_mid_stream_takes_its_call_along),
	    SCENARIO(a_client_that_closes_while_waiting_for_a_whole_answer_takes_its_call_along),
	    SCENARIO(a_cancelled_stream_takes_its_call_along_and_leaves_its_neighbours),
	    SCENARIO(a_client_that_leaves_while_uploading_starts_no_call),
	    SCENARIO(a_plan_whose_client_left_starts_no_further_call),
	    SCENARIO(every_call_of_a_gathering_plan_is_aborted),
	    SCENARIO(a_half_close_after_the_request_still_gets_its_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
