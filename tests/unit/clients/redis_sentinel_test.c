/* SPDX-License-Identifier: MIT */
/* Real sentinels, a master and a replica: the master is found, followed in a failover, and not confused with a replica.
 */
#include "tests/unit/clients/test_redis.h"

enum { SENTINELS = 3 };

static struct redis_process *first;
static struct redis_process *second;
static struct redis_process *sentinels[SENTINELS];

static int start_all(void **state)
{
	(void)state;
	char options[512];
	first = redis_process_start("requirepass s3cret\nmasterauth s3cret\n");
	snprintf(options, sizeof(options), "requirepass s3cret\nmasterauth s3cret\nreplicaof 127.0.0.1 %d\n",
		 first->port);
	second = redis_process_start(options);
	snprintf(options, sizeof(options),
		 "sentinel monitor mymaster 127.0.0.1 %d 2\nsentinel auth-pass mymaster s3cret\n"
		 "sentinel down-after-milliseconds mymaster 60000\nsentinel failover-timeout mymaster 3000\n"
		 "requirepass s3cret-sentinel\nsentinel sentinel-pass s3cret-sentinel\n",
		 first->port);
	snprintf(first->password, sizeof(first->password), "s3cret");
	snprintf(second->password, sizeof(second->password), "s3cret");
	for (size_t i = 0; i < SENTINELS; i++) {
		sentinels[i] = redis_process_start_sentinel(options);
		snprintf(sentinels[i]->password, sizeof(sentinels[i]->password), "s3cret-sentinel");
	}
	return 0;
}

static int stop_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < SENTINELS; i++)
		redis_process_stop(sentinels[i]);
	redis_process_stop(first);
	redis_process_stop(second);
	return 0;
}

static void env_open_sentinel(struct redis_env *env, const char *master)
{
	env_prepare(env);
	env->config.mode = CONFIG_REDIS_SENTINEL;
	env->config.master = master;
	env->config.password = secret_create(SPAN("s3cret"));
	env->config.sentinel_password = secret_create(SPAN("s3cret-sentinel"));
	env_add_address(env, redis_free_port()); /* one that is down is passed over */
	for (size_t i = 0; i < SENTINELS; i++)
		env_add_address(env, sentinels[i]->port);
	env_start(env);
}

static void the_master_is_found(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	env_open_sentinel(&env, "mymaster");
	ASK_AND_AWAIT(&env, &asked, "SET", "a", "1");
	assert_string_equal(asked.text, "OK");
	assert_int_equal(env_logged(&env, "\"server\":\"mymaster\""), 1);
	assert_int_equal(env_logged(&env, "\n"), 1);
	env_close(&env);
}

static void a_master_that_nobody_knows_is_told(void **state)
{
	(void)state;
	struct redis_env env;
	env_open_sentinel(&env, "another");
	AWAIT(&env, env_logged(&env, "no sentinel says where it is") == 1);
	test_reactor_run(env.reactor, 300000);
	assert_int_equal(env_logged(&env, "\n"), 1);
	env_close(&env);
}

/* What sentinels say is old for a while: the replica must not be taken for the master. */
static void a_replica_is_not_used(void **state)
{
	(void)state;
	struct redis_env env;
	struct redis_process *liar;
	char options[256];
	snprintf(options, sizeof(options), "sentinel monitor mymaster 127.0.0.1 %d 9\nrequirepass s3cret-sentinel\n",
		 second->port);
	liar = redis_process_start_sentinel(options);
	env_prepare(&env);
	env.config.mode = CONFIG_REDIS_SENTINEL;
	env.config.master = "mymaster";
	env.config.password = secret_create(SPAN("s3cret"));
	env.config.sentinel_password = secret_create(SPAN("s3cret-sentinel"));
	env_add_address(&env, liar->port);
	env_start(&env);
	AWAIT(&env, env_logged(&env, "it is not the master") == 1);
	assert_false(redis_readable(env.redis));
	env_close(&env);
	redis_process_stop(liar);
}

static void await_quorum(struct redis_process *replica)
{
	redis_process_await(replica, "INFO replication", "master_link_status:up");
	for (size_t i = 0; i < SENTINELS; i++) {
		redis_process_await(sentinels[i], "SENTINEL CKQUORUM mymaster", "+OK 3 usable");
		redis_process_await(sentinels[i], "SENTINEL MASTER mymaster", "num-slaves\r\n$1\r\n1");
	}
}

/* Both live on: the one that was the master becomes a replica. */
static void a_failover_on_request_is_followed(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	await_quorum(second);
	env_open_sentinel(&env, "mymaster");
	ASK_AND_AWAIT(&env, &asked, "SET", "a", "1");
	redis_process_await(sentinels[0], "SENTINEL FAILOVER mymaster", "+OK");
	redis_process_await(second, "ROLE", "master");
	redis_process_await(first, "ROLE", "slave");
	do
		ASK_AND_AWAIT(&env, &asked, "SET", "a", "moved");
	while (asked.kind != REDIS_STATUS || strstr(redis_process_say(second, "GET a"), "moved") == NULL);
	env_close(&env);
	/* The tests behind this one go on from here. */
	struct redis_process *other = first;
	first = second;
	second = other;
	await_quorum(second);
}

/* A real one: the master is killed, the sentinels promote the replica, commands go there. */
static void a_failover_is_followed(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	await_quorum(second);
	env_open_sentinel(&env, "mymaster");
	ASK_AND_AWAIT(&env, &asked, "SET", "a", "1");
	AWAIT(&env, ask_within(&env, &asked, 30000000, 0, WORDS("WAIT", "1", "10000")));
	AWAIT(&env, asked.replies == 1);
	redis_process_signal(first, SIGKILL);
	for (size_t i = 0; i < SENTINELS; i++) /* not before: a busy machine would have failovers of its own */
		redis_process_await(sentinels[i], "SENTINEL SET mymaster down-after-milliseconds 300", "+OK");
	do
		ASK_AND_AWAIT(&env, &asked, "SET", "a", "2");
	while (asked.kind != REDIS_STATUS);
	assert_non_null(strstr(redis_process_say(second, "GET a"), "\r\n2\r\n"));
	assert_int_equal(env_logged(&env, "redis is down"), 1);
	assert_int_equal(env_logged(&env, "redis is up"), 2);
	env_close(&env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_master_is_found),    cmocka_unit_test(a_master_that_nobody_knows_is_told),
	    cmocka_unit_test(a_replica_is_not_used),  cmocka_unit_test(a_failover_on_request_is_followed),
	    cmocka_unit_test(a_failover_is_followed),
	};
	return cmocka_run_group_tests(tests, start_all, stop_all);
}
