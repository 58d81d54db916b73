/* SPDX-License-Identifier: MIT */
/*
 * What streams cost: docs/memory.md sums up the ceilings of all buffers that an
 * answer passes. Here many clients at once read nothing of answers far larger
 * than those, or wait for the next event, and the gateway may not grow by more
 * than the sums, for each of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

/* limits.buffer is 64 KiB here. The sums are those of docs/memory.md. */
enum {
	KIB = 1024,
	STALLED = 64,
	IDLE = 256,
	RESTING_H1_MOST = 28 * KIB,
	RESTING_TLS_MOST = 52 * KIB,
	RESTING_H2_MOST = 24 * KIB,
	WAITING_MOST = 2 * (64 + 64) * KIB + 64 * KIB
};

struct world {
	struct sim *sim;
	struct sluice *sluice;
	size_t rss; /* warm */
};

static struct world start(enum via via)
{
	struct world world = {.sim = sim_start(NULL)};
	world.sluice = sluice_start("backends:\n  sim: { url: 'http://127.0.0.1:%d/v1' }\n"
				    "models:\n  endless: sim/count;tokens=60000;token_bytes=1000\n"
				    "  slow: sim/count;tokens=2;itl=20s\n  small: sim/count;tokens=10\n"
				    "limits: { buffer: 64KiB }\n",
				    world.sim->port);
	for (int i = 0; i < 20; i++) { /* both workers, whichever the kernel chooses */
		struct answer answer;
		client_fetch_chat(world.sluice, via, "small", true, &answer);
		assert_int_equal(answer.status, 200);
		answer_free(&answer);
	}
	world.rss = proc_rss(world.sluice->proc);
	return world;
}

static double tokens_sent(const struct sim *sim)
{
	cJSON *calls = sim_calls(sim);
	const cJSON *call;
	double sum = 0;
	cJSON_ArrayForEach(call, calls) sum +=
	    cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(call, "tokens_sent"));
	cJSON_Delete(calls);
	return sum;
}

/* Waits until the backends have sent nothing for many looks in a row. */
static void wait_stalled(const struct world *world)
{
	enum { LOOKS = 100 };
	struct patience patience = patience_for("all backends to be paused");
	double sent = 0;
	for (int same = 0; same < LOOKS; same++) {
		double now = tokens_sent(world->sim);
		if (now != sent || sent == 0)
			same = 0;
		sent = now;
		patience_wait(&patience);
	}
}

static void check_growth(const struct world *world, const char *what, size_t count, size_t most)
{
	size_t rss = proc_rss(world->sluice->proc);
	print_message("%s: %zu KiB each, at most %zu\n", what, (rss > world->rss ? rss - world->rss : 0) / count / KIB,
		      most / KIB);
	check_memory(what, world->rss, rss, count * most);
}

/* Opens many connections that each ask for an answer and read nothing of it. */
static struct h1 *ask_over_h1(const struct world *world, bool tls, const char *model, size_t count)
{
	struct h1 *all = calloc(count, sizeof *all);
	assert_non_null(all);
	for (size_t i = 0; i < count; i++) {
		wire_open_narrow(&all[i].wire, tls ? world->sluice->tls_port : world->sluice->port,
				 tls ? "http/1.1" : NULL);
		h1_post(&all[i], "/v1/chat/completions", "", chat_body(model, true));
	}
	return all;
}

static void close_all(struct h1 *all, size_t count)
{
	for (size_t i = 0; i < count; i++)
		h1_close(&all[i]);
	free(all);
}

static void check_stalled_h1(enum via via, size_t resting)
{
	struct world world = start(via);
	struct h1 *all = ask_over_h1(&world, via == VIA_H1_TLS, "endless", STALLED);
	sim_wait_calls(world.sim, "token_bytes", STALLED);
	wait_stalled(&world);
	check_growth(&world, via_name(via), STALLED, WAITING_MOST + resting);
	close_all(all, STALLED);
	sluice_wait_idle(world.sluice);
}

static void clients_that_stop_reading_cost_no_more_than_the_sum(void **state)
{
	(void)state;
	check_stalled_h1(VIA_H1, RESTING_H1_MOST);
}

static void clients_that_stop_reading_over_tls_cost_no_more_than_the_sum(void **state)
{
	(void)state;
	check_stalled_h1(VIA_H1_TLS, RESTING_TLS_MOST);
}

static void streams_whose_windows_are_closed_cost_no_more_than_the_sum(void **state)
{
	struct world world = start(VIA_H2);
	struct h2 h2;
	(void)state;
	h2_open(&h2, world.sluice->port, H2_OWN_WINDOWS);
	for (int i = 0; i < STALLED; i++)
		h2_post(&h2, "/v1/chat/completions", chat_body("endless", true));
	sim_wait_calls(world.sim, "token_bytes", STALLED);
	wait_stalled(&world);
	check_growth(&world, "HTTP/2", STALLED, WAITING_MOST + RESTING_H2_MOST);
	h2_close(&h2);
	sluice_wait_idle(world.sluice);
}

static void check_resting_h1(enum via via, size_t most)
{
	struct world world = start(via);
	struct h1 *all = ask_over_h1(&world, via == VIA_H1_TLS, "slow", IDLE);
	for (size_t i = 0; i < IDLE; i++)
		h1_wait_body(&all[i], 1);
	check_growth(&world, via_name(via), IDLE, most);
	close_all(all, IDLE);
	sluice_wait_idle(world.sluice);
}

static void streams_at_rest_cost_little(void **state)
{
	(void)state;
	check_resting_h1(VIA_H1, RESTING_H1_MOST);
}

static void streams_at_rest_over_tls_cost_little(void **state)
{
	(void)state;
	check_resting_h1(VIA_H1_TLS, RESTING_TLS_MOST);
}

static void streams_at_rest_over_h2_cost_little(void **state)
{
	enum { CONNECTIONS = 4 };
	struct world world = start(VIA_H2);
	struct h2 h2[CONNECTIONS];
	(void)state;
	for (size_t i = 0; i < CONNECTIONS; i++) {
		h2_open(&h2[i], world.sluice->port, 0);
		for (size_t k = 0; k < IDLE / CONNECTIONS; k++)
			h2_post(&h2[i], "/v1/chat/completions", chat_body("slow", true));
	}
	for (size_t i = 0; i < CONNECTIONS; i++)
		for (struct h2_stream *stream = h2[i].streams; stream != NULL; stream = stream->next)
			h2_wait_body(&h2[i], stream, 1);
	check_growth(&world, "HTTP/2", IDLE, RESTING_H2_MOST);
	for (size_t i = 0; i < CONNECTIONS; i++)
		h2_close(&h2[i]);
	sluice_wait_idle(world.sluice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(clients_that_stop_reading_cost_no_more_than_the_sum),
	    SCENARIO(clients_that_stop_reading_over_tls_cost_no_more_than_the_sum),
	    SCENARIO(streams_whose_windows_are_closed_cost_no_more_than_the_sum),
	    SCENARIO(streams_at_rest_cost_little),
	    SCENARIO(streams_at_rest_over_tls_cost_little),
	    SCENARIO(streams_at_rest_over_h2_cost_little),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
