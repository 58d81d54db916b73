/* SPDX-License-Identifier: MIT */
/* Backends that misbehave, and what a call is told: rows 1-4, 8, 16-22 of the fault table. */
#include "tests/unit/clients/test_call.h"

#include <sys/resource.h>

#include "lib/errors.h"

/* One answer for one connection, by the text that the context points to; then a close. */
static void say_and_close(struct test_peer *peer)
{
	if (peer_read(peer))
		peer_say(peer, peer->server->context);
}

static void say_and_reset(struct test_peer *peer)
{
	say_and_close(peer);
	peer_await_release(peer); /* a RST overtakes the bytes before it */
	peer_reset(peer);
}

/* The connection stays open: the client must close it. */
static void say_and_stay(struct test_peer *peer)
{
	say_and_close(peer);
	peer_await_close(peer);
}

/* One call against script. The caller compares what came before the end. */
static void fault(test_script script, const char *answer, enum error_code expected, struct test_call *test)
{
	struct test_env env;
	env_open(&env, script, (void *)(uintptr_t)answer);
	*test = (struct test_call){0};
	call_start(&env, test, "{}");
	if (script == say_and_reset && strstr(answer, "hello") != NULL)
		RUN_UNTIL(&env, test->bodies > 0);
	atomic_store(&env.server->release, true);
	RUN_UNTIL(&env, test->dones > 0);
	if (test->error != expected)
		print_message("answer was: %.60s\n", answer);
	call_expect(test, expected);
	assert_int_equal(env.server->requests, 1);
	if (script == say_and_stay && expected != ERROR_NONE)
		RUN_UNTIL(&env, env.server->closed == 1);
	env_close(&env);
}

/* Not by the connect timeout. */
static void a_refused_connection_is_told_at_once(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call test = {0};
	int port;
	env_open(&env, NULL, NULL);
	close(test_listen(&port));
	env.origin = env_origin(&env, "http://127.0.0.1:%d", port);
	call_start(&env, &test, "{}");
	RUN_UNTIL(&env, test.dones > 0);
	call_expect(&test, ERROR_UPSTREAM_CONNECT);
	env_close(&env);
}

/* A listener whose backlog is full drops further SYNs. */
static void a_black_hole_ends_at_the_connect_timeout(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call test = {0};
	int port, fillers[8];
	env_open(&env, NULL, NULL);
	int listener = test_listen(&port);
	listen(listener, 0);
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int i = 0; i < 8; i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(fillers[i], (struct sockaddr *)&address, sizeof(address)) != 0)
			assert_int_equal(errno, EINPROGRESS);
	}
	test_connect_us = 500000;
	env.origin = env_origin(&env, "http://127.0.0.1:%d", port);
	test_connect_us = TEST_CONNECT_US;
	uint64_t start = timers_refresh(&env.reactor->reactor.timers);
	call_start(&env, &test, "{}");
	RUN_UNTIL(&env, test.dones > 0);
	call_expect(&test, ERROR_UPSTREAM_CONNECT_TIMEOUT);
	assert_true(test.done_us - start >= 450000);
	env_close(&env);
	for (int i = 0; i < 8; i++)
		close(fillers[i]);
	close(listener);
}

static void an_unknown_name_is_a_dns_failure(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call first = {0}, second = {0};
	env_open(&env, NULL, NULL);
	env.origin = env_origin(&env, "http://does-not-exist.invalid:%d", 80);
	call_start(&env, &first, "{}");
	RUN_UNTIL(&env, first.dones > 0);
	call_expect(&first, ERROR_UPSTREAM_DNS);
	call_start(&env, &second, "{}"); /* the failure is known by now, or still waited for */
	RUN_UNTIL(&env, second.dones > 0);
	call_expect(&second, ERROR_UPSTREAM_DNS);
	env_close(&env);
}

static void a_connection_lost_before_the_head_is_a_reset(void **state)
{
	(void)state;
	struct test_call test;
	fault(say_and_close, "", ERROR_UPSTREAM_RESET, &test);
	fault(say_and_reset, "", ERROR_UPSTREAM_RESET, &test);
	fault(say_and_close, "HTTP/1.1 200 OK\r\nContent-Le", ERROR_UPSTREAM_RESET, &test);
	fault(say_and_close, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", ERROR_UPSTREAM_RESET, &test);
	fault(say_and_reset, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", ERROR_UPSTREAM_RESET, &test);
	fault(say_and_close, "HTTP/1.1 100 Continue\r\n\r\n", ERROR_UPSTREAM_RESET, &test);
	assert_int_equal(test.heads, 0);
	assert_false(test.reused);
}

static void a_body_that_ends_too_early_is_truncated(void **state)
{
	(void)state;
	struct test_call test;
	fault(say_and_close, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", ERROR_UPSTREAM_TRUNCATED, &test);
	assert_string_equal(test.body, "hello");
	fault(say_and_close, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", ERROR_UPSTREAM_TRUNCATED, &test);
	assert_int_equal(test.heads, 1);
	const char *chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
	char text[128];
	static const char *const ends[] = {"", "a\r\nhello", "5\r\nhello\r\n", "5\r\nhello\r\n0\r\n"};
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(text, sizeof(text), "%s%s", chunked, ends[i]);
		fault(say_and_close, text, ERROR_UPSTREAM_TRUNCATED, &test);
	}
}

static void a_reset_in_the_body_is_a_reset(void **state)
{
	(void)state;
	struct test_call test;
	fault(say_and_reset, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", ERROR_UPSTREAM_RESET, &test);
	assert_string_equal(test.body, "hello");
	fault(say_and_reset, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhello", ERROR_UPSTREAM_RESET,
	      &test);
	assert_string_equal(test.body, "hello");
}

static void what_is_not_http_is_a_protocol_error(void **state)
{
	(void)state;
	static const char *const answers[] = {
	    "hello, this is not http\r\n\r\n",
	    "\r\n\r\n",
	    "HTTP/2 200\r\n\r\n",
	    "HTTP/1.1 20 OK\r\n\r\n",
	    "HTTP/1.1 099 Low\r\n\r\n",
	    "HTTP/1.1 999 High\r\n\r\n",
	    "HTTP/1.1 101 Switching Protocols\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n 6\r\n\r\nhello",
	    "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello",
	    "HTTP/1.1 200 OK\r\n: 5\r\n\r\nhello",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello\r\n",
	};
	struct test_call test;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		fault(say_and_stay, answers[i], ERROR_UPSTREAM_PROTOCOL, &test);
		fault(say_and_close, answers[i], ERROR_UPSTREAM_PROTOCOL, &test);
	}
}

static void ambiguous_framing_is_refused_and_the_connection_closed(void **state)
{
	(void)state;
	static const char *const answers[] = {
	    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
	    "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
	    "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
	    "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nhello",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
	};
	struct test_call test;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		fault(say_and_stay, answers[i], ERROR_UPSTREAM_PROTOCOL, &test);
		assert_int_equal(test.heads + test.bodies, 0);
	}
	fault(say_and_stay, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\nhello", ERROR_NONE,
	      &test);
}

static void chunks_are_read_strictly(void **state)
{
	(void)state;
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	static const char *const answers[] = {
	    CHUNKED "5\nhello\r\n0\r\n\r\n",    CHUNKED "5\r\nhello\n0\r\n\r\n",     CHUNKED "5\r\nhelloo\r\n0\r\n\r\n",
	    CHUNKED "\r\nhello\r\n0\r\n\r\n",   CHUNKED "5 0\r\nhello\r\n0\r\n\r\n", CHUNKED "0\r\nX: 1\r\r\n\r\n",
	    CHUNKED " 5\r\nhello\r\n0\r\n\r\n", CHUNKED "5;a\nhello\r\n0\r\n\r\n",
	};
	struct test_call test;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		fault(say_and_stay, answers[i], ERROR_UPSTREAM_PROTOCOL, &test);
	fault(say_and_stay, CHUNKED "5 ;a=\"b\"\r\nhello\r\n00001\r\n!\r\n000\r\nX-Trailer: 1\r\n\r\n", ERROR_NONE,
	      &test);
	assert_string_equal(test.body, "hello!");
#undef CHUNKED
}

/* Byte by byte. */
static void dribble(struct test_peer *peer)
{
	if (!peer_read(peer))
		return;
	for (const char *at = peer->server->context; *at != '\0'; at++) {
		peer_write(peer, at, 1);
		usleep(200);
	}
	peer_await_close(peer);
}

static void an_answer_may_come_in_single_bytes(void **state)
{
	(void)state;
	struct test_call test;
	fault(dribble,
	      "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
	      "Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nX-A: 1\r\n\r\n",
	      ERROR_NONE, &test);
	assert_string_equal(test.body, "hello world");
	assert_string_equal(test.content_type, "text/plain");
	fault(dribble, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", ERROR_NONE, &test);
	assert_string_equal(test.body, "hello");
}

/* The same answer to every request. */
static void repeat(struct test_peer *peer)
{
	while (peer_read(peer))
		peer_say(peer, peer->server->context);
}

static void a_connection_is_used_again_only_if_the_answer_allows_it(void **state)
{
	(void)state;
	static const struct {
		const char *answer;
		bool again;
	} cases[] = {
	    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true},
	    {"HTTP/1.1 200 OK\r\nConnection: x,\tCLOSE , y\r\nContent-Length: 2\r\n\r\nok", false},
	    {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false},
	    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", true},
	    {"HTTP/1.0 200 OK\r\nConnection: close\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", false},
	    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false},
	    {"HTTP/1.1 204 No Content\r\n\r\n", true},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct test_env env;
		struct test_call first = {0}, second = {0};
		env_open(&env, repeat, (void *)(uintptr_t)cases[i].answer);
		call_start(&env, &first, "{}");
		RUN_UNTIL(&env, first.dones > 0);
		call_start(&env, &second, "{}");
		RUN_UNTIL(&env, second.dones > 0);
		call_expect(&second, ERROR_NONE);
		assert_int_equal(second.reused, cases[i].again);
		env_close(&env);
	}
}

/* The answer ends where a read ends, and bytes that nobody asked for are behind it. */
static void answer_and_more(struct test_peer *peer)
{
	static const char more[] = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 32000\r\nX-Pad: ";
	enum { READ = 32 * 1024, BODY = 32000 };
	char bytes[READ + sizeof(more)];
	if (!peer_read(peer))
		return;
	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes, head, sizeof(head) - 1);
	memcpy(bytes + READ - BODY - 4, "\r\n\r\n", 4);
	memcpy(bytes + READ, more, sizeof(more) - 1);
	peer_write(peer, bytes, READ + sizeof(more) - 1);
	while (peer_read(peer))
		peer_say(peer, REPLY(4, "good"));
}

static void start_other(struct test_call *test)
{
	call_start(test->context, test->other, "{}");
}

static void bytes_behind_an_answer_are_not_the_next_one(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call second = {0}, first = {.at_done = start_other, .other = &second, .context = &env};
	env_open(&env, answer_and_more, NULL);
	call_start(&env, &first, "{}");
	RUN_UNTIL(&env, second.dones > 0);
	assert_int_equal(first.body_len, 32000);
	assert_false(second.reused);
	assert_int_equal(second.body_len, 32000); /* the first answer of another connection */
	env_close(&env);
}

/* Says something without a length, reads nothing, and resets. */
static void begin_and_reset(struct test_peer *peer)
{
	char bytes[1000];
	if (recv(peer->fd, bytes, sizeof(bytes), 0) <= 0)
		return;
	peer_say(peer, peer->server->context);
	peer_await_release(peer);
	peer_reset(peer);
}

static void a_reset_that_sending_meets_cuts_the_body_as_well(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call test = {0};
	size_t len = 8 << 20;
	char *body = calloc(1, len);
	assert_non_null(body);
	env_open(&env, begin_and_reset, (void *)(uintptr_t) "HTTP/1.1 200 OK\r\n\r\ndata: par");
	struct http_call_request request = {.path = "/v1/x", .body = {body, len}};
	call_start_request(&env, &test, env.origin, &request);
	RUN_UNTIL(&env, test.bodies > 0);
	atomic_store(&env.server->release, true);
	RUN_UNTIL(&env, test.dones > 0);
	call_expect(&test, ERROR_UPSTREAM_RESET);
	free(body);
	env_close(&env);
}

/* Answers before it has read the body, and reads no more. */
static void refuse_early(struct test_peer *peer)
{
	char byte;
	if (recv(peer->fd, &byte, 1, MSG_PEEK) <= 0)
		return;
	peer_say(peer, peer->server->context);
	peer_await_release(peer);
}

static void an_answer_before_the_request_has_gone_out_counts(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call test = {0};
	size_t len = 32 << 20; /* more than the kernel takes for a peer that reads nothing */
	char *body = calloc(1, len);
	assert_non_null(body);
	env_open(&env, refuse_early, (void *)(uintptr_t) "HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno");
	struct http_call_request request = {.path = "/v1/x", .body = {body, len}};
	call_start_request(&env, &test, env.origin, &request);
	RUN_UNTIL(&env, test.dones > 0);
	call_expect(&test, ERROR_NONE);
	assert_int_equal(test.head.status, 413);
	assert_int_equal(env.reactor->watched, 1); /* the look-ups'; the connection is not used again */
	atomic_store(&env.server->release, true);
	free(body);
	env_close(&env);
}

static void a_body_without_a_length_ends_with_the_connection(void **state)
{
	(void)state;
	struct test_call test;
	fault(say_and_close, "HTTP/1.1 200 OK\r\n\r\nhello", ERROR_NONE, &test);
	assert_string_equal(test.body, "hello");
	assert_int_equal(test.head.content_length, -1);
	fault(say_and_close, "HTTP/1.0 200 OK\r\n\r\nhello", ERROR_NONE, &test);
	fault(say_and_stay, "HTTP/1.1 204 No Content\r\n\r\n", ERROR_NONE, &test);
}

static void statuses_and_fields_are_told_as_they_are(void **state)
{
	(void)state;
	struct test_call test;
	fault(say_and_stay,
	      "HTTP/1.1 429 Slow\r\nRETRY-AFTER:  7 \r\nretry-after: 8\r\nContent-Type:text/plain\r\n"
	      "Content-Length: 2\r\n\r\nno",
	      ERROR_NONE, &test);
	assert_int_equal(test.head.status, 429);
	assert_string_equal(test.retry_after, "7");
	assert_string_equal(test.content_type, "text/plain");
	fault(say_and_stay, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
	      ERROR_NONE, &test);
	assert_int_equal(test.head.status, 302);
	fault(say_and_stay, "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n", ERROR_NONE,
	      &test);
	fault(say_and_stay, "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n", ERROR_NONE, &test);
}

static void nothing_is_inflated(void **state)
{
	(void)state;
	struct test_call test;
	fault(say_and_stay, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\n\x1f\x8b\x08zz",
	      ERROR_NONE, &test);
	assert_int_equal(test.head.content_encoding.len, 4);
	assert_memory_equal(test.body, "\x1f\x8b\x08zz", 5);
}

static void sixteen_informational_heads_are_skipped_and_no_more(void **state)
{
	(void)state;
	struct test_call test;
	char *text = calloc(1, 100000);
	for (int i = 0; i < 16; i++)
		strcat(text, "HTTP/1.1 103 Early Hints\r\nContent-Type: wrong\r\n\r\n");
	size_t len = strlen(text);
	strcat(text, "HTTP/1.1 200 OK\r\nContent-Type: right\r\nContent-Length: 2\r\n\r\nok");
	fault(say_and_stay, text, ERROR_NONE, &test);
	assert_int_equal(test.heads, 1);
	assert_string_equal(test.content_type, "right");
	strcpy(text + len, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	fault(say_and_stay, text, ERROR_UPSTREAM_PROTOCOL, &test);
	free(text);
}

static void flood_informational(struct test_peer *peer)
{
	if (peer_read(peer))
		while (peer_say(peer, "HTTP/1.1 100 Continue\r\n\r\n"))
			continue;
}

/* One header line without an end. */
static void flood_line(struct test_peer *peer)
{
	char block[65536];
	memset(block, 'x', sizeof(block) - 1);
	if (peer_read(peer) && peer_say(peer, "HTTP/1.1 200 OK\r\nX-Large: "))
		while (peer_say(peer, block))
			continue;
}

static void flood_lines(struct test_peer *peer)
{
	if (peer_read(peer) && peer_say(peer, "HTTP/1.1 200 OK\r\n"))
		while (peer_say(peer, "X-Header: some value of a header that is one of many\r\n"))
			continue;
}

static void flood_trailers(struct test_peer *peer)
{
	if (peer_read(peer) &&
	    peer_say(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"))
		while (peer_say(peer, "X-Trailer: some value of a trailer that is one of many\r\n"))
			continue;
}

static void floods_of_headers_are_cut_off(void **state)
{
	(void)state;
	struct test_call test;
	fault(flood_informational, "", ERROR_UPSTREAM_PROTOCOL, &test);
	fault(flood_line, "", ERROR_UPSTREAM_PROTOCOL, &test);
	fault(flood_lines, "", ERROR_UPSTREAM_PROTOCOL, &test);
	fault(flood_trailers, "", ERROR_UPSTREAM_PROTOCOL, &test);
}

static void a_header_line_may_have_32_kilobytes(void **state)
{
	(void)state;
	struct test_call test;
	char *text = calloc(1, 100000);
	char *value = malloc(40001);
	memset(value, 'v', 40000);
	snprintf(text, 100000, "HTTP/1.1 200 OK\r\nX-Long: %.32000s\r\nContent-Length: 2\r\n\r\nok", value);
	fault(say_and_stay, text, ERROR_NONE, &test);
	snprintf(text, 100000, "HTTP/1.1 200 OK\r\nX-Long: %.33000s\r\nContent-Length: 2\r\n\r\nok", value);
	fault(say_and_stay, text, ERROR_UPSTREAM_PROTOCOL, &test);
	free(value);
	free(text);
}

/* Answers the first request of each connection and closes on the second one. */
static void close_on_second(struct test_peer *peer)
{
	if (peer_read(peer) && peer_say(peer, REPLY(2, "ok")))
		peer_read(peer);
}

static void reset_on_second(struct test_peer *peer)
{
	close_on_second(peer);
	peer_reset(peer);
}

/* To send it again is for the caller to decide, who is told that the connection was stale. */
static void no_resend_with(test_script script)
{
	struct test_env env;
	struct test_call first = {0}, second = {0}, third = {0};
	uint64_t before = metrics_sum(METRIC_STALE_CONNECTIONS, 0, 0, 0);
	env_open(&env, script, NULL);
	call_start(&env, &first, "{}");
	RUN_UNTIL(&env, first.dones > 0);
	call_start(&env, &second, "{}");
	RUN_UNTIL(&env, second.dones > 0);
	call_expect(&second, ERROR_UPSTREAM_RESET);
	assert_true(second.reused);
	assert_true(second.stale);
	assert_int_equal(metrics_sum(METRIC_STALE_CONNECTIONS, 0, 0, 0), before + 1);
	run_ms(&env, 50);
	assert_int_equal(env.server->requests, 2);
	assert_int_equal(env.server->connections, 1); /* not even a connection for it */
	call_start(&env, &third, "{}");
	RUN_UNTIL(&env, third.dones > 0);
	call_expect(&third, ERROR_NONE);
	assert_false(third.reused);
	env_close(&env);
}

static void a_request_is_never_sent_twice(void **state)
{
	(void)state;
	no_resend_with(close_on_second);
	no_resend_with(reset_on_second);
}

static void begin_the_second_answer(struct test_peer *peer)
{
	close_on_second(peer);
	peer_say(peer, (const char *)peer->server->context);
}

/* The backend began to answer, so it has seen the request. */
static void a_connection_that_breaks_in_the_answer_is_not_stale(void **state)
{
	static const char *const beginnings[] = {"HTTP/1.1 200 OK\r\nContent-", "HTTP/1.1 100 Continue\r\n\r\n",
						 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"};
	(void)state;
	uint64_t before = metrics_sum(METRIC_STALE_CONNECTIONS, 0, 0, 0);
	for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
		struct test_env env;
		struct test_call first = {0}, second = {0};
		env_open(&env, begin_the_second_answer, (void *)(uintptr_t)beginnings[i]);
		call_start(&env, &first, "{}");
		RUN_UNTIL(&env, first.dones > 0);
		call_start(&env, &second, "{}");
		RUN_UNTIL(&env, second.dones > 0);
		assert_int_not_equal(second.error, ERROR_NONE);
		assert_true(second.reused);
		assert_false(second.stale);
		assert_int_equal(env.server->requests, 2);
		env_close(&env);
	}
	assert_int_equal(metrics_sum(METRIC_STALE_CONNECTIONS, 0, 0, 0), before);
}

static void read_and_close(struct test_peer *peer)
{
	peer_read(peer);
}

static void a_new_connection_that_breaks_is_not_stale(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call test = {0};
	env_open(&env, read_and_close, NULL);
	call_start(&env, &test, "{}");
	RUN_UNTIL(&env, test.dones > 0);
	call_expect(&test, ERROR_UPSTREAM_RESET);
	assert_false(test.stale);
	env_close(&env);
}

/* A resend may also find another idle connection instead of opening one. */
static void a_request_is_not_resent_on_another_idle_connection(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call calls[4] = {0}, last = {0};
	env_open(&env, close_on_second, NULL);
	for (int i = 0; i < 4; i++)
		call_start(&env, &calls[i], "{}");
	RUN_UNTIL(&env, http_client_active(env.client) == 0);
	assert_int_equal(env.server->connections, 4);
	call_start(&env, &last, "{}");
	RUN_UNTIL(&env, last.dones > 0);
	call_expect(&last, ERROR_UPSTREAM_RESET);
	assert_true(last.reused);
	run_ms(&env, 50);
	assert_int_equal(env.server->requests, 5);
	env_close(&env);
}

/* Answers and closes when the test says that the connection is idle. */
static void close_when_idle(struct test_peer *peer)
{
	if (peer_read(peer) && peer_say(peer, REPLY(2, "ok")))
		peer_await_release(peer);
}

static void reset_when_idle(struct test_peer *peer)
{
	close_when_idle(peer);
	peer_reset(peer);
}

/* Says more than it was asked for: the bytes must not become the answer to the next request. */
static void talk_when_idle(struct test_peer *peer)
{
	close_when_idle(peer);
	peer_say(peer, REPLY(3, "bad"));
	peer_await_close(peer);
}

/* Turns for a while; at least once, however busy the machine is. Returns how often. */
static unsigned turns_within(struct test_env *env, uint64_t us)
{
	unsigned turns = 0;
	uint64_t end = timers_refresh(&env->reactor->reactor.timers) + us;
	do {
		test_reactor_turn(env->reactor, 10000);
		turns++;
	} while (timers_refresh(&env->reactor->reactor.timers) < end);
	return turns;
}

static void idle_connection_is_replaced(test_script script)
{
	struct test_env env;
	struct test_call first = {0}, second = {0};
	env_open(&env, script, NULL);
	call_start(&env, &first, "{}");
	RUN_UNTIL(&env, first.dones > 0);
	atomic_store(&env.server->release, true);
	if (script == talk_when_idle)
		RUN_UNTIL(&env, env.server->closed == 1);
	else
		RUN_UNTIL(&env, atomic_load(&env.server->running) == 0);
	assert_in_range(turns_within(&env, 60000), 1, 30); /* no spinning on a dead descriptor */
	call_start(&env, &second, "{}");
	RUN_UNTIL(&env, second.dones > 0);
	call_expect(&second, ERROR_NONE);
	assert_string_equal(second.body, "ok");
	assert_false(second.reused);
	assert_int_equal(env.server->requests, 2);
	env_close(&env);
}

static void an_idle_connection_that_closed_or_talked_is_not_used_again(void **state)
{
	(void)state;
	idle_connection_is_replaced(close_when_idle);
	idle_connection_is_replaced(reset_when_idle);
	idle_connection_is_replaced(talk_when_idle);
}

static void excess(struct test_peer *peer)
{
	if (peer_read(peer))
		peer_say(peer, REPLY(2, "ok") REPLY(3, "bad"));
	peer_await_close(peer);
}

static void bytes_behind_an_answer_close_the_connection(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call test = {0};
	env_open(&env, excess, NULL);
	call_start(&env, &test, "{}");
	RUN_UNTIL(&env, test.dones > 0);
	call_expect(&test, ERROR_NONE);
	assert_string_equal(test.body, "ok");
	RUN_UNTIL(&env, env.server->closed == 1);
	env_close(&env);
}

/* A client that paused does not learn of the reset before it goes on; nobody spins meanwhile. */
static void pause_own(struct test_call *test)
{
	http_call_pause(test->call);
}

static void a_reset_while_paused_is_told_after_the_resume(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call test = {.at_body = pause_own};
	env_open(&env, say_and_reset, (void *)(uintptr_t) "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
	call_start(&env, &test, "{}");
	RUN_UNTIL(&env, test.bodies == 1);
	atomic_store(&env.server->release, true);
	RUN_UNTIL(&env, atomic_load(&env.server->running) == 0); /* the RST was sent */
	assert_in_range(turns_within(&env, 100000), 1, 60);
	if (test.dones == 0)
		http_call_resume(test.call);
	RUN_UNTIL(&env, test.dones > 0);
	call_expect(&test, ERROR_UPSTREAM_RESET);
	env_close(&env);
}

static void a_socket_that_cannot_be_had_or_watched_is_overload(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call unwatched = {0}, unopened = {0}, after = {0};
	struct rlimit limit, none = {0};
	env_open(&env, say_and_stay, (void *)(uintptr_t)REPLY(2, "ok"));
	env.reactor->refuse = true;
	call_start(&env, &unwatched, "{}");
	RUN_UNTIL(&env, unwatched.dones > 0);
	call_expect(&unwatched, ERROR_OVERLOADED);
	env.reactor->refuse = false;
	getrlimit(RLIMIT_NOFILE, &limit);
	none.rlim_max = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &none);
	call_start(&env, &unopened, "{}");
	RUN_UNTIL(&env, unopened.dones > 0);
	setrlimit(RLIMIT_NOFILE, &limit);
	call_expect(&unopened, ERROR_OVERLOADED);
	call_start(&env, &after, "{}");
	RUN_UNTIL(&env, after.dones > 0);
	call_expect(&after, ERROR_NONE);
	env_close(&env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_refused_connection_is_told_at_once),
	    cmocka_unit_test(a_black_hole_ends_at_the_connect_timeout),
	    cmocka_unit_test(an_unknown_name_is_a_dns_failure),
	    cmocka_unit_test(a_connection_lost_before_the_head_is_a_reset),
	    cmocka_unit_test(a_body_that_ends_too_early_is_truncated),
	    cmocka_unit_test(a_reset_in_the_body_is_a_reset),
	    cmocka_unit_test(what_is_not_http_is_a_protocol_error),
	    cmocka_unit_test(ambiguous_framing_is_refused_and_the_connection_closed),
	    cmocka_unit_test(chunks_are_read_strictly),
	    cmocka_unit_test(an_answer_may_come_in_single_bytes),
	    cmocka_unit_test(a_connection_is_used_again_only_if_the_answer_allows_it),
	    cmocka_unit_test(bytes_behind_an_answer_are_not_the_next_one),
	    cmocka_unit_test(a_reset_that_sending_meets_cuts_the_body_as_well),
	    cmocka_unit_test(an_answer_before_the_request_has_gone_out_counts),
	    cmocka_unit_test(a_body_without_a_length_ends_with_the_connection),
	    cmocka_unit_test(statuses_and_fields_are_told_as_they_are),
	    cmocka_unit_test(nothing_is_inflated),
	    cmocka_unit_test(sixteen_informational_heads_are_skipped_and_no_more),
	    cmocka_unit_test(floods_of_headers_are_cut_off),
	    cmocka_unit_test(a_header_line_may_have_32_kilobytes),
	    cmocka_unit_test(a_request_is_never_sent_twice),
	    cmocka_unit_test(a_connection_that_breaks_in_the_answer_is_not_stale),
	    cmocka_unit_test(a_new_connection_that_breaks_is_not_stale),
	    cmocka_unit_test(a_request_is_not_resent_on_another_idle_connection),
	    cmocka_unit_test(an_idle_connection_that_closed_or_talked_is_not_used_again),
	    cmocka_unit_test(bytes_behind_an_answer_close_the_connection),
	    cmocka_unit_test(a_reset_while_paused_is_told_after_the_resume),
	    cmocka_unit_test(a_socket_that_cannot_be_had_or_watched_is_overload),
	};
	static const char *const names[] = {"a"};
	const struct metrics_names labels = {.models = names, .model_count = 1, .backends = names, .backend_count = 1};
	if (!http_client_global_setup() || !metrics_setup(1, &labels))
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	metrics_teardown();
	http_client_global_teardown();
	return failed;
}
