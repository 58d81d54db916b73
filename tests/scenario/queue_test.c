/* SPDX-License-Identifier: MIT */
/*
 * Requests that wait for a target's only place: in turn between clients, no
 * longer than they or the queue want, and not at all once their client left.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"

#define CHAT "/v1/chat/completions"
#define WAITING "sluice_queue_waiting{backend=\"one\"}"
#define ANSWER                                                                                \
	"{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"ok\"}," \
	"\"finish_reason\":\"stop\"}]}"

/* Each request is answered when the test opens the gate once more. */
static const struct step when_told[] = {GATE,
					SEND("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
					     "Connection: close\r\n\r\n" ANSWER),
					FIN, SCRIPT_END};

struct world {
	struct backend *backend;
	struct sluice *sluice;
};

static struct world start(const char *concurrency)
{
	struct world world = {.backend = backend_start()};
	backend_script(world.backend, when_told);
	world.sluice = sluice_start("backends:\n  one: { url: 'http://127.0.0.1:%d/v1', concurrency: { %s } }\n"
				    "models:\n  m: one/m\n",
				    backend_port(world.backend), concurrency);
	return world;
}

/* Sends a request that says its name, of the client with that key. timeout: the seconds it waits; NULL: it does not
 * say. */
static void ask(struct client *client, const struct world *world, const char *key, const char *name,
		const char *timeout)
{
	char body[128];
	const struct h2_header headers[] = {
	    {"authorization", key}, {timeout == NULL ? NULL : "x-stainless-timeout", timeout}, {NULL, NULL}};
	snprintf(body, sizeof body, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}", name);
	client_send(client, world->sluice, VIA_H2, "POST", CHAT, headers, body);
}

static void wait_waiting(const struct world *world, double count)
{
	struct patience patience = patience_for("the queue to be so long");
	while (sluice_metric(world->sluice, WAITING) != count)
		patience_wait(&patience);
}

static void check_served(struct client *client)
{
	client_wait_end(client);
	assert_int_equal(client_answer(client)->status, 200);
	check_contains(&client_answer(client)->body, "ok");
	client_close(client);
}

static void check_refused(struct client *client, int status, const char *code)
{
	client_wait_end(client);
	check_error(client_answer(client), status, code);
	char *after = answer_header(client_answer(client), "retry-after");
	assert_non_null(after);
	assert_true(strtol(after, NULL, 10) >= 1);
	free(after);
	client_close(client);
}

static void check_asked(const struct world *world, size_t index, const char *name)
{
	struct bytes body = {0};
	char quoted[32];
	snprintf(quoted, sizeof quoted, "\"%s\"", name);
	backend_wait_requests(world->backend, index + 1);
	backend_request_body(world->backend, index, &body);
	check_contains(&body, quoted);
	bytes_free(&body);
}

static void clients_have_their_turns_whoever_asked_more(void **state)
{
	static const char *const names[] = {"first", "greedy one", "greedy two", "modest"};
	static const char *const keys[] = {"Bearer a", "Bearer a", "Bearer a", "Bearer b"};
	static const size_t served[] = {0, 1, 3,
					2}; /* the modest client does not wait for the whole of the greedy one */
	struct world world = start("calls: 1, queue: 8");
	struct client clients[4];
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		ask(&clients[i], &world, keys[i], names[i], NULL);
		if (i == 0)
			backend_wait_requests(world.backend, 1);
		else
			wait_waiting(&world, (double)i);
	}
	for (size_t i = 0; i < 4; i++) {
		check_asked(&world, i, names[served[i]]);
		backend_open_gate(world.backend);
		check_served(&clients[served[i]]);
	}
	assert_int_equal(backend_requests(world.backend), 4);
	sluice_wait_idle(world.sluice);
}

/* One who sends another key with each request once had as many turns as keys. */
static void many_keys_from_one_address_wait_for_every_other_turn_at_most(void **state)
{
	static const unsigned crowds[] = {30, 300};
	(void)state;
	for (size_t c = 0; c < 2; c++) {
		unsigned crowd = crowds[c];
		struct world world = start("calls: 4, queue: 400, wait: 10m");
		struct client *greedy = calloc(crowd, sizeof *greedy);
		struct client polite;
		char key[32];
		assert_non_null(greedy);
		for (unsigned i = 0; i < crowd; i++) {
			snprintf(key, sizeof key, "Bearer %u", i);
			ask(&greedy[i], &world, key, "greedy", NULL);
		}
		backend_wait_requests(world.backend, 4);
		wait_waiting(&world, crowd - 4);
		wire_come_from(2);
		ask(&polite, &world, "Bearer polite", "polite", NULL);
		wire_come_from(0);
		wait_waiting(&world, crowd - 3);
		backend_open_gate(world.backend);
		check_asked(&world, 4, "polite");
		client_close(&polite);
		for (unsigned i = 0; i < crowd; i++)
			client_close(&greedy[i]);
		free(greedy);
		sluice_wait_idle(world.sluice);
	}
}

static void who_waits_longer_than_the_queue_allows_is_told_when_to_come_back(void **state)
{
	struct world world = start("calls: 1, queue: 8, wait: 50ms");
	struct client running, waiting;
	(void)state;
	ask(&running, &world, "Bearer a", "first", NULL);
	backend_wait_requests(world.backend, 1);
	ask(&waiting, &world, "Bearer b", "late", NULL);
	check_refused(&waiting, 503, "queue_timeout");
	assert_true(sluice_metric(world.sluice, WAITING) == 0);
	assert_true(sluice_errors(world.sluice, "queue_timeout") == 1);
	backend_open_gate(world.backend);
	check_served(&running);
	assert_int_equal(backend_requests(world.backend), 1);
	sluice_wait_idle(world.sluice);
}

static void who_would_give_up_before_its_turn_does_not_get_one(void **state)
{
	struct world world = start("calls: 1, queue: 8, wait: 10m");
	struct client running, waiting;
	(void)state;
	ask(&running, &world, "Bearer a", "first", NULL);
	backend_wait_requests(world.backend, 1);
	ask(&waiting, &world, "Bearer b", "hasty", "1");
	check_refused(&waiting, 503, "queue_timeout");
	backend_open_gate(world.backend);
	check_served(&running);
	assert_int_equal(backend_requests(world.backend), 1);
	sluice_wait_idle(world.sluice);
}

static void who_leaves_while_waiting_is_out_at_once(void **state)
{
	struct world world = start("calls: 1, queue: 1");
	struct client running, leaver, next;
	(void)state;
	ask(&running, &world, "Bearer a", "first", NULL);
	backend_wait_requests(world.backend, 1);
	ask(&leaver, &world, "Bearer b", "leaver", NULL);
	wait_waiting(&world, 1);
	client_leave(&leaver, LEAVE_CANCEL);
	wait_waiting(&world, 0);
	client_close(&leaver);
	ask(&next, &world, "Bearer c", "next", NULL);
	wait_waiting(&world, 1);
	backend_open_gate(world.backend);
	check_served(&running);
	check_asked(&world, 1, "next");
	backend_open_gate(world.backend);
	check_served(&next);
	assert_int_equal(backend_requests(world.backend), 2);
	sluice_wait_idle(world.sluice);
}

static void a_full_queue_says_so(void **state)
{
	struct world world = start("calls: 1, queue: 1");
	struct client running, waiting, third;
	(void)state;
	ask(&running, &world, "Bearer a", "first", NULL);
	backend_wait_requests(world.backend, 1);
	ask(&waiting, &world, "Bearer a", "second", NULL);
	wait_waiting(&world, 1);
	ask(&third, &world, "Bearer a", "third", NULL);
	check_refused(&third, 429, "queue_full");
	backend_open_gate(world.backend);
	check_served(&running);
	backend_open_gate(world.backend);
	check_served(&waiting);
	assert_int_equal(backend_requests(world.backend), 2);
	sluice_wait_idle(world.sluice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(clients_have_their_turns_whoever_asked_more),
	    SCENARIO(many_keys_from_one_address_wait_for_every_other_turn_at_most),
	    SCENARIO(who_waits_longer_than_the_queue_allows_is_told_when_to_come_back),
	    SCENARIO(who_would_give_up_before_its_turn_does_not_get_one),
	    SCENARIO(who_leaves_while_waiting_is_out_at_once),
	    SCENARIO(a_full_queue_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
