/* SPDX-License-Identifier: MIT */
/*
 * 2,000 concurrent streams and 10,000 complete, and token by token nothing is lost,
 * doubled or reordered. All streams wait at the backend until every one of them
 * is open, so that they really are concurrent.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"
#include "tests/scenario/harness/sse.h"

enum { STREAMS = 2000 / LOAD_DIVISOR, CROWD = 10000 / LOAD_DIVISOR, TOKENS = 50, H2_STREAMS = 100 };

struct world {
	struct sim *sim;
	struct sluice *sluice;
};

/* The first token comes when all streams are open, the rest in small steps, all mixed. */
static struct world start(void)
{
	struct world world = {.sim = sim_start(NULL)};
	world.sluice = sluice_start("backends:\n  sim: { url: 'http://127.0.0.1:%d/v1' }\n"
				    "models:\n  m: sim/count;gate=0;itl=5ms;jitter=10ms;tokens=%d\n",
				    world.sim->port, TOKENS);
	return world;
}

static void check_job(const struct mass_job *job, size_t index)
{
	struct sse sse = {0};
	if (job->answer.status != 200 || !job->answer.ended)
		fail_msg("stream %zu: status %d, %s: %.500s", index, job->answer.status,
			 job->answer.ended ? "ended" : "broken", bytes_text(&job->answer.body));
	check_sse_whole(&job->answer.body, 1);
	sse_read(&sse, &job->answer.body);
	check_sse_counted(&sse, 0, TOKENS);
	sse_free(&sse);
}

static void check_load(enum via via, size_t connections, size_t streams)
{
	struct world world = start();
	size_t count = connections * streams;
	struct mass_job *jobs = mass_jobs(count, chat_body("m", true));
	struct mass mass = {.sluice = world.sluice,
			    .via = via,
			    .connections = connections,
			    .streams = streams,
			    .jobs = jobs,
			    .count = count,
			    .gate = world.sim};
	mass_run(&mass);
	assert_int_equal(mass.most_open, count);
	for (size_t i = 0; i < count; i++)
		check_job(&jobs[i], i);
	assert_true(sim_stat(world.sim, "most_open") > (double)count / 2);
	mass_free_answers(&mass);
	free(jobs);
	sim_wait_idle(world.sim);
	sluice_wait_idle(world.sluice);
}

static void two_thousand_streams_over_h1_lose_double_and_reorder_nothing(void **state)
{
	(void)state;
	check_load(VIA_H1, STREAMS, 1);
}

static void two_thousand_streams_over_h2_lose_double_and_reorder_nothing(void **state)
{
	(void)state;
	check_load(VIA_H2, STREAMS / H2_STREAMS, H2_STREAMS);
}

static void two_thousand_streams_over_h2_and_tls_lose_double_and_reorder_nothing(void **state)
{
	(void)state;
	check_load(VIA_H2_TLS, STREAMS / H2_STREAMS, H2_STREAMS);
}

static void ten_thousand_streams_complete(void **state)
{
	(void)state;
	check_load(VIA_H2, CROWD / H2_STREAMS, H2_STREAMS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(two_thousand_streams_over_h1_lose_double_and_reorder_nothing),
	    SCENARIO(two_thousand_streams_over_h2_lose_double_and_reorder_nothing),
	    SCENARIO(two_thousand_streams_over_h2_and_tls_lose_double_and_reorder_nothing),
	    SCENARIO(ten_thousand_streams_complete),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
