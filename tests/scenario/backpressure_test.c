/* SPDX-License-Identifier: MIT */
/*
 * Backpressure end to end: a client that does not read makes Sluice stop
 * reading its backend, at a bounded cost in memory, while neighbours go on. When
 * the client reads again it gets every token. Idle limits do not fire
 * meanwhile: a slow client is not a silent backend.
 */
#include <stdio.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"
#include "tests/scenario/harness/sse.h"

/* An answer far bigger than all buffers of two TCP hops together; a token is about 1,000 bytes. */
enum { TOKENS = 60000, ANSWER_LEAST = 60000000, SENT_MOST = 40000, GROWTH_MOST = 24 << 20 };

/* Longer than the idle limit of the backend, which is far above what a busy machine makes of a running stream. */
enum { STALLED_MS = 4000 };

struct world {
	struct sim *sim;
	struct sluice *sluice;
	size_t rss; /* of sluice, warm */
};

static void check_neighbour(const struct world *world, enum via via)
{
	struct answer answer;
	struct sse sse = {0};
	client_fetch_chat(world->sluice, via, "small", true, &answer);
	check_sse_whole(&answer.body, 1);
	sse_read(&sse, &answer.body);
	check_sse_counted(&sse, 0, 100);
	sse_free(&sse);
	answer_free(&answer);
}

static struct world start(void)
{
	struct world world = {.sim = sim_start(NULL)};
	world.sluice =
	    sluice_start("backends:\n  sim: { url: 'http://127.0.0.1:%d/v1', timeouts: { idle: 3s, idle_whole: 3s } }\n"
			 "models:\n  big: sim/count;tokens=%d;token_bytes=1000\n"
			 "  small: sim/count;tokens=100\n",
			 world.sim->port, TOKENS);
	for (enum via via = 0; via < VIA_COUNT; via++)
		check_neighbour(&world, via);
	world.rss = proc_rss(world.sluice->proc);
	return world;
}

static void check_stalled(const struct world *world)
{
	double sent = sim_wait_stalled(world->sim, "token_bytes", STALLED_MS);
	check_memory("one client that does not read", world->rss, proc_rss(world->sluice->proc), GROWTH_MOST);
	if (sent > SENT_MOST)
		fail_msg("the backend could send %.0f tokens for a client that reads none", sent);
	for (enum via via = 0; via < VIA_COUNT; via++)
		check_neighbour(world, via);
}

static void check_complete(const struct answer *answer)
{
	struct sse sse = {0};
	assert_true(answer->ended);
	assert_true(answer->body.len > ANSWER_LEAST);
	sse_read(&sse, &answer->body);
	assert_true(sse_is_done(&sse));
	check_sse_counted(&sse, 0, TOKENS);
	sse_free(&sse);
}

static void check_h1(bool tls)
{
	struct world world = start();
	struct h1 h1 = {0};
	wire_open_narrow(&h1.wire, tls ? world.sluice->tls_port : world.sluice->port, tls ? "http/1.1" : NULL);
	h1_post(&h1, "/v1/chat/completions", "", chat_body("big", true));
	sim_wait_calls(world.sim, "token_bytes", 1);
	check_stalled(&world);
	h1_wait_end(&h1);
	check_complete(&h1.answer);
	h1_close(&h1);
	sluice_wait_base(world.sluice);
}

static void an_h1_client_that_does_not_read_pauses_its_backend_and_loses_nothing(void **state)
{
	(void)state;
	check_h1(false);
}

static void a_tls_client_that_does_not_read_pauses_its_backend_and_loses_nothing(void **state)
{
	(void)state;
	check_h1(true);
}

/* The socket itself is not read: no frame moves on this connection. */
static void an_h2_connection_that_is_not_read_pauses_its_backends_and_loses_nothing(void **state)
{
	struct world world = start();
	struct h2 h2;
	(void)state;
	h2_open(&h2, world.sluice->port, H2_WIDE);
	struct h2_stream *stream = h2_post(&h2, "/v1/chat/completions", chat_body("big", true));
	sim_wait_calls(world.sim, "token_bytes", 1);
	check_stalled(&world);
	h2_wait_end(&h2, stream);
	check_complete(&stream->answer);
	h2_close(&h2);
	sluice_wait_base(world.sluice);
}

/* Gives credit for what arrived on stream since *seen, to the connection and, if asked, to the stream. */
static void give_credit(struct h2 *h2, struct h2_stream *stream, size_t *seen, bool to_stream)
{
	size_t fresh = stream->answer.body.len - *seen;
	if (fresh == 0)
		return;
	h2_consume_connection(h2, fresh);
	if (to_stream)
		h2_consume_stream(h2, stream, fresh);
	*seen += fresh;
}

/* One stream of a connection has no window; its neighbour on the same connection flows. */
static void a_stream_without_window_pauses_its_own_backend_only(void **state)
{
	struct world world = start();
	struct h2 h2;
	size_t seen = 0, neighbour_seen = 0;
	(void)state;
	h2_open(&h2, world.sluice->port, H2_OWN_WINDOWS);
	struct h2_stream *stalled = h2_post(&h2, "/v1/chat/completions", chat_body("big", true));
	h2_wait_body(&h2, stalled, 65535); /* its whole window */
	give_credit(&h2, stalled, &seen, false);
	check_stalled(&world);
	assert_int_equal(stalled->answer.body.len, 65535);
	struct h2_stream *neighbour = h2_post(&h2, "/v1/chat/completions", chat_body("small", true));
	while (!neighbour->answer.ended) {
		h2_wait_body(&h2, neighbour, neighbour_seen + 1);
		give_credit(&h2, neighbour, &neighbour_seen, true);
	}
	check_sse_whole(&neighbour->answer.body, 1);
	h2_consume_stream(&h2, stalled, seen);
	while (!stalled->answer.ended && !stalled->answer.broken) {
		h2_wait_body(&h2, stalled, seen + 1);
		give_credit(&h2, stalled, &seen, true);
	}
	check_complete(&stalled->answer);
	h2_close(&h2);
	sluice_wait_base(world.sluice);
}

/* A whole answer is bigger than any buffer as well. */
static void a_big_whole_answer_is_paced_too(void **state)
{
	struct world world = start();
	struct h1 h1 = {0};
	(void)state;
	wire_open_narrow(&h1.wire, world.sluice->port, NULL);
	h1_post(&h1, "/v1/chat/completions", "", chat_body("big", false));
	sim_wait_calls(world.sim, "token_bytes", 1);
	check_stalled(&world);
	h1_wait_end(&h1);
	assert_int_equal(h1.answer.status, 200);
	assert_true(h1.answer.ended);
	assert_true(h1.answer.body.len > ANSWER_LEAST);
	check_contains(&h1.answer.body, " 59999_");
	h1_close(&h1);
	sluice_wait_base(world.sluice);
}

static struct world start_impatient(void)
{
	struct world world = {.sim = sim_start(NULL)};
	world.sluice = sluice_start("backends:\n  sim: { url: 'http://127.0.0.1:%d/v1' }\n"
				    "models:\n  big: sim/count;tokens=%d;token_bytes=1000\n"
				    "  small: sim/count;tokens=100\nlimits: { stalled: 300ms }\n",
				    world.sim->port, TOKENS);
	return world;
}

/* The backend is let go, the client sees the cut, and it is told apart from one that left. */
static void check_cut(const struct world *world)
{
	sim_wait_idle(world->sim);
	assert_true(sluice_errors(world->sluice, "client_too_slow") == 1);
	for (enum via via = 0; via < VIA_COUNT; via++)
		check_neighbour(world, via);
}

static void an_h1_client_that_never_reads_is_cut_off(void **state)
{
	(void)state;
	for (int tls = 0; tls < 2; tls++) {
		struct world world = start_impatient();
		struct h1 h1 = {0};
		wire_open_narrow(&h1.wire, tls ? world.sluice->tls_port : world.sluice->port, tls ? "http/1.1" : NULL);
		h1_post(&h1, "/v1/chat/completions", "", chat_body("big", true));
		sim_wait_calls(world.sim, "token_bytes", 1);
		check_cut(&world);
		h1_wait_end(&h1);
		assert_true(h1.answer.broken);
		assert_false(h1.answer.ended);
		h1_close(&h1);
		sluice_wait_base(world.sluice);
	}
}

static void a_stream_that_never_gets_a_window_is_cut_off_alone(void **state)
{
	struct world world = start_impatient();
	struct h2 h2;
	(void)state;
	h2_open(&h2, world.sluice->port, 0);
	struct h2_stream *stalled = h2_post(&h2, "/v1/chat/completions", chat_body("big", true));
	h2_wait_body(&h2, stalled, 65535); /* its whole window */
	check_cut(&world);
	h2_wait_end(&h2, stalled);
	assert_true(stalled->answer.broken);
	h2_close(&h2);
	sluice_wait_base(world.sluice);
}

/* A few bytes now and then kept the backend's place for hours. */
static void a_stream_that_drips_is_cut_off(void **state)
{
	struct world world = start_impatient();
	struct patience patience = patience_for("the stream to be cut off");
	struct h2 h2;
	(void)state;
	h2_open(&h2, world.sluice->port, H2_OWN_WINDOWS);
	struct h2_stream *drips = h2_post(&h2, "/v1/chat/completions", chat_body("big", true));
	h2_wait_body(&h2, drips, 65535);
	while (!drips->answer.broken) {
		h2_widen(&h2, drips, 1);
		h2_pump(&h2);
		patience_wait(&patience);
	}
	assert_true(drips->answer.body.len > 65535);
	check_cut(&world);
	h2_close(&h2);
	sluice_wait_base(world.sluice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(an_h1_client_that_does_not_read_pauses_its_backend_and_loses_nothing),
	    SCENARIO(a_tls_client_that_does_not_read_pauses_its_backend_and_loses_nothing),
	    SCENARIO(an_h2_connection_that_is_not_read_pauses_its_backends_and_loses_nothing),
	    SCENARIO(a_stream_without_window_pauses_its_own_backend_only),
	    SCENARIO(a_big_whole_answer_is_paced_too),
	    SCENARIO(an_h1_client_that_never_reads_is_cut_off),
	    SCENARIO(a_stream_that_never_gets_a_window_is_cut_off_alone),
	    SCENARIO(a_stream_that_drips_is_cut_off),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
