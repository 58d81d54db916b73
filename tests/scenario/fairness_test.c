/* SPDX-License-Identifier: MIT */
/*
 * Tenants with weights wait for the places of one target. The backend holds calls at a gate, so that the order of
 * service is counted and no time is measured: calls go in rounds, and all calls of a round end together.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/client_key.h"
#include "tests/scenario/harness/scenario.h"

#define CHAT "/v1/chat/completions"
#define WAITING "sluice_queue_waiting{backend=\"one\"}"
#define ANSWER                                                                                \
	"{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"ok\"}," \
	"\"finish_reason\":\"stop\"}]}"
#define ANSWERED_AT(gate)                                                                                          \
	{                                                                                                          \
		{STEP_GATE, NULL, 0, gate},                                                                        \
		    SEND("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" ANSWER), \
		    FIN, SCRIPT_END                                                                                \
	}

enum { PLACES = 8, CLIENTS_MOST = 700, ROUNDS_MOST = 100 };

/* Of the keys; HEAVY has three times the weight of each other one. */
enum tenant { HEAVY, LIGHT, OTHER, TENANTS };
static const char *const names[TENANTS] = {"heavy", "light", "other"};

struct world {
	struct backend *backend;
	struct sluice *sluice;
	char keys[TENANTS][CLIENT_KEY_SIZE];
	struct client *clients;
	size_t client_count;
	size_t rounds; /* that have ended */
};

static struct world start(const char *queue)
{
	static const struct step even[] = ANSWERED_AT(0), odd[] = ANSWERED_AT(1);
	struct world world = {.backend = backend_start(), .clients = calloc(CLIENTS_MOST, sizeof *world.clients)};
	struct bytes keys = {0};
	char hash[CLIENT_KEY_HASH_SIZE];
	assert_non_null(world.clients);
	for (size_t i = 0; i < ROUNDS_MOST * PLACES; i++)
		backend_script(world.backend, i / PLACES % 2 == 0 ? even : odd);
	for (size_t i = 0; i < TENANTS; i++) {
		client_key_make(names[i], world.keys[i], hash);
		bytes_printf(&keys, "  %s: { hash: '%s', tenant: acme/%s }\n", names[i], hash, names[i]);
	}
	world.sluice = sluice_start("auth: { pepper: '${SLUICE_PEPPER}' }\nkeys:\n%s"
				    "tenants:\n  acme/heavy: { weight: 3 }\n"
				    "backends:\n  one: { url: 'http://127.0.0.1:%d/v1', concurrency: { calls: %d, "
				    "wait: 10m, %s } }\n"
				    "models:\n  m: one/m\n",
				    bytes_text(&keys), backend_port(world.backend), PLACES, queue);
	bytes_free(&keys);
	return world;
}

static void finish(struct world *world)
{
	for (size_t i = 0; i < world->client_count; i++)
		client_close(&world->clients[i]);
	free(world->clients);
	sluice_wait_idle(world->sluice);
}

/* One request of a tenant, which says whose it is. */
static struct client *ask(struct world *world, enum tenant tenant)
{
	char body[128], bearer[CLIENT_KEY_SIZE + 8];
	struct client *client = &world->clients[world->client_count++];
	snprintf(bearer, sizeof bearer, "Bearer %s", world->keys[tenant]);
	const struct h2_header headers[] = {{"authorization", bearer}, {NULL, NULL}};
	snprintf(body, sizeof body, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}",
		 names[tenant]);
	client_send(client, world->sluice, VIA_H2, "POST", CHAT, headers, body);
	return client;
}

static void ask_many(struct world *world, enum tenant tenant, size_t count)
{
	for (size_t i = 0; i < count; i++)
		ask(world, tenant);
}

static void wait_waiting(const struct world *world, size_t count)
{
	struct patience patience = patience_for("the queue to be so long");
	while (sluice_metric(world->sluice, WAITING) != (double)count)
		patience_wait(&patience);
}

/* All calls that run end, and as many of those that wait begin. */
static void end_round(struct world *world)
{
	for (size_t i = 0; i < PLACES; i++)
		backend_open_gate_of(world->backend, world->rounds % 2);
	world->rounds++;
	backend_wait_requests(world->backend, (world->rounds + 1) * PLACES);
}

/* How many of the calls from index on, count of them, were a tenant's. */
static size_t served(const struct world *world, enum tenant tenant, size_t index, size_t count)
{
	size_t found = 0;
	for (size_t i = index; i < index + count; i++) {
		struct bytes body = {0};
		backend_request_body(world->backend, i, &body);
		found += strstr(bytes_text(&body), names[tenant]) != NULL;
		bytes_free(&body);
	}
	return found;
}

/* Within 5 %, and one call. */
static void two_floods_are_served_by_their_weights(void **state)
{
	static const size_t crowds[] = {30, 300};
	(void)state;
	for (size_t c = 0; c < 2; c++) {
		size_t crowd = crowds[c], rounds = crowd / PLACES;
		struct world world = start("queue: 1000");
		ask_many(&world, HEAVY, crowd);
		backend_wait_requests(world.backend, PLACES);
		ask_many(&world, LIGHT, crowd);
		wait_waiting(&world, 2 * crowd - PLACES);
		for (size_t i = 0; i < rounds; i++)
			end_round(&world);
		double calls = (double)(rounds * PLACES);
		double heavy = (double)served(&world, HEAVY, PLACES, rounds * PLACES);
		if (heavy > calls * 0.75 + calls * 0.05 + 1 || heavy < calls * 0.75 - calls * 0.05 - 1)
			fail_msg("of %.0f calls, %.0f were of the tenant with three quarters of the weight", calls,
				 heavy);
		finish(&world);
	}
}

/* Whatever the others have queued, and hold: those who come have the next place that becomes free, or wait for one
 * service of each other tenant. */
static void a_tenant_that_comes_now_and_then_is_served_at_once_beside_floods(void **state)
{
	static const size_t crowds[] = {30, 300};
	(void)state;
	for (size_t c = 0; c < 2; c++) {
		struct world world = start("queue: 1000");
		ask_many(&world, HEAVY, crowds[c]);
		ask_many(&world, OTHER, crowds[c]);
		backend_wait_requests(world.backend, PLACES);
		wait_waiting(&world, 2 * crowds[c] - PLACES);
		for (size_t i = 0; i < 3; i++) {
			size_t index = (world.rounds + 1) * PLACES;
			ask(&world, LIGHT);
			wait_waiting(&world, 2 * crowds[c] - index + 1 + i);
			end_round(&world);
			assert_int_equal(served(&world, LIGHT, index, PLACES), 1);
			end_round(&world);
		}
		finish(&world);
	}
}

static void a_full_queue_makes_room_for_a_tenant_below_its_share(void **state)
{
	(void)state;
	struct world world = start("queue: 8");
	ask_many(&world, LIGHT, PLACES);
	backend_wait_requests(world.backend, PLACES);
	for (size_t i = 1; i <= 8; i++) { /* one after the other, so that it is known who is the newest */
		ask(&world, LIGHT);
		wait_waiting(&world, i);
	}
	for (size_t i = 0; i < 6; i++) { /* three quarters of the queue */
		ask(&world, HEAVY);
		struct client *newest = &world.clients[2 * PLACES - 1 - i];
		client_wait_end(newest);
		check_error(client_answer(newest), 429, "queue_full");
	}
	for (enum tenant tenant = HEAVY; tenant <= LIGHT; tenant++) {
		struct client *refused = ask(&world, tenant);
		client_wait_end(refused);
		check_error(client_answer(refused), 429, "queue_full");
	}
	wait_waiting(&world, 8);
	end_round(&world);
	assert_int_equal(served(&world, HEAVY, PLACES, PLACES), 6);
	finish(&world);
}

static void operators_see_whose_the_places_are(void **state)
{
	struct answer answer;
	(void)state;
	struct world world = start("queue: 100");
	ask_many(&world, LIGHT, PLACES);
	backend_wait_requests(world.backend, PLACES);
	ask_many(&world, LIGHT, 3);
	ask_many(&world, HEAVY, 5);
	wait_waiting(&world, 8);
	end_round(&world);
	sluice_get(world.sluice, "/admin/backends", &answer);
	assert_int_equal(answer.status, 200);
	check_contains(&answer.body,
		       "\"tenants\":[{\"id\":\"acme\",\"weight\":1,\"share\":1.000,\"running\":8,\"waiting\":0},"
		       "{\"id\":\"acme/heavy\",\"weight\":3,\"share\":0.750,\"running\":5,\"waiting\":0},"
		       "{\"id\":\"acme/light\",\"weight\":1,\"share\":0.250,\"running\":3,\"waiting\":0}]");
	answer_free(&answer);
	finish(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(two_floods_are_served_by_their_weights),
	    SCENARIO(a_tenant_that_comes_now_and_then_is_served_at_once_beside_floods),
	    SCENARIO(a_full_queue_makes_room_for_a_tenant_below_its_share),
	    SCENARIO(operators_see_whose_the_places_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
