/* SPDX-License-Identifier: MIT */
/*
 * A client that stops reading for a while and then goes on gets its whole
 * stream, and the process lives.
 *
 * The story (docs/decisions/0006-callbacks-before-polling.md): a write that the
 * kernel took at once, but that filled its buffer so far that the socket was not
 * writable any more, left h2o polling a socket for which nobody wrote. When the
 * client read on, the process ended in an assertion.
 * So the backend sends piece by piece, each a write of its own, and the client
 * stops for one piece, then for two, for three, …, past what the kernel holds.
 * (Taking decision 6 back has not turned this red yet: h2o's moment is narrower.)
 */
#include <string.h>

#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sse.h"

enum { STOPS = 40, PIECES = STOPS * (STOPS + 1) / 2, PIECE = 60000 };

#define CHUNK_HEAD                                                                                             \
	"data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[" \
	"{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\""
static const char last[] = CHUNK_HEAD "\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

struct world {
	struct backend *backend;
	struct sluice *sluice;
};

/* An event of about PIECE bytes. Static. */
static const char *piece(void)
{
	static struct bytes text;
	if (text.len == 0) {
		bytes_printf(&text, "%s", CHUNK_HEAD);
		while (text.len < PIECE)
			bytes_printf(&text, "x");
		bytes_printf(&text, "\"},\"finish_reason\":null}]}\n\n");
	}
	return text.at;
}

/* A gate before each piece and before the end; no piece leaves before the one before it was read. */
static struct world start(void)
{
	struct step steps[3 * PIECES + 4];
	struct step *step = steps;
	struct world world = {.backend = backend_start()};
	*step++ = (struct step)SEND(STREAM_HEAD);
	for (int i = 0; i < PIECES; i++) {
		*step++ = (struct step)GATE;
		*step++ = (struct step)SEND(piece());
		*step++ = (struct step)DRAIN;
	}
	*step++ = (struct step)GATE;
	*step++ = (struct step)SEND(last);
	*step++ = (struct step)FIN;
	backend_script(world.backend, steps);
	world.sluice = sluice_start("backends:\n  b: { url: 'http://127.0.0.1:%d/v1' }\nmodels:\n  m: b/m\n",
				    backend_port(world.backend));
	return world;
}

/* Lets that many pieces go while the client reads nothing. The pauses decide nothing; they let a piece be one write. */
static void let_go(const struct world *world, int pieces)
{
	struct patience patience = patience_for("nothing");
	for (int i = 0; i < pieces; i++) {
		backend_open_gate(world->backend);
		patience_wait(&patience);
	}
}

static void check_whole(const struct answer *answer)
{
	assert_true(answer->ended);
	check_sse_whole(&answer->body, 1);
	assert_int_equal(answer->body.len, PIECES * strlen(piece()) + strlen(last));
}

static void check_h1(bool tls)
{
	struct world world = start();
	struct h1 h1;
	size_t sent = 0;
	h1_open(&h1, tls ? world.sluice->tls_port : world.sluice->port, tls);
	h1_post(&h1, "/v1/chat/completions", "", chat_body("m", true));
	for (int stop = 1; stop <= STOPS; stop++) {
		let_go(&world, stop);
		sent += (size_t)stop * strlen(piece());
		h1_wait_body(&h1, sent);
		assert_false(h1.answer.broken);
	}
	backend_open_gate(world.backend);
	h1_wait_end(&h1);
	check_whole(&h1.answer);
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
	size_t sent = 0;
	h2_open(&h2, (options & H2_TLS) != 0 ? world.sluice->tls_port : world.sluice->port, options | H2_WIDE);
	struct h2_stream *stream = h2_post(&h2, "/v1/chat/completions", chat_body("m", true));
	for (int stop = 1; stop <= STOPS; stop++) {
		let_go(&world, stop);
		sent += (size_t)stop * strlen(piece());
		h2_wait_body(&h2, stream, sent);
		assert_false(stream->answer.broken);
	}
	backend_open_gate(world.backend);
	h2_wait_end(&h2, stream);
	check_whole(&stream->answer);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(an_h1_client_that_stops_and_goes_gets_its_whole_stream),
	    SCENARIO(an_h1_client_over_tls_that_stops_and_goes_gets_its_whole_stream),
	    SCENARIO(an_h2_client_that_stops_and_goes_gets_its_whole_stream),
	    SCENARIO(an_h2_client_over_tls_that_stops_and_goes_gets_its_whole_stream),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
