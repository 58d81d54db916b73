/* SPDX-License-Identifier: MIT */
/* Probes on real sockets, with a clock that can be put forward; health is the test's own. */
#include "service/health/probe.h"

#include "schemas/metrics.h"
#include "service/health/health.h"
#include "tests/unit/clients/test_call.h"

enum { EVERY_US = 10000000 /* less than what a connection may idle */, SILENT_US = 200000000 };

static struct {
	unsigned alive, dead;
	size_t backend;
} told;

bool health_probed(struct health *health, size_t backend, bool alive, uint64_t now_us)
{
	(void)now_us;
	assert_ptr_equal(health, &told);
	told.backend = backend;
	if (alive)
		told.alive++;
	else
		told.dead++;
	return false;
}

static char request_line[128]; /* of the last probe */

/* Answers what the context says, on kept connections, for as long as it is asked. */
static void answer(struct test_peer *peer)
{
	while (peer_read(peer)) {
		size_t len = strcspn(peer->bytes, "\r\n");
		memcpy(request_line, peer->bytes, len < 127 ? len : 127);
		if (!peer_say(peer, (const char *)peer->server->context))
			return;
	}
}

static void hang(struct test_peer *peer)
{
	if (peer_read(peer))
		peer_await_close(peer);
}

/* A body that never ends. */
static void flood(struct test_peer *peer)
{
	if (!peer_read(peer) || !peer_say(peer, "HTTP/1.1 200 OK\r\n\r\n"))
		return;
	while (peer_say(peer, "data: and so on, and so on, and so on\n\n"))
		continue;
	peer->server->closed++;
}

struct world {
	struct test_env env;
	struct config_backend backends[2];
	struct config config;
	struct http_origin *origins[2];
	struct prober *prober;
};

/* Backend 0 has no probe. */
static void world_open(struct world *world, test_script script, const char *reply, uint64_t every_us)
{
	*world = (struct world){0};
	memset(&told, 0, sizeof(told));
	env_open(&world->env, script, (void *)(uintptr_t)reply);
	world->backends[1].probe = (struct config_probe){.path = "/health", .every_us = every_us};
	world->config = (struct config){.backends = world->backends, .backend_count = 2};
	world->origins[0] = world->origins[1] = world->env.origin;
	struct prober_options options = {.reactor = &world->env.reactor->reactor,
					 .config = &world->config,
					 .origins = world->origins,
					 .health = (struct health *)&told,
					 .metrics = metrics_cells_of(0)};
	world->prober = prober_create(&options);
	assert_non_null(world->prober);
}

static void world_close(struct world *world)
{
	prober_destroy(world->prober);
	run_ms(&world->env, 1);
	env_close(&world->env);
}

static void check_verdict(const char *reply, bool alive)
{
	struct world world;
	world_open(&world, answer, reply, SILENT_US);
	run_ms(&world.env, 1);
	assert_int_equal(told.alive + told.dead, 0); /* the first question has its jitter, too */
	world.env.reactor->skew_us += SILENT_US;
	RUN_UNTIL(&world.env, told.alive + told.dead == 1);
	if (told.alive != alive)
		fail_msg("«%s» was taken for %s", reply, alive ? "dead" : "alive");
	assert_int_equal(told.backend, 1);
	world_close(&world);
}

static void any_2xx_is_life_and_nothing_else(void **state)
{
	(void)state;
	check_verdict(REPLY(2, "ok"), true);
	check_verdict("HTTP/1.1 204 No Content\r\n\r\n", true);
	check_verdict("HTTP/1.1 100 Continue\r\n\r\n" REPLY(2, "{}"), true);
	check_verdict("HTTP/1.1 301 Moved\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", false);
	check_verdict("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", false);
	check_verdict("HTTP/1.1 503 Loading\r\nContent-Length: 0\r\n\r\n", false);
	check_verdict("nonsense\r\n\r\n", false);
}

static void the_question_is_a_get_and_repeats_on_one_connection(void **state)
{
	struct world world;
	uint64_t counted = metrics_sum(METRIC_PROBES, 1, METRICS_PROBE_ALIVE, 0);
	(void)state;
	world_open(&world, answer, REPLY(2, "ok"), EVERY_US);
	for (unsigned i = 1; i <= 5; i++) {
		world.env.reactor->skew_us += EVERY_US * 11 / 10;
		RUN_UNTIL(&world.env, told.alive == i);
		assert_int_equal(world.env.server->requests, i);
		test_reactor_turn(world.env.reactor, 0);
		assert_int_equal(world.env.server->requests, i); /* not again before its time */
	}
	assert_int_equal(world.env.server->connections, 1);
	assert_string_equal(request_line, "GET /health HTTP/1.1");
	assert_int_equal(metrics_sum(METRIC_PROBES, 1, METRICS_PROBE_ALIVE, 0), counted + 5);
	world_close(&world);
}

static void a_backend_that_does_not_answer_in_time_is_dead(void **state)
{
	struct world world;
	(void)state;
	world_open(&world, hang, NULL, SILENT_US);
	world.env.reactor->skew_us += SILENT_US;
	RUN_UNTIL(&world.env, world.env.server->requests == 1);
	run_ms(&world.env, 5);
	assert_int_equal(told.dead, 0);
	world.env.reactor->skew_us += 5000000;
	RUN_UNTIL(&world.env, told.dead == 1);
	RUN_UNTIL(&world.env, world.env.server->closed == 1);
	assert_int_equal(world.env.server->requests, 1);
	world_close(&world);
}

static void a_backend_that_is_not_there_is_dead(void **state)
{
	struct world world;
	(void)state;
	world_open(&world, answer, REPLY(2, "ok"), EVERY_US);
	struct http_origin *gone = env_origin(&world.env, "http://127.0.0.1:1", 0);
	world.origins[1] = gone;
	world.env.reactor->skew_us += EVERY_US;
	RUN_UNTIL(&world.env, told.dead == 1);
	world.origins[1] = world.env.origin; /* and asked again, it is back */
	world.env.reactor->skew_us += EVERY_US * 11 / 10;
	RUN_UNTIL(&world.env, told.alive == 1);
	http_origin_destroy(gone);
	world_close(&world);
}

static void a_body_without_end_is_cut_off(void **state)
{
	struct world world;
	(void)state;
	world_open(&world, flood, NULL, EVERY_US);
	world.env.reactor->skew_us += EVERY_US;
	RUN_UNTIL(&world.env, told.alive == 1);
	RUN_UNTIL(&world.env, world.env.server->closed == 1);
	world_close(&world);
}

static void it_stops_with_a_question_under_way(void **state)
{
	struct world world;
	(void)state;
	world_open(&world, hang, NULL, EVERY_US);
	world.env.reactor->skew_us += EVERY_US;
	RUN_UNTIL(&world.env, world.env.server->requests == 1);
	prober_destroy(world.prober);
	world.prober = NULL;
	RUN_UNTIL(&world.env, world.env.server->closed == 1);
	world.env.reactor->skew_us += 10 * EVERY_US;
	run_ms(&world.env, 5);
	assert_int_equal(told.alive + told.dead, 0);
	assert_int_equal(world.env.server->requests, 1);
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(any_2xx_is_life_and_nothing_else),
	    cmocka_unit_test(the_question_is_a_get_and_repeats_on_one_connection),
	    cmocka_unit_test(a_backend_that_does_not_answer_in_time_is_dead),
	    cmocka_unit_test(a_backend_that_is_not_there_is_dead),
	    cmocka_unit_test(a_body_without_end_is_cut_off),
	    cmocka_unit_test(it_stops_with_a_question_under_way),
	};
	static const char *const names[] = {"a", "b"};
	const struct metrics_names labels = {.models = names, .model_count = 1, .backends = names, .backend_count = 2};
	if (!http_client_global_setup() || !metrics_setup(1, &labels))
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	metrics_teardown();
	http_client_global_teardown();
	return failed;
}
