/* SPDX-License-Identifier: MIT */
/* What backends say when they refuse, in all forms that were met, and of which kind each is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "schemas/failure_rules.h"
#include "schemas/openai/error_read.h"
#include "tests/unit/arena_fixture.h"

static void error_bodies_of_every_form_are_understood(void **state)
{
	static const char *const rows[][2] = {
	    {"{\"error\":{\"message\":\"m\",\"type\":\"t\"}}", "m"},
	    {"{\"error\":\"m\"}", "m"},
	    {"{\"error\":{\"error\":{\"message\":\"m\"}}}", "m"},
	    {"{\"error\":{\"message\":{\"detail\":\"m\"}}}", "m"},
	    {"{\"object\":\"error\",\"message\":\"m\",\"code\":400}", "m"},
	    {"{\"detail\":\"m\"}", "m"},
	    {"{\"detail\":[{\"loc\":[\"body\",\"n\",0],\"msg\":\"m\"}]}", "body.n.0: m"},
	    {"{\"detail\":[{\"msg\":\"m\"}]}", "m"},
	    {"{\"detail\":{\"message\":\"m\"}}", "m"},
	    {"{\"errors\":[\"m\",\"o\"]}", "m"},
	    {"{\"title\":\"m\",\"status\":500}", "m"},
	    {"{\"error\":null,\"message\":\"m\"}", "m"},
	    {"[{\"error\":{\"message\":\"m\"}}]", "m"},
	    {"\"m\"", "m"},
	    {"data: {\"error\":{\"message\":\"m\"}}\n\n", "m"},
	    {"event: error\ndata: {\"error\":{\"message\":\"m\"}}\n\n", "m"},
	    {"upstream connect error\n", "upstream connect error"},
	    {"{\"error\":{}}", NULL},
	    {"{\"detail\":[]}", NULL},
	    {"{}", NULL},
	    {"<html>", NULL},
	    {"", NULL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct backend_error error;
		openai_error_read(span_of(rows[i][0]), &arena, &error);
		if (rows[i][1] == NULL ? error.message.at != NULL : !span_is(error.message, rows[i][1]))
			fail_msg("%s: %.*s", rows[i][0], SPAN_ARG(error.message));
	}
}

/* 64 KiB of a backend cost a gigabyte, and 16 MiB of an event the process. */
static void a_place_of_many_steps_costs_little(void **state)
{
	enum { STEPS = 30000 };
	static char body[STEPS * 2 + 64];
	struct backend_error error;
	struct arena small;
	(void)state;
	size_t len = (size_t)snprintf(body, sizeof(body), "{\"detail\":[{\"msg\":\"m\",\"loc\":[1");
	for (size_t i = 0; i < STEPS; i++, len += 2)
		memcpy(body + len, ",1", 2);
	len += (size_t)snprintf(body + len, sizeof(body) - len, "]}]}");
	arena_init(&small, 4 << 20);
	assert_true(openai_error_read((struct span){body, len}, &small, &error));
	assert_false(arena_failed(&small));
	assert_true(error.message.len < 100);
	arena_fini(&small);
}

static void a_long_message_is_cut_between_characters(void **state)
{
	static char body[20000];
	struct backend_error error;
	(void)state;
	size_t len = (size_t)snprintf(body, sizeof(body), "{\"error\":\"x");
	for (size_t i = 0; i < 4000; i++, len += 2)
		memcpy(body + len, "\xc3\xa9", 2);
	len += (size_t)snprintf(body + len, sizeof(body) - len, "\"}");
	openai_error_read((struct span){body, len}, &arena, &error);
	assert_int_equal(error.message.len, 4095);
	assert_int_equal((unsigned char)error.message.at[4094], 0xa9);
}

static void only_the_dialects_own_object_may_be_relayed(void **state)
{
	struct backend_error error;
	(void)state;
	openai_error_read(SPAN("{\"error\":{\"message\":\"m\"}}"), &arena, &error);
	assert_true(error.object);
	openai_error_read(SPAN("{\"error\":\"m\"}"), &arena, &error);
	assert_false(error.object);
	openai_error_read(SPAN("data: {\"error\":{\"message\":\"m\"}}\n\n"), &arena, &error);
	assert_false(error.object);
}

/* As engines and providers really say it. */
static void what_backends_say_is_of_the_right_kind(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum failure_kind kind;
		unsigned where;
	} rows[] = {
	    {400,
	     "{\"error\":{\"message\":\"This model's maximum context length is 4096 tokens. However, you requested "
	     "5000 tokens\",\"type\":\"BadRequestError\",\"param\":null,\"code\":400}}",
	     FAILURE_CONTEXT, 0},
	    {400,
	     "{\"object\":\"error\",\"message\":\"This model's maximum context length is 4096 tokens.\","
	     "\"type\":\"BadRequestError\",\"param\":null,\"code\":400}",
	     FAILURE_CONTEXT, 0},
	    {400,
	     "{\"object\":\"error\",\"message\":\"The input (5000 tokens) is longer than the model's context length "
	     "(4096 tokens).\",\"type\":\"BadRequestError\",\"code\":400}",
	     FAILURE_CONTEXT, 0},
	    {400,
	     "{\"error\":{\"code\":400,\"message\":\"request (5000 tokens) exceeds the available context size (4096 "
	     "tokens), try increasing it\",\"type\":\"exceed_context_size_error\",\"n_prompt_tokens\":5000}}",
	     FAILURE_CONTEXT, 0},
	    {400,
	     "{\"error\":{\"message\":\"x\",\"type\":\"invalid_request_error\",\"code\":\"context_length_exceeded\"}}",
	     FAILURE_CONTEXT, 0},
	    {402, "{\"error\":{\"message\":\"Insufficient Balance\"}}", FAILURE_ACCOUNT, 0},
	    {400, "{\"error\":{\"message\":\"Your credit balance is too low to access the API.\"}}", FAILURE_ACCOUNT,
	     0},
	    {429, "{\"error\":{\"message\":\"x\",\"code\":\"insufficient_quota\"}}", FAILURE_ACCOUNT, 0},
	    {400, "{\"error\":{\"message\":\"This organization has been disabled.\"}}", FAILURE_ACCOUNT, 0},
	    {400,
	     "{\"error\":{\"message\":\"You have reached your specified API usage limits. You will regain access on "
	     "2025-11-01\"}}",
	     FAILURE_ACCOUNT, 0},
	    {412, "{\"error\":{\"message\":\"Account acme is suspended, possibly due to reaching the limit\"}}",
	     FAILURE_ACCOUNT, 0},
	    {429, "{\"error\":\"Your team has used all available credits or reached its spending limit.\"}",
	     FAILURE_ACCOUNT, 0},
	    {400, "{\"error\":{\"message\":\"Budget has been exceeded!\",\"type\":\"budget_exceeded\"}}",
	     FAILURE_ACCOUNT, 0},
	    {400, "{\"error\":{\"message\":\"Access denied\",\"code\":\"Arrearage\"}}", FAILURE_ACCOUNT, 0},
	    {500, "{\"error\":{\"message\":\"Insufficient Balance\"}}", FAILURE_ACCOUNT, 0},
	    {500, "{\"error\":{\"message\":\"AuthenticationError: Incorrect API key provided\"}}", FAILURE_CREDENTIALS,
	     0},
	    {400, "{\"error\":{\"message\":\"Your organization must be verified to stream this model.\"}}",
	     FAILURE_CREDENTIALS, 0},
	    {400, "{\"message\":\"The provided model identifier is invalid.\"}", FAILURE_MODEL, 0},
	    {400, "{\"error\":{\"message\":\"The decoder prompt (length 9) is longer than the maximum model length\"}}",
	     FAILURE_CONTEXT, 0},
	    {400, "{\"message\":\"Input length (9 tokens) exceeds the maximum allowed length (8 tokens).\"}",
	     FAILURE_CONTEXT, 0},
	    {400, "{\"error\":{\"message\":\"input length and `max_tokens` exceed context limit: 9 + 2 > 10\"}}",
	     FAILURE_CONTEXT, 0},
	    {400, "{\"error\":\"This model's maximum prompt length is 8 but the request contains 9 tokens.\"}",
	     FAILURE_CONTEXT, 0},
	    {500,
	     "{\"error\":{\"message\":\"input is too large to process. increase the physical batch size (current "
	     "batch size: 512)\"}}",
	     FAILURE_CONTEXT, 0},
	    {500, "{\"error\":{\"message\":\"Conversation roles must alternate user/assistant\"}}", FAILURE_UNSUPPORTED,
	     0},
	    {401, "{\"error\":{\"message\":\"Incorrect API key provided\"}}", FAILURE_CREDENTIALS, 0},
	    {403, "no", FAILURE_CREDENTIALS, 0},
	    {404, "{\"error\":{\"message\":\"x\",\"code\":\"model_not_found\"}}", FAILURE_MODEL, 0},
	    {400,
	     "{\"error\":{\"message\":\"The model `x` has been decommissioned\",\"code\":\"model_decommissioned\"}}",
	     FAILURE_MODEL, 0},
	    {404, "{\"error\":\"model 'x' not found, try pulling it first\"}", FAILURE_MODEL, 0},
	    {410, "gone", FAILURE_MODEL, 0},
	    {413, "", FAILURE_TOO_LARGE, 0},
	    {400, "{\"error\":{\"message\":\"x\",\"code\":\"content_filter\"}}", FAILURE_FILTER, 0},
	    {429, "", FAILURE_RATE_LIMIT, 0},
	    {529, "", FAILURE_OVERLOAD, 0},
	    {503, "{\"error\":{\"message\":\"x\",\"type\":\"overloaded_error\"}}", FAILURE_OVERLOAD, 0},
	    {503, "", FAILURE_SERVER, 0},
	    {500,
	     "{\"error\":{\"code\":500,\"message\":\"image input is not supported - hint: if this is unexpected, you "
	     "may need to provide the mmproj\",\"type\":\"server_error\"}}",
	     FAILURE_UNSUPPORTED, 0},
	    {501,
	     "{\"error\":{\"code\":501,\"message\":\"This server does not support embeddings.\",\"type\":"
	     "\"not_supported_error\"}}",
	     FAILURE_UNSUPPORTED, 0},
	    {504, "", FAILURE_TIMEOUT, 0},
	    {408, "", FAILURE_TIMEOUT, 0},
	    {424, "", FAILURE_SERVER, 0},
	    {499, "", FAILURE_SERVER, 0},
	    {400, "{\"error\":{\"message\":\"temperature is too hot\"}}", FAILURE_REQUEST, 0},
	    {422,
	     "{\"detail\":[{\"type\":\"extra_forbidden\",\"loc\":[\"body\",\"stream_options\"],\"msg\":\"Extra inputs "
	     "are not permitted\"}]}",
	     FAILURE_REWRITE, FAILURE_WHERE_WRITTEN_USAGE},
	    {422, "{\"detail\":[{\"loc\":[\"body\",\"stream_options\"],\"msg\":\"Extra inputs are not permitted\"}]}",
	     FAILURE_REQUEST, 0},
	    {422, "{\"error\":\"Extra inputs are not permitted\"}", FAILURE_REWRITE, FAILURE_WHERE_WRITTEN_USAGE},
	    {500, "{\"error\":\"create() got an unexpected keyword argument 'stream_options'\"}", FAILURE_REWRITE,
	     FAILURE_WHERE_WRITTEN_USAGE},
	    {400, "{\"error\":{\"message\":\"assistant prefill is not allowed\"}}", FAILURE_REWRITE,
	     FAILURE_WHERE_WRITTEN_PREFILL},
	    {429, "", FAILURE_RATE_LIMIT, FAILURE_WHERE_WRITTEN_PREFILL},
	    {0, "{\"error\":{\"message\":\"CUDA out of memory\"}}", FAILURE_GENERATION, 0},
	    {0, "{\"error\":{\"message\":\"x\",\"type\":\"overloaded_error\"}}", FAILURE_OVERLOAD, 0},
	    {0, "{\"error\":{\"message\":\"x\",\"type\":\"invalid_request_error\"}}", FAILURE_REQUEST, 0},
	    {204, "", FAILURE_BROKEN, 0},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct backend_error error;
		openai_error_read(span_of(rows[i].body), &arena, &error);
		struct failure_signs signs = {.where = rows[i].where,
					      .status = rows[i].status,
					      .code = error.code,
					      .type = error.type,
					      .message = error.message};
		enum failure_kind kind = failure_classify(&signs);
		if (kind != rows[i].kind)
			fail_msg("%d %s: %s, not %s", rows[i].status, rows[i].body, failure_row(kind)->name,
				 failure_row(rows[i].kind)->name);
	}
}

static void a_finish_reason_of_a_failure_is_one(void **state)
{
	(void)state;
	assert_true(failure_is_finish(SPAN("error")));
	assert_true(failure_is_finish(SPAN("Abort")));
	assert_true(failure_is_finish(SPAN("insufficient_system_resource")));
	assert_true(failure_is_finish(SPAN("network_error")));
	assert_false(failure_is_finish(SPAN("stop")));
	assert_false(failure_is_finish(SPAN("length")));
	assert_false(failure_is_finish(SPAN("")));
	assert_false(failure_is_finish(SPAN("error abort")));
}

static void every_error_of_a_backend_has_a_kind(void **state)
{
	(void)state;
	for (enum error_code code = ERROR_NONE + 1; code < ERROR_COUNT; code++)
		assert_int_not_equal(failure_kind_of(code), FAILURE_NONE);
	for (unsigned kind = FAILURE_NONE + 1; kind < FAILURE_KINDS; kind++)
		assert_int_equal(failure_kind_named(span_of(failure_row((enum failure_kind)kind)->name)), kind);
	assert_int_equal(failure_kind_named(SPAN("no_such_kind")), FAILURE_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(error_bodies_of_every_form_are_understood, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_place_of_many_steps_costs_little, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_long_message_is_cut_between_characters, setup, teardown),
	    cmocka_unit_test_setup_teardown(only_the_dialects_own_object_may_be_relayed, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_backends_say_is_of_the_right_kind, setup, teardown),
	    cmocka_unit_test(a_finish_reason_of_a_failure_is_one),
	    cmocka_unit_test(every_error_of_a_backend_has_a_kind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
