/* SPDX-License-Identifier: MIT */
/* The exchange: what its client is told, in each phase, whatever the backend does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/log.h"
#include "schemas/openai/dialect.h"
#include "service/exchange/exchange.h"
#include "service/exchange/report.h"
#include "service/plan/kinds.h"
#include "tests/unit/service/fake_http.h"

#include "tests/unit/service/exchange/fake_client.h" /* after fake_http.h, whose parameters have its names */

static struct reactor reactor;
static const struct config *config;
static struct plan plan;
static const struct plan *plans[1];
static struct http_origin *origins[1];
static struct exchange_worker worker;
static struct arena scratch;

static uint64_t now;

static uint64_t read_clock(void *unused)
{
	(void)unused;
	return now;
}

static void pass(uint64_t us)
{
	now += us;
	timers_stale(&reactor.timers);
	timers_run(&reactor.timers);
}

static int set_up(void **state)
{
	(void)state;
	now = 1000000;
	log_set_level(LOG_ERROR);
	client_reset();
	calls_fail = false;
	calls_started = 0;
	reactor_init(&reactor, NULL, read_clock, NULL);
	static const char yaml[] = "listen: [127.0.0.1:0]\n"
				   "backends: { b: { url: http://127.0.0.1:1/v1, stream_usage: false } }\n"
				   "models: { m: b/real }\n"
				   "limits: { event: 4096, buffer: 64KiB }\n";
	struct buf errors;
	buf_init(&errors, 4096);
	config = config_load_text(SPAN(yaml), "test", &errors);
	assert_non_null(config);
	plan = (struct plan){
	    .kind = &plan_kind_target, .source = config->models[0].plan, .width = 1, .dialect = &openai_dialect};
	plans[0] = &plan;
	worker = (struct exchange_worker){
	    .flights = {.plan = {.reactor = &reactor, .config = config, .origins = origins, .scratch = &scratch}},
	    .plans = plans};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(worker.flights.in_flight, 0);
	reactor_run_tasks(&reactor);
	reactor_fini(&reactor);
	arena_fini(&scratch);
	config_drop(config);
	return 0;
}

static struct exchange *ask(const char *body)
{
	struct exchange_request request = {.kind = &exchange_relay,
					   .dialect = &openai_dialect,
					   .endpoint = ENDPOINT_CHAT,
					   .body = span_of(body),
					   .request_id = SPAN("mine"),
					   .http_version = 11};
	return exchange_start(&worker, &request, &client_ops, &worker);
}

#define MESSAGES "\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]"
#define STREAM "{\"model\":\"m\",\"stream\":true," MESSAGES "}"
#define WHOLE "{\"model\":\"m\"," MESSAGES "}"
#define TEXT "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"hi\"}}]}\n\n"
#define STOP "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"

static void a_stream_ends_with_done(void **state)
{
	(void)state;
	assert_non_null(ask(STREAM));
	call_head(200, "text/event-stream");
	assert_int_equal(status, 0);
	call_bytes(TEXT);
	assert_int_equal(status, 200);
	assert_non_null(strstr(fields, "content-type: text/event-stream"));
	assert_non_null(strstr(fields, "x-request-id: mine;"));
	assert_non_null(strstr(fields, "x-sluice-target: b/real;"));
	assert_non_null(strstr(fields, "x-sluice-attempts: 1;"));
	assert_int_equal(length, -1);
	call_bytes(STOP "data: [DONE]\n\n");
	assert_string_equal(said, TEXT STOP "data: [DONE]\n\n");
	assert_true(finished);
	call_done(ERROR_NONE);
}

static void a_cut_stream_ends_with_an_error_and_no_done(void **state)
{
	(void)state;
	assert_non_null(ask(STREAM));
	call_head(200, "text/event-stream");
	call_bytes(TEXT);
	call_done(ERROR_UPSTREAM_RESET);
	assert_true(finished);
	assert_non_null(strstr(said, "data: {\"error\":{"));
	assert_non_null(strstr(said, "\"code\":\"upstream_reset\""));
	assert_null(strstr(said, "[DONE]"));
	assert_null(strstr(said, "finish_reason"));
}

static void a_failure_before_the_head_is_a_status(void **state)
{
	(void)state;
	assert_non_null(ask(STREAM));
	call_done(ERROR_UPSTREAM_CONNECT);
	assert_int_equal(status, 502);
	assert_int_equal(length, (int64_t)strlen(said));
	assert_non_null(strstr(said, "\"code\":\"upstream_connect\""));
	assert_non_null(strstr(fields, "x-should-retry: true;"));
	assert_true(finished);
}

#define COMMENT ": keepalive\n"

static void a_silent_stream_gets_its_head_and_a_comment(void **state)
{
	(void)state;
	assert_non_null(ask(STREAM));
	pass(14999999);
	assert_int_equal(status, 0);
	pass(1);
	assert_int_equal(status, 200);
	assert_string_equal(said, COMMENT);
	call_head(200, "text/event-stream");
	pass(10000000);
	call_bytes(TEXT);
	pass(14999999);
	assert_string_equal(said, COMMENT TEXT);
	pass(1);
	assert_string_equal(said, COMMENT TEXT COMMENT);
	call_bytes(STOP "data: [DONE]\n\n");
	assert_true(finished);
	call_done(ERROR_NONE);
}

static void a_failure_after_a_comment_is_told_in_the_stream(void **state)
{
	(void)state;
	assert_non_null(ask(STREAM));
	pass(15000000);
	call_done(ERROR_UPSTREAM_RESET);
	assert_int_equal(status, 200);
	assert_non_null(strstr(said, COMMENT "data: {\"error\":"));
	assert_null(strstr(said, "[DONE]"));
	assert_true(finished);
}

static void a_whole_answer_gets_no_comment(void **state)
{
	(void)state;
	assert_non_null(ask(WHOLE));
	pass(60000000);
	assert_int_equal(status, 0);
	call_done(ERROR_UPSTREAM_RESET);
	assert_int_equal(status, 502);
}

static void a_client_that_has_enough_to_read_gets_no_comment(void **state)
{
	(void)state;
	struct exchange *exchange = ask(STREAM);
	call_head(200, "text/event-stream");
	client_backlog = 65536;
	call_bytes(TEXT);
	pass(16000000);
	assert_string_equal(said, TEXT);
	exchange_on_gone(exchange);
}

static void a_comment_of_the_backend_is_passed_on_once_a_second(void **state)
{
	(void)state;
	assert_non_null(ask(STREAM));
	call_head(200, "text/event-stream");
	call_bytes(": thinking\n\n");
	assert_int_equal(status, 0);
	pass(1000000);
	call_bytes(": thinking\n\n");
	assert_string_equal(said, COMMENT);
	call_bytes(": thinking\n\n");
	assert_string_equal(said, COMMENT);
	call_bytes(TEXT STOP "data: [DONE]\n\n");
	assert_true(finished);
	call_done(ERROR_NONE);
}

static void a_whole_answer_has_its_length(void **state)
{
	(void)state;
	assert_non_null(ask(WHOLE));
	call_head(200, "application/json");
	call_bytes("{\"choices\":[{}]}");
	call_done(ERROR_NONE);
	assert_int_equal(status, 200);
	assert_int_equal(length, 16);
	assert_string_equal(said, "{\"choices\":[{}]}");
	assert_true(finished);
}

static void a_whole_answer_cut_after_its_head_is_aborted(void **state)
{
	(void)state;
	char big[3001];
	memset(big, 'x', 3000);
	big[0] = '[';
	big[3000] = '\0';
	assert_non_null(ask(WHOLE));
	call_head(200, "application/json");
	call_bytes(big);
	call_bytes(big);
	assert_int_equal(status, 200);
	call_done(ERROR_UPSTREAM_RESET);
	assert_true(aborted);
}

static void a_backends_own_error_is_relayed_as_it_is(void **state)
{
	(void)state;
	static const char body[] =
	    "{\"error\":{\"message\":\"no\",\"type\":\"t\",\"param\":\"p\",\"code\":\"c\"},\"x\":1}";
	assert_non_null(ask(WHOLE));
	call_head(422, "application/json");
	call_bytes(body);
	call_done(ERROR_NONE);
	assert_int_equal(status, 422);
	assert_string_equal(said, body);
	assert_non_null(strstr(fields, "x-should-retry: false;"));
}

static void an_invalid_request_reaches_no_backend(void **state)
{
	(void)state;
	assert_null(ask("{\"model\":\"m\",\"messages\":[]}"));
	assert_int_equal(status, 400);
	assert_non_null(strstr(said, "\"param\":\"messages\""));
	client_reset();
	assert_null(ask("{"));
	assert_int_equal(status, 400);
	assert_int_equal(calls_started, 0);
}

static void an_unknown_model_is_404(void **state)
{
	(void)state;
	assert_null(ask("{\"model\":\"other\"," MESSAGES "}"));
	assert_int_equal(status, 404);
	assert_non_null(strstr(said, "\"code\":\"model_not_found\""));
	assert_non_null(strstr(said, "`other`"));
}

static void only_the_models_name_changes_on_the_way(void **state)
{
	(void)state;
	struct exchange *exchange = ask("{\"big\":9007199254740993, \"model\" : \"m\" ," MESSAGES "}");
	assert_string_equal(call.body, "{\"big\":9007199254740993, \"model\" : \"real\" ," MESSAGES "}");
	exchange_on_gone(exchange);
}

static void a_client_that_leaves_takes_its_call_along(void **state)
{
	(void)state;
	exchange_on_gone(ask(STREAM));
	assert_true(call.cancelled);
	assert_int_equal(status, 0);
	assert_false(finished || aborted);
	struct exchange *exchange = ask(STREAM);
	call_head(200, "text/event-stream");
	call_bytes(TEXT);
	exchange_on_gone(exchange);
	assert_true(call.cancelled);
	assert_false(finished || aborted);
}

static void a_slow_client_pauses_its_backend(void **state)
{
	(void)state;
	struct exchange *exchange = ask(STREAM);
	call_head(200, "text/event-stream");
	client_backlog = 65535;
	call_bytes(TEXT);
	assert_false(call.paused);
	client_backlog = 65536;
	call_bytes(TEXT);
	assert_true(call.paused);
	client_backlog = 0;
	exchange_on_drained(exchange);
	assert_false(call.paused);
	exchange_on_gone(exchange);
}

static void a_client_with_enough_to_read_pauses_its_backend_before_more_is_read_into_tight_memory(void **state)
{
	(void)state;
	struct exchange *exchange = ask(STREAM);
	call.ops->on_tight(call.context);
	assert_false(call.paused);
	call_head(200, "text/event-stream");
	call_bytes(TEXT);
	call.ops->on_tight(call.context);
	assert_false(call.paused);
	client_backlog = 65536;
	call.ops->on_tight(call.context);
	assert_true(call.paused);
	client_backlog = 0;
	exchange_on_drained(exchange);
	assert_false(call.paused);
	exchange_on_gone(exchange);
}

static void running_out_of_memory_is_told_or_shown(void **state)
{
	(void)state;
	calls_fail = true;
	assert_non_null(ask(STREAM));
	reactor_run_tasks(&reactor);
	assert_int_equal(status, 503);
	assert_true(finished);
	calls_fail = false;
	client_reset();
	no_memory = true;
	assert_non_null(ask(STREAM));
	call_head(200, "text/event-stream");
	call_bytes(TEXT);
	assert_true(aborted);
	assert_true(call.cancelled);
}

static void an_odd_request_id_is_replaced(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 0);
	assert_true(span_is(exchange_request_id(SPAN("abc-1"), &arena), "abc-1"));
	static const char *const odd[] = {"", "a b", "a\"b", "a\nb", "\xc3\xa4"};
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct span id = exchange_request_id(span_of(odd[i]), &arena);
		assert_int_equal(id.len, 36);
		assert_memory_equal(id.at, "req_", 4);
	}
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_stream_ends_with_done, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_cut_stream_ends_with_an_error_and_no_done, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_failure_before_the_head_is_a_status, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_silent_stream_gets_its_head_and_a_comment, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_failure_after_a_comment_is_told_in_the_stream, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_whole_answer_gets_no_comment, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_client_that_has_enough_to_read_gets_no_comment, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_comment_of_the_backend_is_passed_on_once_a_second, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_whole_answer_has_its_length, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_whole_answer_cut_after_its_head_is_aborted, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_backends_own_error_is_relayed_as_it_is, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_invalid_request_reaches_no_backend, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_unknown_model_is_404, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(only_the_models_name_changes_on_the_way, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_client_that_leaves_takes_its_call_along, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_slow_client_pauses_its_backend, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		a_client_with_enough_to_read_pauses_its_backend_before_more_is_read_into_tight_memory, set_up,
		tear_down),
	    cmocka_unit_test_setup_teardown(running_out_of_memory_is_told_or_shown, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_odd_request_id_is_replaced, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
