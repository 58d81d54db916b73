/* SPDX-License-Identifier: MIT */
/*
 * limits.memory: connections, bodies, answers on their way and the cache share one account. Each of them drives a
 * service of 64 MiB to its ceiling, from one address, beside a neighbour of another address that must always be served;
 * those that were admitted must finish, and the account must be empty in the end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/neighbour.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

#define CHAT "/v1/chat/completions"
#define SHARED ",\"temperature\":0" /* the member that has flights shared */

enum {
	KIB = 1024,
	MIB = 1024 * KIB,
	CEILING = 64 * MIB,
	SHARE = CEILING / 4 * 3, /* that one address may hold at most */
	/* beside what is charged: holes of the heap, and what the neighbour and the tools need */
	EXTRA = 24 * MIB,
	REST_EXTRA = 12 * MIB /* holes no trim gives back */
};

struct world {
	struct sim *sim;
	struct sluice *sluice;
	struct neighbour *neighbour;
	size_t rss;
};

static void start(struct world *world, const char *more)
{
	*world = (struct world){.sim = sim_start((const char *const[]){"--tokens", "2", NULL})};
	world->sluice = sluice_start_workers(
	    2,
	    "limits: { memory: 64MiB, body: 8MiB, bodies: 1GiB, streams: 1000 }\n%s\n"
	    "backends: { s: { url: 'http://127.0.0.1:%d/v1', timeouts: { first_content: 10m } } }\n"
	    "models: { quick: s/m, brief: s/m;ttft=2s, held: s/m;gate=0, slow: s/m;ttft=100s,\n"
	    "  long: 's/count;tokens=2000;token_bytes=1000',\n"
	    "  burst: 's/count;gate=1;tokens=2000;token_bytes=1000',\n"
	    "  waits: 's/count;tokens=2;itl=100s', large: 's/m;tokens=60;token_bytes=1000' }\n",
	    more, world->sim->port);
	world->neighbour = neighbour_start(world->sluice, "quick");
	world->rss = proc_rss(world->sluice->proc);
}

static double held(const struct world *world)
{
	return sluice_metric(world->sluice, "sluice_memory_held_bytes");
}

/* The service is where it was before: its account is empty, its descriptors are those of the start. */
static void finish(struct world *world)
{
	neighbour_stop(world->neighbour);
	sluice_wait_idle(world->sluice);
	struct patience patience = patience_for("the account to be empty");
	while (held(world) > 100 * KIB) /* the connection that asks for it */
		patience_wait(&patience);
	sluice_wait_rest(world->sluice, world->rss, REST_EXTRA);
}

static void check_refusal(const struct answer *answer)
{
	check_error(answer, 503, "memory_full");
	assert_string_equal(answer_header(answer, "retry-after"), "1");
	check_contains(&answer->body, "(limits.memory)"); /* the limit, too, where the request was read */
}

/* ---- bodies ---- */

/* Of count bodies at once each is answered or refused. Returns how many were answered. */
static size_t post_many(const struct world *world, int via, size_t count, const char *body)
{
	struct mass_job *jobs = mass_jobs(count, body);
	size_t served = 0;
	struct mass mass = {.sluice = world->sluice,
			    .via = via,
			    .connections = via == VIA_H1 ? count : (count + 29) / 30,
			    .streams = via == VIA_H1 ? 1 : 30,
			    .jobs = jobs,
			    .count = count,
			    .gate = via == VIA_H1 ? world->sim : NULL};
	sim_close_gate(world->sim);
	mass_run(&mass);
	for (size_t i = 0; i < count; i++) {
		served += jobs[i].answer.status == 200;
		if (jobs[i].answer.status != 200)
			check_refusal(&jobs[i].answer);
	}
	mass_free_answers(&mass);
	free(jobs);
	return served;
}

/*
 * 1 MiB each, with what they are read into: of 300 some thirty fit at a time. Over HTTP/1.1 all are answered or refused
 * while those that fit are held; over HTTP/2 others wait for room, and how many are refused is a question of time.
 */
static void check_bodies(int via)
{
	struct world world;
	bool held = via == VIA_H1;
	char *body = chat_body_large(held ? "held" : "brief", MIB);
	start(&world, "");
	assert_int_equal(post_many(&world, via, 1, body), 1);
	assert_in_range(post_many(&world, via, 30, body), 10, 30);
	assert_in_range(post_many(&world, via, 300, body), 10, held ? 299 : 300);
	check_memory("300 bodies", world.rss, proc_rss(world.sluice->proc), CEILING + EXTRA);
	if (held)
		assert_true(sluice_metric(world.sluice, "sluice_memory_refusals_total") > 0);
	finish(&world);
	free(body);
}

static void of_many_bodies_those_that_fit_are_answered_and_a_neighbour_is_served(void **state)
{
	(void)state;
	check_bodies(VIA_H1);
	check_bodies(VIA_H2);
}

/* ---- streams that wait ---- */

/* Opens streams until one is refused. Returns how many run. */
static size_t open_until_refused(const struct world *world, struct client *clients, size_t most, const char *model)
{
	for (size_t i = 0; i < most; i++) {
		client_chat(&clients[i], world->sluice, VIA_H1, model, true);
		client_wait_head(&clients[i]);
		if (client_answer(&clients[i])->status == 200)
			continue;
		client_wait_end(&clients[i]);
		check_refusal(client_answer(&clients[i]));
		client_close(&clients[i]);
		return i;
	}
	fail_msg("none of %zu streams was refused", most);
	return 0;
}

static void streams_that_wait_are_bounded_and_a_neighbour_is_served(void **state)
{
	enum { MOST = 3000 };
	static struct client clients[MOST];
	struct world world;
	(void)state;
	start(&world, "keepalive: 1s");
	size_t open = open_until_refused(&world, clients, MOST, "waits");
	assert_in_range(open, 300, MOST - 1);
	assert_in_range((size_t)held(&world), CEILING / 2, SHARE);
	check_memory("streams that wait", world.rss, proc_rss(world.sluice->proc), CEILING);
	neighbour_check(world.neighbour, 3);
	client_close(&clients[0]); /* the place of one that leaves is had by the next one */
	client_close(&clients[1]);
	sim_wait_calls(world.sim, "waits", 0);
	struct patience patience = patience_for("the place of a stream that left");
	for (int status = 503; status != 200;) {
		patience_wait(&patience);
		client_chat(&clients[0], world.sluice, VIA_H1, "waits", true);
		client_wait_head(&clients[0]);
		status = client_answer(&clients[0])->status;
		client_close(&clients[0]);
	}
	for (size_t i = 2; i < open; i++)
		client_close(&clients[i]);
	finish(&world);
}

/* ---- slow readers ---- */

/* Reads what is there of all, until each has ended; none may be cut. Returns how many were admitted. */
static size_t read_all(struct h1 *all, size_t count)
{
	struct patience patience = patience_for("all answers to end");
	size_t ended = 0, admitted = 0;
	while (ended < count) {
		bool moved = false;
		ended = 0;
		for (size_t i = 0; i < count; i++) {
			moved |= h1_pump(&all[i]);
			ended += all[i].answer.ended;
			if (all[i].answer.broken)
				fail_msg("answer %zu broke off: status %d, %zu bytes", i, all[i].answer.status,
					 all[i].answer.body.len);
		}
		if (moved)
			patience = patience_for("all answers to end");
		else
			patience_wait(&patience);
	}
	for (size_t i = 0; i < count; i++) {
		admitted += all[i].answer.status == 200;
		if (all[i].answer.status == 200)
			check_contains(&all[i].answer.body, "data: [DONE]\n\n");
		else
			check_refusal(&all[i].answer);
	}
	return admitted;
}

/* The service holds the same for many looks in a row; it may take as long as it likes while that changes. */
static void wait_settled(const struct world *world)
{
	struct patience patience = patience_for("buffers to be full");
	double last = -1;
	for (int same = 0; same < 50; same++) {
		double now = held(world);
		if (now > last + 256 * KIB || now < last - 256 * KIB) { /* the neighbour goes on */
			same = 0;
			patience = patience_for("buffers to be full");
		}
		last = now;
		patience_wait(&patience);
	}
}

/* 2 MB each for clients that read nothing: buffers of 256 KiB would be 75 MB of 300. Answers of the model "burst" begin
 * when all of them were admitted. */
static void check_slow_readers(const char *model, size_t count, const char *members)
{
	struct world world;
	char body[256];
	struct h1 *all = calloc(count, sizeof *all);
	bool burst = strcmp(model, "burst") == 0;
	size_t sure = burst || count < 100 ? count : 100; /* are admitted in any case */
	/* logs that flights keep at first and forget together leave holes in the heap */
	bool keeps = burst || members[0] != '\0';
	size_t most = CEILING + (keeps ? CEILING : EXTRA);
	assert_non_null(all);
	start(&world, "");
	for (size_t i = 0; i < count; i++) {
		snprintf(body, sizeof body,
			 "{\"model\":\"%s\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"%zu\"}]%s}",
			 model, i, members);
		wire_open_narrow(&all[i].wire, world.sluice->port, NULL);
		h1_post(&all[i], CHAT, "", body);
	}
	sim_wait_calls(world.sim, "token_bytes", sure);
	sim_open_gate(world.sim);
	wait_settled(&world);
	assert_in_range((size_t)held(&world), 0, SHARE);
	check_memory("slow readers", world.rss, proc_rss(world.sluice->proc), most);
	neighbour_check(world.neighbour, 3);
	size_t admitted = read_all(all, count);
	print_message("of %zu readers %zu were admitted\n", count, admitted);
	assert_in_range(admitted, sure, count);
	for (size_t i = 0; i < count; i++)
		h1_close(&all[i]);
	free(all);
	finish(&world);
}

static void clients_that_read_nothing_for_a_while_get_all_of_it_in_the_end(void **state)
{
	(void)state;
	check_slow_readers("long", 1, "");
	check_slow_readers("long", 30, "");
	check_slow_readers("long", 300, "");
}

/* Flights that are shared keep all events for those who may come, unless memory is tight. */
static void flights_that_could_be_joined_give_way_to_those_that_run(void **state)
{
	(void)state;
	check_slow_readers("long", 300, SHARED);
}

/*
 * All are admitted before anything of their answers comes, as after a stall of the machine. Shared flights ended with
 * `overloaded` then: each time a client had taken 4 KiB its plan read 8 KiB more, although the follower had not read
 * what was in the log by then.
 */
static void streams_whose_answers_begin_at_once_all_finish(void **state)
{
	(void)state;
	check_slow_readers("burst", 300, SHARED);
	check_slow_readers("burst", 300, "");
}

/* ---- the cache ---- */

/* Keeps answers of 60 KB until the cache holds that much. */
static void fill_cache(const struct world *world, double bytes)
{
	enum { AT_ONCE = 20 };
	struct mass_job jobs[AT_ONCE];
	static char bodies[AT_ONCE][256];
	for (unsigned round = 0; sluice_metric(world->sluice, "sluice_cache_bytes") < bytes; round++) {
		assert_true(round < 300);
		for (unsigned i = 0; i < AT_ONCE; i++) {
			snprintf(bodies[i], sizeof bodies[i],
				 "{\"model\":\"large\",\"temperature\":0,\"messages\":[{\"role\":\"user\",\"content\":"
				 "\"%u\"}]}",
				 round * AT_ONCE + i);
			jobs[i] = (struct mass_job){.body = bodies[i]};
		}
		struct mass mass = {.sluice = world->sluice,
				    .via = VIA_H1,
				    .connections = AT_ONCE,
				    .streams = 1,
				    .jobs = jobs,
				    .count = AT_ONCE};
		mass_run(&mass);
		for (unsigned i = 0; i < AT_ONCE; i++)
			assert_int_equal(jobs[i].answer.status, 200);
		mass_free_answers(&mass);
	}
}

static void the_cache_gives_way_to_requests_before_any_is_refused(void **state)
{
	enum { BODIES = 20 };
	struct world world;
	struct client clients[BODIES];
	char *body = chat_body_large("slow", MIB);
	(void)state;
	start(&world, "cache: { size: 1GiB }");
	fill_cache(&world, 56.0 * MIB);
	check_memory("a full cache", world.rss, proc_rss(world.sluice->proc), CEILING + EXTRA);
	double refusals = sluice_metric(world.sluice, "sluice_memory_refusals_total");
	for (size_t i = 0; i < BODIES; i++)
		client_post(&clients[i], world.sluice, VIA_H1, CHAT, body);
	sim_wait_calls(world.sim, "ttft", BODIES); /* all of them */
	assert_true(sluice_metric(world.sluice, "sluice_memory_refusals_total") == refusals);
	double cached = sluice_metric(world.sluice, "sluice_cache_bytes");
	assert_true(cached > 1 * MIB); /* no more went than had to */
	assert_in_range((size_t)(cached + held(&world)), CEILING / 2, CEILING);
	assert_true(sluice_metric(world.sluice, "sluice_cache_evictions_total") > 0);
	for (size_t i = 0; i < BODIES; i++)
		client_close(&clients[i]);
	free(body);
	neighbour_stop(world.neighbour);
	sluice_wait_idle(world.sluice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(of_many_bodies_those_that_fit_are_answered_and_a_neighbour_is_served),
	    SCENARIO(streams_that_wait_are_bounded_and_a_neighbour_is_served),
	    SCENARIO(clients_that_read_nothing_for_a_while_get_all_of_it_in_the_end),
	    SCENARIO(flights_that_could_be_joined_give_way_to_those_that_run),
	    SCENARIO(streams_whose_answers_begin_at_once_all_finish),
	    SCENARIO(the_cache_gives_way_to_requests_before_any_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
