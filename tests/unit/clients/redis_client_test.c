/* SPDX-License-Identifier: MIT */
/* The Redis client against a real server that serves: order, values, scripts, cancelling, users. */
#include "tests/unit/clients/test_redis.h"

#include "clients/redis/protocol.h"

static struct redis_process *server;

static int start_server(void **state)
{
	(void)state;
	server = redis_process_start("enable-debug-command yes\n");
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

/* Larger than what hiredis reads at a time, and than what a socket takes. */
static void values_may_be_large(void **state)
{
	(void)state;
	enum { SIZE = 4 << 20 };
	struct redis_env env;
	struct asked asked;
	char *value = malloc(SIZE);
	assert_non_null(value);
	for (size_t i = 0; i < SIZE; i++)
		value[i] = (char)(i * 7 + i / 251);
	env_open(&env, server);
	AWAIT(&env, redis_writable(env.redis));
	asked = (struct asked){.command = {.on_reply = asked_on_reply}, .env = &env};
	struct span set[] = {SPAN("SET"), SPAN("large"), {value, SIZE}};
	assert_true(redis_send(env.redis, &asked.command, set, 3, 1, env_now(&env) + 30000000));
	AWAIT(&env, asked.replies == 1);
	assert_int_equal(asked.kind, REDIS_STATUS);
	ASK_AND_AWAIT(&env, &asked, "GET", "large");
	assert_int_equal(asked.len, SIZE);
	assert_memory_equal(asked.text, value, 1);
	free(value);
	env_close(&env);
}

/* An answer beyond the bound ends the connection, and only that. */
static void an_answer_that_is_too_large_is_refused(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	env_open(&env, server);
	ASK_AND_AWAIT(&env, &asked, "SETRANGE", "huge", "16777216", "x");
	ASK_AND_AWAIT(&env, &asked, "GET", "huge");
	assert_int_equal(asked.kind, REDIS_SILENT);
	assert_int_equal(env_logged(&env, "it sent an answer that is too large"), 1);
	ASK_AND_AWAIT(&env, &asked, "UNLINK", "huge");
	assert_int_equal(asked.integer, 1);
	env_close(&env);
}

static void a_script_is_sent_once_more_when_it_is_not_known(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	struct redis_script script;
	struct span args[] = {SPAN("one"), SPAN("two words"), SPAN("")};
	redis_script_init(&script, "return {KEYS[1], ARGV[1], ARGV[2], #ARGV}", true);
	assert_string_equal(script.sha1 + 40, "");
	redis_process_say(server, "SCRIPT FLUSH");
	env_open(&env, server);
	AWAIT(&env, redis_readable(env.redis));
	for (int i = 0; i < 2; i++) {
		asked = (struct asked){.command = {.on_reply = asked_on_reply}, .env = &env};
		assert_true(
		    redis_eval(env.redis, &asked.command, &script, SPAN("key"), args, 3, env_now(&env) + 30000000));
		AWAIT(&env, asked.replies == 1);
		assert_int_equal(asked.kind, REDIS_ARRAY);
		assert_int_equal(asked.count, 4);
		assert_int_equal(metrics_sum(METRIC_REDIS_RELOADED, 0, 0, 0), 1);
	}
	assert_non_null(strstr(redis_process_say(server, "SCRIPT EXISTS %s", script.sha1), ":1"));
	env_close(&env);
}

static void a_script_that_fails_is_an_error(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked = {.command = {.on_reply = asked_on_reply}, .env = &env};
	struct redis_script script;
	redis_script_init(&script, "return redis.error_reply('MINE it is')", true);
	env_open(&env, server);
	AWAIT(&env, redis_readable(env.redis));
	assert_true(redis_eval(env.redis, &asked.command, &script, SPAN("key"), NULL, 0, env_now(&env) + 30000000));
	AWAIT(&env, asked.replies == 1);
	assert_int_equal(asked.kind, REDIS_ERROR);
	assert_string_equal(asked.text, "MINE it is");
	env_close(&env);
}

static void a_cancelled_command_is_not_answered(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked[3];
	env_open(&env, server);
	AWAIT(&env, redis_readable(env.redis));
	for (int i = 0; i < 3; i++)
		assert_true(ASK(&env, &asked[i], "INCR", "cancelled"));
	redis_cancel(&asked[0].command); /* before it was written */
	redis_cancel(&asked[0].command);
	test_reactor_turn(env.reactor, 0);
	if (asked[1].replies == 0)
		redis_cancel(&asked[1].command); /* behind that */
	AWAIT(&env, asked[2].replies == 1);
	assert_int_equal(asked[0].replies, 0);
	assert_false(redis_is_pending(&asked[0].command));
	redis_cancel(&asked[2].command); /* when it is over */
	env_close(&env);
}

static void nothing_is_called_back_when_the_client_goes(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked[20];
	env_open(&env, server);
	AWAIT(&env, redis_readable(env.redis));
	for (int i = 0; i < 20; i++) {
		assert_true(ASK(&env, &asked[i], "GET", "a"));
		if (i == 9)
			reactor_run_tasks(&env.reactor->reactor); /* half of them are written */
	}
	redis_destroy(env.redis);
	env.redis = NULL;
	test_reactor_run(env.reactor, 10000);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(asked[i].replies, 0);
		assert_false(redis_is_pending(&asked[i].command));
	}
	env_close(&env);
}

static void it_may_go_while_it_connects(void **state)
{
	(void)state;
	struct redis_env env;
	env_open(&env, server);
	env_close(&env);
	env_prepare(&env);
	env_add_address(&env, server->port);
	env.address[0].host = "localhost";
	env_start(&env);
	env_close(&env);
}

static void what_is_in_flight_is_bounded(void **state)
{
	(void)state;
	enum { COUNT = 5000 };
	static struct asked asked[COUNT];
	struct redis_env env;
	unsigned sent = 0;
	unsigned replies = 0;
	env_open(&env, server);
	AWAIT(&env, redis_readable(env.redis));
	for (int i = 0; i < COUNT; i++)
		sent += ASK(&env, &asked[i], "GET", "a");
	assert_int_equal(sent, 4096);
	assert_int_equal(env_sum(METRICS_REDIS_REFUSED), COUNT - 4096);
	AWAIT(&env, asked[4095].replies == 1);
	for (int i = 0; i < COUNT; i++)
		replies += asked[i].replies;
	assert_int_equal(replies, 4096);
	ASK_AND_AWAIT(&env, &asked[0], "GET", "a");
	env_close(&env);
}

static void a_deadline_in_the_past_is_refused(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	env_open(&env, server);
	AWAIT(&env, redis_readable(env.redis));
	assert_false(ask_within(&env, &asked, 0, 1, WORDS("GET", "a")));
	env_close(&env);
}

/* Redis closes connections that were silent for a second; a PING every five seconds does not help then. */
static void a_connection_that_was_closed_is_made_again(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	env_open(&env, server);
	AWAIT(&env, redis_readable(env.redis));
	redis_process_say(server, "CLIENT KILL TYPE normal SKIPME yes");
	AWAIT(&env, metrics_sum(METRIC_REDIS_RECONNECTS, 0, 0, 0) == 1);
	ASK_AND_AWAIT(&env, &asked, "GET", "a");
	assert_int_equal(env_logged(&env, "\n"), 3);
	env_close(&env);
}

/* Large commands are bounded by their bytes; one alone may be larger. */
static void bytes_in_flight_are_bounded(void **state)
{
	(void)state;
	enum { SIZE = 6 << 20 };
	struct redis_env env;
	struct asked asked[6];
	unsigned sent = 0;
	char *value = calloc(1, 3 * SIZE);
	assert_non_null(value);
	env_open(&env, server);
	AWAIT(&env, redis_readable(env.redis));
	for (int i = 0; i < 6; i++) {
		struct span set[] = {SPAN("SET"), SPAN("large"), {value, i == 0 ? 3 * SIZE : SIZE}};
		asked[i] = (struct asked){.command = {.on_reply = asked_on_reply}, .env = &env};
		sent += redis_send(env.redis, &asked[i].command, set, 3, 1, env_now(&env) + 30000000);
	}
	assert_int_equal(sent, 1);
	AWAIT(&env, asked[0].replies == 1);
	sent = 0;
	for (int i = 0; i < 6; i++) {
		struct span set[] = {SPAN("SET"), SPAN("large"), {value, SIZE}};
		asked[i] = (struct asked){.command = {.on_reply = asked_on_reply}, .env = &env};
		sent += redis_send(env.redis, &asked[i].command, set, 3, 1, env_now(&env) + 30000000);
	}
	assert_int_equal(sent, 2);
	AWAIT(&env, asked[1].replies == 1);
	ASK_AND_AWAIT(&env, &asked[0], "UNLINK", "large");
	free(value);
	env_close(&env);
}

static void commands_are_known_by_what_they_do(void **state)
{
	(void)state;
	assert_int_equal(redis_access_of(SPAN("get")), REDIS_ACCESS_READ);
	assert_int_equal(redis_access_of(SPAN("SCAN")), REDIS_ACCESS_READ);
	assert_int_equal(redis_access_of(SPAN("UNLINK")), REDIS_ACCESS_FREE);
	assert_int_equal(redis_access_of(SPAN("SET")), REDIS_ACCESS_WRITE);
	assert_int_equal(redis_access_of(SPAN("GE")), REDIS_ACCESS_WRITE);
	assert_int_equal(redis_access_of(SPAN("GETDEL")), REDIS_ACCESS_WRITE);
	assert_int_equal(redis_access_of(SPAN("A.MODULE.WITH.A.VERY.LONG.NAME.OF.ITS.OWN")), REDIS_ACCESS_WRITE);
}

struct scanned {
	struct redis_scan scan; /* first */
	size_t keys, batches;
	unsigned ends;
	bool complete;
	bool cancel;
};

static void on_scanned(struct redis_scan *scan, const struct span *keys, size_t count)
{
	struct scanned *scanned = (struct scanned *)scan;
	for (size_t i = 0; i < count; i++)
		assert_memory_equal(keys[i].at, "scan:", 5);
	scanned->keys += count;
	scanned->batches++;
	if (scanned->cancel)
		redis_scan_cancel(scan);
}

static void on_scan_end(struct redis_scan *scan, bool complete)
{
	struct scanned *scanned = (struct scanned *)scan;
	scanned->ends++;
	scanned->complete = complete;
}

static struct scanned scan_all(struct redis_env *env, bool cancel)
{
	struct scanned scanned = {.scan = {.on_keys = on_scanned, .on_end = on_scan_end}, .cancel = cancel};
	AWAIT(env, redis_scan_start(env->redis, &scanned.scan, SPAN("scan:*")));
	if (cancel) {
		AWAIT(env, scanned.batches == 1);
		test_reactor_run(env->reactor, 20000);
	} else {
		AWAIT(env, scanned.ends == 1);
	}
	return scanned;
}

static void a_scan_finds_all_keys(void **state)
{
	(void)state;
	struct redis_env env;
	redis_process_say(server, "FLUSHALL");
	redis_process_say(server, "DEBUG POPULATE 2000 scan");
	redis_process_say(server, "DEBUG POPULATE 2000 other");
	env_open(&env, server);
	struct scanned scanned = scan_all(&env, false);
	assert_true(scanned.complete);
	assert_true(scanned.keys >= 2000);
	assert_true(scanned.batches > 3);
	scanned = scan_all(&env, true);
	assert_int_equal(scanned.ends, 0);
	assert_int_equal(scanned.batches, 1);
	scanned.scan.on_keys = on_scanned;
	assert_true(redis_scan_start(env.redis, &scanned.scan, SPAN("scan:*")));
	redis_process_signal(server, SIGSTOP);
	redis_process_signal(server, SIGKILL);
	AWAIT(&env, scanned.ends == 1);
	assert_false(scanned.complete);
	redis_process_restart(server);
	AWAIT(&env, redis_readable(env.redis));
	scanned.ends = 0;
	assert_true(redis_scan_start(env.redis, &scanned.scan, SPAN("scan:*")));
	env_close(&env); /* while it runs */
	assert_int_equal(scanned.ends, 0);
	assert_null(scanned.scan.run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_command_is_answered),
	    cmocka_unit_test(it_speaks_tcp_as_well),
	    cmocka_unit_test(a_pipeline_is_answered_in_order),
	    cmocka_unit_test(values_may_be_large),
	    cmocka_unit_test(an_answer_that_is_too_large_is_refused),
	    cmocka_unit_test(a_script_is_sent_once_more_when_it_is_not_known),
	    cmocka_unit_test(a_script_that_fails_is_an_error),
	    cmocka_unit_test(a_cancelled_command_is_not_answered),
	    cmocka_unit_test(nothing_is_called_back_when_the_client_goes),
	    cmocka_unit_test(it_may_go_while_it_connects),
	    cmocka_unit_test(what_is_in_flight_is_bounded),
	    cmocka_unit_test(bytes_in_flight_are_bounded),
	    cmocka_unit_test(commands_are_known_by_what_they_do),
	    cmocka_unit_test(a_deadline_in_the_past_is_refused),
	    cmocka_unit_test(a_connection_that_was_closed_is_made_again),
	    cmocka_unit_test(a_scan_finds_all_keys),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
