/* SPDX-License-Identifier: MIT */
/*
 * A peer that is no Redis, or a broken one: garbage, answers nobody asked for,
 * endless ones, one byte at a time, redirections in circles, random bytes. No
 * command waits beyond its deadline or is answered twice.
 */
#include "tests/unit/clients/test_redis.h"
#include "tests/unit/clients/test_server.h"

/* Reads something; false when the client closed. */
static bool peer_hear(struct test_peer *peer)
{
	ssize_t got = recv(peer->fd, peer->bytes, TEST_SERVER_BUFFER, 0);
	peer->len = got > 0 ? (size_t)got : 0;
	peer->bytes[peer->len] = '\0';
	return got > 0;
}

/* Answers the PING of a greeting; a command that came with it stays in bytes. */
static bool peer_greet(struct test_peer *peer)
{
	return peer_hear(peer) && peer_say(peer, "+PONG\r\n");
}

static void env_open_peer(struct redis_env *env, const struct test_server *server)
{
	env_prepare(env);
	env_add_address(env, server->port);
	env_start(env);
}

/* Everything is over: the peer's threads end when the client is gone. */
static void env_close_peer(struct redis_env *env, struct test_server *server)
{
	env_close(env);
	test_server_stop(server);
}

/* Says its context after the greeting, and waits. */
static void say_behind_greeting(struct test_peer *peer)
{
	if (peer_greet(peer) && peer_hear(peer)) {
		peer_say(peer, peer->server->context);
		peer_await_close(peer);
	}
}

static void say_at_once(struct test_peer *peer)
{
	peer_say(peer, peer->server->context);
	peer_await_close(peer);
}

/* The command stays unanswered, the connection is given up, and the log says why. */
static void expect_refused(test_script script, const char *said, const char *why)
{
	struct redis_env env;
	struct asked asked;
	struct test_server *server = test_server_start(script, (void *)said);
	env_open_peer(&env, server);
	if (script == say_behind_greeting) {
		AWAIT(&env, ASK(&env, &asked, "GET", "a"));
		AWAIT(&env, asked.replies == 1);
		assert_int_equal(asked.kind, REDIS_SILENT);
	}
	AWAIT(&env, env_logged(&env, "redis is down") == 1);
	if (env_logged(&env, why) != 1)
		fail_msg("\"%s\" is not in %s", why, env_log(&env));
	AWAIT(&env, server->closed >= 1);
	env_close_peer(&env, server);
}

static void garbage_is_no_answer(void **state)
{
	(void)state;
	expect_refused(say_at_once, "HTTP/1.1 400 Bad Request\r\n\r\n", "Protocol error, got");
	expect_refused(say_at_once, "+HELLO\r\n", "it does not answer as a Redis does");
	expect_refused(say_at_once, ":5\r\n", "it does not answer as a Redis does");
	expect_refused(say_at_once, "*0\r\n", "it does not answer as a Redis does");
	expect_refused(say_at_once, "-ERR max number of clients reached\r\n", "it answers a PING with an error");
	expect_refused(say_behind_greeting, "\r\n", "Protocol error");
	expect_refused(say_behind_greeting, ":12a\r\n", "Bad integer value");
	expect_refused(say_behind_greeting, "$-7\r\n", "Bulk string length out of range");
	expect_refused(say_behind_greeting, "*-7\r\n", "Multi-bulk length out of range");
}

static void answers_that_nobody_asked_for_end_the_connection(void **state)
{
	(void)state;
	expect_refused(say_at_once, "+PONG\r\n+PONG\r\n", "it sent an answer that nobody asked for");
	expect_refused(say_at_once, "+PONG\r\n-ERR x\r\n", "it sent an answer that nobody asked for");
	expect_refused(say_at_once, "+PONG\r\n*1\r\n:1\r\n", "it sent an answer that nobody asked for");
}

static void what_is_too_large_is_refused_before_it_came(void **state)
{
	(void)state;
	expect_refused(say_behind_greeting, "$16777217\r\n", "it sent an answer that is too large");
	expect_refused(say_behind_greeting, "$99999999999999999999999\r\n", "Bad bulk string length");
	expect_refused(say_behind_greeting, "*2147483647\r\n", "it sent an answer that is too large");
	expect_refused(say_behind_greeting, "*2\r\n*400000\r\n", "it sent an answer that is too large");
	expect_refused(say_behind_greeting, "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
		       "No support for nested");
}

static void say_endless_line(struct test_peer *peer)
{
	char line[65536];
	memset(line, 'x', sizeof(line));
	if (!peer_greet(peer) || !peer_hear(peer))
		return;
	peer_say(peer, "+");
	while (peer_write(peer, line, sizeof(line)))
		continue;
	peer->server->closed++;
}

static void a_line_without_end_is_refused(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	struct test_server *server = test_server_start(say_endless_line, NULL);
	env_open_peer(&env, server);
	AWAIT(&env, ASK(&env, &asked, "GET", "a"));
	AWAIT(&env, asked.replies == 1);
	assert_int_equal(asked.kind, REDIS_SILENT);
	assert_int_equal(env_logged(&env, "it sent an answer that is too large"), 1);
	env_close_peer(&env, server);
}

/* Three answers, one byte at a time, in packets of their own as far as the kernel likes. */
static void say_bytes(struct test_peer *peer)
{
	static const char answers[] = "*3\r\n$5\r\nhe\r\no\r\n:-42\r\n*2\r\n$-1\r\n$0\r\n\r\n+fine\r\n-ERR no\r\n";
	if (!peer_greet(peer) || !peer_hear(peer))
		return;
	for (size_t i = 0; i + 1 < sizeof(answers); i++) {
		peer_write(peer, answers + i, 1);
		usleep(200);
	}
	peer_await_close(peer);
}

static void answers_come_byte_by_byte(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked[3];
	struct test_server *server = test_server_start(say_bytes, NULL);
	env_open_peer(&env, server);
	AWAIT(&env, redis_readable(env.redis));
	for (int i = 0; i < 3; i++)
		assert_true(ASK(&env, &asked[i], "GET", "a"));
	AWAIT(&env, asked[2].replies == 1);
	assert_int_equal(asked[0].kind, REDIS_ARRAY);
	assert_int_equal(asked[0].count, 3);
	assert_string_equal(asked[1].text, "fine");
	assert_string_equal(asked[2].text, "ERR no");
	env_close_peer(&env, server);
}

static void say_half(struct test_peer *peer)
{
	if (peer_greet(peer) && peer_hear(peer))
		peer_say(peer, "*2\r\n$5\r\nhello\r\n$5\r\nwo");
}

static void a_connection_that_ends_in_an_answer_is_silence(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	struct test_server *server = test_server_start(say_half, NULL);
	env_open_peer(&env, server);
	for (int i = 0; i < 5; i++) {
		AWAIT(&env, ASK(&env, &asked, "GET", "a"));
		AWAIT(&env, asked.replies == 1);
		assert_int_equal(asked.kind, REDIS_SILENT);
	}
	env_close_peer(&env, server);
}

static void say_nothing(struct test_peer *peer)
{
	peer_await_close(peer);
}

static void who_does_not_greet_is_given_up(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	struct test_server *server = test_server_start(say_nothing, NULL);
	env_prepare(&env);
	env_add_address(&env, server->port);
	env.config.connect_us = 20000;
	env_start(&env);
	AWAIT(&env, server->closed >= 2);
	assert_false(ASK(&env, &asked, "GET", "a"));
	assert_int_equal(env_logged(&env, "it did not answer a greeting in time"), 1);
	assert_int_equal(env_logged(&env, "\n"), 1);
	env_close_peer(&env, server);
}

/* Takes a large command through a small buffer, and counts its mebibytes; the context says how many it may. */
static void read_slowly(struct test_peer *peer)
{
	const atomic_int *allowed = peer->server->context;
	size_t taken = 0;
	int buffer = 65536;
	setsockopt(peer->fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	if (!peer_greet(peer))
		return;
	while (taken < 8 << 20 && peer_hear(peer)) {
		taken += peer->len;
		peer->server->requests = (int)(taken >> 20);
		while (*allowed <= peer->server->requests)
			usleep(100);
	}
	peer_say(peer, "+OK\r\n+PONG\r\n");
	peer_await_close(peer);
}

/* Seconds pass while a large command is on its way: as long as it moves, the PING behind it may wait. */
static void a_slow_reader_is_not_dead(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked = {.command = {.on_reply = asked_on_reply}, .env = &env};
	atomic_int allowed = 1;
	struct test_server *server = test_server_start(read_slowly, &allowed);
	char *value = calloc(1, (8 << 20) + 1);
	assert_non_null(value);
	struct span set[] = {SPAN("SET"), SPAN("k"), {value, 8 << 20}};
	env_open_peer(&env, server);
	AWAIT(&env, redis_readable(env.redis));
	assert_true(redis_send(env.redis, &asked.command, set, 3, 1, env_now(&env) + 3600000000));
	for (int seen = 0; asked.replies == 0 && env_logged(&env, "redis is down") == 0;) {
		test_reactor_turn(env.reactor, 1000);
		if (server->requests > seen) { /* it took more than its buffer holds: two seconds are over */
			seen = server->requests;
			env.reactor->skew_us += 2000000;
			test_reactor_turn(env.reactor, 0);
			allowed = seen + 1;
		}
	}
	assert_int_equal(env_logged(&env, "redis is down"), 0);
	assert_string_equal(asked.text, "OK");
	free(value);
	env_close_peer(&env, server);
}

static void a_name_that_nobody_knows_is_told(void **state)
{
	(void)state;
	struct redis_env env;
	env_prepare(&env);
	env_add_address(&env, 1);
	env.address[0].host = "name.invalid";
	env_start(&env);
	AWAIT(&env, env_logged(&env, "its name is not known") == 1 || env_logged(&env, "not resolved in time") == 1);
	env_close(&env);
}

/* A node of a cluster that says where all slots are, and sends everybody on, to itself. */
static void say_moved(struct test_peer *peer)
{
	const char *how = peer->server->context;
	char text[512];
	int port = peer->server->port;
	while (peer_hear(peer)) {
		const char *at = peer->bytes;
		while ((at = strchr(at, '*')) != NULL) {
			const char *next = strchr(at + 1, '*');
			size_t len = next == NULL ? strlen(at) : (size_t)(next - at);
			if (memmem(at, len, "INFO", 4) != NULL)
				snprintf(text, sizeof(text), "$16\r\ncluster_state:ok\r\n");
			else if (memmem(at, len, "SLOTS", 5) != NULL)
				snprintf(text, sizeof(text),
					 "*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n$9\r\n127.0.0.1\r\n:%d\r\n$2\r\nid\r\n",
					 port);
			else if (memmem(at, len, "ASKING", 6) != NULL)
				snprintf(text, sizeof(text), "+OK\r\n");
			else if (strstr(how, "%d") != NULL)
				snprintf(text, sizeof(text), "-%.*s%d\r\n", (int)(strstr(how, "%d") - how), how, port);
			else
				snprintf(text, sizeof(text), "-%s\r\n", how);
			if (memmem(at, len, "GET", 3) != NULL)
				peer->server->requests++;
			if (!peer_say(peer, text))
				return;
			at++;
		}
	}
}

static void expect_bounded(const char *how, int sent)
{
	struct redis_env env;
	struct asked asked;
	struct test_server *server = test_server_start(say_moved, (void *)how);
	env_prepare(&env);
	env.config.mode = CONFIG_REDIS_CLUSTER;
	env_add_address(&env, server->port);
	env_start(&env);
	AWAIT(&env, ASK(&env, &asked, "GET", "a"));
	AWAIT(&env, asked.replies == 1);
	assert_int_equal(asked.kind, REDIS_ERROR);
	assert_int_equal(server->requests, sent);
	env_close_peer(&env, server);
}

static void redirections_in_circles_are_bounded(void **state)
{
	(void)state;
	expect_bounded("MOVED 1 127.0.0.1:%d", 6);
	expect_bounded("MOVED 1 :%d", 6);
	expect_bounded("ASK 1 127.0.0.1:%d", 6);
	expect_bounded("TRYAGAIN later", 6);
}

static void redirections_to_nowhere_are_errors(void **state)
{
	(void)state;
	static const char *const texts[] = {"MOVED",
					    "MOVED 1",
					    "MOVED 16384 127.0.0.1:1",
					    "MOVED x 127.0.0.1:1",
					    "MOVED 1 a:",
					    "MOVED 1 a:0",
					    "MOVED 1 a:70000",
					    "MOVED -1 a:1",
					    "MOVED 1 a:b c",
					    "ASK :",
					    "MOVED 1 2:3 ",
					    "CLUSTERDOWN Hash slot not served"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		expect_bounded(texts[i], 1);
}

/* ---- random bytes ---- */

struct dice {
	uint64_t state;
};

static unsigned roll(struct dice *dice, unsigned sides)
{
	dice->state ^= dice->state << 13;
	dice->state ^= dice->state >> 7;
	dice->state ^= dice->state << 17;
	return (unsigned)(dice->state >> 20) % sides;
}

/* Mostly answers, some of them fitting, some cut, some with a byte changed. */
static size_t random_bytes(struct dice *dice, char *out, size_t most, int port)
{
	static const char *const pieces[] = {"+OK\r\n",
					     "+PONG\r\n",
					     ":1\r\n",
					     ":-9223372036854775808\r\n",
					     "$-1\r\n",
					     "$3\r\nabc\r\n",
					     "$0\r\n\r\n",
					     "$16\r\ncluster_state:ok\r\n",
					     "*0\r\n",
					     "*-1\r\n",
					     "*2\r\n",
					     "*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n",
					     "*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n$0\r\n\r\n:PORT\r\n$2\r\nid\r\n",
					     "*2\r\n$9\r\n127.0.0.1\r\n$5\r\nPORT\r\n",
					     "*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n",
					     "*2\r\n$2\r\n17\r\n*0\r\n",
					     "*1\r\n$6\r\nmaster\r\n",
					     "-ERR no\r\n",
					     "-OOM full\r\n",
					     "-READONLY no\r\n",
					     "-MISCONF no\r\n",
					     "-LOADING yes\r\n",
					     "-BUSY yes\r\n",
					     "-NOAUTH no\r\n",
					     "-NOSCRIPT no\r\n",
					     "-CLUSTERDOWN The cluster is down\r\n",
					     "-TRYAGAIN x\r\n",
					     "-MOVED 1 127.0.0.1:PORT\r\n",
					     "-MOVED 9999 :PORT\r\n",
					     "-ASK 1 127.0.0.1:PORT\r\n",
					     "$5\r\nhel",
					     "*1000\r\n",
					     "\r\n"};
	size_t len = 0;
	for (unsigned i = 1 + roll(dice, 6); i > 0 && len + 128 < most; i--) {
		char piece[128];
		const char *from = pieces[roll(dice, sizeof(pieces) / sizeof(pieces[0]))];
		const char *mark = strstr(from, "PORT");
		if (mark != NULL)
			snprintf(piece, sizeof(piece), "%.*s%05d%s", (int)(mark - from), from, port, mark + 4);
		else
			snprintf(piece, sizeof(piece), "%s", from);
		memcpy(out + len, piece, strlen(piece));
		len += strlen(piece);
	}
	if (len > 0 && roll(dice, 4) == 0)
		out[roll(dice, (unsigned)len)] = (char)roll(dice, 256);
	if (len > 0 && roll(dice, 8) == 0)
		len -= roll(dice, (unsigned)len);
	return len;
}

/* What a well-behaved server of any mode says to the questions of the client itself; NULL = it is another command. */
static const char *fitting(const char *command, size_t len, int port, char text[128])
{
	static const char *const fixed[][2] = {{"PING", "+PONG\r\n"},
					       {"INFO", "$16\r\ncluster_state:ok\r\n"},
					       {"ROLE", "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"},
					       {"ASKING", "+OK\r\n"}};
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (memmem(command, len, fixed[i][0], strlen(fixed[i][0])) != NULL)
			return fixed[i][1];
	if (memmem(command, len, "SLOTS", 5) != NULL)
		snprintf(text, 128, "*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n$9\r\n127.0.0.1\r\n:%d\r\n$2\r\nid\r\n", port);
	else if (memmem(command, len, "SENTINEL", 8) != NULL)
		snprintf(text, 128, "*2\r\n$9\r\n127.0.0.1\r\n$5\r\n%05d\r\n", port);
	else
		return NULL;
	return text;
}

static bool say_portions(struct test_peer *peer, struct dice *dice, const char *bytes, size_t len)
{
	for (size_t at = 0; at < len;) {
		size_t portion = roll(dice, 3) == 0 ? 1 + roll(dice, (unsigned)(len - at)) : len - at;
		if (!peer_write(peer, bytes + at, portion))
			return false;
		at += portion;
		if (roll(dice, 8) == 0)
			usleep(roll(dice, 300));
	}
	return true;
}

/* Mostly answers as it should, but anything at random, and ends at random. */
static void say_anything(struct test_peer *peer)
{
	struct dice dice = {(uint64_t)(uintptr_t)peer->server->context * 0x9e3779b97f4a7c15u +
			    (uint64_t)peer->number * 77777 + 1};
	char bytes[2048];
	unsigned mad = roll(&dice, 3) == 0 ? 4 : 40; /* one in so many answers */
	while (peer_hear(peer)) {
		const char *end = peer->bytes + peer->len;
		for (const char *at = peer->bytes; at < end && (at = memchr(at, '*', (size_t)(end - at))) != NULL;
		     at++) {
			const char *next = memchr(at + 1, '*', (size_t)(end - at) - 1);
			const char *fit =
			    fitting(at, (size_t)((next == NULL ? end : next) - at), peer->server->port, bytes);
			if (fit == NULL)
				fit = "$5\r\nhello\r\n";
			size_t len = strlen(fit);
			if (fit != bytes)
				memcpy(bytes, fit, len);
			if (roll(&dice, mad) == 0)
				len = random_bytes(&dice, bytes, sizeof(bytes), peer->server->port);
			if (!say_portions(peer, &dice, bytes, len))
				return;
			if (roll(&dice, 300) == 0) {
				if (roll(&dice, 2) == 0)
					peer_reset(peer);
				return;
			}
		}
	}
}

/* Commands all the time; each is answered once, and in time. */
static void survive(enum config_redis_mode mode, unsigned seed, uint64_t microseconds)
{
	enum { COUNT = 64 };
	static struct asked asked[COUNT];
	struct redis_env env;
	struct redis_script script;
	struct test_server *server = test_server_start(say_anything, (void *)(uintptr_t)seed);
	uint64_t answered = 0;
	redis_script_init(&script, "return 1", false);
	env_prepare(&env);
	log_setup(env.log, LOG_ERROR);
	env.config.mode = mode;
	env.config.master = "m";
	env.config.connect_us = 20000000;
	env_add_address(&env, server->port);
	env_start(&env);
	memset(asked, 0, sizeof(asked));
	uint64_t end = env_now(&env) + microseconds;
	while (env_now(&env) - env.reactor->skew_us < end || server->connections < 2) {
		for (int i = 0; i < COUNT; i++) {
			struct asked *one = &asked[i];
			static const char *const words[][4] = {
			    {"GET", "a"}, {"SET", "b", "c"}, {"UNLINK", "d"}, {"MGET", "e"}};
			if (redis_is_pending(&one->command)) {
				if (random() % 50 == 0)
					redis_cancel(&one->command);
				continue;
			}
			assert_true(one->replies <= 1);
			answered += one->replies;
			*one = (struct asked){.command = {.on_reply = asked_on_reply}, .env = &env};
			uint64_t deadline = env_now(&env) + 1000 + (uint64_t)random() % 20000;
			if (i % 8 == 0)
				redis_eval(env.redis, &one->command, &script, SPAN("k"), NULL, 0, deadline);
			else
				ask_within(&env, one, deadline - env_now(&env), 1, words[i % 4]);
		}
		if (!redis_readable(env.redis))
			env.reactor->skew_us += 200000; /* backing off takes no time here */
		test_reactor_turn(env.reactor, 1000);
	}
	env.reactor->skew_us += 1000000;
	test_reactor_turn(env.reactor, 0);
	for (int i = 0; i < COUNT; i++)
		assert_false(redis_is_pending(&asked[i].command));
	assert_true(server->connections > 1);
	print_message("seed %u: %d connections, %lu answers\n", seed, server->connections, (unsigned long)answered);
	log_setup(env.log, LOG_INFO);
	env_close_peer(&env, server);
}

static void random_bytes_do_no_harm(void **state)
{
	(void)state;
	const char *seconds = getenv("REDIS_FUZZ_SECONDS");
	uint64_t each = (seconds == NULL ? 1 : strtoul(seconds, NULL, 10)) * 1000000;
	for (unsigned seed = 1; seed <= 2; seed++) {
		survive(CONFIG_REDIS_SINGLE, seed, each / 2);
		survive(CONFIG_REDIS_CLUSTER, seed, each / 2);
		survive(CONFIG_REDIS_SENTINEL, seed, each / 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(garbage_is_no_answer),
	    cmocka_unit_test(answers_that_nobody_asked_for_end_the_connection),
	    cmocka_unit_test(what_is_too_large_is_refused_before_it_came),
	    cmocka_unit_test(a_line_without_end_is_refused),
	    cmocka_unit_test(answers_come_byte_by_byte),
	    cmocka_unit_test(a_connection_that_ends_in_an_answer_is_silence),
	    cmocka_unit_test(who_does_not_greet_is_given_up),
	    cmocka_unit_test(a_slow_reader_is_not_dead),
	    cmocka_unit_test(a_name_that_nobody_knows_is_told),
	    cmocka_unit_test(redirections_in_circles_are_bounded),
	    cmocka_unit_test(redirections_to_nowhere_are_errors),
	    cmocka_unit_test(random_bytes_do_no_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
