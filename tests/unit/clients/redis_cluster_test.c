/* SPDX-License-Identifier: MIT */
/* A real cluster of three masters: routing, slots that move while commands run, nodes that go. */
#include "tests/unit/clients/test_redis.h"

#include "clients/redis/protocol.h"

enum { NODES = 3, KEYS = 300 };

static struct redis_process *nodes[NODES];

static int start_cluster(void **state)
{
	(void)state;
	redis_cluster_start(nodes, NODES);
	return 0;
}

static int stop_cluster(void **state)
{
	(void)state;
	for (size_t i = 0; i < NODES; i++)
		redis_process_stop(nodes[i]);
	return 0;
}

static void env_open_cluster(struct redis_env *env, int port)
{
	env_prepare(env);
	env->config.mode = CONFIG_REDIS_CLUSTER;
	env_add_address(env, port);
	env_start(env);
}

static void hash_slots_are_those_of_the_specification(void **state)
{
	(void)state;
	assert_int_equal(redis_hash_slot(SPAN("123456789")), 0x31C3);
	assert_int_equal(redis_hash_slot(SPAN("{user1000}.following")), redis_hash_slot(SPAN("user1000")));
	assert_int_equal(redis_hash_slot(SPAN("foo{{bar}}zap")), redis_hash_slot(SPAN("{bar")));
	assert_int_equal(redis_hash_slot(SPAN("foo{bar}{zap}")), redis_hash_slot(SPAN("bar")));
	assert_int_not_equal(redis_hash_slot(SPAN("foo{}{bar}")), redis_hash_slot(SPAN("bar")));
	assert_int_equal(redis_hash_slot(SPAN("")), 0);
	for (int i = 0; i < 100; i++) {
		char key[32];
		char answer[32];
		snprintf(key, sizeof(key), "a{b%d}c%d", i, i * 7);
		snprintf(answer, sizeof(answer), ":%d\r\n", redis_hash_slot(span_of(key)));
		assert_string_equal(redis_process_say(nodes[0], "CLUSTER KEYSLOT %s", key), answer);
	}
}

static unsigned long moved_answers(struct redis_process *node, const char *code)
{
	char field[64];
	snprintf(field, sizeof(field), "errorstat_%s:count=", code);
	const char *at = strstr(redis_process_say(node, "INFO errorstats"), field);
	return at == NULL ? 0 : strtoul(at + strlen(field), NULL, 10);
}

static unsigned long all_answers(const char *code)
{
	unsigned long sum = 0;
	for (size_t i = 0; i < NODES; i++)
		sum += moved_answers(nodes[i], code);
	return sum;
}

static void commands_go_to_the_node_of_their_key(void **state)
{
	(void)state;
	static struct asked asked[KEYS];
	struct redis_env env;
	char key[32];
	for (size_t i = 0; i < NODES; i++)
		redis_process_say(nodes[i], "CONFIG RESETSTAT");
	env_open_cluster(&env, nodes[1]->port);
	for (int i = 0; i < KEYS; i++) {
		snprintf(key, sizeof(key), "key:%d", i);
		AWAIT(&env, ASK(&env, &asked[i], "SET", key, key));
	}
	for (int i = 0; i < KEYS; i++) {
		AWAIT(&env, asked[i].replies == 1);
		assert_string_equal(asked[i].text, "OK");
	}
	for (int i = 0; i < KEYS; i++) {
		snprintf(key, sizeof(key), "key:%d", i);
		ASK_AND_AWAIT(&env, &asked[i], "GET", key);
		assert_string_equal(asked[i].text, key);
	}
	assert_int_equal(all_answers("MOVED"), 0);
	assert_true(env_gauge(&env, METRIC_REDIS_UP) == 1);
	assert_int_equal(env_logged(&env, "redis is up"), NODES);
	env_close(&env);
}

/* Each node keeps its own scripts. */
static void scripts_are_taken_to_each_node(void **state)
{
	(void)state;
	struct redis_env env;
	struct redis_script script;
	redis_script_init(&script, "return redis.call('GET', KEYS[1])", true);
	env_open_cluster(&env, nodes[0]->port);
	struct asked asked;
	ASK_AND_AWAIT(&env, &asked, "GET", "key:0");
	for (int i = 0; i < 50; i++) {
		char key[32];
		snprintf(key, sizeof(key), "key:%d", i);
		asked = (struct asked){.command = {.on_reply = asked_on_reply}, .env = &env};
		AWAIT(&env,
		      redis_eval(env.redis, &asked.command, &script, span_of(key), NULL, 0, env_now(&env) + 30000000));
		AWAIT(&env, asked.replies == 1);
		assert_string_equal(asked.text, key);
	}
	assert_int_equal(metrics_sum(METRIC_REDIS_RELOADED, 0, 0, 0), NODES);
	env_close(&env);
}

static void node_id(struct redis_process *node, char id[48])
{
	const char *answer = redis_process_say(node, "CLUSTER MYID");
	const char *line = strchr(answer, '\n');
	snprintf(id, 48, "%.40s", line == NULL ? "" : line + 1);
}

static size_t node_of_slot(unsigned slot)
{
	for (size_t i = 0; i < NODES; i++)
		if (slot <= 16384 * (i + 1) / NODES - 1)
			return i;
	return 0;
}

/* A caller that asks for the same keys all the time, and counts what it gets. */
struct asking {
	struct asked get;
	struct redis_env *env;
	char key[32];
	unsigned rounds, wrong;
};

static void ask_on(struct asking *asking)
{
	if (redis_is_pending(&asking->get.command))
		return;
	if (asking->get.replies == 1) {
		asking->rounds++;
		if (strcmp(asking->get.text, asking->key) != 0) {
			print_message("%s: %d %s\n", asking->key, asking->get.kind, asking->get.text);
			asking->wrong++;
		}
	}
	ASK(asking->env, &asking->get, "GET", asking->key);
}

/*
 * The slot of {move} goes from its node to another, key by key, while its keys are asked for: first ASK, then MOVED.
 */
static void a_slot_moves_while_commands_run(void **state)
{
	(void)state;
	enum { MOVING = 20 };
	static struct asking asking[MOVING];
	struct redis_env env;
	struct asked asked;
	unsigned slot = redis_hash_slot(SPAN("move"));
	struct redis_process *from = nodes[node_of_slot(slot)];
	struct redis_process *to = nodes[(node_of_slot(slot) + 1) % NODES];
	char from_id[48];
	char to_id[48];
	node_id(from, from_id);
	node_id(to, to_id);
	for (size_t i = 0; i < NODES; i++)
		redis_process_say(nodes[i], "CONFIG RESETSTAT");
	env_open_cluster(&env, nodes[0]->port);
	for (int i = 0; i < MOVING; i++) {
		asking[i] = (struct asking){.env = &env};
		snprintf(asking[i].key, sizeof(asking[i].key), "{move}:%d", i);
		ASK_AND_AWAIT(&env, &asked, "SET", asking[i].key, asking[i].key);
	}
	redis_process_say(to, "CLUSTER SETSLOT %u IMPORTING %s", slot, from_id);
	redis_process_say(from, "CLUSTER SETSLOT %u MIGRATING %s", slot, to_id);
	for (int moved = 0; moved < MOVING; moved++) {
		unsigned before = asking[0].rounds;
		const char *answer =
		    redis_process_say(from, "MIGRATE 127.0.0.1 %d %s 0 5000", to->port, asking[moved].key);
		assert_string_equal(answer, "+OK\r\n");
		while (asking[0].rounds < before + 3) {
			for (int i = 0; i < MOVING; i++)
				ask_on(&asking[i]);
			test_reactor_turn(env.reactor, 2000);
		}
	}
	assert_true(all_answers("ASK") > 0);
	redis_process_say(to, "CLUSTER SETSLOT %u NODE %s", slot, to_id);
	redis_process_say(from, "CLUSTER SETSLOT %u NODE %s", slot, to_id);
	unsigned before = asking[0].rounds;
	while (asking[0].rounds < before + 20) {
		for (int i = 0; i < MOVING; i++)
			ask_on(&asking[i]);
		test_reactor_turn(env.reactor, 2000);
	}
	assert_true(all_answers("MOVED") > 0);
	for (int i = 0; i < MOVING; i++) {
		assert_int_equal(asking[i].wrong, 0);
		redis_cancel(&asking[i].get.command);
	}
	/* The map was learned: nothing is redirected any more. */
	unsigned long moved = all_answers("MOVED");
	ASK_AND_AWAIT(&env, &asked, "GET", "{move}:1");
	assert_int_equal(all_answers("MOVED"), moved);
	env_close(&env);
}

struct scanned {
	struct redis_scan scan; /* first */
	bool seen[KEYS];
	unsigned ends;
	bool complete;
};

static void on_scanned(struct redis_scan *scan, const struct span *keys, size_t count)
{
	struct scanned *scanned = (struct scanned *)scan;
	for (size_t i = 0; i < count; i++)
		scanned->seen[atoi(keys[i].at + 4)] = true;
}

static void on_scan_end(struct redis_scan *scan, bool complete)
{
	struct scanned *scanned = (struct scanned *)scan;
	scanned->ends++;
	scanned->complete = complete;
}

static void a_scan_visits_every_master(void **state)
{
	(void)state;
	struct redis_env env;
	struct scanned scanned = {.scan = {.on_keys = on_scanned, .on_end = on_scan_end}};
	env_open_cluster(&env, nodes[2]->port);
	struct asked asked;
	for (int i = 0; i < 30; i++) { /* every node is connected */
		char key[32];
		snprintf(key, sizeof(key), "key:%d", i);
		ASK_AND_AWAIT(&env, &asked, "GET", key);
	}
	AWAIT(&env, redis_scan_start(env.redis, &scanned.scan, SPAN("key:*")));
	AWAIT(&env, scanned.ends == 1);
	assert_true(scanned.complete);
	for (int i = 0; i < KEYS; i++)
		assert_true(scanned.seen[i]);
	env_close(&env);
}

/* A key of each node. */
static void key_on(size_t node, char key[32])
{
	for (int i = 0;; i++) {
		snprintf(key, 32, "of:%d", i);
		if (node_of_slot(redis_hash_slot(span_of(key))) == node)
			return;
	}
}

/* Without it the cluster would not serve the others; with it, only the keys of the lost node are missing. */
static void a_node_that_is_lost_takes_only_its_keys_along(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	char lost[32];
	char kept[32];
	key_on(1, lost);
	key_on(2, kept);
	for (size_t i = 0; i < NODES; i++)
		redis_process_say(nodes[i], "CONFIG SET cluster-require-full-coverage no");
	env_open_cluster(&env, nodes[0]->port);
	ASK_AND_AWAIT(&env, &asked, "SET", lost, "x");
	ASK_AND_AWAIT(&env, &asked, "SET", kept, "x");
	assert_string_equal(asked.text, "OK");
	redis_process_signal(nodes[1], SIGKILL);
	AWAIT(&env, env_gauge(&env, METRIC_REDIS_UP) == 0);
	assert_false(ASK(&env, &asked, "GET", lost));
	ASK_AND_AWAIT(&env, &asked, "GET", kept);
	assert_string_equal(asked.text, "x");
	assert_int_equal(env_logged(&env, "redis is down"), 1);
	redis_process_restart(nodes[1]);
	redis_process_await(nodes[0], "CLUSTER INFO", "cluster_slots_fail:0");
	ASK_AND_AWAIT(&env, &asked, "SET", lost, "y");
	AWAIT(&env, env_gauge(&env, METRIC_REDIS_UP) == 1);
	assert_int_equal(env_logged(&env, "redis is down"), 1);
	env_close(&env);
	for (size_t i = 0; i < NODES; i++)
		redis_process_say(nodes[i], "CONFIG SET cluster-require-full-coverage yes");
}

static unsigned long replicated(struct redis_process *node, const char *field)
{
	const char *at = strstr(redis_process_say(node, "INFO replication"), field);
	return at == NULL ? 0 : strtoul(at + strlen(field), NULL, 10);
}

/* A real failover: the replica takes over, and the keys of the master that died are there again. */
static void a_replica_that_takes_over_is_found(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	char lost[32];
	char id[48];
	char command[128];
	struct redis_process *replica = redis_process_start("cluster-enabled yes\ncluster-node-timeout 3000\n"
							    "cluster-replica-validity-factor 0\n");
	key_on(1, lost);
	node_id(nodes[1], id);
	redis_process_say(replica, "CLUSTER MEET 127.0.0.1 %d", nodes[0]->port);
	redis_process_await(replica, "CLUSTER NODES", id);
	snprintf(command, sizeof(command), "CLUSTER REPLICATE %s", id);
	redis_process_await(replica, command, "+OK");
	redis_process_await(replica, "INFO replication", "master_link_status:up");
	/* Everybody must know of it before the master dies, or nobody votes. */
	redis_process_await(replica, "CLUSTER INFO", "cluster_state:ok");
	redis_process_await(replica, "CLUSTER INFO", "cluster_slots_assigned:16384");
	snprintf(command, sizeof(command), "CLUSTER REPLICAS %s", id);
	for (size_t i = 0; i < NODES; i++)
		redis_process_await(nodes[i], command, "slave");
	env_open_cluster(&env, nodes[2]->port);
	ASK_AND_AWAIT(&env, &asked, "SET", lost, "before");
	unsigned long written = replicated(nodes[1], "master_repl_offset:");
	AWAIT(&env, replicated(replica, "slave_repl_offset:") >= written);
	redis_process_signal(nodes[1], SIGKILL);
	AWAIT(&env, env_gauge(&env, METRIC_REDIS_UP) == 0);
	do
		ASK_AND_AWAIT(&env, &asked, "GET", lost);
	while (asked.kind != REDIS_BYTES);
	assert_string_equal(asked.text, "before");
	ASK_AND_AWAIT(&env, &asked, "SET", lost, "after");
	assert_string_equal(asked.text, "OK");
	AWAIT(&env, env_gauge(&env, METRIC_REDIS_UP) == 1); /* the dead one is no part of it any more */
	env_close(&env);
	redis_process_stop(nodes[1]);
	nodes[1] = replica;
}

static void a_cluster_that_is_down_is_left_alone(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	char lost[32];
	char kept[32];
	key_on(1, lost);
	key_on(2, kept);
	env_open_cluster(&env, nodes[0]->port);
	ASK_AND_AWAIT(&env, &asked, "SET", lost, "x");
	ASK_AND_AWAIT(&env, &asked, "SET", kept, "x");
	redis_process_signal(nodes[1], SIGKILL);
	redis_process_await(nodes[2], "CLUSTER INFO", "cluster_state:fail");
	while (ASK(&env, &asked, "GET", kept)) {
		AWAIT(&env, asked.replies == 1);
		if (asked.kind == REDIS_ERROR)
			assert_memory_equal(asked.text, "CLUSTERDOWN", 11);
	}
	assert_in_range(env_logged(&env, "CLUSTERDOWN"), 1,
			3); /* for each server that says so once, however often it is asked */
	redis_process_restart(nodes[1]);
	ASK_AND_AWAIT(&env, &asked, "SET", kept, "y");
	assert_string_equal(asked.text, "OK");
	ASK_AND_AWAIT(&env, &asked, "SET", lost, "y");
	env_close(&env);
}

static void a_seed_that_is_down_does_not_matter(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	env_prepare(&env);
	env.config.mode = CONFIG_REDIS_CLUSTER;
	env_add_address(&env, redis_free_port());
	env_add_address(&env, nodes[0]->port);
	env.address[1].host = "localhost"; /* not what the map calls it */
	env_start(&env);
	ASK_AND_AWAIT(&env, &asked, "SET", "key:1", "key:1");
	assert_string_equal(asked.text, "OK");
	AWAIT(&env, env_gauge(&env, METRIC_REDIS_UP) == 1); /* the seeds are no nodes, and gone */
	env_close(&env);
}

static void a_server_that_is_no_node_is_told(void **state)
{
	(void)state;
	struct redis_env env;
	struct redis_process *plain = redis_process_start("");
	env_open_cluster(&env, plain->port);
	AWAIT(&env, env_logged(&env, "it is not a node of a cluster") == 1);
	env_close(&env);
	env_open(&env, nodes[0]);
	struct asked asked;
	for (int i = 0; i < 30; i++) {
		char key[32];
		snprintf(key, sizeof(key), "key:%d", i);
		ASK_AND_AWAIT(&env, &asked, "GET", key);
	}
	assert_int_equal(env_logged(&env, "redis.mode should be cluster"), 1);
	env_close(&env);
	redis_process_stop(plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hash_slots_are_those_of_the_specification),
	    cmocka_unit_test(commands_go_to_the_node_of_their_key),
	    cmocka_unit_test(scripts_are_taken_to_each_node),
	    cmocka_unit_test(a_slot_moves_while_commands_run),
	    cmocka_unit_test(a_scan_visits_every_master),
	    cmocka_unit_test(a_node_that_is_lost_takes_only_its_keys_along),
	    cmocka_unit_test(a_cluster_that_is_down_is_left_alone),
	    cmocka_unit_test(a_seed_that_is_down_does_not_matter),
	    cmocka_unit_test(a_server_that_is_no_node_is_told),
	    cmocka_unit_test(a_replica_that_takes_over_is_found), /* the last one: the cluster is another one then */
	};
	return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
