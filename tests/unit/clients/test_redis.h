/* SPDX-License-Identifier: MIT */
/* What the tests of clients/redis share: a client on a reactor, commands that remember their answer, the log. Header
 * only. */
#ifndef SLUICE_TESTS_UNIT_CLIENTS_TEST_REDIS_H
#define SLUICE_TESTS_UNIT_CLIENTS_TEST_REDIS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>

#include "clients/redis/redis.h"
#include "config/config.h"
#include "lib/log.h"
#include "tests/redis/redis_server.h"
#include "tests/unit/clients/test_reactor.h"

struct redis_env {
	struct test_reactor *reactor;
	struct config_redis config;
	struct config_address address[8];
	char ports[8][8];
	struct redis_shared *shared;
	struct redis *redis;
	int log; /* a file in memory */
};

struct asked {
	struct redis_command command; /* first */
	struct redis_env *env;
	unsigned replies;
	enum redis_kind kind;
	int64_t integer;
	size_t len, count;
	char text[256]; /* the first bytes */
	uint64_t replied_us;
	unsigned order;
};

static unsigned asked_order;

static inline void asked_on_reply(struct redis_command *command, const struct redis_reply *reply)
{
	struct asked *asked = (struct asked *)command;
	asked->replies++;
	asked->kind = reply->kind;
	asked->integer = reply->integer;
	asked->len = reply->text.len;
	asked->count = reply->count;
	asked->order = ++asked_order;
	asked->replied_us = timers_refresh(&asked->env->reactor->reactor.timers);
	snprintf(asked->text, sizeof(asked->text), "%.*s", (int)(reply->text.len < 255 ? reply->text.len : 255),
		 reply->text.at == NULL ? "" : reply->text.at);
}

static inline uint64_t env_now(struct redis_env *env)
{
	return timers_refresh(&env->reactor->reactor.timers);
}

/* Turns until the condition holds; fails the test after 60 seconds. */
#define AWAIT(env, condition)                                                               \
	do {                                                                                \
		uint64_t await_end_ = env_now(env) + 60000000;                              \
		bool await_held_;                                                           \
		while (!(await_held_ = (condition)) && env_now(env) < await_end_)           \
			test_reactor_turn((env)->reactor, 2000);                            \
		if (!await_held_)                                                           \
			fail_msg("never happened: %s (log: %s)", #condition, env_log(env)); \
	} while (0)

/* All that was logged since env_open. */
static inline const char *env_log(struct redis_env *env)
{
	static char text[1 << 16];
	ssize_t got = pread(env->log, text, sizeof(text) - 1, 0);
	text[got < 0 ? 0 : got] = '\0';
	return text;
}

/* How many of its lines hold a text. */
static inline unsigned env_logged(struct redis_env *env, const char *text)
{
	unsigned count = 0;
	for (const char *at = env_log(env); (at = strstr(at, text)) != NULL; at++)
		count++;
	return count;
}

/* No client yet: the test may change config. */
static inline void env_prepare(struct redis_env *env)
{
	static const struct metrics_names names = {.models = NULL};
	signal(SIGPIPE, SIG_IGN);
	metrics_teardown(); /* a test that failed left them */
	*env = (struct redis_env){.reactor = test_reactor_create(), .log = memfd_create("log", MFD_CLOEXEC)};
	fcntl(env->log, F_SETFL, O_APPEND);
	log_setup(env->log, LOG_INFO);
	assert_true(metrics_setup(4, &names));
	env->config = (struct config_redis){
	    .prefix = "test", .budget_us = 10000000, .connect_us = 10000000}; /* sanitizers are slow */
}

static inline void env_add_address(struct redis_env *env, int port)
{
	size_t i = env->config.server_count++;
	snprintf(env->ports[i], sizeof(env->ports[i]), "%d", port);
	env->address[i] = (struct config_address){"127.0.0.1", env->ports[i]};
	env->config.servers = env->address;
}

static inline void env_start(struct redis_env *env)
{
	env->shared = redis_shared_create(&env->config, NULL);
	assert_non_null(env->shared);
	env->redis = redis_create(env->shared, &env->reactor->reactor, metrics_cells_of(0));
	assert_non_null(env->redis);
}

/* A client of the server over its socket. */
static inline void env_open(struct redis_env *env, const struct redis_process *server)
{
	env_prepare(env);
	env->config.socket = server->socket;
	env_start(env);
}

static inline void env_close(struct redis_env *env)
{
	redis_destroy(env->redis);
	redis_shared_destroy(env->shared);
	secret_drop(env->config.password);
	secret_drop(env->config.sentinel_password);
	assert_int_equal(env->reactor->watched, 0);
	assert_int_equal(env->reactor->reactor.timers.count, 0);
	assert_null(strstr(env_log(env), "s3cret"));
	test_reactor_destroy(env->reactor);
	metrics_teardown();
	log_teardown();
	close(env->log);
}

/* Sends words; within: microseconds. */
static inline bool ask_within(struct redis_env *env, struct asked *asked, uint64_t within, size_t key,
			      const char *const *words)
{
	struct span args[16];
	size_t count = 0;
	for (; words[count] != NULL; count++)
		args[count] = span_of(words[count]);
	*asked = (struct asked){.command = {.on_reply = asked_on_reply}, .env = env};
	bool sent = redis_send(env->redis, &asked->command, args, count, key, env_now(env) + within);
	assert_int_equal(asked->replies, 0); /* never from inside */
	assert_int_equal(sent, redis_is_pending(&asked->command));
	return sent;
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define ASK(env, asked, ...) ask_within(env, asked, 30000000, 1, WORDS(__VA_ARGS__))

/* Sends until it is taken, and waits for the answer. */
#define ASK_AND_AWAIT(env, asked, ...)                    \
	do {                                              \
		AWAIT(env, ASK(env, asked, __VA_ARGS__)); \
		AWAIT(env, (asked)->replies == 1);        \
	} while (0)

static inline uint64_t env_sum(enum metrics_redis_result result)
{
	return metrics_sum(METRIC_REDIS_COMMANDS, result, 0, 0);
}

static inline double env_gauge(struct redis_env *env, enum metric metric)
{
	double value = -1;
	assert_true(redis_shared_read_metric(env->shared, metric, &value));
	return value;
}

#endif
