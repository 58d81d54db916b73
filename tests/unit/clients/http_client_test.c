/* SPDX-License-Identifier: MIT */
/* The HTTP client when all goes well: requests, reuse, cancelling, pausing, many at once. Faults: http_faults_test.c.
 */
#include "tests/unit/clients/test_call.h"

#include <dirent.h>

#include "lib/errors.h"
#include "lib/ledger.h"
#include "lib/memory.h"
#include "tests/unit/heap.h"

/* Answers every request with its own body. */
static void echo(struct test_peer *peer)
{
	char head[128];
	while (peer_read(peer)) {
		snprintf(head, sizeof(head),
			 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
			 peer->body_len);
		if (!peer_say(peer, head) || !peer_write(peer, peer->bytes + peer->body_at, peer->body_len))
			return;
	}
	peer->server->closed++;
}

/* Answers with the request's head as the body. */
static void mirror(struct test_peer *peer)
{
	char head[128];
	while (peer_read(peer)) {
		snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", peer->body_at);
		if (!peer_say(peer, head) || !peer_write(peer, peer->bytes, peer->body_at))
			return;
	}
}

/* Sends a head and one chunk, then waits for the end of the connection. */
static void endless(struct test_peer *peer)
{
	if (peer_read(peer) && peer_say(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"))
		peer_await_close(peer);
}

static void silent(struct test_peer *peer)
{
	if (peer_read(peer))
		peer_await_close(peer);
}

static size_t open_descriptors(void)
{
	size_t count = 0;
	DIR *dir = opendir("/proc/self/fd");
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

static void a_post_is_answered(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call test = {0};
	env_open(&env, echo, NULL);
	call_start(&env, &test, "{\"a\":1}");
	assert_int_equal(http_client_active(env.client), 1);
	RUN_UNTIL(&env, test.dones > 0);
	call_expect(&test, ERROR_NONE);
	assert_int_equal(test.head.status, 200);
	assert_int_equal(test.head.content_length, 7);
	assert_string_equal(test.content_type, "application/json");
	assert_string_equal(test.body, "{\"a\":1}");
	assert_false(test.reused);
	env_close(&env);
}

static void the_request_carries_what_was_asked_and_nothing_else(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call test = {0}, plain = {0}, get = {0};
	env_open(&env, mirror, NULL);
	const struct http_field extra[] = {
	    {SPAN("traceparent"), SPAN("00-ab-cd-01")},
	    {SPAN("x-empty"), SPAN("")},
	    {SPAN("x-bad"), SPAN("a\r\nInjected: 1")},
	};
	struct http_call_request request = {
	    .path = "/v1/chat?x=1", .body = SPAN("{}"), .stream = true, .extra = extra, .extra_count = 3};
	call_start_request(&env, &test, env.origin, &request);
	RUN_UNTIL(&env, test.dones > 0);
	call_expect(&test, ERROR_NONE);
	char expected[512];
	snprintf(expected, sizeof(expected),
		 "POST /v1/chat?x=1 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\ntraceparent: 00-ab-cd-01\r\nx-empty:\r\n"
		 "User-Agent: sluice/" SLUICE_VERSION "\r\nAccept: text/event-stream\r\n"
		 "Accept-Encoding: identity\r\nContent-Type: application/json\r\n"
		 "Authorization: Bearer s3cret\r\nContent-Length: 2\r\n\r\n",
		 env.server->port);
	assert_string_equal(test.body, expected);
	/* the same easy again, without the extra headers */
	call_start(&env, &plain, "");
	RUN_UNTIL(&env, plain.dones > 0);
	assert_null(strstr(plain.body, "traceparent"));
	assert_non_null(strstr(plain.body, "POST /v1/x HTTP/1.1\r\n"));
	assert_non_null(strstr(plain.body, "Content-Length: 0\r\n"));
	request = (struct http_call_request){.path = "/health", .get = true};
	call_start_request(&env, &get, env.origin, &request);
	RUN_UNTIL(&env, get.dones > 0);
	assert_non_null(strstr(get.body, "GET /health HTTP/1.1\r\n"));
	assert_non_null(strstr(get.body, "Accept: application/json\r\n"));
	assert_null(strstr(get.body, "Content-"));
	env_close(&env);
}

static void a_connection_serves_many_calls_without_new_epoll_calls(void **state)
{
	(void)state;
	struct test_env env;
	env_open(&env, echo, NULL);
	unsigned long ctl = 0;
	for (int i = 0; i < 100; i++) {
		struct test_call test = {0};
		call_start(&env, &test, "{}");
		RUN_UNTIL(&env, test.dones > 0);
		call_expect(&test, ERROR_NONE);
		assert_int_equal(test.reused, i > 0);
		if (i == 1)
			ctl = env.reactor->ctl;
	}
	assert_int_equal(env.server->connections, 1);
	assert_int_equal(env.server->requests, 100);
	assert_int_equal(env.reactor->ctl, ctl);
	env_close(&env);
}

static void a_large_body_goes_out_whole(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call test = {0};
	size_t len = 900000;
	char *body = malloc(len);
	memset(body, 'x', len);
	env_open(&env, echo, NULL);
	body[1000] = 'y';
	struct http_call_request request = {.path = "/v1/x", .body = {body, 1000}, .tail = {body + 1000, len - 1000}};
	call_start_request(&env, &test, env.origin, &request);
	RUN_UNTIL(&env, test.dones > 0);
	call_expect(&test, ERROR_NONE);
	assert_int_equal(test.body_len, len);
	assert_memory_equal(test.body, body, TEST_CALL_KEEP);
	free(body);
	env_close(&env);
}

static void a_call_cancelled_before_the_turn_never_reaches_the_server(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call test = {0};
	env_open(&env, echo, NULL);
	call_start(&env, &test, "{}");
	http_call_cancel(test.call);
	assert_int_equal(http_client_active(env.client), 0);
	run_ms(&env, 50);
	assert_int_equal(env.server->connections, 0);
	assert_int_equal(test.heads + test.dones, 0);
	env_close(&env);
}

static void a_cancelled_call_closes_its_connection(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call waiting = {0}, streaming = {0};
	env_open(&env, silent, NULL);
	char *body = strdup("{\"freed\":true}");
	call_start(&env, &waiting, body);
	RUN_UNTIL(&env, env.server->requests == 1);
	http_call_cancel(waiting.call);
	free(body);
	RUN_UNTIL(&env, env.server->closed == 1);
	env.server->script = endless;
	call_start(&env, &streaming, "{}");
	RUN_UNTIL(&env, streaming.body_len == 5);
	http_call_cancel(streaming.call);
	RUN_UNTIL(&env, env.server->closed == 2);
	assert_int_equal(waiting.dones + streaming.dones, 0);
	env_close(&env);
}

static void cancel_own(struct test_call *test)
{
	http_call_cancel(test->call);
	test->call = NULL;
}

static void a_call_may_cancel_itself_in_any_callback(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call in_head = {.at_head = cancel_own}, in_body = {.at_body = cancel_own};
	struct test_call in_done = {.at_done = cancel_own};
	env_open(&env, endless, NULL);
	call_start(&env, &in_head, "{}");
	RUN_UNTIL(&env, env.server->closed == 1);
	assert_int_equal(in_head.heads, 1);
	assert_int_equal(in_head.bodies + in_head.dones, 0);
	call_start(&env, &in_body, "{}");
	RUN_UNTIL(&env, env.server->closed == 2);
	assert_int_equal(in_body.bodies, 1);
	assert_int_equal(in_body.dones, 0);
	env.server->script = echo;
	call_start(&env, &in_done, "{}");
	RUN_UNTIL(&env, in_done.dones > 0);
	assert_int_equal(http_client_active(env.client), 0);
	env_close(&env);
}

static void cancel_other(struct test_call *test)
{
	if (test->other->call == NULL)
		return;
	http_call_cancel(test->other->call);
	test->other->call = NULL;
	free(test->context); /* the other's request body */
	test->context = NULL;
}

/* Answers small requests only. */
static void answer_small(struct test_peer *peer)
{
	while (peer_read(peer) && peer->body_len < 1000)
		peer_say(peer, REPLY(2, "ok"));
	peer_await_close(peer);
}

/* The other one is just being sent when its body is freed: under ASan this finds a curl that still reads it. */
static void a_call_may_cancel_another_whose_body_is_freed_at_once(void **state)
{
	(void)state;
	struct test_env env;
	env_open(&env, answer_small, NULL);
	size_t len = 800000;
	for (int round = 0; round < 20; round++) {
		struct test_call second = {0}, first = {.at_body = cancel_other, .other = &second};
		first.context = calloc(1, len);
		struct http_call_request request = {.path = "/v1/x", .body = {first.context, len}};
		call_start(&env, &first, "{}");
		call_start_request(&env, &second, env.origin, &request);
		RUN_UNTIL(&env, first.dones > 0);
		call_expect(&first, ERROR_NONE);
		assert_int_equal(second.dones, 0);
		assert_int_equal(http_client_active(env.client), 0);
		run_ms(&env, 2);
	}
	env_close(&env);
}

static void start_again(struct test_call *test)
{
	struct http_call_request request = {.path = "/v1/x", .body = SPAN("again")};
	test->other->timers = test->timers;
	test->other->call = http_call_start(test->origin, &request, &test_call_ops, test->other);
	assert_int_equal(test->other->heads, 0);
}

static void a_call_may_be_started_from_the_end_of_another(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call second = {0}, first = {.at_done = start_again, .other = &second};
	env_open(&env, echo, NULL);
	call_start(&env, &first, "{}");
	RUN_UNTIL(&env, second.dones > 0);
	call_expect(&second, ERROR_NONE);
	assert_string_equal(second.body, "again");
	assert_true(second.reused);
	env_close(&env);
}

static void cancel_and_start_again(struct test_call *test)
{
	http_call_cancel(test->call);
	test->call = NULL;
	start_again(test);
}

static void a_call_may_be_replaced_by_another_in_its_own_callback(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call second = {0}, first = {.at_head = cancel_and_start_again, .other = &second};
	env_open(&env, echo, NULL);
	call_start(&env, &first, "first");
	RUN_UNTIL(&env, second.dones > 0);
	call_expect(&second, ERROR_NONE);
	assert_string_equal(second.body, "again");
	assert_int_equal(first.bodies + first.dones, 0);
	env_close(&env);
}

/* Answers with as many bytes as the context says. */
static void bulk(struct test_peer *peer)
{
	static const char block[65536];
	size_t left = *(size_t *)peer->server->context;
	char head[128];
	if (!peer_read(peer))
		return;
	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", left);
	peer_say(peer, head);
	while (left > 0) {
		size_t len = left < sizeof(block) ? left : sizeof(block);
		if (!peer_write(peer, block, len))
			break;
		left -= len;
	}
	peer_await_close(peer);
}

/* The same in chunks of changing size. */
static void bulk_chunked(struct test_peer *peer)
{
	static const char block[65536];
	size_t left = *(size_t *)peer->server->context;
	char head[32];
	size_t size = 1;
	if (!peer_read(peer))
		return;
	peer_say(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	while (left > 0) {
		size = (size * 7 + 3) % sizeof(block) + 1;
		size_t len = left < size ? left : size;
		snprintf(head, sizeof(head), "%zx\r\n", len);
		if (!peer_say(peer, head) || !peer_write(peer, block, len) || !peer_say(peer, "\r\n"))
			break;
		left -= len;
	}
	peer_say(peer, "0\r\n\r\n");
	peer_await_close(peer);
}

static void pause_own(struct test_call *test)
{
	http_call_pause(test->call);
	http_call_pause(test->call);
}

static size_t resident_kb(void)
{
	unsigned long pages = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");
	if (fscanf(file, "%lu %lu", &pages, &resident) != 2)
		resident = 0;
	fclose(file);
	return resident * 4;
}

static void pause_and_resume_through(test_script script)
{
	struct test_env env;
	size_t len = 50 << 20;
	struct test_call test = {.at_body = pause_own};
	env_open(&env, script, &len);
	call_start(&env, &test, "{}");
	RUN_UNTIL(&env, test.bodies == 1);
	size_t before = resident_kb();
	run_ms(&env, 300);
	assert_int_equal(test.bodies, 1); /* nothing while paused */
	assert_true(resident_kb() - before < 2048 || resident_kb() < before);
	while (test.dones == 0) {
		unsigned bodies = test.bodies;
		http_call_resume(test.call);
		http_call_resume(test.call);
		RUN_UNTIL(&env, test.bodies > bodies || test.dones > 0);
	}
	call_expect(&test, ERROR_NONE);
	assert_int_equal(test.body_len, len);
	env_close(&env);
}

static void fifty_megabytes_pass_through_pauses_in_bounded_memory(void **state)
{
	(void)state;
	pause_and_resume_through(bulk);
}

static void chunked_megabytes_pass_through_pauses_in_bounded_memory(void **state)
{
	(void)state;
	pause_and_resume_through(bulk_chunked);
}

/* Has the party hold so much that its memory is tight. Returns the bytes. */
static size_t tighten(uint32_t party)
{
	ledger_set_ceiling(1 << 20);
	while (!ledger_is_tight(party))
		ledger_overdraw(party, 4096);
	return ledger_held(party);
}

static void a_caller_may_pause_before_anything_is_read_into_tight_memory(void **state)
{
	(void)state;
	struct test_env env;
	size_t len = 1 << 20;
	struct test_call test = {.at_tight = pause_own};
	struct http_call_request request = {.path = "/", .body = SPAN("{}"), .party = 7};
	size_t held = tighten(7);
	env_open(&env, bulk, &len);
	call_start_request(&env, &test, env.origin, &request);
	RUN_UNTIL(&env, test.tights > 0);
	assert_int_equal(test.bodies, 0);
	ledger_give(7, held);
	http_call_resume(test.call);
	RUN_UNTIL(&env, test.dones > 0);
	call_expect(&test, ERROR_NONE);
	assert_int_equal(test.body_len, len);
	env_close(&env);
	ledger_set_ceiling(0);
}

static void a_large_answer_passes_without_pauses(void **state)
{
	(void)state;
	struct test_env env;
	size_t len = 50 << 20;
	struct test_call test = {0};
	env_open(&env, bulk, &len);
	call_start(&env, &test, "{}");
	RUN_UNTIL(&env, test.dones > 0);
	call_expect(&test, ERROR_NONE);
	assert_int_equal(test.body_len, len);
	env_close(&env);
}

/* All of the answer is there before the resume: nothing further will arrive to wake anybody. */
static void small_answer(struct test_peer *peer)
{
	if (peer_read(peer))
		peer_say(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
	peer_await_release(peer);
	peer_say(peer, "5\r\nworld\r\n0\r\n\r\n");
	peer_await_close(peer);
}

static void a_resume_delivers_what_waited_without_further_input(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call test = {.at_body = pause_own};
	env_open(&env, small_answer, NULL);
	call_start(&env, &test, "{}");
	RUN_UNTIL(&env, test.bodies == 1);
	atomic_store(&env.server->release, true);
	run_ms(&env, 100);
	assert_int_equal(test.bodies, 1);
	assert_int_equal(test.dones, 0);
	test.at_body = NULL;
	http_call_resume(test.call);
	assert_int_equal(test.bodies, 1); /* not inside the call */
	RUN_UNTIL(&env, test.dones > 0);
	assert_string_equal(test.body, "helloworld");
	env_close(&env);
}

static void pause_other(struct test_call *test)
{
	http_call_pause(test->other->call);
}

static void a_paused_call_may_be_cancelled(void **state)
{
	(void)state;
	struct test_env env;
	size_t len = 50 << 20;
	struct test_call test = {.at_head = pause_own};
	env_open(&env, bulk, &len);
	call_start(&env, &test, "{}");
	RUN_UNTIL(&env, test.heads == 1);
	run_ms(&env, 50);
	assert_int_equal(test.bodies, 0);
	http_call_cancel(test.call);
	RUN_UNTIL(&env, env.server->closed == 1);
	env_close(&env);
}

static void a_call_may_be_paused_by_another(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call second = {0}, first = {.at_body = pause_other, .other = &second};
	env_open(&env, small_answer, NULL);
	call_start(&env, &first, "{}");
	call_start(&env, &second, "{}");
	RUN_UNTIL(&env, first.bodies == 1);
	atomic_store(&env.server->release, true);
	RUN_UNTIL(&env, first.dones > 0);
	run_ms(&env, 20);
	assert_int_equal(second.dones, 0);
	http_call_resume(second.call);
	RUN_UNTIL(&env, second.dones > 0);
	call_expect(&second, ERROR_NONE);
	assert_string_equal(second.body, "helloworld");
	env_close(&env);
}

enum { PARALLEL = 500 };

static void five_hundred_calls_run_at_once_and_keep_their_connections(void **state)
{
	(void)state;
	struct test_env env;
	size_t before = open_descriptors();
	struct test_call *tests = calloc(PARALLEL, sizeof(*tests));
	char(*bodies)[16] = calloc(PARALLEL, sizeof(*bodies));
	env_open(&env, echo, NULL);
	for (int round = 0; round < 3; round++) {
		memset(tests, 0, PARALLEL * sizeof(*tests));
		for (int i = 0; i < PARALLEL; i++) {
			snprintf(bodies[i], sizeof(bodies[i]), "body-%d", i);
			call_start(&env, &tests[i], bodies[i]);
		}
		assert_int_equal(http_client_active(env.client), PARALLEL);
		RUN_UNTIL(&env, http_client_active(env.client) == 0);
		for (int i = 0; i < PARALLEL; i++) {
			call_expect(&tests[i], ERROR_NONE);
			assert_string_equal(tests[i].body, bodies[i]);
		}
	}
	assert_true(env.server->connections <= PARALLEL);
	free(bodies);
	free(tests);
	env_close(&env);
	assert_int_equal(open_descriptors(), before);
}

/* One period in which nothing happens. */
static void let_a_period_pass(struct test_env *env)
{
	env->reactor->skew_us += 21000000;
	test_reactor_turn(env->reactor, 0);
}

static void a_client_at_rest_keeps_no_connections(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call first = {0}, second = {0}, late = {0};
	env_open(&env, echo, NULL);
	size_t idle_fds = open_descriptors(), watched = env.reactor->watched;
	call_start(&env, &first, "{}");
	call_start(&env, &second, "{}");
	RUN_UNTIL(&env, first.dones > 0 && second.dones > 0);
	let_a_period_pass(&env); /* there were calls in it */
	assert_int_equal(env.server->closed, 0);
	let_a_period_pass(&env);
	RUN_UNTIL(&env, env.server->closed == 2);
	assert_int_equal(env.reactor->watched, watched);
	RUN_UNTIL(&env, open_descriptors() == idle_fds);
	call_start(&env, &late, "{}");
	RUN_UNTIL(&env, late.dones > 0);
	call_expect(&late, ERROR_NONE);
	assert_false(late.reused);
	env_close(&env);
}

static void say_when_released(struct test_peer *peer)
{
	if (!peer_read(peer))
		return;
	peer_await_release(peer);
	peer_say(peer, REPLY(2, "ok"));
	peer_await_close(peer);
}

static void connections_of_calls_that_outlast_a_period_are_closed_at_rest(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call first = {0}, second = {0};
	env_open(&env, say_when_released, NULL);
	call_start(&env, &first, "{}");
	call_start(&env, &second, "{}");
	RUN_UNTIL(&env, env.server->requests == 2);
	let_a_period_pass(&env);
	atomic_store(&env.server->release, true);
	RUN_UNTIL(&env, first.dones > 0 && second.dones > 0);
	let_a_period_pass(&env);
	RUN_UNTIL(&env, env.server->closed == 2);
	env_close(&env);
}

/* Those of a load that is over are in nobody's way but take memory, here and there. */
static void connections_of_a_load_that_is_over_are_closed_though_calls_go_on(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call late = {0}, last = {0}, *tests = calloc(PARALLEL, sizeof(*tests));
	assert_non_null(tests);
	env_open(&env, echo, NULL);
	for (int i = 0; i < PARALLEL; i++)
		call_start(&env, &tests[i], "{}");
	RUN_UNTIL(&env, http_client_active(env.client) == 0);
	let_a_period_pass(&env); /* the load was in it */
	call_start(&env, &late, "{}");
	RUN_UNTIL(&env, late.dones > 0);
	assert_true(late.reused);
	let_a_period_pass(&env);
	RUN_UNTIL(&env, env.server->closed == env.server->connections - 1);
	call_start(&env, &last, "{}"); /* on the one that is still needed */
	RUN_UNTIL(&env, last.dones > 0);
	call_expect(&last, ERROR_NONE);
	assert_true(last.reused);
	free(tests);
	env_close(&env);
}

/* Under steady traffic no thread is ever at rest, and the holes that answers of all sizes leave add up. */
static void what_is_free_in_the_heap_is_given_back_though_calls_go_on(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call test = {0};
	struct heap_holes heap;
	memory_setup();
	memory_rest(); /* from what the tests before left */
	env_open(&env, endless, NULL);
	call_start(&env, &test, "{}");
	RUN_UNTIL(&env, test.body_len >= 5);
	size_t before = heap_resident();
	heap_holes_fill(&heap);
	size_t used = heap_resident();
	heap_holes_open(&heap);
	size_t open = heap_resident();
	let_a_period_pass(&env);
	size_t after = heap_resident();
	assert_int_equal(test.dones, 0);
	if (!HEAP_SANITIZED) {
		assert_true(used >= before + 15 * 1024);
		assert_true(open >= before + 15 * 1024);
		assert_true(after < before + 1024);
	}
	heap_holes_forget(&heap);
	http_call_cancel(test.call);
	env_close(&env);
}

static void a_call_that_outlasts_periods_keeps_its_connection(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call test = {0};
	env_open(&env, endless, NULL);
	call_start(&env, &test, "{}");
	RUN_UNTIL(&env, test.body_len >= 5);
	for (int i = 0; i < 3; i++)
		let_a_period_pass(&env);
	assert_int_equal(test.dones, 0);
	assert_int_equal(env.server->connections, 1);
	http_call_cancel(test.call);
	env_close(&env);
}

static void a_name_is_resolved_off_the_loop(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call first = {0}, second = {0};
	env_open(&env, echo, NULL);
	struct http_origin *origin = env_origin(&env, "http://localhost:%d", env.server->port);
	struct http_call_request request = {.path = "/v1/x", .body = SPAN("named")};
	call_start_request(&env, &first, origin, &request);
	call_start_request(&env, &second, origin, &request);
	http_call_cancel(second.call); /* while the name is not known */
	RUN_UNTIL(&env, first.dones > 0);
	call_expect(&first, ERROR_NONE);
	assert_string_equal(first.body, "named");
	assert_int_equal(second.dones, 0);
	call_start_request(&env, &second, origin, &request);
	RUN_UNTIL(&env, second.dones > 0);
	assert_true(second.reused);
	http_origin_destroy(origin);
	env_close(&env);
}

static void an_ipv6_address_needs_no_lookup(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call test = {0};
	env_open(&env, echo, NULL);
	struct http_origin *origin = env_origin(&env, "http://[::1]:%d", env.server->port);
	struct http_call_request request = {.path = "/v1/x", .body = SPAN("{}")};
	call_start_request(&env, &test, origin, &request);
	RUN_UNTIL(&env, test.dones > 0);
	call_expect(&test, ERROR_UPSTREAM_CONNECT); /* nobody listens there */
	http_origin_destroy(origin);
	env_close(&env);
}

static void an_origin_may_go_before_its_calls(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call test = {0};
	env_open(&env, echo, NULL);
	call_start(&env, &test, "{}");
	http_origin_destroy(env.origin);
	env.origin = NULL;
	RUN_UNTIL(&env, test.dones > 0);
	call_expect(&test, ERROR_NONE);
	env_close(&env);
}

static void cancel_and_destroy_origin(struct test_call *test)
{
	http_call_cancel(test->call);
	test->call = NULL;
	http_origin_destroy(test->origin);
}

/* Under ASan this finds a call that is freed while its own callback runs. */
static void an_origin_may_go_with_its_last_call_in_a_callback(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call in_head = {.at_head = cancel_and_destroy_origin},
			 in_body = {.at_body = cancel_and_destroy_origin};
	env_open(&env, echo, NULL);
	struct http_origin *other = env_origin(&env, "http://127.0.0.1:%d", env.server->port);
	struct http_call_request request = {.path = "/v1/x", .body = SPAN("{}")};
	call_start(&env, &in_head, "{}");
	call_start_request(&env, &in_body, other, &request);
	RUN_UNTIL(&env, in_head.heads == 1 && in_body.bodies == 1);
	assert_int_equal(in_head.bodies + in_head.dones + in_body.dones, 0);
	env.origin = NULL;
	env_close(&env);
}

static void a_client_may_go_before_its_calls_and_origins(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call queued = {0}, streaming = {0}, paused = {.at_body = pause_own}, resolving = {0};
	env_open(&env, endless, NULL);
	struct http_origin *orphan = env_origin(&env, "http://127.0.0.1:%d", env.server->port);
	struct http_origin *named = env_origin(&env, "http://localhost:%d", env.server->port);
	struct http_call_request request = {.path = "/v1/x", .body = SPAN("{}")};
	call_start(&env, &streaming, "{}");
	call_start_request(&env, &paused, orphan, &request);
	http_origin_destroy(orphan);
	RUN_UNTIL(&env, streaming.bodies == 1 && paused.bodies == 1);
	call_start(&env, &queued, "{}");
	call_start_request(&env, &resolving, named, &request);
	http_client_destroy(env.client);
	http_origin_destroy(named);
	http_origin_destroy(env.origin);
	assert_int_equal(env.reactor->watched, 0);
	assert_int_equal(queued.dones + streaming.dones + paused.dones + resolving.dones, 0);
	reactor_run_tasks(&env.reactor->reactor);
	test_server_stop(env.server);
	test_reactor_destroy(env.reactor);
}

static void an_unusable_origin_is_refused_with_words(void **state)
{
	(void)state;
	struct test_env env;
	env_open(&env, NULL, NULL);
	static const char *const urls[] = {
	    "", "nonsense", "ftp://host", "http://user:secret@host", "http://h/?q", "http://h:99999"};
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		const char *error = NULL;
		struct http_origin_options options = {.url = urls[i]};
		assert_null(http_origin_create(env.client, &options, &error));
		assert_non_null(error);
	}
	const char *error = NULL;
	static const char *const files[] = {"/nonexistent", "/dev/null", "LICENSE"};
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct http_origin_options options = {.url = "https://h", .ca_file = files[i]};
		assert_null(http_origin_create(env.client, &options, &error));
		assert_non_null(strstr(error, files[i]));
	}
	env_close(&env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_post_is_answered),
	    cmocka_unit_test(the_request_carries_what_was_asked_and_nothing_else),
	    cmocka_unit_test(a_connection_serves_many_calls_without_new_epoll_calls),
	    cmocka_unit_test(a_large_body_goes_out_whole),
	    cmocka_unit_test(a_call_cancelled_before_the_turn_never_reaches_the_server),
	    cmocka_unit_test(a_cancelled_call_closes_its_connection),
	    cmocka_unit_test(a_call_may_cancel_itself_in_any_callback),
	    cmocka_unit_test(a_call_may_cancel_another_whose_body_is_freed_at_once),
	    cmocka_unit_test(a_call_may_be_started_from_the_end_of_another),
	    cmocka_unit_test(a_call_may_be_replaced_by_another_in_its_own_callback),
	    cmocka_unit_test(fifty_megabytes_pass_through_pauses_in_bounded_memory),
	    cmocka_unit_test(chunked_megabytes_pass_through_pauses_in_bounded_memory),
	    cmocka_unit_test(a_caller_may_pause_before_anything_is_read_into_tight_memory),
	    cmocka_unit_test(a_large_answer_passes_without_pauses),
	    cmocka_unit_test(a_resume_delivers_what_waited_without_further_input),
	    cmocka_unit_test(a_paused_call_may_be_cancelled),
	    cmocka_unit_test(a_call_may_be_paused_by_another),
	    cmocka_unit_test(five_hundred_calls_run_at_once_and_keep_their_connections),
	    cmocka_unit_test(a_client_at_rest_keeps_no_connections),
	    cmocka_unit_test(connections_of_calls_that_outlast_a_period_are_closed_at_rest),
	    cmocka_unit_test(connections_of_a_load_that_is_over_are_closed_though_calls_go_on),
	    cmocka_unit_test(what_is_free_in_the_heap_is_given_back_though_calls_go_on),
	    cmocka_unit_test(a_call_that_outlasts_periods_keeps_its_connection),
	    cmocka_unit_test(a_name_is_resolved_off_the_loop),
	    cmocka_unit_test(an_ipv6_address_needs_no_lookup),
	    cmocka_unit_test(an_origin_may_go_before_its_calls),
	    cmocka_unit_test(an_origin_may_go_with_its_last_call_in_a_callback),
	    cmocka_unit_test(a_client_may_go_before_its_calls_and_origins),
	    cmocka_unit_test(an_unusable_origin_is_refused_with_words),
	};
	if (!http_client_global_setup())
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	http_client_global_teardown();
	return failed;
}
