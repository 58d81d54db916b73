/* SPDX-License-Identifier: MIT */
/*
 * The target: what it makes of a backend's answer, and its timeouts on a fake
 * clock.
 */
#include "tests/unit/service/fake_target.h"

#define ROLE "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n"
#define TEXT "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n"
#define STOP "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define USAGE "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}\n\n"
#define DONE "data: [DONE]\n\n"

static void a_stream_is_relayed_as_the_backends_own_bytes(void **state)
{
	(void)state;
	begin(true);
	call_head(200, "text/event-stream");
	call_bytes(ROLE TEXT STOP DONE);
	assert_string_equal(seen, "raw " ROLE ";raw " TEXT ";raw " STOP ";end;");
	assert_false(call.cancelled);
	assert_int_equal(settled, 0);
	call_done(ERROR_NONE);
	assert_int_equal(settled, 1);
	finish();
}

static void usage_that_only_we_asked_for_is_kept_from_the_client(void **state)
{
	(void)state;
	begin(true);
	call_head(200, "text/event-stream");
	call_bytes(ROLE TEXT STOP USAGE DONE);
	assert_string_equal(seen, "raw " ROLE ";raw " TEXT ";raw " STOP ";usage;end;");
	finish();
}

static void a_missing_role_is_added(void **state)
{
	(void)state;
	begin(true);
	call_head(200, "text/event-stream");
	call_bytes(TEXT);
	assert_non_null(strstr(seen, "data {"));
	assert_non_null(strstr(seen, "\"role\":\"assistant\""));
	finish();
}

static void a_transfer_that_does_not_end_by_itself_is_closed(void **state)
{
	(void)state;
	begin(true);
	call_head(200, "text/event-stream");
	call_bytes(ROLE TEXT STOP DONE);
	pass(2 * SECOND);
	assert_true(call.cancelled);
	assert_int_equal(settled, 1);
	finish();
}

static void finish_reason_without_done_is_complete(void **state)
{
	(void)state;
	begin(true);
	call_head(200, "text/event-stream");
	call_bytes(ROLE TEXT STOP);
	call_done(ERROR_NONE);
	assert_non_null(strstr(seen, "end;"));
	finish();
}

static void a_polite_end_without_finish_reason_is_truncated(void **state)
{
	(void)state;
	begin(true);
	call_head(200, "text/event-stream");
	call_bytes(ROLE TEXT);
	call_done(ERROR_NONE);
	assert_non_null(strstr(seen, "error upstream_truncated;"));
	assert_null(strstr(seen, "end;"));
	finish();
}

static void broken_json_ends_the_stream_with_an_error(void **state)
{
	(void)state;
	begin(true);
	call_head(200, "text/event-stream");
	call_bytes(ROLE TEXT "data: {\"choices\":[\n\n" STOP DONE);
	assert_non_null(strstr(seen, "error upstream_invalid_response;"));
	assert_true(call.cancelled);
	assert_null(strstr(seen, "end;"));
	finish();
}

static void an_error_event_fails_the_call_and_may_be_retried(void **state)
{
	(void)state;
	begin(true);
	call_head(200, "text/event-stream");
	call_bytes("data: {\"error\":{\"message\":\"out of memory\",\"code\":500}}\n\n");
	assert_string_equal(seen, "error upstream_error;");
	assert_string_equal(last_message, "out of memory (from b/real)");
	assert_true(last_retryable);
	finish();
}

static void silence_before_content_fails_at_the_first_content_limit(void **state)
{
	(void)state;
	begin(true);
	pass(29 * SECOND);
	call_head(200, "text/event-stream");
	call_bytes(ROLE);
	pass(2 * SECOND);
	assert_non_null(strstr(seen, "error upstream_first_content;"));
	assert_true(call.cancelled);
	finish();
}

static void silence_after_content_fails_at_the_idle_limit(void **state)
{
	(void)state;
	begin(true);
	call_head(200, "text/event-stream");
	call_bytes(ROLE TEXT);
	pass(9 * SECOND);
	call_bytes(TEXT);
	pass(9 * SECOND);
	assert_null(strstr(seen, "error"));
	pass(2 * SECOND);
	assert_non_null(strstr(seen, "error upstream_idle;"));
	finish();
}

static void bytes_that_complete_no_event_do_not_count_as_life(void **state)
{
	(void)state;
	begin(true);
	call_head(200, "text/event-stream");
	call_bytes(ROLE TEXT);
	for (int i = 0; i < 6; i++) {
		call_bytes("d");
		pass(2 * SECOND);
	}
	assert_non_null(strstr(seen, "error upstream_idle;"));
	finish();
}

static void silence_after_finish_reason_is_complete(void **state)
{
	(void)state;
	begin(true);
	call_head(200, "text/event-stream");
	call_bytes(ROLE TEXT STOP);
	pass(11 * SECOND);
	assert_non_null(strstr(seen, "end;"));
	finish();
}

static void a_paused_call_is_not_idle(void **state)
{
	(void)state;
	begin(true);
	call_head(200, "text/event-stream");
	call_bytes(ROLE TEXT);
	run->ops->pause(run, true);
	assert_true(call.paused);
	pass(60 * SECOND);
	assert_null(strstr(seen, "error"));
	run->ops->pause(run, false);
	assert_false(call.paused);
	pass(11 * SECOND);
	assert_non_null(strstr(seen, "error upstream_idle;"));
	finish();
}

static void the_total_limit_ends_a_lively_stream(void **state)
{
	(void)state;
	begin(true);
	call_head(200, "text/event-stream");
	call_bytes(ROLE);
	for (int i = 0; i < 100 && strstr(seen, "error") == NULL; i++) {
		call_bytes(TEXT);
		pass(9 * SECOND);
	}
	assert_non_null(strstr(seen, "error upstream_total;"));
	finish();
}

static void an_event_over_the_cap_ends_the_stream(void **state)
{
	(void)state;
	char big[1025];
	memset(big, 'x', 1024);
	big[1024] = '\0';
	begin(true);
	call_head(200, "text/event-stream");
	call_bytes(ROLE TEXT "data: ");
	for (int i = 0; i < 5; i++)
		call_bytes(big);
	assert_non_null(strstr(seen, "error upstream_too_large;"));
	finish();
}

static void a_whole_answer_comes_at_once_when_complete(void **state)
{
	(void)state;
	begin(false);
	pass(100 * SECOND);
	call_head(200, "application/json");
	call_bytes("{\"choices\":[");
	assert_string_equal(seen, "");
	call_bytes("{}]}");
	call_done(ERROR_NONE);
	assert_string_equal(seen, "body {\"choices\":[{}]};end;");
	finish();
}

static void a_cut_whole_answer_is_an_error(void **state)
{
	(void)state;
	begin(false);
	call_head(200, "application/json");
	call_bytes("{\"choices\":[");
	call_done(ERROR_UPSTREAM_TRUNCATED);
	assert_string_equal(seen, "error upstream_truncated;");
	assert_true(last_retryable);
	finish();
}

static void a_whole_answer_over_the_cap_is_passed_up_as_it_comes(void **state)
{
	(void)state;
	char big[3001];
	memset(big, 'x', 3000);
	big[0] = '[';
	big[3000] = '\0';
	begin(false);
	call_head(200, "application/json");
	call_bytes(big);
	assert_string_equal(seen, "");
	call_bytes(big);
	call_bytes("y");
	assert_int_equal(strlen(seen), 3000 + 3000 + 1 + 3 * strlen("body ;"));
	call_done(ERROR_UPSTREAM_RESET);
	assert_non_null(strstr(seen, "error upstream_reset;"));
	finish();
}

/* It was 200 with a correct Content-Length, and nothing was logged. */
static void a_whole_answer_over_the_cap_whose_json_never_closes_is_truncated(void **state)
{
	char big[3001];
	(void)state;
	memset(big, ' ', 3000);
	big[3000] = '\0';
	for (int whole = 0; whole < 2; whole++) {
		begin(false);
		call_head(200, "application/json");
		call_bytes("{\"choices\":[{\"message\":{\"content\":\"}\"}}");
		call_bytes(big);
		call_bytes(big);
		call_bytes(whole ? "]}" : "]");
		call_done(ERROR_NONE);
		assert_int_equal(strstr(seen, "error upstream_truncated;") == NULL, whole);
		assert_int_equal(strstr(seen, "end;") != NULL, whole);
		finish();
	}
}

static void a_stream_for_a_whole_answer_is_gathered(void **state)
{
	(void)state;
	begin(false);
	call_head(200, "text/event-stream");
	call_bytes(ROLE TEXT TEXT STOP DONE);
	assert_non_null(strstr(seen, "body {"));
	assert_non_null(strstr(seen, "\"finish_reason\":\"stop\""));
	assert_non_null(strstr(seen, ";end;"));
	assert_null(strstr(seen, "raw"));
	call_done(ERROR_NONE);
	finish();
}

static void a_stream_for_a_whole_answer_that_is_cut_is_an_error(void **state)
{
	(void)state;
	begin(false);
	call_head(200, "text/event-stream");
	call_bytes(ROLE TEXT);
	call_done(ERROR_NONE);
	assert_string_equal(seen, "error upstream_truncated;");
	finish();
}

static void a_whole_answer_for_a_stream_becomes_its_chunks(void **state)
{
	(void)state;
	begin(true);
	call_head(200, "application/json");
	call_bytes("{\"id\":\"i\",\"model\":\"m\",\"created\":1,\"choices\":[{\"index\":0,\"message\":{\"role\":"
		   "\"assistant\",\"content\":\"hi\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,"
		   "\"completion_tokens\":1,\"total_tokens\":2}}");
	call_done(ERROR_NONE);
	reactor_run_tasks(&reactor);
	assert_non_null(strstr(seen, "\"content\":\"hi\""));
	assert_non_null(strstr(seen, "\"finish_reason\":\"stop\""));
	assert_non_null(strstr(seen, "usage;end;"));
	finish();
}

static void a_finish_reason_of_a_failure_fails_the_call(void **state)
{
	(void)state;
	begin(true);
	call_head(200, "text/event-stream");
	call_bytes(ROLE TEXT "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"error\"}]}\n\n" DONE);
	assert_non_null(strstr(seen, "error upstream_error;"));
	assert_null(strstr(seen, "end;"));
	assert_null(strstr(seen, "finish_reason"));
	finish();
	begin(false);
	call_head(200, "application/json");
	call_bytes("{\"choices\":[{\"message\":{\"content\":\"x\"},\"finish_reason\":\"abort\"}]}");
	call_done(ERROR_NONE);
	assert_string_equal(seen, "error upstream_error;");
	assert_true(last_retryable);
	finish();
}

/* The client read "Extra inputs are not permitted" on every stream, about a member that it never sent. */
static void stream_options_that_are_refused_are_left_out(void **state)
{
	(void)state;
	begin(true);
	assert_non_null(strstr(call.body, "stream_options"));
	call_head(422, "application/json");
	call_bytes("{\"detail\":[{\"loc\":[\"body\",\"stream_options\"],\"msg\":\"Extra inputs are not permitted\"}]}");
	call_done(ERROR_NONE);
	assert_string_equal(seen, "");
	assert_null(strstr(call.body, "stream_options"));
	call_head(200, "text/event-stream");
	call_bytes(ROLE TEXT STOP DONE);
	assert_non_null(strstr(seen, "end;"));
	assert_int_equal(shared.attempts, 1);
	call_done(ERROR_NONE);
	finish();
}

static void an_error_inside_a_200_is_an_error(void **state)
{
	(void)state;
	begin(false);
	call_head(200, "application/json");
	call_bytes("{\"error\":\"no memory\"}");
	call_done(ERROR_NONE);
	assert_string_equal(seen, "error upstream_error;");
	assert_string_equal(last_message, "no memory (from b/real)");
	finish();
}

static void a_clients_mistake_is_relayed_and_not_retried(void **state)
{
	(void)state;
	begin(false);
	call_head(400, "application/json");
	call_bytes("{\"error\":{\"message\":\"bad\",\"type\":\"x\",\"param\":null,\"code\":null}}");
	call_done(ERROR_NONE);
	assert_string_equal(seen, "error upstream_rejected;");
	assert_int_equal(last_status, 400);
	assert_true(last_had_body);
	assert_false(last_retryable);
	finish();
}

static void context_overflow_may_go_to_another_model(void **state)
{
	(void)state;
	begin(false);
	call_head(400, "application/json");
	call_bytes("{\"error\":{\"message\":\"long\",\"code\":\"context_length_exceeded\"}}");
	call_done(ERROR_NONE);
	assert_true(last_retryable);
	finish();
}

static void the_gateways_own_credentials_are_not_the_clients_fault(void **state)
{
	(void)state;
	begin(false);
	call_head(401, "application/json");
	call_bytes("{\"error\":{\"message\":\"bad key\"}}");
	call_done(ERROR_NONE);
	assert_string_equal(seen, "error upstream_status;");
	assert_null(strstr(last_message, "bad key"));
	assert_int_equal(last_status, 0);
	assert_false(last_had_body);
	assert_true(last_retryable);
	finish();
}

static void retry_after_is_clamped(void **state)
{
	(void)state;
	static const struct {
		const char *given;
		const char *expected;
	} cases[] = {{"7", "7"},
		     {"-5", "0"},
		     {"1000000000", "3600"},
		     {"soon", ""},
		     {"Thu, 01 Jan 1970 00:00:00 GMT", "0"},
		     {"Thu, 01 Jan 2099 00:00:00 GMT", "3600"},
		     {"1.2", "2"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_head h = {.status = 429, .content_length = -1, .retry_after = span_of(cases[i].given)};
		begin(false);
		call.ops->on_head(call.context, &h);
		call_done(ERROR_NONE);
		assert_string_equal(seen, "error upstream_busy;");
		assert_string_equal(last_retry_after, cases[i].expected);
		finish();
	}
}

static void redirects_and_unknown_encodings_are_refused(void **state)
{
	(void)state;
	begin(true);
	call_head(302, "text/html");
	assert_string_equal(seen, "error upstream_redirect;");
	finish();
	begin(true);
	struct http_head h = {
	    .status = 200, .content_encoding = SPAN("compress"), .content_type = SPAN("text/event-stream")};
	call.ops->on_head(call.context, &h);
	assert_string_equal(seen, "error upstream_encoding;");
	finish();
}

/* A rate limit in gzip was 502, and five refused requests in gzip opened the breaker. */
static void the_status_decides_whatever_the_coding_of_the_body(void **state)
{
	static const char *const codings[] = {"gzip", "compress"};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		begin(false);
		struct http_head h = {.status = 429, .content_encoding = span_of(codings[i]), .retry_after = SPAN("7")};
		call.ops->on_head(call.context, &h);
		call_bytes("not gzip at all");
		if (strcmp(seen, "") == 0)
			call_done(ERROR_NONE);
		assert_string_equal(seen, "error upstream_busy;");
		assert_string_equal(last_retry_after, "7");
		finish();
	}
}

static void a_failed_connection_tells_its_reason(void **state)
{
	(void)state;
	begin(true);
	call_done(ERROR_UPSTREAM_CONNECT);
	assert_string_equal(seen, "error upstream_connect;");
	assert_non_null(strstr(last_message, "b/real"));
	assert_int_equal(settled, 1);
	finish();
}

static void cancel_aborts_the_call_and_says_nothing(void **state)
{
	(void)state;
	begin(true);
	call_head(200, "text/event-stream");
	call_bytes(ROLE);
	seen[0] = '\0';
	run->ops->cancel(run);
	assert_true(call.cancelled);
	assert_string_equal(seen, "");
	assert_int_equal(settled, 1);
	pass(700 * SECOND);
	assert_string_equal(seen, "");
	finish();
}

static void done_without_finish_reason_is_truncated(void **state)
{
	(void)state;
	begin(true);
	call_head(200, "text/event-stream");
	call_bytes(ROLE TEXT DONE);
	assert_non_null(strstr(seen, "error upstream_truncated;"));
	assert_null(strstr(seen, "end;"));
	finish();
	begin(true);
	call_head(200, "text/event-stream");
	call_bytes(DONE);
	assert_string_equal(seen, "error upstream_truncated;");
	finish();
}

static void an_answer_without_choices_is_no_answer(void **state)
{
	(void)state;
	begin(false);
	call_head(200, "application/json");
	call_bytes("{\"choices\":[]}");
	call_done(ERROR_NONE);
	assert_string_equal(seen, "error upstream_invalid_response;");
	finish();
}

/* A backend that hung behind its head held a failover up until the total limit, ten minutes by default. */
static void silence_behind_the_head_of_a_whole_answer_is_idle(void **state)
{
	(void)state;
	static const int statuses[] = {200, 500};
	for (size_t i = 0; i < 2; i++) {
		begin(false);
		call_head(statuses[i], "application/json");
		pass((i == 0 ? 21 : 11) * SECOND);
		assert_string_equal(seen, i == 0 ? "error upstream_idle;" : "error upstream_status;");
		assert_true(call.cancelled);
		finish();
	}
}

/* The limit of the first content went on while the call was paused for a sibling's slow client. */
static void a_paused_call_is_not_late_with_its_first_content(void **state)
{
	(void)state;
	begin(true);
	pass(20 * SECOND);
	run->ops->pause(run, true);
	pass(100 * SECOND);
	assert_string_equal(seen, "");
	run->ops->pause(run, false);
	pass(9 * SECOND);
	assert_string_equal(seen, "");
	pass(2 * SECOND);
	assert_string_equal(seen, "error upstream_first_content;");
	finish();
}

static void an_error_inside_a_200_follows_the_rules_of_its_status(void **state)
{
	(void)state;
	begin(false);
	call_head(200, "application/json");
	call_bytes("{\"error\":{\"message\":\"bad key\",\"code\":401}}");
	call_done(ERROR_NONE);
	assert_int_equal(last_status, 0);
	assert_true(last_retryable);
	finish();
	begin(false);
	call_head(200, "application/json");
	call_bytes("{\"error\":{\"message\":\"too hot\",\"code\":400}}");
	call_done(ERROR_NONE);
	assert_string_equal(seen, "error upstream_rejected;");
	assert_int_equal(last_status, 400);
	assert_false(last_retryable);
	finish();
}

static void a_space_behind_done_and_empty_data_do_no_harm(void **state)
{
	(void)state;
	begin(true);
	call_head(200, "text/event-stream");
	call_bytes(ROLE "data:\n\n" TEXT STOP "data: [DONE] \n\n");
	assert_non_null(strstr(seen, "end;"));
	finish();
}

static void the_receiver_may_cancel_at_the_first_piece_of_a_long_answer(void **state)
{
	(void)state;
	char big[3001];
	memset(big, 'x', 3000);
	big[3000] = '\0';
	begin(false);
	cancel_on_event = true;
	call_head(200, "application/json");
	call_bytes(big);
	call_bytes(big);
	assert_true(call.cancelled);
	assert_int_equal(timers_wait(&reactor.timers), UINT64_MAX);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_stream_is_relayed_as_the_backends_own_bytes),
	    cmocka_unit_test(usage_that_only_we_asked_for_is_kept_from_the_client),
	    cmocka_unit_test(a_missing_role_is_added),
	    cmocka_unit_test(a_transfer_that_does_not_end_by_itself_is_closed),
	    cmocka_unit_test(finish_reason_without_done_is_complete),
	    cmocka_unit_test(a_polite_end_without_finish_reason_is_truncated),
	    cmocka_unit_test(broken_json_ends_the_stream_with_an_error),
	    cmocka_unit_test(an_error_event_fails_the_call_and_may_be_retried),
	    cmocka_unit_test(silence_before_content_fails_at_the_first_content_limit),
	    cmocka_unit_test(silence_after_content_fails_at_the_idle_limit),
	    cmocka_unit_test(bytes_that_complete_no_event_do_not_count_as_life),
	    cmocka_unit_test(silence_after_finish_reason_is_complete),
	    cmocka_unit_test(a_paused_call_is_not_idle),
	    cmocka_unit_test(the_total_limit_ends_a_lively_stream),
	    cmocka_unit_test(an_event_over_the_cap_ends_the_stream),
	    cmocka_unit_test(a_whole_answer_comes_at_once_when_complete),
	    cmocka_unit_test(a_cut_whole_answer_is_an_error),
	    cmocka_unit_test(a_whole_answer_over_the_cap_is_passed_up_as_it_comes),
	    cmocka_unit_test(a_whole_answer_over_the_cap_whose_json_never_closes_is_truncated),
	    cmocka_unit_test(a_stream_for_a_whole_answer_is_gathered),
	    cmocka_unit_test(a_stream_for_a_whole_answer_that_is_cut_is_an_error),
	    cmocka_unit_test(a_whole_answer_for_a_stream_becomes_its_chunks),
	    cmocka_unit_test(a_finish_reason_of_a_failure_fails_the_call),
	    cmocka_unit_test(stream_options_that_are_refused_are_left_out),
	    cmocka_unit_test(an_error_inside_a_200_is_an_error),
	    cmocka_unit_test(a_clients_mistake_is_relayed_and_not_retried),
	    cmocka_unit_test(context_overflow_may_go_to_another_model),
	    cmocka_unit_test(the_gateways_own_credentials_are_not_the_clients_fault),
	    cmocka_unit_test(retry_after_is_clamped),
	    cmocka_unit_test(redirects_and_unknown_encodings_are_refused),
	    cmocka_unit_test(the_status_decides_whatever_the_coding_of_the_body),
	    cmocka_unit_test(a_failed_connection_tells_its_reason),
	    cmocka_unit_test(cancel_aborts_the_call_and_says_nothing),
	    cmocka_unit_test(done_without_finish_reason_is_truncated),
	    cmocka_unit_test(an_answer_without_choices_is_no_answer),
	    cmocka_unit_test(silence_behind_the_head_of_a_whole_answer_is_idle),
	    cmocka_unit_test(a_paused_call_is_not_late_with_its_first_content),
	    cmocka_unit_test(an_error_inside_a_200_follows_the_rules_of_its_status),
	    cmocka_unit_test(a_space_behind_done_and_empty_data_do_no_harm),
	    cmocka_unit_test(the_receiver_may_cancel_at_the_first_piece_of_a_long_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
