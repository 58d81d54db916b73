/* SPDX-License-Identifier: MIT */
/*
 * A client that stops reading until the pipe is full and then goes on, again
 * and again, gets its whole stream, and the process lives. A socket that became
 * writable after such a stop once hit an assertion of h2o's: see
 * docs/decisions/0006-callbacks-before-polling.md.
 */
#include <stdio.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"
#include "tests/scenario/harness/sse.h"

/* Far more than all the buffers on the way hold, in tokens of about 500 bytes. */
enum { TOKENS = 100000, STOPS = 12, STEP = 400000, NARROW = 4096 };

struct world {
	struct sim *sim;
	struct sluice *sluice;
};

static struct world start(void)
{
	struct world world = {.sim = sim_start(NULL)};
	world.sluice = sluice_start("backends:\n  sim: { url: 'http://127.0.0.1:%d/v1' }\n"
				    "models:\n  big: sim/count;tokens=%d;token_bytes=500\n",
				    world.sim->port, TOKENS);
	return world;
}

/* Reads nothing until the backend, too, has sent nothing for many looks in a row: all the pipe is full. */
static void wait_full(const struct world *world)
{
	enum { LOOKS = 50 };
	struct patience patience = patience_for("the pipe to be full");
	double sent = 0;
	for (int same = 0; same < LOOKS; same++) {
		double now = sim_call_number(world->sim, "token_bytes", "tokens_sent");
		if (now != sent || sent == 0)
			same = 0;
		sent = now;
		patience_wait(&patience);
	}
}

static void check_whole(const struct world *world, const struct answer *answer)
{
	struct sse sse = {0};
	assert_true(answer->ended);
	sse_read(&sse, &answer->body);
	assert_true(sse_is_done(&sse));
	check_sse_counted(&sse, 0, TOKENS);
	sse_free(&sse);
	assert_true(sluice_metric(world->sluice, "sluice_exchanges_in_flight") <= 1);
}

static void check_h1(bool tls)
{
	struct world world = start();
	struct h1 h1 = {0};
	wire_open_narrow(&h1.wire, tls ? world.sluice->tls_port : world.sluice->port, tls ? "http/1.1" : NULL, NARROW);
	h1_post(&h1, "/v1/chat/completions", "", chat_body("big", true));
	for (size_t stop = 1; stop <= STOPS; stop++) {
		sim_wait_calls(world.sim, "token_bytes", 1);
		wait_full(&world);
		h1_wait_body(&h1, stop * STEP);
		assert_false(h1.answer.ended);
	}
	h1_wait_end(&h1);
	check_whole(&world, &h1.answer);
	h1_close(&h1);
	sluice_wait_idle(world.sluice);
}

static void an_h1_client_that_stops_and_goes_gets_its_whole_stream(void **state)
{
	(void)state;
	check_h1(false);
}

static void an_h1_client_over_tls_that_stops_and_goes_gets_its_whole_stream(void **state)
{
	(void)state;
	check_h1(true);
}

/* The windows are wide: it is the socket that is full. */
static void check_h2(unsigned options)
{
	struct world world = start();
	struct h2 h2;
	h2_open(&h2, (options & H2_TLS) != 0 ? world.sluice->tls_port : world.sluice->port, options | H2_WIDE);
	struct h2_stream *stream = h2_post(&h2, "/v1/chat/completions", chat_body("big", true));
	for (size_t stop = 1; stop <= STOPS; stop++) {
		sim_wait_calls(world.sim, "token_bytes", 1);
		wait_full(&world);
		h2_wait_body(&h2, stream, stop * STEP);
		assert_false(stream->answer.ended);
	}
	h2_wait_end(&h2, stream);
	check_whole(&world, &stream->answer);
	h2_close(&h2);
	sluice_wait_idle(world.sluice);
}

static void an_h2_client_that_stops_and_goes_gets_its_whole_stream(void **state)
{
	(void)state;
	check_h2(0);
}

static void an_h2_client_over_tls_that_stops_and_goes_gets_its_whole_stream(void **state)
{
	(void)state;
	check_h2(H2_TLS);
}

/* The sockets flow: it is the stream's window that is empty, and its connection's. */
static void an_h2_client_that_gives_credit_by_pieces_gets_its_whole_stream(void **state)
{
	struct world world = start();
	struct h2 h2;
	size_t seen = 0;
	(void)state;
	h2_open(&h2, world.sluice->port, H2_OWN_WINDOWS);
	struct h2_stream *stream = h2_post(&h2, "/v1/chat/completions", chat_body("big", true));
	for (int stop = 0; !stream->answer.ended && !stream->answer.broken; stop++) {
		h2_wait_body(&h2, stream, seen + 65535); /* all that the windows allow */
		if (stop < STOPS)
			wait_full(&world);
		size_t fresh = stream->answer.body.len - seen;
		seen += fresh;
		h2_consume_connection(&h2, fresh);
		h2_consume_stream(&h2, stream, fresh);
	}
	check_whole(&world, &stream->answer);
	h2_close(&h2);
	sluice_wait_idle(world.sluice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(an_h1_client_that_stops_and_goes_gets_its_whole_stream),
	    SCENARIO(an_h1_client_over_tls_that_stops_and_goes_gets_its_whole_stream),
	    SCENARIO(an_h2_client_that_stops_and_goes_gets_its_whole_stream),
	    SCENARIO(an_h2_client_over_tls_that_stops_and_goes_gets_its_whole_stream),
	    SCENARIO(an_h2_client_that_gives_credit_by_pieces_gets_its_whole_stream),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
