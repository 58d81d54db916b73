/* SPDX-License-Identifier: MIT */
/*
 * The fault table, rows 5 to 20, told by one table of ours: what the backend
 * does, and what the client must see, streamed and whole, over HTTP/1.1 and
 * HTTP/2. Each row is run alone, where the client gets a truthful error, and in
 * plans of every kind: in those that have another target, before the first
 * content nobody notices, and after it nobody pretends; all fails as one. The backend speaks either dialect. What
 * the backends saw and what was counted is checked as well. Rows 1–4, 21 and 22 and the bounds of
 * 14 and 15 have files of their own.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"
#include "tests/scenario/harness/sse.h"

enum view {
	NO_VARIANT,  /* the fault means nothing in this form */
	BY_STATUS,   /* the status and an error body: nothing was sent before */
	BEFORE_TEXT, /* by status, or in-band when the head was already sent; no content was relayed */
	IN_BAND,     /* an error event behind content */
};

struct row {
	const char *fault; /* settings of the simulator's model */
	enum view stream;
	const char *stream_code;
	enum view whole;
	const char *whole_code;
	int status; /* while nothing was sent */
};

struct world {
	struct sim *sim;
	struct sim *spare;
	struct sluice *sluice;
};

static bool expects(const struct row *row, const char *code)
{
	return (row->stream_code != NULL && strcmp(row->stream_code, code) == 0) ||
	       (row->whole_code != NULL && strcmp(row->whole_code, code) == 0);
}

/* The limit that the row is about is short. The others, and all of other rows, are far above what a busy machine takes.
 */
static const char *timeouts_of(const struct row *row)
{
	return expects(row, "upstream_first_content") ? "connect: 60s, first_content: 300ms, idle: 60s, total: 90s"
	       : expects(row, "upstream_idle")        ? "connect: 60s, first_content: 60s, idle: 300ms, total: 90s"
	       : expects(row, "upstream_total")       ? "connect: 60s, first_content: 60s, idle: 60s, total: 1s"
						      : "connect: 60s, first_content: 60s, idle: 60s, total: 90s";
}

static bool has_short_limit(const struct row *row)
{
	return strstr(timeouts_of(row), "300ms") != NULL || strstr(timeouts_of(row), "1s") != NULL;
}

/* dialect: of the backend with the fault. */
static struct world start_of(const struct row *row, const char *dialect)
{
	const char *timeouts = timeouts_of(row);
	struct world world = {.sim = sim_start(NULL), .spare = sim_start(NULL)};
	world.sluice = sluice_start(
	    "backends:\n"
	    "  sim: { url: 'http://127.0.0.1:%d/v1', dialect: %s, breaker: { enabled: false }, timeouts: { %s } }\n"
	    "  spare: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } }\n"
	    "limits: { event: 1MiB }\n"
	    "models:\n"
	    "  alone: sim/count;tokens=20;%s\n"
	    "  fallback: { fallback: [sim/count;tokens=20;%s, spare/count;tokens=4] }\n"
	    "  retry: { retry: [sim/count;tokens=20;%s, spare/count;tokens=4] }\n"
	    "  hedge: { hedge: [sim/count;tokens=20;%s, spare/count;tokens=4], after: 1h }\n"
	    "  race: { race: [sim/count;tokens=20;%s, spare/count;tokens=4;gate=0] }\n"
	    "  nested: { retry: { balance: [{ fallback: [sim/count;tokens=20;%s, spare/count;tokens=4] }] } }\n"
	    "  all: { all: [sim/count;tokens=20;%s, spare/count;tokens=4] }\n"
	    "  good: sim/count;tokens=4\n",
	    world.sim->port, dialect, timeouts, world.spare->port, row->fault, row->fault, row->fault, row->fault,
	    row->fault, row->fault, row->fault);
	return world;
}

static struct world start(const struct row *row)
{
	return start_of(row, "openai");
}

static void check_failure(const struct answer *answer, enum view view, int status, const char *code)
{
	if (view == IN_BAND || (view == BEFORE_TEXT && answer->status == 200)) {
		assert_int_equal(answer->status, 200);
		check_sse_error(&answer->body, code);
		struct sse sse = {0};
		sse_read(&sse, &answer->body);
		struct bytes text = {0};
		sse_text(&sse, 0, &text);
		if ((text.len != 0) != (view == IN_BAND))
			fail_msg("content «%s» in a stream whose fault came %s content", bytes_text(&text),
				 view == IN_BAND ? "behind" : "before");
		bytes_free(&text);
		sse_free(&sse);
	} else {
		check_error(answer, status, code);
	}
}

/*
 * Fetches once the simulator is done with all before: a connection that it
 * closes behind a spoilt answer must not be met half-closed in the pool, that
 * is row 22's story.
 */
static void prepare(const struct world *world)
{
	sim_wait_idle(world->sim);
	sim_reset(world->sim);
	sim_reset(world->spare);
}

static void fetch(const struct world *world, enum via via, const char *model, bool stream, struct answer *answer)
{
	prepare(world);
	client_fetch_chat(world->sluice, via, model, stream, answer);
}

/* The spare of the race answers when the call with the fault is over, whoever ended it. */
static void fetch_race(const struct world *world, enum via via, bool stream, struct answer *answer)
{
	struct client client;
	prepare(world);
	client_chat(&client, world->sluice, via, "race", stream);
	sim_wait_calls(world->sim, "tokens=20", 1);
	sim_wait_idle(world->sim);
	sim_open_gate(world->spare);
	client_finish(&client, answer);
}

/* Calls to a backend that ended so, as /metrics counts them. */
static double outcomes(const struct world *world, const char *backend, const char *outcome)
{
	char sample[160];
	snprintf(sample, sizeof sample, "sluice_calls_total{backend=\"%s\",outcome=\"%s\"}", backend, outcome);
	return sluice_metric(world->sluice, sample);
}

/* Alone: the truth, one call, one counted error. */
static void check_alone(const struct world *world, const struct row *row, enum via via, bool stream)
{
	const char *code = stream ? row->stream_code : row->whole_code;
	double errors = sluice_errors(world->sluice, code), calls = outcomes(world, "sim", code);
	struct answer answer;
	fetch(world, via, "alone", stream, &answer);
	check_failure(&answer, stream ? row->stream : row->whole, row->status, code);
	answer_free(&answer);
	assert_int_equal(sim_call_count(world->sim, "tokens=20"), 1);
	assert_true(sluice_errors(world->sluice, code) == errors + 1);
	assert_true(outcomes(world, "sim", code) == calls + 1);
}

/* The backends' view of a plan whose first target has the fault: one call each, in that order. */
static void check_calls(const struct world *world, const char *plan, bool commits)
{
	size_t spares = commits ? 0 : 1;
	assert_int_equal(sim_call_count(world->sim, "tokens=20"), 1);
	if (strcmp(plan, "race") == 0)
		return; /* both at once, and whoever loses may be called off before it was reached */
	if (sim_call_count(world->spare, "") != spares)
		fail_msg("%s: %zu calls to the spare", plan, sim_call_count(world->spare, ""));
	if (spares == 1)
		assert_true(sim_call_number(world->spare, "", "at_us") >=
			    sim_call_number(world->sim, "tokens=20", "at_us"));
}

/* In a plan with another target: invisible before content, truthful behind it; the call's outcome is counted. */
static void check_guarded(const struct world *world, const struct row *row, enum via via, bool stream, const char *plan)
{
	bool commits = stream && row->stream == IN_BAND;
	const char *code = stream ? row->stream_code : row->whole_code;
	double errors = sluice_errors(world->sluice, code), calls = outcomes(world, "sim", code);
	struct answer answer;
	if (strcmp(plan, "race") == 0)
		fetch_race(world, via, stream, &answer);
	else
		fetch(world, via, plan, stream, &answer);
	check_calls(world, plan, commits);
	if (strcmp(plan, "race") != 0)
		assert_true(outcomes(world, "sim", code) == calls + 1);
	assert_true(sluice_errors(world->sluice, code) == errors + commits);
	if (commits) {
		check_failure(&answer, row->stream, row->status, row->stream_code);
	} else {
		assert_int_equal(answer.status, 200);
		check_header(&answer, "x-sluice-target",
			     strcmp(plan, "race") == 0 ? "spare/count;tokens=4;gate=0" : "spare/count;tokens=4");
		check_header(&answer, "x-sluice-attempts", "2");
		check_contains(&answer.body, " 3\"");
		if (stream)
			check_sse_whole(&answer.body, 1);
	}
	answer_free(&answer);
}

/* The error is the last event; a neighbour may have finished before. */
static void check_told_last(const struct answer *answer, const char *code)
{
	char want[64];
	struct sse sse = {0};
	sse_read(&sse, &answer->body);
	snprintf(want, sizeof want, "\"code\":\"%s\"", code);
	if (sse.count == 0 || sse_is_done(&sse) || strstr(sse.data[sse.count - 1], want) == NULL)
		fail_msg("want %s last, got %s", code, sse.count == 0 ? "nothing" : sse.data[sse.count - 1]);
	sse_free(&sse);
}

/* In all: what one cannot answer, nobody does, and the other one is called off. */
static void check_gathered(const struct world *world, const struct row *row, enum via via, bool stream)
{
	const char *code = stream ? row->stream_code : row->whole_code;
	double errors = sluice_errors(world->sluice, code);
	struct answer answer;
	fetch(world, via, "all", stream, &answer);
	if (stream && answer.status == 200)
		check_told_last(&answer, code);
	else
		check_error(&answer, row->status, code);
	answer_free(&answer);
	assert_true(sluice_errors(world->sluice, code) == errors + 1);
}

static void check_plans(const struct world *world, const struct row *row, enum via via, bool stream)
{
	static const char *const plans[] = {"fallback", "retry", "hedge", "nested", "race"};
	bool slow =
	    strstr(row->fault, "hang") != NULL && !stream; /* only total ends it: the spare would win any race */
	for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++)
		if (!slow || strcmp(plans[i], "race") != 0)
			check_guarded(world, row, via, stream, plans[i]);
	check_gathered(world, row, via, stream);
}

/* The backend is not given up, and no connection to it is spoilt; a short limit may meet a good answer of a busy
 * machine.
 */
static void check_good(const struct world *world, const struct row *row)
{
	struct patience patience = patience_for("a good answer within the limits of the row");
	const char *code = row->stream_code != NULL ? row->stream_code : row->whole_code;
	for (bool cut = true; cut; patience_wait(&patience)) {
		struct answer answer;
		fetch(world, VIA_H1, "good", true, &answer);
		cut = has_short_limit(row) && bytes_contain(&answer.body, code);
		if (!cut)
			check_sse_whole(&answer.body, 1);
		answer_free(&answer);
	}
}

static void check_row_of(const struct row *row, const char *dialect)
{
	struct world world = start_of(row, dialect);
	for (int stream = 0; stream < 2; stream++) {
		if ((stream ? row->stream : row->whole) == NO_VARIANT)
			continue;
		for (enum via via = VIA_H1; via <= VIA_H2; via += VIA_H2) {
			check_alone(&world, row, via, stream);
			if ((via == VIA_H2) == stream) /* they do not care how they are asked */
				check_plans(&world, row, via, stream);
		}
	}
	check_good(&world, row);
	sim_wait_idle(world.sim);
	sluice_wait_idle(world.sluice);
}

static void check_row(const struct row *row)
{
	check_row_of(row, "openai");
	check_row_of(row, "anthropic");
}

#define ROWS(ROW)                                                                                                     \
	ROW(row_5_a_hang_before_the_head_ends_at_the_first_content_limit, "hang_before_head", BY_STATUS,              \
	    "upstream_first_content", NO_VARIANT, NULL, 504)                                                          \
	ROW(row_5_a_whole_answer_that_never_begins_ends_at_the_total_limit, "hang_before_head", NO_VARIANT, NULL,     \
	    BY_STATUS, "upstream_total", 504)                                                                         \
	ROW(row_6_a_head_and_then_silence_ends_at_the_first_content_limit, "head_then_hang", BEFORE_TEXT,             \
	    "upstream_first_content", NO_VARIANT, NULL, 504)                                                          \
	ROW(row_7_some_events_and_then_silence_ends_at_the_idle_limit, "events_then_hang", IN_BAND, "upstream_idle",  \
	    NO_VARIANT, NULL, 0)                                                                                      \
	ROW(row_8_a_reset_before_the_head_is_502, "reset_before_head", BY_STATUS, "upstream_reset", BY_STATUS,        \
	    "upstream_reset", 502)                                                                                    \
	ROW(row_8_a_reset_mid_answer_is_told, "reset_mid", IN_BAND, "upstream_reset", BY_STATUS, "upstream_reset",    \
	    502)                                                                                                      \
	ROW(row_9_a_close_before_the_head_is_502, "fin_before_head", BY_STATUS, "upstream_reset", BY_STATUS,          \
	    "upstream_reset", 502)                                                                                    \
	ROW(row_9_a_close_behind_the_head_is_truncation, "close_after_head", BEFORE_TEXT, "upstream_truncated",       \
	    BY_STATUS, "upstream_truncated", 502)                                                                     \
	ROW(row_9_a_close_inside_a_chunk_is_truncation, "fin_mid", IN_BAND, "upstream_truncated", BY_STATUS,          \
	    "upstream_truncated", 502)                                                                                \
	ROW(row_9_a_clean_end_without_finish_reason_is_truncation, "end_no_finish", IN_BAND, "upstream_truncated",    \
	    NO_VARIANT, NULL, 0)                                                                                      \
	ROW(row_10_an_error_as_first_event_is_a_failure, "error_first_event", BEFORE_TEXT, "upstream_error",          \
	    NO_VARIANT, NULL, 502)                                                                                    \
	ROW(row_10_an_error_event_mid_stream_is_told, "error_mid", IN_BAND, "upstream_error", NO_VARIANT, NULL, 0)    \
	ROW(row_10_an_error_as_a_200_body_is_a_failure, "error_json_200", BY_STATUS, "upstream_error", BY_STATUS,     \
	    "upstream_error", 502)                                                                                    \
	ROW(row_11_an_event_of_broken_json_ends_the_stream_truthfully, "broken_json", IN_BAND,                        \
	    "upstream_invalid_response", NO_VARIANT, NULL, 0)                                                         \
	ROW(row_11_broken_json_before_content_fails_over, "broken_json;after=0", BEFORE_TEXT,                         \
	    "upstream_invalid_response", NO_VARIANT, NULL, 502)                                                       \
	ROW(row_14_an_endless_line_is_cut_at_the_limit, "long_line", IN_BAND, "upstream_too_large", NO_VARIANT, NULL, \
	    0)                                                                                                        \
	ROW(row_14_an_endless_line_before_content_fails_over, "long_line;after=0", BEFORE_TEXT, "upstream_too_large", \
	    NO_VARIANT, NULL, 502)                                                                                    \
	ROW(row_16_a_body_shorter_than_its_length_is_truncation, "wrong_content_length", NO_VARIANT, NULL, BY_STATUS, \
	    "upstream_truncated", 502)                                                                                \
	ROW(row_16_a_body_longer_than_its_length_is_invalid, "short_content_length", BEFORE_TEXT,                     \
	    "upstream_truncated", BY_STATUS, "upstream_invalid_response", 502)                                        \
	ROW(row_16_length_and_chunked_together_is_refused, "cl_and_te", BY_STATUS, "upstream_protocol", BY_STATUS,    \
	    "upstream_protocol", 502)                                                                                 \
	ROW(row_17_thousands_of_1xx_are_refused, "many_1xx", BY_STATUS, "upstream_protocol", BY_STATUS,               \
	    "upstream_protocol", 502)                                                                                 \
	ROW(row_18_a_gzip_bomb_is_not_inflated, "gzip_bomb", BY_STATUS, "upstream_encoding", BY_STATUS,               \
	    "upstream_encoding", 502)                                                                                 \
	ROW(row_19_a_redirect_is_never_followed, "redirect", BY_STATUS, "upstream_redirect", BY_STATUS,               \
	    "upstream_redirect", 502)                                                                                 \
	ROW(row_20_300_kb_of_headers_are_refused, "huge_headers", BY_STATUS, "upstream_protocol", BY_STATUS,          \
	    "upstream_protocol", 502)                                                                                 \
	ROW(a_200_of_html_is_invalid, "not_json", BEFORE_TEXT, "upstream_invalid_response", BY_STATUS,                \
	    "upstream_invalid_response", 502)                                                                         \
	ROW(an_empty_200_is_no_success, "empty_200", BY_STATUS, "upstream_invalid_response", BY_STATUS,               \
	    "upstream_invalid_response", 502)

#define ROW_FUNCTION(name, ...)                        \
	static void name(void **state)                 \
	{                                              \
		(void)state;                           \
		check_row(&(struct row){__VA_ARGS__}); \
	}
ROWS(ROW_FUNCTION)

/* Faults that are none: the answer is whole all the same, and says exactly what a good one says. */
static void check_harmless_of(const char *fault, const char *dialect)
{
	struct world world = start_of(&(struct row){.fault = fault}, dialect);
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answers[2];
		struct bytes texts[2] = {{0}, {0}};
		client_fetch_chat(world.sluice, via, "alone", true, &answers[0]);
		client_fetch_chat(world.sluice, via, "alone", false, &answers[1]);
		assert_int_equal(answers[0].status, 200);
		assert_int_equal(answers[1].status, 200);
		check_sse_whole(&answers[0].body, 1);
		struct sse sse = {0};
		sse_read(&sse, &answers[0].body);
		sse_text(&sse, 0, &texts[0]);
		for (int i = 0; i < 20; i++)
			bytes_printf(&texts[1], " %d", i);
		assert_string_equal(bytes_text(&texts[0]), bytes_text(&texts[1]));
		check_contains(&answers[1].body, bytes_text(&texts[1]));
		sse_free(&sse);
		for (int i = 0; i < 2; i++) {
			bytes_free(&texts[i]);
			answer_free(&answers[i]);
		}
	}
	sluice_wait_idle(world.sluice);
}

static void check_harmless(const char *fault)
{
	check_harmless_of(fault, "openai");
	check_harmless_of(fault, "anthropic");
}

/* A message that does not stop is cut (anthropic_backends_test.c). */
static void row_9_a_missing_done_behind_a_finish_reason_is_mended(void **state)
{
	(void)state;
	check_harmless_of("no_done", "openai");
}

static void row_18_gzip_that_nobody_asked_for_is_decoded(void **state)
{
	(void)state;
	check_harmless("gzip_unsolicited");
}

static void an_answer_of_the_other_form_is_understood(void **state)
{
	(void)state;
	check_harmless("sse_for_json");
	check_harmless("json_for_sse");
}

/* The text of a completion, streamed or whole. */
static void completion_text(const struct sluice *sluice, enum via via, bool stream, struct bytes *text)
{
	struct answer answer;
	client_fetch(sluice, via, "/v1/completions",
		     stream ? "{\"model\":\"alone\",\"prompt\":\"x\",\"stream\":true,\"stream_options\":"
			      "{\"include_usage\":true}}"
			    : "{\"model\":\"alone\",\"prompt\":\"x\"}",
		     &answer);
	assert_int_equal(answer.status, 200);
	if (stream) {
		struct sse sse = {0};
		check_contains(&answer.body, "\"completion_tokens\":20");
		check_sse_whole(&answer.body, 1);
		sse_read(&sse, &answer.body);
		sse_text(&sse, 0, text);
		sse_free(&sse);
	} else {
		cJSON *root = cJSON_Parse(bytes_text(&answer.body));
		const cJSON *choice = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "choices"), 0);
		assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(root, "object")), "text_completion");
		assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(choice, "finish_reason")), "stop");
		bytes_printf(text, "%s", cJSON_GetStringValue(cJSON_GetObjectItem(choice, "text")));
		cJSON_Delete(root);
	}
	answer_free(&answer);
}

static void a_completion_of_the_other_form_is_understood(void **state)
{
	static const char *const faults[] = {"sse_for_json", "json_for_sse"};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct world world = start(&(struct row){.fault = faults[i]});
		for (enum via via = 0; via < VIA_COUNT; via++) {
			struct bytes texts[2] = {{0}, {0}}, want = {0};
			for (int token = 0; token < 20; token++)
				bytes_printf(&want, " %d", token);
			for (int stream = 0; stream < 2; stream++) {
				completion_text(world.sluice, via, stream != 0, &texts[stream]);
				assert_string_equal(bytes_text(&texts[stream]), bytes_text(&want));
				bytes_free(&texts[stream]);
			}
			bytes_free(&want);
		}
		sluice_wait_idle(world.sluice);
	}
}

static void row_12_odd_but_lawful_streams_are_read_exactly(void **state)
{
	(void)state;
	check_harmless("sse_odd");
}

static void row_12_comments_between_events_do_no_harm(void **state)
{
	(void)state;
	check_harmless("pings");
}

static void row_13_pieces_of_three_bytes_do_no_harm(void **state)
{
	(void)state;
	check_harmless("split=3");
}

static void an_http_1_0_backend_is_understood(void **state)
{
	(void)state;
	check_harmless("http10");
}

static void usage_that_nobody_asked_for_is_no_content(void **state)
{
	(void)state;
	check_harmless("usage_always");
}

#define ROW_SCENARIO(name, ...) SCENARIO(name),

int main(void)
{
	const struct CMUnitTest tests[] = {
	    ROWS(ROW_SCENARIO) SCENARIO(row_9_a_missing_done_behind_a_finish_reason_is_mended),
	    SCENARIO(row_18_gzip_that_nobody_asked_for_is_decoded),
	    SCENARIO(an_answer_of_the_other_form_is_understood),
	    SCENARIO(a_completion_of_the_other_form_is_understood),
	    SCENARIO(row_12_odd_but_lawful_streams_are_read_exactly),
	    SCENARIO(row_12_comments_between_events_do_no_harm),
	    SCENARIO(row_13_pieces_of_three_bytes_do_no_harm),
	    SCENARIO(an_http_1_0_backend_is_understood),
	    SCENARIO(usage_that_nobody_asked_for_is_no_content),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
