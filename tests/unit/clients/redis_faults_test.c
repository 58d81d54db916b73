/* SPDX-License-Identifier: MIT */
/*
 * A real Redis that is down, stopped, killed, full, a replica, loading, busy, or
 * wants another password: nobody waits beyond a deadline, each change is one log
 * line, and all comes back by itself.
 */
#include "tests/unit/clients/test_redis.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

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

static bool is_up(struct redis_env *env)
{
	return env_gauge(env, METRIC_REDIS_UP) == 1;
}

static void down_at_start_costs_nothing_and_ends(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	redis_process_signal(server, SIGKILL);
	env_open(&env, server);
	assert_false(ASK(&env, &asked, "GET", "a"));
	AWAIT(&env, metrics_sum(METRIC_REDIS_RECONNECTS, 0, 0, 0) >= 3);
	assert_false(ASK(&env, &asked, "GET", "a"));
	assert_false(is_up(&env));
	assert_int_equal(env_logged(&env, "redis is down"), 1);
	assert_int_equal(env_logged(&env, "\"reason\":\"it cannot be reached"), 1);
	redis_process_restart(server);
	ASK_AND_AWAIT(&env, &asked, "GET", "a");
	assert_int_equal(asked.kind, REDIS_NIL);
	assert_int_equal(env_logged(&env, "redis is up"), 1);
	assert_int_equal(env_logged(&env, "\n"), 2);
	env_close(&env);
}

static void a_stopped_server_is_left_alone_after_three_silences(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked[3];
	env_open(&env, server);
	AWAIT(&env, redis_readable(env.redis));
	redis_process_signal(server, SIGSTOP);
	for (int i = 0; i < 3; i++) {
		uint64_t begun = env_now(&env);
		assert_true(ask_within(&env, &asked[i], 20000, 1, WORDS("GET", "a")));
		AWAIT(&env, asked[i].replies == 1);
		assert_int_equal(asked[i].kind, REDIS_SILENT);
		assert_true(asked[i].replied_us >= begun + 20000);
	}
	assert_false(redis_readable(env.redis));
	for (int i = 0; i < 100; i++) {
		assert_false(ASK(&env, &asked[0], "GET", "a"));
		test_reactor_turn(env.reactor, 0);
	}
	assert_int_equal(env_sum(METRICS_REDIS_TIMEOUT), 3);
	assert_int_equal(env_sum(METRICS_REDIS_REFUSED), 100);
	assert_int_equal(env_logged(&env, "it did not answer in time"), 1);
	assert_int_equal(env_logged(&env, "redis is down"), 1);
	redis_process_signal(server, SIGCONT);
	ASK_AND_AWAIT(&env, &asked[0], "GET", "a");
	assert_int_equal(asked[0].kind, REDIS_NIL);
	assert_int_equal(env_logged(&env, "redis is up"), 2);
	env_close(&env);
}

static void a_server_that_stays_stopped_loses_its_connection(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	env_prepare(&env);
	env.config.socket = server->socket;
	env.config.connect_us = 100000;
	env_start(&env);
	AWAIT(&env, redis_readable(env.redis));
	redis_process_signal(server, SIGSTOP);
	for (int i = 0; i < 3; i++) {
		assert_true(ask_within(&env, &asked, 10000, 1, WORDS("GET", "a")));
		AWAIT(&env, asked.replies == 1);
	}
	/* The PING stays unanswered for two seconds; new connections are made by the kernel, but nobody greets. */
	AWAIT(&env, metrics_sum(METRIC_REDIS_RECONNECTS, 0, 0, 0) >= 3);
	assert_int_equal(env_logged(&env, "\n"), 2); /* up, down */
	redis_process_signal(server, SIGCONT);
	env.config.connect_us = 10000000;
	ASK_AND_AWAIT(&env, &asked, "GET", "a");
	assert_int_equal(env_logged(&env, "\n"), 3);
	env_close(&env);
}

static void a_killed_server_is_told_at_once_and_found_again(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked[10];
	env_open(&env, server);
	AWAIT(&env, redis_readable(env.redis));
	redis_process_signal(server, SIGSTOP); /* so that nothing is answered */
	for (int i = 0; i < 10; i++)
		assert_true(ASK(&env, &asked[i], "GET", "a"));
	test_reactor_turn(env.reactor, 0);
	redis_process_signal(server, SIGKILL);
	AWAIT(&env, asked[9].replies == 1);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(asked[i].replies, 1);
		assert_int_equal(asked[i].kind, REDIS_SILENT);
	}
	assert_int_equal(env_sum(METRICS_REDIS_LOST), 10);
	assert_int_equal(env_logged(&env, "the connection was lost"), 1);
	assert_false(is_up(&env));
	redis_process_restart(server);
	ASK_AND_AWAIT(&env, &asked[0], "GET", "a");
	assert_int_equal(env_logged(&env, "\n"), 3);
	env_close(&env);
}

static void without_descriptors_it_tries_again(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	env_open(&env, server);
	AWAIT(&env, redis_readable(env.redis));
	env.reactor->refuse = true;
	redis_process_say(server, "CLIENT KILL TYPE normal");
	AWAIT(&env, metrics_sum(METRIC_REDIS_RECONNECTS, 0, 0, 0) >= 2);
	assert_int_equal(env_logged(&env, "\n"), 2);
	env.reactor->refuse = false;
	ASK_AND_AWAIT(&env, &asked, "GET", "a");
	env_close(&env);
}

static void two_workers_write_one_line(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	env_open(&env, server);
	struct redis *other = redis_create(env.shared, &env.reactor->reactor, metrics_cells_of(1));
	AWAIT(&env, redis_readable(env.redis) && redis_readable(other));
	redis_process_signal(server, SIGKILL);
	AWAIT(&env, metrics_sum(METRIC_REDIS_RECONNECTS, 0, 0, 0) >= 4);
	assert_int_equal(env_logged(&env, "redis is down"), 1);
	redis_process_restart(server);
	ASK_AND_AWAIT(&env, &asked, "GET", "a");
	AWAIT(&env, redis_readable(other));
	assert_int_equal(env_logged(&env, "\n"), 3);
	redis_destroy(other);
	env_close(&env);
}

/* One worker has found the server again; another one, which waits for seconds, does not when it is asked. */
static void a_worker_hurries_when_another_one_was_successful(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	env_open(&env, server);
	AWAIT(&env, redis_readable(env.redis));
	redis_process_signal(server, SIGKILL);
	while (metrics_sum(METRIC_REDIS_RECONNECTS, 0, 0, 0) < 12) {
		env.reactor->skew_us += 500000;
		test_reactor_turn(env.reactor, 0);
	}
	AWAIT(&env, timers_wait(&env.reactor->reactor.timers) > 200000); /* not with every roll of the dice */
	redis_process_restart(server);
	struct test_reactor *mine = env.reactor;
	struct test_reactor *theirs = env.reactor = test_reactor_create();
	struct redis *other = redis_create(env.shared, &theirs->reactor, metrics_cells_of(1));
	AWAIT(&env, redis_readable(other));
	env.reactor = mine;
	timers_refresh(&mine->reactor.timers);
	assert_true(timers_wait(&mine->reactor.timers) > 150000);
	assert_false(ASK(&env, &asked, "GET", "a"));
	uint64_t wait = timers_wait(&mine->reactor.timers);
	assert_true(wait <= 100000);
	assert_false(ASK(&env, &asked, "GET", "a"));
	assert_true(timers_wait(&mine->reactor.timers) <= wait); /* asking again does not put it off */
	AWAIT(&env, redis_readable(env.redis));
	redis_destroy(other);
	test_reactor_destroy(theirs);
	env_close(&env);
}

/* Silences of one worker open the breaker of the other. */
static void the_breaker_is_shared(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	env_open(&env, server);
	struct redis *other = redis_create(env.shared, &env.reactor->reactor, metrics_cells_of(1));
	AWAIT(&env, redis_readable(env.redis) && redis_readable(other));
	redis_process_signal(server, SIGSTOP);
	for (int i = 0; i < 3; i++) {
		assert_true(ask_within(&env, &asked, 10000, 1, WORDS("GET", "a")));
		AWAIT(&env, asked.replies == 1);
	}
	assert_false(redis_readable(other));
	redis_process_signal(server, SIGCONT);
	AWAIT(&env, redis_readable(other));
	redis_destroy(other);
	env_close(&env);
}

/* ---- workers on threads of their own ---- */

enum { WORKERS = 4 };

static atomic_bool workers_stop;
static atomic_ulong workers_answers;

struct working {
	struct redis_command command; /* first */
	unsigned pending;
};

static void on_worked(struct redis_command *command, const struct redis_reply *reply)
{
	struct working *working = (struct working *)command;
	working->pending--;
	if (reply->kind == REDIS_INTEGER)
		workers_answers++;
}

struct worker_start {
	struct redis_shared *shared;
	unsigned index;
};

static void *work(void *context)
{
	const struct worker_start *start = context;
	const struct span args[] = {SPAN("INCR"), SPAN("worked")};
	struct test_reactor *reactor = test_reactor_create();
	struct redis *redis = redis_create(start->shared, &reactor->reactor, metrics_cells_of(start->index));
	struct working working[8];
	memset(working, 0, sizeof(working));
	while (!atomic_load(&workers_stop)) {
		for (size_t i = 0; i < 8; i++) {
			if (redis_is_pending(&working[i].command))
				continue;
			working[i].command.on_reply = on_worked;
			working[i].pending += redis_send(redis, &working[i].command, args, 2, 1,
							 timers_refresh(&reactor->reactor.timers) + 1000000);
		}
		test_reactor_turn(reactor, 1000);
	}
	redis_destroy(redis);
	test_reactor_destroy(reactor);
	return NULL;
}

static void await_answers(void)
{
	unsigned long before = workers_answers;
	for (int i = 0; i < 60000 && workers_answers < before + 100; i++)
		usleep(1000);
	assert_true(workers_answers >= before + 100);
}

/* Whatever they learn at the same time is said once: up and down take turns in the log. */
static void workers_on_threads_write_one_line(void **state)
{
	(void)state;
	struct redis_env env;
	pthread_t threads[WORKERS];
	struct worker_start starts[WORKERS];
	env_prepare(&env);
	env.config.socket = server->socket;
	env.shared = redis_shared_create(&env.config, NULL);
	for (unsigned i = 0; i < WORKERS; i++) {
		starts[i] = (struct worker_start){env.shared, i};
		assert_int_equal(pthread_create(&threads[i], NULL, work, &starts[i]), 0);
	}
	for (int round = 0; round < 3; round++) {
		await_answers();
		assert_true(is_up(&env));
		redis_process_signal(server, SIGKILL);
		while (is_up(&env))
			usleep(1000);
		redis_process_restart(server);
	}
	await_answers();
	atomic_store(&workers_stop, true);
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	bool up = false;
	char *rest = NULL;
	static char log[1 << 16];
	snprintf(log, sizeof(log), "%s", env_log(&env));
	for (char *line = strtok_r(log, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		bool now = strstr(line, "redis is up") != NULL;
		assert_true(now != up);
		up = now;
	}
	assert_true(up);
	assert_true(env_logged(&env, "redis is down") >= 3);
	env_close(&env);
}

static void a_full_server_is_only_read(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	env_open(&env, server);
	ASK_AND_AWAIT(&env, &asked, "SET", "kept", "1");
	redis_process_say(server, "CONFIG SET maxmemory 1");
	AWAIT(&env, ASK(&env, &asked, "SET", "more", "1"));
	AWAIT(&env, asked.replies == 1);
	assert_int_equal(asked.kind, REDIS_ERROR);
	assert_memory_equal(asked.text, "OOM", 3);
	assert_false(redis_writable(env.redis));
	assert_true(redis_readable(env.redis));
	assert_false(ASK(&env, &asked, "SET", "more", "1"));
	ASK_AND_AWAIT(&env, &asked, "GET", "kept");
	assert_string_equal(asked.text, "1");
	assert_true(ASK(&env, &asked, "UNLINK", "kept"));
	AWAIT(&env, asked.replies == 1);
	assert_int_equal(asked.integer, 1);
	for (int i = 0; i < 2; i++) { /* trials that fail are no change */
		ASK_AND_AWAIT(&env, &asked, "SET", "more", "1");
		assert_int_equal(asked.kind, REDIS_ERROR);
	}
	assert_true(is_up(&env));
	assert_true(env_gauge(&env, METRIC_REDIS_WRITABLE) == 0);
	assert_int_equal(env_logged(&env, "redis refuses writes"), 1);
	redis_process_say(server, "CONFIG SET maxmemory 0");
	ASK_AND_AWAIT(&env, &asked, "SET", "more", "1");
	assert_int_equal(asked.kind, REDIS_STATUS);
	assert_true(redis_writable(env.redis));
	assert_int_equal(env_logged(&env, "it takes writes again"), 1);
	assert_int_equal(env_logged(&env, "\n"), 3);
	env_close(&env);
}

static void a_replica_is_only_read(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	env_open(&env, server);
	ASK_AND_AWAIT(&env, &asked, "SET", "kept", "1");
	redis_process_say(server, "REPLICAOF 127.0.0.1 1");
	ASK_AND_AWAIT(&env, &asked, "SET", "more", "1");
	assert_memory_equal(asked.text, "READONLY", 8);
	assert_false(ASK(&env, &asked, "SET", "more", "1"));
	assert_false(ASK(&env, &asked, "DEL", "more"));
	ASK_AND_AWAIT(&env, &asked, "GET", "kept");
	assert_string_equal(asked.text, "1");
	redis_process_say(server, "REPLICAOF NO ONE");
	ASK_AND_AWAIT(&env, &asked, "SET", "more", "1");
	assert_int_equal(asked.kind, REDIS_STATUS);
	assert_int_equal(env_logged(&env, "READONLY: it is a replica"), 1);
	assert_int_equal(env_logged(&env, "\n"), 3);
	env_close(&env);
}

/* A save that cannot be done makes it refuse writes, and even a PING. */
static void a_server_that_cannot_save_is_only_read(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	env_open(&env, server);
	ASK_AND_AWAIT(&env, &asked, "SET", "kept", "1");
	redis_process_say(server, "CONFIG SET save \"10000 10000\"");
	/* The file cannot be renamed onto a directory. */
	char path[128];
	snprintf(path, sizeof(path), "%s/dump.rdb", server->directory);
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	redis_process_say(server, "BGSAVE");
	redis_process_await(server, "INFO persistence", "rdb_last_bgsave_status:err");
	ASK_AND_AWAIT(&env, &asked, "SET", "more", "1");
	assert_memory_equal(asked.text, "MISCONF", 7);
	assert_false(ASK(&env, &asked, "SET", "more", "1"));
	ASK_AND_AWAIT(&env, &asked, "GET", "kept");
	assert_string_equal(asked.text, "1");
	env.reactor->skew_us += 6000000; /* the next PING is due */
	test_reactor_run(env.reactor, 20000);
	assert_true(redis_readable(env.redis));
	rmdir(path);
	redis_process_say(server, "CONFIG SET stop-writes-on-bgsave-error no");
	ASK_AND_AWAIT(&env, &asked, "SET", "more", "1");
	assert_int_equal(asked.kind, REDIS_STATUS);
	assert_int_equal(env_logged(&env, "MISCONF"), 1);
	assert_int_equal(env_logged(&env, "\n"), 3);
	redis_process_say(server, "CONFIG SET stop-writes-on-bgsave-error yes");
	redis_process_say(server, "CONFIG SET save \"\"");
	redis_process_say(server, "BGSAVE");
	redis_process_await(server, "INFO persistence", "rdb_last_bgsave_status:ok");
	env_close(&env);
}

static void a_server_that_runs_a_script_for_long_is_left_alone(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	struct asked script;
	env_open(&env, server);
	AWAIT(&env, redis_readable(env.redis));
	redis_process_say(server, "CONFIG SET busy-reply-threshold 1");
	struct redis *other = redis_create(env.shared, &env.reactor->reactor, metrics_cells_of(1));
	AWAIT(&env, redis_readable(other));
	assert_true(ASK(&env, &script, "EVAL", "while true do end", "0"));
	struct redis *mine = env.redis;
	env.redis = other;
	while (redis_readable(other)) {
		if (ASK(&env, &asked, "GET", "a"))
			AWAIT(&env, asked.replies == 1);
	}
	assert_int_equal(env_logged(&env, "BUSY: it runs a script"), 1);
	redis_process_say(server, "SCRIPT KILL");
	ASK_AND_AWAIT(&env, &asked, "GET", "a");
	assert_int_equal(asked.kind, REDIS_NIL);
	AWAIT(&env, script.replies == 1);
	env.redis = mine;
	assert_int_equal(env_logged(&env, "\n"), 3);
	redis_destroy(other);
	env_close(&env);
}

/* It loads for a while: each key takes a moment. */
static void a_server_that_loads_is_left_alone(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	redis_process_say(server, "FLUSHALL");
	redis_process_say(server, "DEBUG POPULATE 20000 k 10");
	redis_process_say(server, "SAVE");
	redis_process_signal(server, SIGKILL);
	snprintf(server->options, sizeof(server->options),
		 "enable-debug-command yes\nkey-load-delay 200\n"
		 "loading-process-events-interval-bytes 1024\n");
	redis_process_restart(server);
	env_open(&env, server);
	AWAIT(&env, env_logged(&env, "LOADING: it reads its data") == 1);
	assert_false(ASK(&env, &asked, "GET", "a"));
	redis_process_say(server, "CONFIG SET key-load-delay 0");
	AWAIT(&env, ask_within(&env, &asked, 30000000, 0, WORDS("DBSIZE")));
	AWAIT(&env, asked.replies == 1);
	assert_int_equal(asked.integer, 20000);
	assert_int_equal(env_logged(&env, "\n"), 2);
	env_close(&env);
	redis_process_say(server, "FLUSHALL");
	redis_process_say(server, "SAVE");
}

static void a_wrong_password_is_told_without_it(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	redis_process_say(server, "ACL SETUSER me on >good ~* &* +@all");
	env_prepare(&env);
	env.config.socket = server->socket;
	env.config.user = "me";
	env.config.password = secret_create(SPAN("s3cret"));
	env_start(&env);
	AWAIT(&env, metrics_sum(METRIC_REDIS_RECONNECTS, 0, 0, 0) >= 2);
	assert_int_equal(env_logged(&env, "WRONGPASS: it knows no such user and password"), 1);
	assert_int_equal(env_logged(&env, "\n"), 1);
	redis_process_say(server, "ACL SETUSER me >s3cret");
	AWAIT(&env, ask_within(&env, &asked, 30000000, 0, WORDS("ACL", "WHOAMI")));
	AWAIT(&env, asked.replies == 1);
	assert_string_equal(asked.text, "me");
	/* The user goes away: Redis closes its connections. */
	redis_process_say(server, "ACL DELUSER me");
	AWAIT(&env, !redis_readable(env.redis));
	AWAIT(&env, metrics_sum(METRIC_REDIS_RECONNECTS, 0, 0, 0) >= 4);
	assert_int_equal(env_logged(&env, "redis is down"), 2);
	env_close(&env);
}

static void a_password_that_is_missing_is_told(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	env_open(&env, server);
	AWAIT(&env, redis_readable(env.redis));
	env_close(&env);
	redis_process_say(server, "CONFIG SET requirepass s3cret");
	env_open(&env, server);
	AWAIT(&env, env_logged(&env, "NOAUTH: it wants a password") == 1);
	env_close(&env);
	env_prepare(&env);
	env.config.socket = server->socket;
	env.config.password = secret_create(SPAN("s3cret"));
	env.config.database = 5;
	env_start(&env);
	AWAIT(&env, ask_within(&env, &asked, 30000000, 0, WORDS("CLIENT", "INFO")));
	AWAIT(&env, asked.replies == 1);
	assert_int_equal(asked.kind, REDIS_BYTES);
	assert_non_null(strstr(asked.text, " db=5 "));
	env_close(&env);
	env_prepare(&env);
	env.config.socket = server->socket;
	env.config.password = secret_create(SPAN("s3cret"));
	env.config.database = 16;
	env_start(&env);
	AWAIT(&env, env_logged(&env, "it has no such database") == 1);
	env_close(&env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(down_at_start_costs_nothing_and_ends),
	    cmocka_unit_test(a_stopped_server_is_left_alone_after_three_silences),
	    cmocka_unit_test(a_server_that_stays_stopped_loses_its_connection),
	    cmocka_unit_test(a_killed_server_is_told_at_once_and_found_again),
	    cmocka_unit_test(without_descriptors_it_tries_again),
	    cmocka_unit_test(two_workers_write_one_line),
	    cmocka_unit_test(a_worker_hurries_when_another_one_was_successful),
	    cmocka_unit_test(the_breaker_is_shared),
	    cmocka_unit_test(workers_on_threads_write_one_line),
	    cmocka_unit_test(a_full_server_is_only_read),
	    cmocka_unit_test(a_replica_is_only_read),
	    cmocka_unit_test(a_server_that_cannot_save_is_only_read),
	    cmocka_unit_test(a_server_that_runs_a_script_for_long_is_left_alone),
	    cmocka_unit_test(a_server_that_loads_is_left_alone),
	    cmocka_unit_test(a_wrong_password_is_told_without_it),
	    cmocka_unit_test(a_password_that_is_missing_is_told),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
