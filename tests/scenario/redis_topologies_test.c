/* SPDX-License-Identifier: MIT */
/*
 * What replicas share, over a real Redis Cluster of three masters, and over a master with real sentinels: while slots
 * move, while a master is killed and comes back, and when its replica takes over, clients have their answers, and
 * nothing has to be restarted.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/cached.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/load.h"
#include "tests/scenario/harness/replicas.h"
#include "tests/scenario/harness/scenario.h"

enum { NODES = 3, SENTINELS = 3, FEW = 30, CROWD = 60, REQUESTS = 3000, QUESTIONS = 40, ID_SIZE = 41 };

#define MODELS LOAD_CONFIG(";itl=1ms") "  slow: sim/count;tokens=20;gate=0\n  m: sim/count;tokens=20\n"

static void stop(void *process)
{
	redis_process_stop(process);
}

static void check_whole(const struct replicas *world, int replica, bool stream, const char *members, const char *status)
{
	struct answer answer;
	cached_ask(world->each[replica], "", cached_body("m", stream, members), &answer);
	cached_check(&answer, stream);
	if (status != NULL)
		cached_check_status(&answer, status);
	answer_free(&answer);
}

/* How many calls a crowd at both replicas was, all with the same question. */
static size_t crowd_calls(const struct replicas *world)
{
	static unsigned serial;
	struct client clients[CROWD];
	char members[64];
	size_t before = sim_call_count(world->sim, "gate");
	snprintf(members, sizeof members, CACHED_ZERO ",\"min_tokens\":%u", ++serial);
	sim_close_gate(world->sim);
	for (int i = 0; i < CROWD; i++)
		client_post(&clients[i], world->each[i % REPLICAS], VIA_H1, "/v1/chat/completions",
			    cached_body("slow", i / 2 % 2 == 0, members));
	for (int i = 0; i < REPLICAS; i++)
		sluice_wait_in_flight(world->each[i], CROWD / REPLICAS);
	sim_open_gate(world->sim);
	for (int i = 0; i < CROWD; i++) {
		client_wait_end(&clients[i]);
		cached_check(client_answer(&clients[i]), i / 2 % 2 == 0);
		client_close(&clients[i]);
	}
	return sim_call_count(world->sim, "gate") - before;
}

/* Each worker connects by itself: Redis is up when the first one has, and until the last one has there may be more. */
static void await_one_call(const struct replicas *world)
{
	struct patience patience = patience_for("a crowd at both replicas to be one call");
	while (crowd_calls(world) != 1)
		patience_wait(&patience);
}

/* ---- a cluster ---- */

struct cluster {
	struct replicas replicas;
	struct redis_process *nodes[NODES];
};

static void cluster_start(struct cluster *cluster)
{
	cluster->replicas = (struct replicas){.sim = sim_start(NULL)};
	redis_cluster_start(cluster->nodes, NODES);
	for (int i = 0; i < NODES; i++)
		scenario_defer(stop, cluster->nodes[i]);
	for (int i = 0; i < REPLICAS; i++) {
		cluster->replicas.each[i] =
		    sluice_start("backends: { sim: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } } }\n"
				 "redis: { mode: cluster, servers: [127.0.0.1:%d, 127.0.0.1:%d], budget: 5s }\n" MODELS
				 "cache: { size: 64KiB }\n",
				 cluster->replicas.sim->port, cluster->nodes[0]->port, cluster->nodes[1]->port);
		replicas_wait_up(cluster->replicas.each[i]);
	}
}

/* How many keys like that all nodes hold; *nodes: on how many of them. */
static size_t cluster_keys(const struct cluster *cluster, const char *pattern, int *nodes)
{
	size_t keys = 0;
	*nodes = 0;
	for (int i = 0; i < NODES; i++) {
		size_t here = strtoul(redis_process_say(cluster->nodes[i], "KEYS %s", pattern) + 1, NULL, 10);
		keys += here;
		*nodes += here > 0;
	}
	return keys;
}

static void a_cluster_is_shared_as_a_server_is(void **state)
{
	struct cluster cluster;
	struct answer answer;
	char members[64], want[64];
	int nodes;
	(void)state;
	cluster_start(&cluster);
	const struct replicas *world = &cluster.replicas;
	for (int n = 0; n < FEW; n++) {
		snprintf(members, sizeof members, CACHED_ZERO ",\"top_k\":%d", n);
		check_whole(world, n % 2, n % 3 == 0, members, "sluice; fwd=miss");
	}
	replicas_await(world, 0, "stored", FEW / 2);
	replicas_await(world, 1, "stored", FEW / 2);
	for (int n = 0; n < FEW; n++) {
		snprintf(members, sizeof members, CACHED_ZERO ",\"top_k\":%d", n);
		check_whole(world, 1 - n % 2, n % 3 == 1, members, "sluice; hit; ttl=");
	}
	assert_int_equal(sim_call_count(world->sim, ""), FEW);
	assert_int_equal(cluster_keys(&cluster, "sluice:1:*}", &nodes), FEW);
	assert_int_equal(nodes, NODES);
	assert_int_equal(crowd_calls(world), 1);
	replicas_await(world, 0, "stored", FEW / 2);
	while (cluster_keys(&cluster, "sluice:1:*}", &nodes) < FEW + 1)
		;
	client_ask(world->each[1], VIA_H1, "DELETE", "/admin/cache?model=m", NULL, NULL, &answer);
	snprintf(want, sizeof want, "\"shared\":%d,\"complete\":true}", FEW);
	check_contains(&answer.body, want);
	answer_free(&answer);
	assert_int_equal(cluster_keys(&cluster, "sluice:1:*}", &nodes), 1);
	client_ask(world->each[0], VIA_H1, "DELETE", "/admin/cache", NULL, NULL, &answer);
	check_contains(&answer.body, "\"shared\":1,\"complete\":true}");
	answer_free(&answer);
	assert_int_equal(cluster_keys(&cluster, "sluice:1:*}", &nodes), 0);
}

/* The slots of the first node go to the second one, one after the other, those with keys first. */
struct moving {
	struct cluster *cluster;
	char ids[NODES][ID_SIZE];
	char slots[16][8];
	size_t count, begun, ended, keys;
};

static void slots_begin(struct moving *moving)
{
	struct redis_process *from = moving->cluster->nodes[0], *to = moving->cluster->nodes[1];
	char *names = strdup(redis_process_say(from, "KEYS sluice:1:*}")), *rest = names;
	for (char *line; (line = strsep(&rest, "\n")) != NULL && moving->count < 16;) {
		if (strncmp(line, "sluice:", 7) != 0)
			continue;
		line[strcspn(line, "\r")] = '\0';
		const char *slot = redis_process_say(from, "CLUSTER KEYSLOT %s", line) + 1;
		snprintf(moving->slots[moving->count], 8, "%.*s", (int)strcspn(slot, "\r"), slot);
		redis_process_say(to, "CLUSTER SETSLOT %s IMPORTING %s", moving->slots[moving->count], moving->ids[0]);
		redis_process_say(from, "CLUSTER SETSLOT %s MIGRATING %s", moving->slots[moving->count],
				  moving->ids[1]);
		moving->count++;
	}
	free(names);
	assert_true(moving->count > 0);
}

/* All keys of one slot, leases and logs included. */
static void slot_move(struct moving *moving, const char *slot)
{
	struct redis_process *from = moving->cluster->nodes[0], *to = moving->cluster->nodes[1];
	char *names = strdup(redis_process_say(from, "CLUSTER GETKEYSINSLOT %s 100", slot)), *rest = names;
	for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
		if (strncmp(line, "sluice:", 7) != 0)
			continue;
		line[strcspn(line, "\r")] = '\0';
		redis_process_say(from, "MIGRATE 127.0.0.1 %d %s 0 5000", to->port, line);
		moving->keys++;
	}
	free(names);
}

static void slot_end(struct moving *moving, const char *slot)
{
	slot_move(moving, slot);
	for (int i = 1; i >= 0; i--)
		redis_process_say(moving->cluster->nodes[i], "CLUSTER SETSLOT %s NODE %s", slot, moving->ids[1]);
}

static void on_over_moving(struct load *load)
{
	struct moving *moving = load->user;
	if (load->over == REQUESTS / 4)
		slots_begin(moving);
	if (load->over > REQUESTS / 4 && load->over % 40 == 0 && moving->begun < moving->count)
		slot_move(moving, moving->slots[moving->begun++]);
	else if (moving->begun == moving->count && load->over % 40 == 20 && moving->ended < moving->count)
		slot_end(moving, moving->slots[moving->ended++]);
}

static void check_contains_text(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("no %s in %s", part, text);
}

static void slots_move_and_nobody_notices(void **state)
{
	struct dice dice = dice_take();
	struct cluster cluster;
	struct moving moving = {.cluster = &cluster};
	(void)state;
	cluster_start(&cluster);
	struct load load = {.requests = REQUESTS,
			    .questions = QUESTIONS,
			    .dice = &dice,
			    .sim = cluster.replicas.sim,
			    .on_over = on_over_moving,
			    .user = &moving};
	for (int i = 0; i < NODES; i++)
		snprintf(moving.ids[i], ID_SIZE, "%.40s",
			 strchr(redis_process_say(cluster.nodes[i], "CLUSTER MYID"), '\n') + 1);
	load_deal(&load, REPLICAS);
	load_run(&load, cluster.replicas.each, REPLICAS, VIA_H2, REQUESTS);
	load_tell(&load, "slots move");
	double calls = sim_stat(cluster.replicas.sim, "total");
	print_message("%zu slots with %zu keys moved; calls %.0f\n", moving.ended, moving.keys, calls);
	assert_int_equal(load.whole, REQUESTS);
	assert_true(moving.ended > 0 && moving.ended == moving.count && moving.keys > 0);
	assert_true(calls == (double)load.distinct);
	check_contains_text(redis_process_say(cluster.nodes[0], "INFO errorstats"), "errorstat_ASK");
	check_contains_text(redis_process_say(cluster.nodes[0], "INFO errorstats"), "errorstat_MOVED");
	replicas_wait_sharing(&cluster.replicas, "m");
	load_free(&load);
}

static void on_over_killing(struct load *load)
{
	struct cluster *cluster = load->user;
	if (load->over == REQUESTS / 4)
		redis_process_signal(cluster->nodes[2], SIGKILL);
	else if (load->over == REQUESTS / 4 * 3)
		redis_process_restart(cluster->nodes[2]);
}

/* Without its node a part of the cluster, and soon all of it, does not serve: answers come all the same. */
static void a_master_that_dies_and_comes_back_is_used_again(void **state)
{
	struct dice dice = dice_take();
	struct cluster cluster;
	(void)state;
	cluster_start(&cluster);
	struct load load = {.requests = REQUESTS,
			    .questions = QUESTIONS,
			    .dice = &dice,
			    .sim = cluster.replicas.sim,
			    .on_over = on_over_killing,
			    .user = &cluster};
	load_deal(&load, REPLICAS);
	load_run(&load, cluster.replicas.each, REPLICAS, VIA_H2, REQUESTS);
	load_tell(&load, "a master dies");
	assert_true(load.whole > REQUESTS - 100); /* only those that heard of flights through it may be cut off */
	assert_true(sluice_metric(cluster.replicas.each[0], "sluice_redis_reconnects_total") > 0);
	for (int i = 0; i < NODES; i++)
		redis_process_await(cluster.nodes[i], "CLUSTER INFO", "cluster_state:ok");
	for (int i = 0; i < REPLICAS; i++)
		replicas_wait_up(cluster.replicas.each[i]);
	for (int n = 0; n < FEW; n++) /* on whichever node it is */
		replicas_wait_sharing(&cluster.replicas, "m");
	await_one_call(&cluster.replicas);
	load_free(&load);
}

/* ---- a master and its sentinels ---- */

struct sentinels {
	struct replicas replicas;
	struct redis_process *master, *replica, *each[SENTINELS];
};

static struct redis_process *started(struct redis_process *process)
{
	scenario_defer(stop, process);
	return process;
}

static void sentinels_start(struct sentinels *world)
{
	char options[256];
	*world = (struct sentinels){.replicas = {.sim = sim_start(NULL)}, .master = started(redis_process_start(""))};
	snprintf(options, sizeof options, "replicaof 127.0.0.1 %d\n", world->master->port);
	world->replica = started(redis_process_start(options));
	snprintf(options, sizeof options,
		 "sentinel monitor mymaster 127.0.0.1 %d 2\nsentinel down-after-milliseconds mymaster 2500\n"
		 "sentinel failover-timeout mymaster 10000\n",
		 world->master->port);
	for (int i = 0; i < SENTINELS; i++)
		world->each[i] = started(redis_process_start_sentinel(options));
	for (int i = 0; i < SENTINELS; i++) {
		redis_process_await(world->each[i], "SENTINEL CKQUORUM mymaster", "+OK 3 usable");
		redis_process_await(world->each[i], "SENTINEL MASTER mymaster", "num-slaves\r\n$1\r\n1");
	}
	redis_process_await(world->replica, "INFO replication", "master_link_status:up");
	for (int i = 0; i < REPLICAS; i++) {
		world->replicas.each[i] = sluice_start(
		    "backends: { sim: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } } }\n"
		    "redis:\n  mode: sentinel\n  master: mymaster\n  budget: 5s\n"
		    "  servers: [127.0.0.1:%d, 127.0.0.1:%d, 127.0.0.1:%d]\n" MODELS,
		    world->replicas.sim->port, world->each[0]->port, world->each[1]->port, world->each[2]->port);
		replicas_wait_up(world->replicas.each[i]);
	}
}

static void on_over_failing(struct load *load)
{
	struct sentinels *world = load->user;
	if (load->over == REQUESTS / 3)
		redis_process_signal(world->master, SIGKILL);
}

static void await_kept(const struct replicas *world, int n)
{
	char members[64];
	struct answer answer = {.status = 0};
	struct patience patience = patience_for("an answer of before");
	snprintf(members, sizeof members, CACHED_ZERO ",\"top_k\":%d", n);
	for (bool kept = false; !kept;) {
		cached_ask(world->each[1], "Cache-Control: only-if-cached\r\n", cached_body("m", n % 2 == 0, members),
			   &answer);
		kept = answer.status == 200;
		if (kept)
			cached_check(&answer, n % 2 == 0);
		answer_free(&answer);
		patience_wait(&patience);
	}
}

static void a_failover_of_sentinels_is_followed(void **state)
{
	struct dice dice = dice_take();
	struct sentinels world;
	char members[64];
	(void)state;
	sentinels_start(&world);
	for (int n = 0; n < FEW; n++) {
		snprintf(members, sizeof members, CACHED_ZERO ",\"top_k\":%d", n);
		check_whole(&world.replicas, 0, n % 3 == 0, members, "sluice; fwd=miss");
	}
	replicas_await(&world.replicas, 0, "stored", FEW);
	redis_process_await(world.replica, "KEYS sluice:1:*}", "*30"); /* they are copied by and by */
	struct load load = {.requests = REQUESTS,
			    .questions = QUESTIONS,
			    .dice = &dice,
			    .sim = world.replicas.sim,
			    .on_over = on_over_failing,
			    .user = &world};
	load_deal(&load, REPLICAS);
	load_run(&load, world.replicas.each, REPLICAS, VIA_H2, REQUESTS);
	load_tell(&load, "a failover");
	assert_true(load.whole > REQUESTS - 100);
	assert_true(sluice_metric(world.replicas.each[0], "sluice_redis_reconnects_total") > 0);
	redis_process_await(world.replica, "INFO replication", "role:master");
	for (int i = 0; i < REPLICAS; i++)
		replicas_wait_up(world.replicas.each[i]);
	replicas_wait_sharing(&world.replicas, "m");
	for (int n = 0; n < FEW; n++) /* what was kept before is there, in what was a replica then */
		await_kept(&world.replicas, n);
	await_one_call(&world.replicas);
	load_free(&load);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_cluster_is_shared_as_a_server_is),
	    SCENARIO(slots_move_and_nobody_notices),
	    SCENARIO(a_master_that_dies_and_comes_back_is_used_again),
	    SCENARIO(a_failover_of_sentinels_is_followed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
