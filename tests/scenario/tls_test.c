/* SPDX-License-Identifier: MIT */
/* TLS with clients, seen from outside: what is counted of handshakes, and who is served while many are made. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"
#include "tests/scenario/harness/wire.h"

static struct sluice *start(void)
{
	const struct sim *sim = sim_start(NULL);
	return sluice_start_workers(1, "backends:\n  sim: { url: 'http://127.0.0.1:%d/v1' }\nmodels:\n  m: sim/count\n",
				    sim->port);
}

static void ask(struct h1 *h1)
{
	h1_post(h1, "/v1/chat/completions", "", chat_body("m", false));
	h1_wait_end(h1);
	assert_int_equal(h1->answer.status, 200);
	h1_next(h1);
}

static void check_counts(const struct sluice *sluice, double done, double failed)
{
	assert_true(sluice_metric(sluice, "sluice_tls_handshakes_total{result=\"done\"}") == done);
	assert_true(sluice_metric(sluice, "sluice_tls_handshakes_total{result=\"failed\"}") == failed);
	assert_true(sluice_metric(sluice, "sluice_tls_handshake_steps_total") >= 2 * done + failed);
	assert_true(sluice_metric(sluice, "sluice_tls_handshakes_waiting") == 0);
}

static void handshakes_are_counted(void **state)
{
	enum { CLIENTS = 100, BROKEN = 20 };
	static struct h1 clients[CLIENTS];
	struct wire wires[BROKEN];
	struct sluice *sluice = start();
	struct h1 neighbour;
	(void)state;
	h1_open(&neighbour, sluice->port, false);
	for (int i = 0; i < BROKEN; i++) {
		wire_open(&wires[i], sluice->tls_port, NULL);
		assert_true(wire_write_all(&wires[i], "GET / HTTP/1.1\r\n\r\n", 18));
	}
	for (int i = 0; i < CLIENTS; i++)
		h1_open(&clients[i], sluice->tls_port, true);
	ask(&neighbour);
	for (int i = 0; i < CLIENTS; i++) {
		ask(&clients[i]);
		h1_close(&clients[i]);
	}
	for (int i = 0; i < BROKEN; i++) {
		char text[512];
		struct patience patience = patience_for("a client without TLS to be turned away");
		while (wire_read(&wires[i], text, sizeof text) == WIRE_AGAIN)
			patience_wait(&patience);
		wire_close(&wires[i]);
	}
	check_counts(sluice, CLIENTS, BROKEN);
	h1_close(&neighbour);
	sluice_wait_idle(sluice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(handshakes_are_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
