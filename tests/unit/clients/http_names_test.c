/* SPDX-License-Identifier: MIT */
/*
 * Origins with a host name, against a resolver of the test's own: getaddrinfo
 * and freeaddrinfo below take the place of the C library's. Rows 3 and 48.
 */
#include "tests/unit/clients/test_call.h"

#include <netdb.h>

#include "lib/errors.h"

enum { FAKE_MAX = 4 };

/* What the resolver answers; changed while no lookup is under way, or by atomics. */
static struct {
	const char *addresses[FAKE_MAX]; /* none = NXDOMAIN */
	atomic_int asked;
	atomic_int running;
	atomic_bool held; /* nobody gets an answer */
} fake;

static struct addrinfo *fake_entry(const char *text)
{
	struct addrinfo *entry = calloc(1, sizeof(*entry) + sizeof(struct sockaddr_in6));
	entry->ai_addr = (struct sockaddr *)(entry + 1);
	entry->ai_family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
	entry->ai_addr->sa_family = (sa_family_t)entry->ai_family;
	void *bytes = entry->ai_family == AF_INET6 ? (void *)&((struct sockaddr_in6 *)entry->ai_addr)->sin6_addr
						   : (void *)&((struct sockaddr_in *)entry->ai_addr)->sin_addr;
	if (inet_pton(entry->ai_family, text, bytes) != 1)
		abort();
	return entry;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **answer)
{
	struct addrinfo **tail = answer;
	(void)name, (void)service, (void)hints;
	fake.running++;
	fake.asked++;
	while (atomic_load(&fake.held))
		usleep(1000);
	*answer = NULL;
	for (int i = 0; i < FAKE_MAX && fake.addresses[i] != NULL; i++) {
		*tail = fake_entry(fake.addresses[i]);
		tail = &(*tail)->ai_next;
	}
	fake.running--;
	return *answer != NULL ? 0 : EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *answer)
{
	while (answer != NULL) {
		struct addrinfo *next = answer->ai_next;
		free(answer);
		answer = next;
	}
}

static void answer_ok(struct test_peer *peer)
{
	while (peer_read(peer))
		peer_say(peer, REPLY(2, "ok"));
}

/* Says on which of its addresses it was reached; a body of "wait" is answered when the test says so. */
static void answer_address(struct test_peer *peer)
{
	while (peer_read(peer)) {
		struct sockaddr_storage local;
		socklen_t len = sizeof(local);
		char text[64], reply[256];
		getsockname(peer->fd, (struct sockaddr *)&local, &len);
		getnameinfo((struct sockaddr *)&local, len, text, sizeof(text), NULL, 0, NI_NUMERICHOST);
		snprintf(reply, sizeof(reply), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", strlen(text));
		peer_say(peer, reply);
		if (strncmp(peer->bytes + peer->body_at, "wait", 4) == 0)
			peer_await_release(peer);
		peer_say(peer, text);
	}
}

static void names_open(struct test_env *env, const char *first, const char *second)
{
	memset(fake.addresses, 0, sizeof(fake.addresses));
	fake.addresses[0] = first;
	fake.addresses[1] = second;
	fake.asked = 0;
	env_open(env, answer_ok, NULL);
	http_origin_destroy(env->origin);
	env->origin = env_origin(env, "http://Backend.Test:%d", env->server->port);
	http_origin_resolve(env->origin);
}

/* Turns until the lookups that were begun have given their answers to the loop. */
static void await_answer(struct test_env *env)
{
	RUN_UNTIL(env, fake.running == 0);
	run_ms(env, 20);
}

static void names_close(struct test_env *env)
{
	env_close(env);
	while (fake.running > 0)
		usleep(1000);
	usleep(2000); /* the threads' ends */
}

static void calls_wait_for_the_first_answer_while_the_loop_turns(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call named = {0}, numeric = {0};
	atomic_store(&fake.held, true);
	names_open(&env, "127.0.0.1", NULL);
	struct http_origin *other = env_origin(&env, "http://127.0.0.1:%d", env.server->port);
	struct http_call_request request = {.path = "/", .body = SPAN("{}")};
	call_start(&env, &named, "{}");
	call_start_request(&env, &numeric, other, &request);
	RUN_UNTIL(&env, numeric.dones > 0);
	assert_int_equal(named.dones, 0); /* the slow name holds nobody else up */
	atomic_store(&fake.held, false);
	RUN_UNTIL(&env, named.dones > 0);
	call_expect(&named, ERROR_NONE);
	http_origin_destroy(other);
	names_close(&env);
}

/* Row 3: one that asked the resolver on the loop, or a few threads for all names, would never come to the last call. */
static void a_resolver_that_answers_nobody_holds_up_no_call_to_an_address(void **state)
{
	enum { NAMES = 24 };
	(void)state;
	struct test_env env;
	struct http_origin *hanging[NAMES];
	struct test_call waiting[NAMES] = {0}, numeric = {0};
	struct http_call_request request = {.path = "/", .body = SPAN("{}")};
	atomic_store(&fake.held, true);
	names_open(&env, "127.0.0.1", NULL);
	test_connect_us = 500000;
	for (int i = 0; i < NAMES; i++) {
		hanging[i] = env_origin(&env, "http://backend.test:%d", env.server->port);
		call_start_request(&env, &waiting[i], hanging[i], &request);
	}
	RUN_UNTIL(&env, fake.running == NAMES + 1); /* and the one of names_open */
	test_connect_us = TEST_CONNECT_US;
	struct http_origin *other = env_origin(&env, "http://127.0.0.1:%d", env.server->port);
	call_start_request(&env, &numeric, other, &request);
	RUN_UNTIL(&env, numeric.dones > 0);
	call_expect(&numeric, ERROR_NONE);
	for (int i = 0; i < NAMES; i++) { /* they give up by themselves: the resolver still says nothing */
		RUN_UNTIL(&env, waiting[i].dones > 0);
		call_expect(&waiting[i], ERROR_UPSTREAM_DNS);
		http_origin_destroy(hanging[i]);
	}
	http_origin_destroy(other);
	atomic_store(&fake.held, false);
	names_close(&env);
}

static void a_resolver_that_hangs_fails_calls_at_the_connect_timeout(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call test = {0};
	atomic_store(&fake.held, true);
	test_connect_us = 500000;
	names_open(&env, "127.0.0.1", NULL);
	test_connect_us = TEST_CONNECT_US;
	uint64_t start = timers_refresh(&env.reactor->reactor.timers);
	call_start(&env, &test, "{}");
	RUN_UNTIL(&env, test.dones > 0);
	call_expect(&test, ERROR_UPSTREAM_DNS);
	assert_true(test.done_us - start >= 450000);
	env_close(&env); /* with the lookup under way */
	atomic_store(&fake.held, false);
	while (fake.running > 0)
		usleep(1000);
	usleep(2000);
}

static void a_failed_name_fails_calls_at_once_and_is_asked_for_again(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call waiting = {0}, later = {0}, last = {0};
	names_open(&env, NULL, NULL);
	call_start(&env, &waiting, "{}");
	RUN_UNTIL(&env, waiting.dones > 0);
	call_expect(&waiting, ERROR_UPSTREAM_DNS);
	assert_true(strlen(waiting.detail) > 0);
	call_start(&env, &later, "{}");
	assert_int_equal(later.dones, 0);
	test_reactor_turn(env.reactor, 0);
	call_expect(&later, ERROR_UPSTREAM_DNS);
	fake.addresses[0] = "127.0.0.1";
	env.reactor->skew_us += 2100000;
	RUN_UNTIL(&env, fake.asked == 2);
	await_answer(&env);
	call_start(&env, &last, "{}");
	RUN_UNTIL(&env, last.dones > 0);
	call_expect(&last, ERROR_NONE);
	names_close(&env);
}

/* The server listens on 127.0.0.1 only. */
static void rotated_addresses_are_used_within_the_minute(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call before = {0}, after = {0};
	names_open(&env, "127.0.0.2", NULL);
	call_start(&env, &before, "{}");
	RUN_UNTIL(&env, before.dones > 0);
	call_expect(&before, ERROR_UPSTREAM_CONNECT);
	fake.addresses[0] = "127.0.0.1";
	env.reactor->skew_us += 31000000;
	RUN_UNTIL(&env, fake.asked == 2);
	await_answer(&env);
	call_start(&env, &after, "{}");
	RUN_UNTIL(&env, after.dones > 0);
	call_expect(&after, ERROR_NONE);
	names_close(&env);
}

/* The next lookup finds that address only; and its answer has arrived. */
static void rotate(struct test_env *env, const char *address)
{
	int asked = fake.asked;
	fake.addresses[0] = address;
	fake.addresses[1] = NULL;
	env->reactor->skew_us += 31000000;
	RUN_UNTIL(env, fake.asked > asked);
	await_answer(env);
}

/* A server on all addresses; the name leads to 127.0.0.2, and 127.0.0.3. */
static void rotating_open(struct test_env *env)
{
	names_open(env, "127.0.0.2", "127.0.0.3");
	http_origin_destroy(env->origin);
	test_server_stop(env->server);
	env->server = test_server_start_on("0.0.0.0", answer_address, NULL);
	env->origin = env_origin(env, "http://backend.test:%d", env->server->port);
}

static void reach(struct test_env *env, const char *address, bool reused)
{
	struct test_call test = {0};
	call_start(env, &test, "{}");
	RUN_UNTIL(env, test.dones > 0);
	call_expect(&test, ERROR_NONE);
	assert_string_equal(test.body, address);
	assert_int_equal(test.reused, reused);
}

/* Row 48: a connection that is kept alive would lead to the old address for ever. */
static void connections_to_addresses_of_the_past_are_not_used_again(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call running = {0};
	rotating_open(&env);
	reach(&env, "127.0.0.2", false);
	reach(&env, "127.0.0.2", true);
	rotate(&env, "127.0.0.2"); /* the address that is left is the one in use */
	reach(&env, "127.0.0.2", true);
	call_start(&env, &running, "wait");
	RUN_UNTIL(&env, running.heads == 1);
	assert_int_equal(env.server->connections, 1);
	rotate(&env, "127.0.0.4");
	reach(&env, "127.0.0.4", false);
	atomic_store(&env.server->release, true);
	RUN_UNTIL(&env, running.dones > 0); /* a call under way is not disturbed */
	call_expect(&running, ERROR_NONE);
	assert_string_equal(running.body, "127.0.0.2");
	reach(&env, "127.0.0.4", true);
	rotate(&env, "127.0.0.5");
	reach(&env, "127.0.0.5", false);
	assert_int_equal(env.server->connections, 3);
	names_close(&env);
}

static void known_addresses_outlive_a_failing_resolver(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call before = {0}, after = {0};
	names_open(&env, "127.0.0.1", NULL);
	call_start(&env, &before, "{}");
	RUN_UNTIL(&env, before.dones > 0);
	fake.addresses[0] = NULL;
	env.reactor->skew_us += 31000000;
	RUN_UNTIL(&env, fake.asked == 2);
	await_answer(&env);
	call_start(&env, &after, "{}");
	RUN_UNTIL(&env, after.dones > 0);
	call_expect(&after, ERROR_NONE);
	names_close(&env);
}

static void the_next_address_is_tried_when_one_refuses(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call four = {0}, six = {0};
	names_open(&env, "127.0.0.2", "127.0.0.1");
	call_start(&env, &four, "{}");
	RUN_UNTIL(&env, four.dones > 0);
	call_expect(&four, ERROR_NONE);
	names_close(&env);
	names_open(&env, "::1", "127.0.0.1");
	call_start(&env, &six, "{}");
	RUN_UNTIL(&env, six.dones > 0);
	call_expect(&six, ERROR_NONE);
	names_close(&env);
}

static void a_backend_of_version_6_only_is_found_behind_a_refusing_one_of_version_4(void **state)
{
	(void)state;
	struct test_env env;
	static const char *const orders[2][2] = {{"127.0.0.1", "::1"}, {"::1", "127.0.0.1"}};
	for (int i = 0; i < 2; i++) {
		names_open(&env, orders[i][0], orders[i][1]);
		http_origin_destroy(env.origin);
		test_server_stop(env.server);
		env.server = test_server_start_on("::1", answer_address, NULL);
		env.origin = env_origin(&env, "http://backend.test:%d", env.server->port);
		reach(&env, "::1", false);
		names_close(&env);
	}
}

static void a_call_is_cancelled_while_it_waits_for_a_name(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call test = {0};
	atomic_store(&fake.held, true);
	names_open(&env, "127.0.0.1", NULL);
	call_start(&env, &test, "{}");
	RUN_UNTIL(&env, fake.running > 0); /* a lookup of an earlier test may begin late, too */
	http_call_cancel(test.call);
	assert_int_equal(http_client_active(env.client), 0);
	atomic_store(&fake.held, false);
	await_answer(&env);
	assert_int_equal(test.dones + test.heads, 0);
	names_close(&env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(calls_wait_for_the_first_answer_while_the_loop_turns),
	    cmocka_unit_test(a_resolver_that_answers_nobody_holds_up_no_call_to_an_address),
	    cmocka_unit_test(a_resolver_that_hangs_fails_calls_at_the_connect_timeout),
	    cmocka_unit_test(a_failed_name_fails_calls_at_once_and_is_asked_for_again),
	    cmocka_unit_test(rotated_addresses_are_used_within_the_minute),
	    cmocka_unit_test(connections_to_addresses_of_the_past_are_not_used_again),
	    cmocka_unit_test(known_addresses_outlive_a_failing_resolver),
	    cmocka_unit_test(the_next_address_is_tried_when_one_refuses),
	    cmocka_unit_test(a_backend_of_version_6_only_is_found_behind_a_refusing_one_of_version_4),
	    cmocka_unit_test(a_call_is_cancelled_while_it_waits_for_a_name),
	};
	if (!http_client_global_setup())
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	http_client_global_teardown();
	return failed;
}
