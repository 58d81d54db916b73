/* SPDX-License-Identifier: MIT */
/* The Redis client against a real server that serves: order, values, scripts, cancelling, users. */
#include "tests/unit/clients/test_redis.h"

static struct redis_process *server;

static int start_server(void **state)
{
	(void)state;
	server = redis_process_start("");
	return 0;
}

static int stop_server(void **state)
{
	(void)state;
	redis_process_stop(server);
	return 0;
}

static void a_command_is_answered(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	env_open(&env, server);
	assert_false(redis_readable(env.redis)); /* it takes a turn to be connected */
	ASK_AND_AWAIT(&env, &asked, "SET", "a", "1");
	assert_int_equal(asked.kind, REDIS_STATUS);
	assert_string_equal(asked.text, "OK");
	ASK_AND_AWAIT(&env, &asked, "INCR", "a");
	assert_int_equal(asked.kind, REDIS_INTEGER);
	assert_int_equal(asked.integer, 2);
	ASK_AND_AWAIT(&env, &asked, "GET", "a");
	assert_int_equal(asked.kind, REDIS_BYTES);
	assert_string_equal(asked.text, "2");
	ASK_AND_AWAIT(&env, &asked, "GET", "nothing");
	assert_int_equal(asked.kind, REDIS_NIL);
	ASK_AND_AWAIT(&env, &asked, "MGET", "a", "nothing");
	assert_int_equal(asked.kind, REDIS_ARRAY);
	assert_int_equal(asked.count, 2);
	ASK_AND_AWAIT(&env, &asked, "LPUSH", "a", "x");
	assert_int_equal(asked.kind, REDIS_ERROR);
	assert_memory_equal(asked.text, "WRONGTYPE", 9);
	assert_int_equal(env_sum(METRICS_REDIS_OK), 5);
	assert_int_equal(env_sum(METRICS_REDIS_ERROR), 1);
	assert_true(env_gauge(&env, METRIC_REDIS_UP) == 1);
	assert_int_equal(env_logged(&env, "redis is up"), 1);
	env_close(&env);
}

static void it_speaks_tcp_as_well(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	env_prepare(&env);
	env_add_address(&env, server->port);
	env.address[0].host = "localhost";
	env_start(&env);
	ASK_AND_AWAIT(&env, &asked, "SET", "tcp", "1");
	assert_int_equal(asked.kind, REDIS_STATUS);
	env_close(&env);
}

static void a_pipeline_is_answered_in_order(void **state)
{
	(void)state;
	enum { COUNT = 1000 };
	static struct asked asked[COUNT];
	struct redis_env env;
	env_open(&env, server);
	AWAIT(&env, redis_writable(env.redis));
	redis_process_say(server, "SET counter 0");
	for (int i = 0; i < COUNT; i++)
		assert_true(ASK(&env, &asked[i], "INCR", "counter"));
	AWAIT(&env, asked[COUNT - 1].replies == 1);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(asked[i].replies, 1);
		assert_int_equal(asked[i].integer, i + 1);
	}
	env_close(&env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_command_is_answered),
	    cmocka_unit_test(it_speaks_tcp_as_well),
	    cmocka_unit_test(a_pipeline_is_answered_in_order),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
