/* SPDX-License-Identifier: MIT */
/* The pure parts of the simulator: texts, settings, faults, and the lengths it promises. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "tools/sim/answer.h"
#include "tools/sim/escape.h"
#include "tools/sim/http_parse.h"
#include "tools/sim/knobs.h"
#include "tools/sim/model.h"

/* The first count tokens of choice, joined. */
static void join(struct buf *out, const char *name, const char *prompt, uint32_t choice, uint64_t count, uint64_t seed)
{
	struct model model;
	model_init(&model, span_of(name), span_of(prompt), 0, seed);
	for (uint64_t i = 0; i < count; i++)
		model_token(out, &model, choice, i, 0);
}

static void assert_buf(struct buf *buf, const char *text)
{
	assert_true(span_is(buf_span(buf), text));
	buf_reset(buf);
}

static void words_depend_on_model_prompt_choice_and_seed_only(void **state)
{
	(void)state;
	struct buf a, b;
	buf_init(&a, 4096);
	buf_init(&b, 4096);
	join(&a, "m", "hi", 0, 5, 0);
	assert_true(span_is(buf_span(&a), " canyon orchid harbor island basalt")); /* pinned: tests recompute it */
	join(&b, "m", "hi", 0, 5, 0);
	assert_true(span_equal(buf_span(&a), buf_span(&b)));
	const struct {
		const char *name, *prompt;
		uint32_t choice;
		uint64_t seed;
	} others[] = {{"n", "hi", 0, 0}, {"m", "ho", 0, 0}, {"m", "hi", 1, 0}, {"m", "hi", 0, 1}, {"mh", "i", 0, 0}};
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		buf_reset(&b);
		join(&b, others[i].name, others[i].prompt, others[i].choice, 5, others[i].seed);
		assert_false(span_equal(buf_span(&a), buf_span(&b)));
	}
	buf_fini(&a);
	buf_fini(&b);
}

static void count_numbers_its_tokens_and_pads_them(void **state)
{
	(void)state;
	struct buf out;
	struct model model;
	buf_init(&out, 4096);
	join(&out, "count", "anything", 3, 12, 9);
	assert_buf(&out, " 0 1 2 3 4 5 6 7 8 9 10 11");
	model_init(&model, SPAN("count"), SPAN("x"), 8, 0);
	model_token(&out, &model, 0, 7, 0);
	assert_buf(&out, " 7______");
	assert_int_equal(model_token_len(&model, 0, 7, 0), 8);
	buf_fini(&out);
}

static void echo_tokens_join_to_the_prompt_and_never_cut_a_character(void **state)
{
	(void)state;
	const char *prompts[] = {
	    "", "one", "the quick  brown fox ", " lead", "ééééééééééééééééééééééééééé", "aaaaaaaaaaaaaaaaaaaaaaa𝄞𝄞𝄞 b"};
	for (size_t i = 0; i < sizeof prompts / sizeof prompts[0]; i++) {
		struct span prompt = span_of(prompts[i]);
		struct model model;
		model_init(&model, SPAN("echo"), prompt, 0, 0);
		uint64_t count = 0;
		for (size_t at = 0; at < prompt.len; count++) {
			struct span token = model_echo_token(prompt, at);
			assert_true(token.len > 0);
			assert_true(((unsigned char)token.at[0] & 0xc0) != 0x80);
			at += token.len;
			assert_true(at <= prompt.len);
		}
		assert_int_equal(model_token_count(&model, 64, false), count);
		assert_int_equal(model_token_count(&model, 1, true), count < 1 ? count : 1);
	}
}

static void a_list_sets_numbers_texts_and_the_fault(void **state)
{
	(void)state;
	struct knobs knobs = {.set = 0};
	struct knobs_error error;
	assert_true(knobs_parse(&knobs,
				SPAN(" tokens=500 ;ttft=0; itl=1ms;jitter=250us;for=3s;fault = reset_mid;after=3;"
				     "token_bytes=2k;bytes=100m;retry_after=Fri, 31 Dec 1999 23:59:59 GMT;;"),
				&error));
	assert_int_equal(knobs.fault, FAULT_RESET_MID);
	assert_int_equal(knobs_get(&knobs, KNOB_TOKENS, 1), 500);
	assert_int_equal(knobs_get(&knobs, KNOB_TTFT, 1), 0);
	assert_int_equal(knobs_get(&knobs, KNOB_ITL, 0), 1000);
	assert_int_equal(knobs_get(&knobs, KNOB_JITTER, 0), 250);
	assert_int_equal(knobs_get(&knobs, KNOB_FOR, 0), 3000000);
	assert_int_equal(knobs_get(&knobs, KNOB_TOKEN_BYTES, 0), 2048);
	assert_int_equal(knobs_get(&knobs, KNOB_BYTES, 0), 100 * 1024 * 1024);
	assert_true(span_is(knobs.text[KNOB_RETRY_AFTER], "Fri, 31 Dec 1999 23:59:59 GMT"));
	assert_false(knobs_has(&knobs, KNOB_BURST));
	assert_int_equal(knobs_get(&knobs, KNOB_BURST, 7), 7);
}

static void a_bare_name_is_a_fault_and_a_bare_status_is_the_fault_status(void **state)
{
	(void)state;
	struct knobs_error error;
	struct knobs bare = {.set = 0}, status = {.set = 0}, redirect = {.set = 0};
	assert_true(knobs_parse(&bare, SPAN("no_done"), &error));
	assert_int_equal(bare.fault, FAULT_NO_DONE);
	assert_true(knobs_parse(&status, SPAN("status=503"), &error));
	assert_int_equal(status.fault, FAULT_STATUS);
	assert_true(knobs_parse(&redirect, SPAN("redirect;status=307"), &error));
	assert_int_equal(redirect.fault, FAULT_REDIRECT);
}

static void a_bad_setting_is_refused_by_its_name(void **state)
{
	(void)state;
	const char *bad[][2] = {
	    {"tokns=3", "tokns"},
	    {"ttft=abc", "ttft"},
	    {"ttft=-1ms", "ttft"},
	    {"ttft=1h", "ttft"},
	    {"tokens=", "tokens"},
	    {"tokens=18446744073709551616", "tokens"},
	    {"status=99", "status"},
	    {"burst=0", "burst"},
	    {"fault=nonsense", "fault"},
	    {"nonsense", "fault"},
	    {"token_bytes=2m", "token_bytes"},
	    {"tokens=1.5", "tokens"},
	    {"retry_after=a\r\nb: c", "retry_after"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct knobs knobs = {.set = 0};
		struct knobs_error error = {""};
		assert_false(knobs_parse(&knobs, span_of(bad[i][0]), &error));
		assert_int_equal(strncmp(error.what, bad[i][1], strlen(bad[i][1])), 0);
		assert_non_null(strstr(error.what, "expected"));
	}
}

static void settings_are_inherited_but_a_fault_keeps_its_own_parameters(void **state)
{
	(void)state;
	struct knobs call = {.set = 0}, plain = {.set = 0}, base = {.set = 0};
	struct knobs_error error;
	assert_true(knobs_parse(&base, SPAN("reset_mid;after=9;itl=4ms;tokens=3"), &error));
	assert_true(knobs_parse(&call, SPAN("fin_mid;tokens=8"), &error));
	knobs_inherit(&call, &base);
	assert_int_equal(call.fault, FAULT_FIN_MID);
	assert_false(knobs_has(&call, KNOB_AFTER));
	assert_int_equal(knobs_get(&call, KNOB_TOKENS, 0), 8);
	assert_int_equal(knobs_get(&call, KNOB_ITL, 0), 4000);
	knobs_inherit(&plain, &base);
	assert_int_equal(plain.fault, FAULT_RESET_MID);
	assert_int_equal(knobs_get(&plain, KNOB_AFTER, 0), 9);
	knobs_clear_fault(&plain);
	assert_int_equal(plain.fault, FAULT_NONE);
	assert_false(knobs_has(&plain, KNOB_AFTER));
	assert_int_equal(knobs_get(&plain, KNOB_TOKENS, 0), 3);
}

static void every_fault_is_found_by_its_name_and_says_what_it_does(void **state)
{
	(void)state;
	for (int i = 0; i < FAULT_COUNT; i++) {
		const struct fault_row *row = fault_row((enum fault)i);
		assert_int_equal(fault_find(span_of(row->name)), i);
		assert_true(strlen(row->doc) > 0);
		assert_in_range(row->row, 0, 22);
	}
	assert_int_equal(fault_find(SPAN("nonsense")), FAULT_COUNT);
	assert_int_equal(fault_find(SPAN("")), FAULT_COUNT);
}

static void a_model_string_is_split_at_its_first_semicolon(void **state)
{
	(void)state;
	struct span name, list;
	ask_split_model(SPAN("count;tokens=5;fault=no_done"), &name, &list);
	assert_true(span_is(name, "count"));
	assert_true(span_is(list, "tokens=5;fault=no_done"));
	ask_split_model(SPAN("org/model:tag"), &name, &list);
	assert_true(span_is(name, "org/model:tag"));
	assert_int_equal(list.len, 0);
}

/* Renders the JSON body of a request and compares its length with the promised one. */
static void check_length(const char *body, const char *list)
{
	struct arena arena;
	struct ask ask;
	struct ask_error wrong;
	struct knobs knobs = {.set = 0};
	struct knobs_error error;
	struct answer answer;
	struct answer_source source = {.sim_name = "sim", .number = 7};
	struct buf out, scratch;
	arena_init(&arena, 0);
	buf_init(&out, 1 << 20);
	buf_init(&scratch, 1 << 20);
	buf_append(&scratch, SPAN("left over by someone else"));
	assert_true(ask_parse(&ask, ASK_CHAT, span_of(body), &arena, &wrong));
	assert_true(knobs_parse(&knobs, span_of(list), &error));
	assert_true(answer_init(&answer, &ask, &knobs, &source, false, &arena));
	uint64_t length = answer_json_length(&answer, &scratch);
	while (answer_json_next(&answer, &out))
		;
	assert_int_equal(length, buf_len(&out));
	assert_int_equal(answer.emitted, answer_total(&answer));
	struct json json;
	struct json_error broken;
	assert_true(json_parse(&json, &arena, buf_span(&out), 16, &broken));
	answer_fini(&answer);
	buf_fini(&out);
	buf_fini(&scratch);
	arena_fini(&arena);
}

static void a_json_answer_has_the_length_that_its_head_promised(void **state)
{
	(void)state;
	const char *lists[] = {"", "tokens=0", "tokens=1", "tokens=100;token_bytes=40"};
	const char *bodies[] = {
	    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
	    "{\"model\":\"count\",\"n\":3,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
	    "{\"model\":\"utf8\",\"n\":2,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
	    "{\"model\":\"echo\",\"messages\":[{\"role\":\"user\",\"content\":\"a \\\"b\\\" \\n\\ud83d\\ude00\"}]}",
	    ("{\"model\":\"utf8\",\"tools\":[{\"function\":{\"name\":\"f\"}}],\"messages\":[{\"role\":\"user\","
	     "\"content\":\"a tool\"}]}"),
	};
	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
		for (size_t k = 0; k < sizeof lists / sizeof lists[0]; k++)
			check_length(bodies[i], lists[k]);
}

static void text_parts_of_a_message_are_joined(void **state)
{
	(void)state;
	struct arena arena;
	struct ask ask;
	struct ask_error wrong;
	arena_init(&arena, 0);
	assert_true(
	    ask_parse(&ask, ASK_CHAT,
		      SPAN("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
			   "\"text\":\"a\\n\"},{\"type\":\"image_url\"},{\"type\":\"text\",\"text\":\"bc\"}]}]}"),
		      &arena, &wrong));
	assert_true(span_is(ask.prompt, "a\nbc"));
	arena_fini(&arena);
}

static void escapes_in_ascii_use_surrogate_pairs(void **state)
{
	(void)state;
	struct buf out;
	buf_init(&out, 4096);
	escape_json(&out, SPAN("a\"é\n𝄞"), true);
	assert_buf(&out, "a\\\"\\u00e9\\n\\ud834\\udd1e");
	buf_fini(&out);
}

static void a_head_is_parsed_only_when_it_is_whole(void **state)
{
	(void)state;
	static struct http_request request;
	struct span whole = SPAN("POST /v1/chat/completions?a=b HTTP/1.1\r\nHost: x\r\nContent-Length:  12 \r\n"
				 "Expect: 100-continue\r\n\r\n{");
	size_t head = whole.len - 1;
	for (size_t len = 0; len < head; len++)
		assert_int_equal(http_head_parse(&request, (struct span){whole.at, len}), HTTP_MORE);
	assert_int_equal(http_head_parse(&request, whole), HTTP_OK);
	assert_int_equal(request.head.len, head);
	assert_true(span_is(request.path, "/v1/chat/completions"));
	assert_true(span_is(request.query, "a=b"));
	assert_int_equal(request.content_length, 12);
	assert_true(request.expect_continue && request.keep_alive && !request.chunked);
	assert_int_equal(http_head_parse(&request, SPAN("GET / HTTP/2.0\r\n\r\n")), HTTP_BAD);
	assert_int_equal(http_head_parse(&request, SPAN("GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\n")), HTTP_BAD);
}

static void two_framings_of_one_body_are_refused(void **state)
{
	(void)state;
	static struct http_request request;
	const char *heads[] = {
	    "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
	    "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
	    "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
	};
	for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
		assert_int_equal(http_head_parse(&request, span_of(heads[i])), HTTP_BAD);
}

static void a_chunked_body_is_decoded_whatever_the_reads(void **state)
{
	(void)state;
	static const char raw[] = "3;x=y\r\nabc\r\n0A\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\nGET";
	for (size_t step = 1; step <= sizeof raw; step++) {
		char body[sizeof raw];
		struct http_chunks chunks = {.raw = 0};
		enum http_result result = HTTP_MORE;
		memcpy(body, raw, sizeof raw);
		for (size_t len = 0; result == HTTP_MORE && len < sizeof raw - 1;) {
			len = len + step > sizeof raw - 1 ? sizeof raw - 1 : len + step;
			result = http_chunks_decode(&chunks, body, len);
		}
		assert_int_equal(result, HTTP_OK);
		assert_int_equal(chunks.raw, sizeof raw - 4);
		assert_int_equal(chunks.decoded, 13);
		assert_memory_equal(body, "abc0123456789", 13);
	}
	char broken[] = "3\r\nabcX\r\n";
	struct http_chunks chunks = {.raw = 0};
	assert_int_equal(http_chunks_decode(&chunks, broken, sizeof broken - 1), HTTP_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words_depend_on_model_prompt_choice_and_seed_only),
	    cmocka_unit_test(count_numbers_its_tokens_and_pads_them),
	    cmocka_unit_test(echo_tokens_join_to_the_prompt_and_never_cut_a_character),
	    cmocka_unit_test(a_list_sets_numbers_texts_and_the_fault),
	    cmocka_unit_test(a_bare_name_is_a_fault_and_a_bare_status_is_the_fault_status),
	    cmocka_unit_test(a_bad_setting_is_refused_by_its_name),
	    cmocka_unit_test(settings_are_inherited_but_a_fault_keeps_its_own_parameters),
	    cmocka_unit_test(every_fault_is_found_by_its_name_and_says_what_it_does),
	    cmocka_unit_test(a_model_string_is_split_at_its_first_semicolon),
	    cmocka_unit_test(a_json_answer_has_the_length_that_its_head_promised),
	    cmocka_unit_test(text_parts_of_a_message_are_joined),
	    cmocka_unit_test(escapes_in_ascii_use_surrogate_pairs),
	    cmocka_unit_test(a_head_is_parsed_only_when_it_is_whole),
	    cmocka_unit_test(two_framings_of_one_body_are_refused),
	    cmocka_unit_test(a_chunked_body_is_decoded_whatever_the_reads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
