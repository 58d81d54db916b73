/* SPDX-License-Identifier: MIT */
/*
 * limits.bodies: the bodies of all running requests have room together, until their answers are over. Once only bodies
 * that were still coming counted, so that long answers to large prompts held any amount of memory, and connections of
 * one client could have all of the room.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

enum {
	POLITE = 3, /* host of 127.0.0.0/8 */
	KIB = 1024,
	LARGE = 200 * KIB
};

struct world {
	struct sim *sim;
	struct sluice *sluice;
};

static void start(struct world *world, const char *bodies)
{
	*world = (struct world){.sim = sim_start((const char *const[]){"--tokens", "2", NULL})};
	world->sluice =
	    sluice_start_workers(2,
				 "limits: { body: 256KiB, bodies: %s }\n"
				 "backends: { s: { url: 'http://127.0.0.1:%d/v1' } }\n"
				 "models: { quick: s/m, slow: s/m;ttft=100s, brief: s/m;ttft=1s, held: s/m;gate=0 }\n",
				 bodies, world->sim->port);
}

static void expect(const struct world *world, enum via via, const char *body, int status)
{
	struct answer answer;
	client_fetch(world->sluice, via, "/v1/chat/completions", body, &answer);
	assert_int_equal(answer.status, status);
	answer_free(&answer);
}

static void expect_full(const struct world *world, const char *body)
{
	struct answer answer;
	client_fetch(world->sluice, VIA_H1, "/v1/chat/completions", body, &answer);
	check_error(&answer, 503, "bodies_full");
	assert_string_equal(answer_header(&answer, "retry-after"), "1");
	check_contains(&answer.body, "a request body of 200 KiB at present; all bodies of running requests have 1 MiB, "
				     "and one client a share of it (limits.bodies)");
	answer_free(&answer);
}

/* Posts a body that stays unanswered, and sees it reach the backend. */
static void hold(const struct world *world, enum via via, struct client *client, const char *body)
{
	size_t calls = sim_call_count(world->sim, "");
	struct patience patience = patience_for("a held call to reach the backend");
	client_post(client, world->sluice, via, "/v1/chat/completions", body);
	while (sim_call_count(world->sim, "") == calls) {
		if (via >= VIA_H2)
			h2_pump(&client->h2);
		patience_wait(&patience);
	}
}

/* 200 KiB each: with a fourth it would have more than three times of what is free. */
static void check_room(enum via via)
{
	enum { RUNNING = 3 };
	struct world world;
	struct client running[RUNNING];
	char *quick = chat_body_large("quick", LARGE), *slow = chat_body_large("slow", LARGE);
	start(&world, "1MiB");
	for (size_t i = 0; i < RUNNING; i++)
		hold(&world, via, &running[i], slow);
	expect_full(&world, quick);
	expect(&world, via, chat_body("quick", false), 200); /* a small one needs none */
	wire_come_from(POLITE);
	expect(&world, via, quick, 200);
	wire_come_from(0);
	for (size_t i = 0; i < RUNNING; i++) {
		client_leave(&running[i], LEAVE_RST);
		client_close(&running[i]);
	}
	sluice_wait_base(world.sluice);
	for (int i = 0; i < 20; i++)
		expect(&world, via, quick, 200);
	sluice_wait_base(world.sluice);
	free(quick);
	free(slow);
}

static void a_running_request_keeps_the_room_of_its_body_until_its_answer_is_over(void **state)
{
	(void)state;
	for (enum via via = VIA_H1; via < VIA_COUNT; via++)
		check_room(via);
}

/* Of many large bodies at once each is answered or refused in words. Returns how many were answered. */
static size_t check_many(const struct world *world, int via, size_t count)
{
	bool h1 =
	    via == VIA_H1; /* where none waits for room: all are answered or refused, however long the others run */
	char *body = chat_body_large(h1 ? "held" : "brief", LARGE);
	struct mass_job *jobs = mass_jobs(count, body);
	size_t served = 0;
	struct mass mass = {.sluice = world->sluice,
			    .via = via,
			    .connections = h1 ? count : (count + 29) / 30,
			    .streams = h1 ? 1 : 30,
			    .jobs = jobs,
			    .count = count,
			    .gate = h1 ? world->sim : NULL};
	sim_close_gate(world->sim);
	mass_run(&mass);
	for (size_t i = 0; i < count; i++) {
		served += jobs[i].answer.status == 200;
		if (jobs[i].answer.status != 200)
			check_error(&jobs[i].answer, 503, "bodies_full");
	}
	mass_free_answers(&mass);
	free(jobs);
	free(body);
	sluice_wait_base(world->sluice);
	return served;
}

/* 8 MiB: 30 bodies of 200 KiB fit, of 300 those that find room; over HTTP/2 the others wait for it. */
static void of_many_large_bodies_those_that_fit_are_served_and_the_others_are_refused(void **state)
{
	struct world world;
	(void)state;
	start(&world, "8MiB");
	assert_int_equal(check_many(&world, VIA_H1, 1), 1);
	assert_int_equal(check_many(&world, VIA_H1, 30), 30);
	assert_in_range(check_many(&world, VIA_H1, 300), 30, 299);
	assert_int_equal(check_many(&world, VIA_H2, 30), 30);
	assert_int_equal(check_many(&world, VIA_H2, 300), 300);
}

/* 300 at once by one client, which take all that one may have; each of the other's is served. */
static void a_client_with_many_large_bodies_leaves_room_for_others(void **state)
{
	enum { GREEDY = 300 };
	static struct client greedy[GREEDY];
	struct world world;
	char *quick = chat_body_large("quick", LARGE), *slow = chat_body_large("slow", LARGE);
	(void)state;
	start(&world, "8MiB");
	for (size_t i = 0; i < GREEDY; i++)
		client_post(&greedy[i], world.sluice, VIA_H1, "/v1/chat/completions", slow);
	wire_come_from(POLITE);
	for (int i = 0; i < 30; i++)
		expect(&world, i % 2 ? VIA_H1 : VIA_H2, quick, 200);
	sim_wait_calls(world.sim, "ttft", 20);
	size_t held = sim_call_count(world.sim, "ttft");
	assert_in_range(held, 20, 8 * KIB / 200 * 3 / 4);
	for (size_t i = 0; i < GREEDY; i++)
		client_close(&greedy[i]);
	sluice_wait_base(world.sluice);
	free(quick);
	free(slow);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_running_request_keeps_the_room_of_its_body_until_its_answer_is_over),
	    SCENARIO(of_many_large_bodies_those_that_fit_are_served_and_the_others_are_refused),
	    SCENARIO(a_client_with_many_large_bodies_leaves_room_for_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
