/* SPDX-License-Identifier: MIT */
/* TLS with clients, seen from outside: what is counted of handshakes, and who is served while many are made. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/redis/redis_tls.h"
#include "tests/scenario/harness/cached.h"
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

static void stop_redis(void *process)
{
	redis_process_stop(process);
}

static void remove_authority(void *authority)
{
	authority_remove(authority);
}

static void answers_are_shared_through_a_redis_with_tls(void **state)
{
	static struct authority authority;
	struct authority_files server, client;
	struct sluice *replicas[2];
	struct answer answer;
	int port = 0;
	(void)state;
	authority_make(&authority, "redis");
	scenario_defer(remove_authority, &authority);
	authority_issue(&authority, &server, "server", "DNS:redis.example");
	authority_issue(&authority, &client, "client", NULL);
	scenario_defer(stop_redis, redis_tls_start(&port, &authority, &server, "tls-auth-clients yes\n", false));
	const struct sim *sim = sim_start(NULL);
	for (int i = 0; i < 2; i++) {
		replicas[i] = sluice_start(
		    "backends: { sim: { url: 'http://127.0.0.1:%d/v1' } }\nmodels: { m: 'sim/count;tokens=20' }\n"
		    "redis: { servers: '127.0.0.1:%d', budget: 5s, tls: { ca: '%s', certificate: '%s', key: "
		    "'%s', name: redis.example } }\n",
		    sim->port, port, authority.ca, client.certificate, client.key);
		struct patience patience = patience_for("Redis to be used");
		while (sluice_metric(replicas[i], "sluice_redis_up") != 1)
			patience_wait(&patience);
	}
	cached_ask(replicas[0], "", cached_body("m", false, CACHED_ZERO), &answer);
	cached_check(&answer, false);
	answer_free(&answer);
	struct patience patience = patience_for("the answer to be stored");
	while (sluice_metric(replicas[0], "sluice_cache_redis_total{result=\"stored\"}") != 1)
		patience_wait(&patience);
	cached_ask(replicas[1], "", cached_body("m", true, CACHED_ZERO), &answer);
	cached_check(&answer, true);
	cached_check_status(&answer, "sluice; hit; ttl=");
	answer_free(&answer);
	assert_int_equal(sim_call_count(sim, ""), 1);
}

static void check_names_a_file_of_redis_that_is_none(void **state)
{
	struct bytes out = {0}, err = {0};
	char path[256];
	(void)state;
	snprintf(path, sizeof path, "%s/redis.yaml", scenario_directory());
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs("listen: ['127.0.0.1:0']\nbackends: { a: { url: 'http://127.0.0.1:1' } }\nmodels: { m: a/m }\n"
	      "redis:\n  servers: a:1\n  tls: { ca: /etc/passwd }\n",
	      file);
	fclose(file);
	assert_int_equal(sluice_run((const char *const[]){"--check", path, NULL}, &out, &err), 1);
	check_contains(&err, "redis.yaml:6: redis.tls.ca: /etc/passwd: ");
	check_contains(&err, "; expected PEM certificates of authorities\n");
	bytes_free(&out);
	bytes_free(&err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(handshakes_are_counted),
	    SCENARIO(answers_are_shared_through_a_redis_with_tls),
	    SCENARIO(check_names_a_file_of_redis_that_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
