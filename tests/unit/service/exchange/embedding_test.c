/* SPDX-License-Identifier: MIT */
/* Embeddings and a cache that takes its time: it says what it has at once or later, in any order, or never. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "lib/log.h"
#include "schemas/openai/dialect.h"
#include "lib/bytes.h"
#include "service/cache/fetch.h"
#include "service/exchange/exchange.h"
#include "service/flights/flight_table.h"
#include "service/loop/loop.h"
#include "service/plan/kinds.h"
#include "tests/unit/service/fake_http.h"

enum { TEXT_MAX = 8192, FETCHES_MOST = 64 };

static char said[TEXT_MAX];
static char cache_status[64];
static int status;
static bool finished;
static struct loop *loop;
static const struct config *config;
static struct plan plan;
static const struct plan *plans[1];
static struct http_origin *origins[1];
static struct cache_worker cached;
static struct exchange_worker worker;
static struct arena scratch;

/* ---- a cache that is slow ---- */

static struct cache_fetch *pending[FETCHES_MOST];
static size_t pending_count, begun;
static unsigned late; /* in 4: how many are told later */

static void look(struct cache_fetch *fetch)
{
	const struct cache_wanted wanted = {.key = &fetch->key, .now_us = timers_now(&cached.reactor->timers)};
	if (!cache_find(cached.cache, &wanted, &fetch->hit))
		fetch->hit.value = NULL;
}

bool cache_fetch_begin(struct cache_worker *of, struct cache_fetch *fetch)
{
	assert_ptr_equal(of, &cached);
	assert_non_null(fetch->rule);
	if (begun++ % 4 >= late) {
		look(fetch);
		return true;
	}
	assert_true(pending_count < FETCHES_MOST);
	pending[pending_count++] = fetch;
	return false;
}

void cache_fetch_cancel(struct cache_fetch *fetch)
{
	for (size_t i = 0; i < pending_count; i++)
		if (pending[i] == fetch)
			pending[i--] = pending[--pending_count];
}

/* One of those that are under way, any of them. */
static void tell_one(void)
{
	size_t chosen = (size_t)rand() % pending_count;
	struct cache_fetch *fetch = pending[chosen];
	pending[chosen] = pending[--pending_count];
	look(fetch);
	fetch->on_done(fetch);
}

/* ---- the client ---- */

static void client_head(void *client, int s, const struct http_field *list, size_t count, int64_t content_length)
{
	(void)client;
	(void)content_length;
	status = s;
	for (size_t i = 0; i < count; i++)
		if (span_is(list[i].name, "cache-status"))
			snprintf(cache_status, sizeof(cache_status), "%.*s", SPAN_ARG(list[i].value));
}

static bool client_write(void *client, struct span bytes)
{
	(void)client;
	size_t used = strlen(said);
	snprintf(said + used, TEXT_MAX - used, "%.*s", SPAN_ARG(bytes));
	return true;
}

static size_t client_waiting(const void *client)
{
	(void)client;
	return 0;
}

static bool client_is_full(void *client, size_t most)
{
	return client_waiting(client) >= most;
}

static void client_finish(void *client)
{
	(void)client;
	assert_false(finished);
	finished = true;
}

static void client_abort(void *client)
{
	(void)client;
	fail_msg("aborted");
}

static struct span asked;

static void forget(struct bytes *bytes)
{
	free(bytes);
}

static struct bytes *client_hold_body(void *client)
{
	struct bytes *bytes = malloc(sizeof(*bytes));
	(void)client;
	bytes_init(bytes, asked, forget);
	return bytes;
}

static const struct exchange_client_ops client_ops = {.head = client_head,
						      .write = client_write,
						      .backlog = client_waiting,
						      .is_full = client_is_full,
						      .finish = client_finish,
						      .abort = client_abort,
						      .hold_body = client_hold_body};

static int set_up(void **state)
{
	static const char yaml[] = "listen: [127.0.0.1:0]\n"
				   "backends: { b: { url: http://127.0.0.1:1/v1 } }\n"
				   "models: { m: b/real }\n";
	struct buf errors;
	(void)state;
	log_set_level(LOG_ERROR);
	calls_fail = false;
	calls_started = 0;
	begun = pending_count = 0;
	late = 4;
	buf_init(&errors, 4096);
	config = config_load_text(SPAN(yaml), "test", &errors);
	loop = loop_create();
	assert_true(config != NULL && loop != NULL);
	plan = (struct plan){
	    .kind = &plan_kind_target, .source = config->models[0].plan, .width = 1, .dialect = &openai_dialect};
	plans[0] = &plan;
	cached = (struct cache_worker){.cache = cache_create(config), .reactor = loop_reactor(loop)};
	worker = (struct exchange_worker){.flights = {.plan = {.reactor = loop_reactor(loop),
							       .config = config,
							       .origins = origins,
							       .loop = loop,
							       .scratch = &scratch},
						      .cache = &cached,
						      .table = flight_table_create()},
					  .plans = plans};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	loop_turn(loop, 0);
	assert_int_equal(pending_count, 0);
	assert_int_equal(worker.flights.in_flight, 0);
	flight_table_destroy(worker.flights.table);
	cache_destroy(cached.cache);
	arena_fini(&scratch);
	loop_destroy(loop);
	config_drop(config);
	return 0;
}

static struct exchange *ask(const char *body, const char *cache_control)
{
	struct exchange_request request = {.kind = &exchange_relay,
					   .dialect = &openai_dialect,
					   .endpoint = ENDPOINT_EMBEDDINGS,
					   .body = span_of(body),
					   .request_id = SPAN("mine"),
					   .cache_control = span_of(cache_control),
					   .http_version = 11};
	asked = request.body;
	said[0] = cache_status[0] = '\0';
	status = 0;
	finished = false;
	return exchange_start(&worker, &request, &client_ops, &worker);
}

static void tell_all(void)
{
	while (pending_count > 0) {
		assert_int_equal(status, 0);
		tell_one();
	}
}

static void reply(const char *body)
{
	call_head(200, "application/json");
	call_bytes(body);
	call_done(ERROR_NONE);
	loop_turn(loop, 0);
}

#define ITEM(index, vector) "{\"object\":\"embedding\",\"index\":" #index ",\"embedding\":[" #vector "]}"
#define BODY(inputs) "{\"model\":\"m\",\"input\":[" inputs "]}"

static void check_said(const char *want_status, const char *want)
{
	assert_true(finished);
	assert_int_equal(status, 200);
	assert_memory_equal(cache_status, want_status, strlen(want_status));
	assert_string_equal(said, want);
}

/* However late the cache is, and in whatever order it tells. */
static void what_is_told_late_is_as_good(void **state)
{
	static const char two[] = "{\"data\":[" ITEM(0, 1) "," ITEM(1, 2) "],\"model\":\"q\"}";
	(void)state;
	unsigned seed = (unsigned)time(NULL);
	print_message("seed %u\n", seed);
	srand(seed);
	for (late = 0; late <= 4; late++) {
		cache_destroy(cached.cache);
		cached.cache = cache_create(config);
		unsigned calls = calls_started;
		assert_non_null(ask(BODY("\"a\",\"b\""), ""));
		tell_all();
		assert_int_equal(calls_started, calls + 1);
		reply(two);
		check_said("sluice; fwd=miss", two);
		assert_non_null(ask(BODY("\"c\",\"b\",\"c\",\"d\",\"a\""), ""));
		tell_all();
		assert_int_equal(calls_started, calls + 2);
		assert_string_equal(call.body, "{\"model\":\"real\",\"input\":[\"c\",\"d\"]}");
		reply("{\"data\":[" ITEM(0, 3) "," ITEM(1, 4) "],\"model\":\"q\"}");
		check_said("sluice; fwd=partial", "{\"object\":\"list\",\"data\":[" ITEM(0, 3) "," ITEM(1, 2) "," ITEM(
						      2, 3) "," ITEM(3, 4) "," ITEM(4, 1) "],\"model\":\"q\"}");
		ask(BODY("\"d\",\"a\""), "");
		tell_all();
		check_said("sluice; hit",
			   "{\"object\":\"list\",\"data\":[" ITEM(0, 4) "," ITEM(1, 1) "],\"model\":\"q\"}");
		assert_int_equal(calls_started, calls + 2);
	}
}

/* A client that leaves meanwhile takes its searches with it. */
static void who_leaves_is_told_nothing(void **state)
{
	enum { INPUTS = 6 };
	(void)state;
	for (late = 1; late <= 4; late++) {
		for (size_t told = 0; told < 4; told++) {
			struct exchange *exchange = ask(BODY("\"1\",\"2\",\"3\",\"4\",\"5\",\"6\""), "");
			assert_non_null(exchange);
			assert_true(pending_count > 0);
			for (size_t i = 0; i < told && pending_count > 1; i++)
				tell_one();
			exchange_on_gone(exchange);
			assert_int_equal(pending_count, 0);
			loop_turn(loop, 0);
		}
	}
	assert_int_equal(calls_started, 0);
	assert_int_equal(status, 0);
}

static void only_if_cached_waits_for_the_cache(void **state)
{
	(void)state;
	assert_non_null(ask(BODY("\"a\",\"b\""), "only-if-cached"));
	tell_one();
	assert_int_equal(status, 0);
	tell_one();
	assert_int_equal(status, 504);
	assert_true(finished);
	assert_int_equal(calls_started, 0);
}

static void without_memory_for_a_call_it_is_overloaded(void **state)
{
	(void)state;
	calls_fail = true;
	assert_non_null(ask(BODY("\"a\",\"b\""), ""));
	tell_all();
	loop_turn(loop, 0);
	assert_int_equal(status, 503);
	assert_true(finished);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(what_is_told_late_is_as_good, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(who_leaves_is_told_nothing, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(only_if_cached_waits_for_the_cache, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(without_memory_for_a_call_it_is_overloaded, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
