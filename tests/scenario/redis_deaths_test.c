/* SPDX-License-Identifier: MIT */
/*
 * A Redis that stops in the middle of a load, and replicas that are killed in the middle of a fill: clients have their
 * answers, of what Redis would not do little is tried, and nothing that is half there is ever given.
 */
#include <cjson/cJSON.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/cached.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/garbler.h"
#include "tests/scenario/harness/load.h"
#include "tests/scenario/harness/replicas.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/wire.h"

/* ---- a Redis that stops ---- */

enum { REQUESTS = 2000, STOPS_AT = 400, LASTS = 1000, AT_ONCE = 48, COMMANDS_EACH = 8 };

struct pause {
	struct replicas *world;
	bool by_signal;
	struct wire sleeper;
	size_t stopped; /* when, by how many requests were over; 0 = not yet */
	bool over;
	double sent, unanswered; /* when it stopped, then since */
};

static double commands(const struct replicas *world, const char *result)
{
	char sample[96];
	snprintf(sample, sizeof sample, "sluice_redis_commands_total{result=\"%s\"}", result);
	return sluice_metric(world->each[0], sample);
}

static double sent(const struct replicas *world)
{
	return commands(world, "ok") + commands(world, "error") + commands(world, "timeout") + commands(world, "lost");
}

static void on_over(struct load *load)
{
	static const char sleep[] = "DEBUG SLEEP 2\r\n";
	struct pause *pause = load->user;
	if (pause->stopped == 0) {
		if (load->over < STOPS_AT)
			return;
		replicas_wait_up(pause->world->each[0]); /* a busy machine alone may have made Redis too slow */
		pause->sent = sent(pause->world);
		pause->unanswered = commands(pause->world, "timeout");
		pause->stopped = load->over;
		if (pause->by_signal)
			redis_process_signal(pause->world->redis, SIGSTOP);
		else
			assert_true(wire_write_all(&pause->sleeper, sleep, sizeof sleep - 1));
	} else if (!pause->over && load->over >= pause->stopped + LASTS) {
		pause->over = true;
		pause->sent = sent(pause->world) - pause->sent;
		pause->unanswered = commands(pause->world, "timeout") - pause->unanswered;
		if (pause->by_signal)
			redis_process_signal(pause->world->redis, SIGCONT);
	}
}

/* Each exchange that was under way when it stopped may wait for it, and a few more; those behind do not even ask. */
static void check_pause(bool by_signal)
{
	struct dice dice = dice_take();
	struct replicas world = replicas_prepare_with("enable-debug-command yes\n");
	struct pause pause = {.world = &world, .by_signal = by_signal};
	struct load load = {.requests = REQUESTS,
			    .questions = REQUESTS,
			    .dice = &dice,
			    .sim = world.sim,
			    .on_over = on_over,
			    .user = &pause};
	world.each[0] = sluice_start("backends: { sim: { url: 'http://127.0.0.1:%d/v1' } }\n"
				     "redis: { unix: %s, budget: 1s }\n" LOAD_CONFIG(""),
				     world.sim->port, world.redis->socket);
	replicas_wait_up(world.each[0]);
	wire_open(&pause.sleeper, world.redis->port, NULL);
	load_deal(&load, 1);
	load_run(&load, world.each, 1, VIA_H1, REQUESTS);
	load_tell(&load, by_signal ? "stopped" : "asleep");
	print_message("while it stood still: %g commands for Redis, %g of them without an answer in time; calls %g\n",
		      pause.sent, pause.unanswered, sim_stat(world.sim, "total"));
	assert_int_equal(load.whole, REQUESTS);
	assert_true(pause.over && pause.unanswered > 0);
	assert_true(pause.unanswered <= AT_ONCE * COMMANDS_EACH);
	if (by_signal) /* who sleeps may have woken up by then */
		assert_true(pause.sent <= AT_ONCE * COMMANDS_EACH);
	replicas_wait_up(world.each[0]);
	world.each[1] = replicas_add(&world, LOAD_CONFIG(""));
	replicas_wait_up(world.each[1]);
	replicas_wait_sharing(&world, "alpha");
	wire_close(&pause.sleeper);
	load_free(&load);
}

static void a_redis_that_is_stopped_is_left_alone(void **state)
{
	(void)state;
	check_pause(true);
}

static void a_redis_that_sleeps_is_left_alone(void **state)
{
	(void)state;
	check_pause(false);
}

/* ---- a replica that is killed ---- */

enum { FILLS = 10, WORDS = 60000, LEAST_BYTES = 100 };

#define LARGE "models:\n  large: sim/large;tokens=60000\ncache: { entry: 4MiB }\n"

/* A replica with Redis at that port; no limit of its backend is short. */
static struct sluice *add_large(const struct replicas *world, int redis_port)
{
	return sluice_start("backends: { sim: { url: 'http://127.0.0.1:%d/v1' } }\n"
			    "redis: { servers: [127.0.0.1:%d], budget: 5s }\n" LARGE,
			    world->sim->port, redis_port);
}

static const char *fill_body(int fill, bool stream)
{
	static char body[256];
	snprintf(
	    body, sizeof body,
	    "{\"model\":\"large\",\"temperature\":0,\"stream\":%s,\"messages\":[{\"role\":\"user\",\"content\":\"fill "
	    "%d\"}]}",
	    stream ? "true" : "false", fill);
	return body;
}

/* The whole answer, and the very one. */
static void check_fill(const struct sim *sim, const struct answer *answer, int fill)
{
	char question[256];
	snprintf(question, sizeof question,
		 "{\"model\":\"large;tokens=%d\",\"messages\":[{\"role\":\"user\",\"content\":\"fill %d\"}]}", WORDS,
		 fill);
	cJSON *expected = sim_expect(sim, question), *root = cJSON_Parse(bytes_text(&answer->body));
	const char *want = cJSON_GetStringValue(cJSON_GetObjectItem(expected, "text"));
	const cJSON *choice = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "choices"), 0);
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetObjectItem(choice, "message"), "content"));
	assert_int_equal(answer->status, 200);
	if (text == NULL || strcmp(want, text) != 0)
		fail_msg("fill %d: not the answer: %.300s", fill, bytes_text(&answer->body));
	cJSON_Delete(expected);
	cJSON_Delete(root);
}

/* Bytes to Redis of one question and its answer. */
static size_t measure_fill(const struct replicas *world, struct garbler *garbler)
{
	enum { PLENTY = 64 << 20 };
	struct answer answer;
	garbler_choke(garbler, PLENTY);
	client_fetch(world->each[0], VIA_H1, "/v1/chat/completions", fill_body(-1, false), &answer);
	check_fill(world->sim, &answer, -1);
	answer_free(&answer);
	replicas_await(world, 0, "stored", 1);
	size_t used = PLENTY - garbler_left(garbler);
	garbler_cut(garbler);
	return used;
}

/* A new replica asks, and is killed when that many bytes of it have reached Redis. */
static void kill_in_fill(struct replicas *world, struct garbler *garbler, int fill, size_t bytes)
{
	struct client client;
	world->each[0] = add_large(world, garbler->port);
	replicas_wait_up(world->each[0]);
	garbler_choke(garbler, bytes);
	client_post(&client, world->each[0], VIA_H1, "/v1/chat/completions", fill_body(fill, false));
	struct patience patience = patience_for("a fill to be in the middle");
	while (!garbler_is_choked(garbler))
		patience_wait(&patience);
	proc_kill(world->each[0]->proc);
	client_close(&client);
	garbler_cut(garbler);
}

static void a_fill_that_was_cut_off_is_no_entry(void **state)
{
	struct dice dice = dice_take();
	struct replicas world = replicas_prepare();
	struct garbler *garbler = garbler_start(world.redis->port, dice.state);
	struct answer answer;
	(void)state;
	for (int i = 0; i < REPLICAS; i++) {
		world.each[i] = add_large(&world, i == 0 ? garbler->port : world.redis->port);
		replicas_wait_up(world.each[i]);
	}
	size_t most = measure_fill(&world, garbler);
	print_message("a fill is %zu bytes\n", most);
	assert_true(most > 50000);
	for (int fill = 0; fill < FILLS; fill++) {
		/* what comes besides the answer itself is small, and not always as much */
		size_t bytes = LEAST_BYTES + dice_roll(&dice, most * 3 / 4);
		kill_in_fill(&world, garbler, fill, bytes);
	}
	assert_int_equal(replicas_answers(&world, NULL), 1); /* the one that was measured */
	for (int fill = 0; fill < FILLS; fill++) {
		cached_ask(world.each[1], "Cache-Control: only-if-cached\r\n", fill_body(fill, false), &answer);
		check_error(&answer, 504, "not_cached");
		answer_free(&answer);
	}
	/* leases of the dead expire, and whoever asks then, or waits for that, asks anew */
	for (int fill = FILLS - 1; fill >= 0; fill--) {
		client_fetch(world.each[1], VIA_H1, "/v1/chat/completions", fill_body(fill, false), &answer);
		check_fill(world.sim, &answer, fill);
		answer_free(&answer);
	}
	replicas_await(&world, 1, "stored", FILLS);
	assert_true(replicas_redis(&world, 1, "corrupt") == 0);
	assert_int_equal(replicas_answers(&world, NULL), 1 + FILLS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_redis_that_is_stopped_is_left_alone),
	    SCENARIO(a_redis_that_sleeps_is_left_alone),
	    SCENARIO(a_fill_that_was_cut_off_is_no_entry),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
