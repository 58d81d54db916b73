/* SPDX-License-Identifier: MIT */
/* What the tests of clients/http share: a client with a server, and a recorder of what a call was told. Header only. */
#ifndef SLUICE_TESTS_UNIT_CLIENTS_TEST_CALL_H
#define SLUICE_TESTS_UNIT_CLIENTS_TEST_CALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "clients/http/http_client.h"
#include "schemas/metrics.h"
#include "tests/unit/clients/test_reactor.h"
#include "tests/unit/clients/test_server.h"

enum { TEST_CALL_KEEP = 4096 };

struct test_call {
	struct http_call *call; /* NULL once it ended */
	struct http_head head;
	char content_type[64];
	char retry_after[64];
	unsigned heads, bodies, dones, tights;
	size_t body_len;
	char body[TEST_CALL_KEEP + 1]; /* the first bytes */
	enum error_code error;
	char detail[256];
	bool reused;
	bool stale;
	uint64_t done_us;
	struct timers *timers;
	/* what to do in the callbacks */
	void (*at_head)(struct test_call *test);
	void (*at_body)(struct test_call *test);
	void (*at_done)(struct test_call *test);
	void (*at_tight)(struct test_call *test);
	struct test_call *other;
	struct http_origin *origin;
	void *context;
};

static inline void test_call_copy(char *to, size_t size, struct span value)
{
	snprintf(to, size, "%.*s", SPAN_ARG(value));
}

static inline void test_call_on_head(void *context, const struct http_head *head)
{
	struct test_call *test = context;
	test->heads++;
	test->head = *head;
	test_call_copy(test->content_type, sizeof(test->content_type), head->content_type);
	test_call_copy(test->retry_after, sizeof(test->retry_after), head->retry_after);
	if (test->at_head != NULL)
		test->at_head(test);
}

static inline void test_call_on_body(void *context, struct span bytes)
{
	struct test_call *test = context;
	size_t room = test->body_len < TEST_CALL_KEEP ? TEST_CALL_KEEP - test->body_len : 0;
	memcpy(test->body + (TEST_CALL_KEEP - room), bytes.at, bytes.len < room ? bytes.len : room);
	test->bodies++;
	test->body_len += bytes.len;
	if (test->at_body != NULL)
		test->at_body(test);
}

static inline void test_call_on_done(void *context, const struct http_call_result *result)
{
	struct test_call *test = context;
	test->dones++;
	test->error = result->error;
	test->reused = result->reused;
	test->stale = result->stale;
	snprintf(test->detail, sizeof(test->detail), "%s", result->detail);
	test->done_us = timers_refresh(test->timers);
	if (test->at_done != NULL)
		test->at_done(test);
	test->call = NULL;
}

static inline void test_call_on_tight(void *context)
{
	struct test_call *test = context;
	test->tights++;
	if (test->at_tight != NULL)
		test->at_tight(test);
}

static const struct http_call_ops test_call_ops = {test_call_on_head, test_call_on_body, test_call_on_done,
						   test_call_on_tight};

struct test_env {
	struct test_reactor *reactor;
	struct http_client *client;
	struct http_origin *origin;
	struct test_server *server;
};

/* The connect timeout of the origins that are made from now on, microseconds: no busy machine reaches it, unless a test
 * says so. */
enum { TEST_CONNECT_US = 60000000 };
static uint64_t test_connect_us = TEST_CONNECT_US;

static inline struct http_origin *env_origin(struct test_env *env, const char *format, int port)
{
	char url[256];
	const char *error = NULL;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(url, sizeof(url), format, port);
#pragma GCC diagnostic pop
	struct secret *bearer = secret_create(SPAN("s3cret"));
	struct http_origin_options options = {.url = url,
					      .bearer = bearer,
					      .connect_timeout_us = test_connect_us,
					      .resolve_us = 30000000,
					      .metrics = metrics_cells_of(0)};
	struct http_origin *origin = http_origin_create(env->client, &options, &error);
	secret_drop(bearer);
	if (origin == NULL)
		fail_msg("%s", error);
	return origin;
}

/* script: NULL = no server and no origin. */
static inline void env_open(struct test_env *env, test_script script, void *context)
{
	*env = (struct test_env){.reactor = test_reactor_create()};
	env->client = http_client_create(&env->reactor->reactor, 1000);
	assert_non_null(env->client);
	if (script == NULL)
		return;
	env->server = test_server_start(script, context);
	env->origin = env_origin(env, "http://127.0.0.1:%d", env->server->port);
}

/* Nothing may be left behind. */
static inline void env_close(struct test_env *env)
{
	assert_int_equal(http_client_active(env->client), 0);
	http_origin_destroy(env->origin);
	http_client_destroy(env->client);
	assert_int_equal(env->reactor->watched, 0);
	if (env->server != NULL)
		test_server_stop(env->server);
	test_reactor_destroy(env->reactor);
}

static inline void call_start_request(struct test_env *env, struct test_call *test, struct http_origin *origin,
				      const struct http_call_request *request)
{
	test->timers = &env->reactor->reactor.timers;
	test->origin = origin;
	test->call = http_call_start(origin, request, &test_call_ops, test);
	assert_non_null(test->call);
	assert_int_equal(test->heads + test->bodies + test->dones, 0); /* never inside the start */
}

static inline void call_start(struct test_env *env, struct test_call *test, const char *body)
{
	struct http_call_request request = {.path = "/v1/x", .body = span_of(body)};
	call_start_request(env, test, env->origin, &request);
}

static inline void run_ms(struct test_env *env, unsigned ms)
{
	test_reactor_run(env->reactor, (uint64_t)ms * 1000);
}

/* Turns until the condition holds; fails the test after two minutes, which a busy machine or valgrind may need. */
#define RUN_UNTIL(env, condition)                                                                  \
	do {                                                                                       \
		uint64_t run_end_ = timers_refresh(&(env)->reactor->reactor.timers) + 120000000;   \
		while (!(condition) && timers_refresh(&(env)->reactor->reactor.timers) < run_end_) \
			test_reactor_turn((env)->reactor, 5000);                                   \
		if (!(condition))                                                                  \
			fail_msg("never happened: %s", #condition);                                \
	} while (0)

static inline void call_expect(struct test_call *test, enum error_code error)
{
	if (test->error != error)
		fail_msg("expected %s, got %s (%s)", error_row(error)->code, error_row(test->error)->code,
			 test->detail);
	assert_int_equal(test->dones, 1);
	assert_null(strstr(test->detail, "s3cret"));
}

#define REPLY(body_len, body) "HTTP/1.1 200 OK\r\nContent-Length: " #body_len "\r\n\r\n" body

#endif
