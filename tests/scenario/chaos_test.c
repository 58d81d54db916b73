/* SPDX-License-Identifier: MIT */
/*
 * 10,000 clients leave at random moments, over both HTTP versions: half-way
 * through their request, while waiting, mid-stream, by FIN, RST or RST_STREAM,
 * some of them not at all. Afterwards no call is running, no descriptor is left,
 * and memory is where it was after a first round. The seed is printed, and can
 * be given in SLUICE_CHAOS_SEED.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/dice.h"
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"
#include "tests/scenario/harness/sse.h"

enum { CANCELS = 10000 / LOAD_DIVISOR, WARM_UP = 2000 / LOAD_DIVISOR, ROUND = 2500 / LOAD_DIVISOR };
enum { TOKENS = 40, GROWTH_MOST = 16 << 20, CONNECTIONS = 100 };

struct world {
	struct sim *sim;
	struct sluice *sluice;
	struct dice dice;
};

static uint64_t roll(struct world *world, uint64_t sides)
{
	return dice_roll(&world->dice, sides);
}

static struct world start(void)
{
	struct world world = {.sim = sim_start(NULL), .dice = dice_take()};
	world.sluice = sluice_start("backends:\n  sim: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } }\n"
				    "retries: { least: 100000 }\n"
				    "models:\n"
				    "  stream: sim/count;ttft=2ms;itl=1ms;jitter=3ms;tokens=%d\n"
				    "  slow: sim/count;ttft=50ms;jitter=50ms;tokens=%d\n"
				    "  chain: { fallback: [sim/count;reset_before_head, sim/count;ttft=5ms;itl=1ms] }\n"
				    "  both: { all: [sim/count;itl=1ms;tokens=9, sim/count;ttft=9ms;tokens=9] }\n",
				    world.sim->port, TOKENS, TOKENS);
	return world;
}

static const char *random_body(struct world *world)
{
	static char bodies[8][256];
	static const char *const models[] = {"stream", "slow", "chain", "both"};
	uint64_t pick = roll(world, 8);
	snprintf(bodies[pick], sizeof bodies[pick], "%s", chat_body(models[pick / 2], pick % 2 == 0));
	return bodies[pick];
}

static void random_job(struct world *world, struct mass_job *job)
{
	*job = (struct mass_job){.body = random_body(world), .how = (enum leave)roll(world, 3)};
	switch (roll(world, 10)) {
	case 0:
		job->leaves = MASS_STAYS;
		break;
	case 1:
		job->leaves = MASS_LEAVES_MID_REQUEST;
		break;
	case 2:
	case 3:
	case 4:
	case 5:
		job->leaves = MASS_LEAVES_AFTER_TIME;
		job->leave_at = roll(world, 40000);
		break;
	default:
		job->leaves = MASS_LEAVES_AFTER_BYTES;
		job->leave_at = roll(world, 6000);
	}
}

/* Those that stayed, and whose connection nobody took away, have whole answers. */
static void check_stayed(const struct mass_job *job)
{
	if (job->left)
		return;
	if (!job->answer.ended || job->answer.status != 200)
		fail_msg("one that stayed got status %d, %s: %.500s", job->answer.status,
			 job->answer.ended ? "ended" : "broken", bytes_text(&job->answer.body));
	if (bytes_contain(&job->answer.body, "data: "))
		check_sse_whole(&job->answer.body, bytes_contain(&job->answer.body, "sluice_target") ? 2 : 1);
}

/* Runs count random clients; how many of them left. */
static size_t run_round(struct world *world, enum via via, size_t count)
{
	bool h1 = via == VIA_H1 || via == VIA_H1_TLS;
	size_t left = 0;
	struct mass_job *jobs = calloc(count, sizeof *jobs);
	assert_non_null(jobs);
	for (size_t i = 0; i < count; i++)
		random_job(world, &jobs[i]);
	struct mass mass = {.sluice = world->sluice,
			    .via = via,
			    .connections = h1 ? CONNECTIONS : CONNECTIONS / 10,
			    .streams = h1 ? 1 : 10,
			    .jobs = jobs,
			    .count = count};
	mass_run(&mass);
	for (size_t i = 0; i < count; i++) {
		left += jobs[i].left;
		check_stayed(&jobs[i]);
	}
	mass_free_answers(&mass);
	free(jobs);
	return left;
}

static void settle(const struct world *world)
{
	sim_wait_idle(world->sim);
	sluice_wait_idle(world->sluice);
	assert_true(sluice_metric(world->sluice, "sluice_calls_in_flight{backend=\"sim\"}") == 0);
}

static void ten_thousand_cancels_leave_no_call_no_descriptor_and_no_memory(void **state)
{
	struct world world = start();
	size_t left = 0;
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++)
		run_round(&world, via, WARM_UP / VIA_COUNT);
	settle(&world);
	size_t rss = proc_rss(world.sluice->proc);
	for (enum via via = 0; left < CANCELS; via = (via + 1) % VIA_COUNT)
		left += run_round(&world, via, ROUND);
	settle(&world);
	size_t grown = proc_rss(world.sluice->proc);
	print_message("%zu left; RSS %zu KB after the warm-up, %zu KB at the end\n", left, rss / 1024, grown / 1024);
	check_memory("10,000 cancels", rss, grown, GROWTH_MOST);
	struct answer answer;
	client_fetch_chat(world.sluice, VIA_H1, "stream", true, &answer);
	check_sse_whole(&answer.body, 1);
	answer_free(&answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(ten_thousand_cancels_leave_no_call_no_descriptor_and_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
