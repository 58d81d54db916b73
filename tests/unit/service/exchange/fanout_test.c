/* SPDX-License-Identifier: MIT */
/* Fan-outs: what is told of each lane and when, with calls that do what the test says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "clients/http/http_client.h"
#include "lib/log.h"
#include "schemas/openai/dialect.h"
#include "service/exchange/exchange.h"
#include "service/plan/plan.h"
#include "tests/unit/service/exchange/fake_client.h"

enum { CALLS = 4, CALL_BODY_MAX = 1024 };

/* ---- the HTTP client, replaced ---- */

struct http_call {
	const struct http_call_ops *ops;
	void *context;
	bool cancelled, paused;
	char body[CALL_BODY_MAX];
};

static struct http_call calls[CALLS]; /* in the order they started */
static unsigned call_count;

struct http_call *http_call_start(struct http_origin *origin, const struct http_call_request *ask,
				  const struct http_call_ops *ops, void *context)
{
	struct http_call *call = &calls[call_count++];
	(void)origin;
	assert_in_range(call_count, 1, CALLS);
	*call = (struct http_call){.ops = ops, .context = context};
	snprintf(call->body, sizeof(call->body), "%.*s%.*s", SPAN_ARG(ask->body), SPAN_ARG(ask->tail));
	return call;
}

void http_call_cancel(struct http_call *call)
{
	call->cancelled = true;
}

bool http_call_is_sent(const struct http_call *call)
{
	(void)call;
	return true;
}

void http_call_pause(struct http_call *call)
{
	call->paused = true;
}

void http_call_resume(struct http_call *call)
{
	call->paused = false;
}

static void call_head(unsigned index, const char *type)
{
	struct http_head head = {.status = 200, .content_type = span_of(type), .content_length = -1};
	calls[index].ops->on_head(calls[index].context, &head);
}

static void call_bytes(unsigned index, const char *text)
{
	calls[index].ops->on_body(calls[index].context, span_of(text));
}

static void call_done(unsigned index, enum error_code error)
{
	struct http_call_result result = {.error = error};
	calls[index].ops->on_done(calls[index].context, &result);
}

/* ---- the frame ---- */

static struct reactor reactor;
static const struct config *config;
static struct http_origin *origins[1];
static struct exchange_worker worker;
static struct arena scratch;

static int set_up(void **state)
{
	static const char yaml[] = "listen: [127.0.0.1:0]\n"
				   "backends: { b: { url: http://127.0.0.1:1/v1, stream_usage: false } }\n"
				   "models: { m: b/one, n: b/two }\n"
				   "limits: { event: 4096, buffer: 64KiB }\n";
	struct buf errors;
	(void)state;
	log_set_level(LOG_ERROR);
	client_reset();
	call_count = 0;
	reactor_init(&reactor, NULL, NULL, NULL);
	buf_init(&errors, 4096);
	config = config_load_text(SPAN(yaml), "test", &errors);
	assert_non_null(config);
	worker = (struct exchange_worker){
	    .flights = {.plan = {.reactor = &reactor, .config = config, .origins = origins, .scratch = &scratch}}};
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
	struct exchange_request request = {.kind = &exchange_fanout,
					   .dialect = &openai_dialect,
					   .endpoint = ENDPOINT_CHAT,
					   .body = span_of(body),
					   .request_id = SPAN("mine"),
					   .http_version = 11};
	return exchange_start(&worker, &request, &client_ops, &worker);
}

#define QUESTION "\"request\":{\"seed\":9007199254740993,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}"
#define TARGETS(strategy) "{\"targets\":[\"m\",\"n\"],\"strategy\":\"" strategy "\"," QUESTION
#define ROLE "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}\n\n"
#define TEXT(text) "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"" text "\"}}]}\n\n"
#define STOP "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define DONE "data: [DONE]\n\n"
#define WHOLE                                                                                              \
	"{\"id\":\"c\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"hi\"}," \
	"\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}"

/* The names of the events that were told, by blanks, with the lane's number. */
static void check_events(const char *want)
{
	char got[TEXT_MAX] = "";
	for (const char *at = strstr(said, "event: "); at != NULL; at = strstr(at + 1, "event: ")) {
		const char *end = strchr(at, '\n');
		const char *index = strstr(end, "\"index\":");
		size_t used = strlen(got);
		snprintf(got + used, TEXT_MAX - used, "%s%.*s", used == 0 ? "" : " ", (int)(end - at - 7), at + 7);
		if (strncmp(at + 7, "lane.", 5) == 0)
			snprintf(got + strlen(got), TEXT_MAX - strlen(got), "%c", index[8]);
	}
	assert_string_equal(got, want);
}

static void start_streams(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		call_head(i, "text/event-stream");
}

/* ---- the tests ---- */

static void the_nested_request_goes_out_as_it_was_written(void **state)
{
	(void)state;
	struct exchange *exchange =
	    ask("{\"targets\":[\"n\"],\"stream\":true,\"request\":{\"model\":null, \"seed\" : 9007199254740993,"
		"\"odd\":[1,  2],\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}}");
	assert_non_null(exchange);
	assert_string_equal(calls[0].body,
			    "{\"model\":\"two\",\"stream\":true,\"seed\":9007199254740993,\"odd\":[1,  2],"
			    "\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}");
	exchange_on_gone(exchange);
}

static void every_lane_is_told_from_start_to_end(void **state)
{
	(void)state;
	assert_non_null(ask(TARGETS("all") ",\"stream\":true}"));
	assert_int_equal(status, 200);
	start_streams(2);
	call_bytes(1, TEXT("b"));
	call_bytes(0, TEXT("a") STOP DONE);
	call_bytes(1, STOP DONE);
	check_events("lane.started0 lane.started1 lane.delta1 lane.delta0 lane.delta0 lane.finished0 lane.delta1 "
		     "lane.finished1 result");
	assert_non_null(strstr(said, "\"winner\":null"));
	assert_non_null(strstr(said, "\"content\":\"a\"},\"finish_reason\":\"stop\",\"sluice_target\":\"b/one\"}"));
	assert_true(finished);
	assert_string_equal(said + strlen(said) - strlen("}\n\n" DONE), "}\n\n" DONE);
	call_done(0, ERROR_NONE);
	call_done(1, ERROR_NONE);
}

static void a_loser_is_cancelled_before_the_winner_goes_on(void **state)
{
	(void)state;
	assert_non_null(ask(TARGETS("race") ",\"stream\":true}"));
	start_streams(2);
	call_bytes(1, ROLE);
	call_bytes(0, TEXT("a"));
	assert_true(calls[1].cancelled);
	call_bytes(0, STOP DONE);
	check_events("lane.started0 lane.started1 lane.delta1 lane.delta0 lane.cancelled1 lane.delta0 lane.finished0 "
		     "result");
	assert_non_null(strstr(said, "\"winner\":0"));
	assert_true(finished);
	call_done(0, ERROR_NONE);
}

static void a_cut_lane_is_failed_and_its_neighbour_cancelled(void **state)
{
	(void)state;
	assert_non_null(ask(TARGETS("all") ",\"stream\":true}"));
	start_streams(2);
	call_bytes(0, TEXT("a"));
	call_done(0, ERROR_UPSTREAM_RESET);
	assert_true(calls[1].cancelled);
	check_events("lane.started0 lane.started1 lane.delta0 lane.failed0 lane.cancelled1 error");
	assert_non_null(strstr(said, "\"code\":\"upstream_reset\""));
	assert_null(strstr(said, "[DONE]"));
	assert_true(finished);
}

static void a_whole_answer_tells_lanes_and_result(void **state)
{
	(void)state;
	assert_non_null(ask(TARGETS("race") "}"));
	call_head(0, "application/json");
	call_bytes(0, WHOLE);
	assert_int_equal(status, 0);
	call_done(0, ERROR_NONE);
	assert_int_equal(status, 200);
	assert_true(finished);
	assert_non_null(strstr(
	    said, "\"strategy\":\"race\",\"winner\":0,\"lanes\":[{\"index\":0,\"name\":\"m\",\"target\":\"b/one\","
		  "\"status\":\"finished\",\"finish_reason\":\"stop\",\"usage\":{\"prompt_tokens\":1,"
		  "\"completion_tokens\":2,\"total_tokens\":3},\"error\":null},{\"index\":1,\"name\":\"n\","
		  "\"target\":\"b/two\",\"status\":\"cancelled\""));
	assert_non_null(strstr(said, "\"result\":" WHOLE "}"));
}

/* What is not JSON, because it was too long to be read by its leaf, may not become a part of ours. */
static void a_long_answer_that_is_no_json_is_an_error(void **state)
{
	static char big[5001];
	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	assert_non_null(ask("{\"plan\":\"m\"," QUESTION "}"));
	call_head(0, "application/json");
	call_bytes(0, big);
	assert_int_equal(status, 502);
	assert_non_null(strstr(said, "\"code\":\"upstream_invalid_response\""));
}

static void check_paused(bool paused)
{
	for (unsigned i = 0; i < call_count; i++)
		assert_int_equal(calls[i].cancelled || calls[i].paused == paused, true);
}

/* strategy: one whose lanes run side by side, whatever it relays of them. */
static void check_pacing(const char *body)
{
	struct exchange *exchange = ask(body);
	assert_non_null(exchange);
	start_streams(2);
	call_bytes(0, ROLE);
	check_paused(false);
	client_backlog = 65536;
	call_bytes(0, ROLE);
	check_paused(true);
	client_backlog = 0;
	exchange_on_drained(exchange);
	check_paused(false);
	client_backlog = 65536;
	call_bytes(1, ROLE);
	check_paused(true);
	exchange_on_gone(exchange);
	call_count = 0;
	said[0] = '\0';
	status = 0;
	client_backlog = 0;
}

static void a_slow_client_pauses_all_lanes(void **state)
{
	(void)state;
	check_pacing(TARGETS("all") ",\"stream\":true}");
	check_pacing(TARGETS("race") ",\"stream\":true}");
	check_pacing(TARGETS("quorum") ",\"stream\":true}");
	check_pacing("{\"plan\":{\"all\":[{\"race\":[\"m\",\"n\"]}]}," QUESTION ",\"stream\":true}");
}

static void a_lane_that_starts_while_the_client_is_slow_is_paused(void **state)
{
	(void)state;
	struct exchange *exchange = ask(TARGETS("fallback") ",\"stream\":true}");
	start_streams(1);
	client_backlog = 65536;
	call_bytes(0, ROLE);
	assert_true(calls[0].paused);
	call_done(0, ERROR_UPSTREAM_RESET);
	assert_int_equal(call_count, 2);
	assert_true(calls[1].paused);
	exchange_on_drained(exchange);
	assert_false(calls[1].paused);
	exchange_on_gone(exchange);
}

static void a_client_that_leaves_hears_nothing_more(void **state)
{
	(void)state;
	struct exchange *exchange = ask(TARGETS("all") ",\"stream\":true}");
	start_streams(2);
	said[0] = '\0';
	exchange_on_gone(exchange);
	assert_true(calls[0].cancelled && calls[1].cancelled);
	assert_string_equal(said, "");
	assert_false(finished || aborted);
}

/* Combinators are on the stack then: the end must wait for the turn's. */
static void a_client_that_cannot_be_written_to_is_aborted_at_the_end_of_the_turn(void **state)
{
	(void)state;
	assert_non_null(ask(TARGETS("race") ",\"stream\":true}"));
	start_streams(2);
	no_memory = true;
	call_bytes(0, ROLE);
	assert_false(aborted);
	reactor_run_tasks(&reactor);
	assert_true(aborted);
	assert_true(calls[0].cancelled && calls[1].cancelled);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_nested_request_goes_out_as_it_was_written, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(every_lane_is_told_from_start_to_end, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_loser_is_cancelled_before_the_winner_goes_on, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_cut_lane_is_failed_and_its_neighbour_cancelled, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_whole_answer_tells_lanes_and_result, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_long_answer_that_is_no_json_is_an_error, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_slow_client_pauses_all_lanes, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_lane_that_starts_while_the_client_is_slow_is_paused, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_client_that_leaves_hears_nothing_more, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_client_that_cannot_be_written_to_is_aborted_at_the_end_of_the_turn,
					    set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
