/* SPDX-License-Identifier: MIT */
/* Requests that are asked again or gone on with: which ones, and what is sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "schemas/openai/cacheable.h"
#include "schemas/openai/request.h"

static struct arena arena;
static struct request request;

static void decode(const char *members)
{
	static char body[1024];
	struct findings findings = {.count = 0};
	snprintf(body, sizeof(body), "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]%s}",
		 members);
	arena_fini(&arena);
	arena_init(&arena, 0);
	assert_true(openai_request_decode(&request, ENDPOINT_CHAT, &arena, span_of(body), &JSON_DEPTH(32), &findings));
}

static void zero_or_a_seed_is_repeatable(void **state)
{
	static const struct {
		const char *members;
		bool repeatable;
	} rows[] = {
	    {"", false},
	    {",\"temperature\":0", true},
	    {",\"temperature\":0.0", true},
	    {",\"temperature\":0.1", false},
	    {",\"temperature\":null", false},
	    {",\"seed\":7", true},
	    {",\"seed\":null", false},
	    {",\"temperature\":1,\"seed\":0", true},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		decode(rows[i].members);
		assert_int_equal(openai_request_is_repeatable(&request), rows[i].repeatable);
	}
}

static void some_answers_can_be_gone_on_with(void **state)
{
	static const struct {
		const char *members;
		const char *text;
		bool taken;
	} rows[] = {
	    {"", "Hello", true},
	    {",\"n\":2", "Hello", false},
	    {",\"response_format\":{\"type\":\"json_object\"}", "{", false},
	    {",\"stop\":\"END\"", "Hello", true},
	    {",\"stop\":\"END\"", "Hello E", false},
	    {",\"stop\":[\"x\",\"\\n\\n\"]", "Hello\n", false},
	    {",\"stop\":[\"x\",\"\\n\\n\"]", "Hello", true},
	    {",\"stop\":null", "Hello", true},
	    {",\"max_tokens\":3", "Hello", false},
	    {",\"max_tokens\":4", "Hello", true},
	    {",\"max_completion_tokens\":3", "Hello", false},
	    {",\"max_tokens\":-1", "Hello", true},
	    {",\"max_tokens\":0", "Hello", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		decode(rows[i].members);
		if (openai_request_takes_prefill(&request, span_of(rows[i].text), 3, &arena) != rows[i].taken)
			fail_msg("%s behind \"%s\"", rows[i].members, rows[i].text);
	}
}

static void a_client_that_prefills_itself_is_not_gone_on_with(void **state)
{
	struct findings findings = {.count = 0};
	(void)state;
	decode("");
	assert_true(openai_request_decode(&request, ENDPOINT_CHAT, &arena,
					  SPAN("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"},{"
					       "\"role\":\"assistant\",\"content\":\"y\"}]}"),
					  &JSON_DEPTH(32), &findings));
	assert_false(openai_request_takes_prefill(&request, SPAN("Hello"), 3, &arena));
}

static void check_spliced(enum prefill_form form, const char *members, const char *want)
{
	struct request_splice splice = {.model = SPAN("n"), .prefill = SPAN("say \"hi\""), .form = form, .spent = 3};
	struct buf out;
	decode(members);
	buf_init(&out, request.json.text.len + openai_splice_growth(&splice));
	buf_append(&out, openai_request_splice(&request, &splice, &out));
	if (!span_is(buf_span(&out), want))
		fail_msg("\n got %.*s\nwant %s", SPAN_ARG(buf_span(&out)), want);
	buf_fini(&out);
}

static void the_text_goes_behind_the_messages(void **state)
{
	(void)state;
	check_spliced(PREFILL_FORM_MESSAGE, "",
		      "{\"model\":\"n\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"assistant\","
		      "\"content\":\"say \\\"hi\\\"\"}]}");
	check_spliced(PREFILL_FORM_CONTINUE, ",\"max_tokens\":10,\"max_completion_tokens\":3",
		      "{\"model\":\"n\",\"continue_final_message\":true,\"add_generation_prompt\":false,\"messages\":[{"
		      "\"role\":\"user\",\"content\":\"x\"},{\"role\":\"assistant\",\"content\":\"say "
		      "\\\"hi\\\"\"}],\"max_tokens\":7,\"max_completion_tokens\":1}");
	check_spliced(PREFILL_FORM_MESSAGE, ",\"max_tokens\":-1",
		      "{\"model\":\"n\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"assistant\","
		      "\"content\":\"say \\\"hi\\\"\"}],\"max_tokens\":-1}");
	check_spliced(PREFILL_FORM_PREFIX, "",
		      "{\"model\":\"n\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"assistant\","
		      "\"content\":\"say \\\"hi\\\"\",\"prefix\":true}]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(zero_or_a_seed_is_repeatable),
	    cmocka_unit_test(some_answers_can_be_gone_on_with),
	    cmocka_unit_test(a_client_that_prefills_itself_is_not_gone_on_with),
	    cmocka_unit_test(the_text_goes_behind_the_messages),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_fini(&arena);
	return failed;
}
