/* SPDX-License-Identifier: MIT */
/* Requests of the OpenAI dialect: what is decoded, what is refused and how it is told, what is spliced. */
#include "schemas/openai/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "tests/unit/arena_fixture.h"

static struct request request;
static struct findings findings;
static const struct finding *const finding = &findings.list[0];

static bool decode(enum endpoint endpoint, const char *body)
{
	return openai_request_decode(&request, endpoint, &arena, span_of(body), &JSON_DEPTH(64), &findings);
}

static void expect_decoded(enum endpoint endpoint, const char *body)
{
	if (!decode(endpoint, body))
		fail_msg("%s: %.*s", body, SPAN_ARG(finding->message));
}

static void expect_refused(enum endpoint endpoint, const char *body, enum error_code code, const char *param,
			   const char *message)
{
	if (decode(endpoint, body))
		fail_msg("%s: passed", body);
	assert_string_equal(finding->message.at, message);
	assert_int_equal(finding->code, code);
	if (param == NULL)
		assert_null(finding->param.at);
	else
		assert_string_equal(finding->param.at, param);
}

/* A chat request with these members behind model and messages. */
#define CHAT(members) "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]" members "}"
/* A chat request with these messages. */
#define SAYING(messages) "{\"model\":\"m\",\"messages\":[" messages "]}"

static void a_small_chat_request_is_decoded(void **state)
{
	(void)state;
	expect_decoded(ENDPOINT_CHAT, CHAT(""));
	assert_true(span_is(request.model, "m"));
	assert_int_equal(request.choices, 1);
	assert_false(request.stream);
	assert_false(request.include_usage);
	expect_decoded(ENDPOINT_CHAT, CHAT(",\"n\":3,\"stream\":true,\"stream_options\":{\"include_usage\":true}"));
	assert_int_equal(request.choices, 3);
	assert_true(request.stream);
	assert_true(request.include_usage);
	expect_decoded(ENDPOINT_CHAT, CHAT(",\"n\":2.0"));
	assert_int_equal(request.choices, 2);
	expect_decoded(ENDPOINT_CHAT,
		       "{\"mod\\u0065l\":\"a\\/\\u00e9\",\"messages\":[{\"role\":\"user\"}],\"n\":null}");
	assert_true(span_is(request.model, "a/\xC3\xA9"));
	assert_int_equal(request.choices, 1);
}

static void a_large_chat_request_is_decoded(void **state)
{
	(void)state;
	expect_decoded(
	    ENDPOINT_CHAT,
	    "{\"model\":\"m\",\"messages\":["
	    "{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"developer\",\"content\":[{\"type\":\"text\",\"text\":"
	    "\"t\"}]},"
	    "{\"role\":\"user\",\"name\":\"n\",\"content\":[{\"type\":\"text\",\"text\":\"\"},\"bare\","
	    "{\"type\":\"image_url\",\"image_url\":{\"url\":\"u\",\"detail\":\"low\"}},{\"type\":\"image_url\",\"image_"
	    "url\":\"u\"},"
	    "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"d\",\"format\":\"wav\"}},{\"type\":\"video_url\","
	    "\"video_url\":1}]},"
	    "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\","
	    "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
	    "{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"r\"},{\"role\":\"function\",\"name\":\"f\","
	    "\"content\":\"r\"}],"
	    "\"temperature\":0,\"top_p\":1,\"n\":128,\"max_tokens\":1,\"max_completion_tokens\":2147483647,"
	    "\"presence_penalty\":-2,\"frequency_penalty\":2.0,\"stop\":[\"a\",\"b\",\"c\",\"d\",\"e\"],"
	    "\"seed\":123456789012345678901234567890,"
	    "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\",\"parameters\":{},"
	    "\"strict\":true}},"
	    "{\"type\":\"web_search\"}],\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}},"
	    "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"x\"}},\"logprobs\":true,\"top_"
	    "logprobs\":20,"
	    "\"logit_bias\":{\"50256\":-100},\"user\":\"u\",\"metadata\":{\"a\":\"b\"},\"vendor\":{\"deep\":[[[1]]]},"
	    "\"top_k\":-1}");
	expect_decoded(ENDPOINT_CHAT,
		       CHAT(",\"tool_choice\":\"auto\",\"stop\":\"x\",\"temperature\":null,\"tools\":null"));
}

static void what_no_backend_could_accept_is_refused(void **state)
{
	(void)state;
	expect_refused(ENDPOINT_CHAT, "{}", ERROR_MISSING_PARAMETER, "model", "model is required");
	expect_refused(ENDPOINT_CHAT, "{\"model\":\"m\"}", ERROR_MISSING_PARAMETER, "messages", "messages is required");
	expect_refused(ENDPOINT_CHAT, "{\"model\":\"\",\"messages\":[]}", ERROR_INVALID_VALUE, "model",
		       "model must be a non-empty string; got an empty string");
	expect_refused(ENDPOINT_CHAT, "{\"model\":5}", ERROR_INVALID_TYPE, "model",
		       "model must be a non-empty string; got 5");
	expect_refused(ENDPOINT_CHAT, SAYING(""), ERROR_INVALID_VALUE, "messages",
		       "messages must be a non-empty array; got an empty array");
	expect_refused(ENDPOINT_CHAT, "{\"model\":\"m\",\"messages\":\"hi\"}", ERROR_INVALID_TYPE, "messages",
		       "messages must be a non-empty array; got a string");
	expect_refused(ENDPOINT_CHAT, CHAT(",\"max_tokens\":1.5"), ERROR_INVALID_TYPE, "max_tokens",
		       "max_tokens must be an integer; got 1.5");
	expect_refused(ENDPOINT_CHAT, CHAT(",\"n\":0"), ERROR_INVALID_VALUE, "n",
		       "n must be an integer of at least 1; got 0");
	expect_refused(ENDPOINT_CHAT, CHAT(",\"n\":9223372036854775808"), ERROR_INVALID_VALUE, "n",
		       "n must be an integer of at most 2147483647; got 9223372036854775808");
	expect_refused(ENDPOINT_CHAT, CHAT(",\"n\":1.5"), ERROR_INVALID_TYPE, "n",
		       "n must be an integer of at least 1; got 1.5");
	expect_refused(ENDPOINT_CHAT, CHAT(",\"temperature\":\"0.7\""), ERROR_INVALID_TYPE, "temperature",
		       "temperature must be a number; got a string");
	expect_refused(ENDPOINT_CHAT, CHAT(",\"stream\":\"true\""), ERROR_INVALID_TYPE, "stream",
		       "stream must be true or false; got a string");
	expect_refused(ENDPOINT_CHAT, CHAT(",\"stream_options\":{\"include_usage\":1}"), ERROR_INVALID_TYPE,
		       "stream_options.include_usage", "stream_options.include_usage must be true or false; got 1");
	expect_refused(ENDPOINT_CHAT, "[]", ERROR_INVALID_TYPE, NULL,
		       "The request body must be a JSON object; got an empty array");
}

/* The request passes, and strictly it is refused for one value. */
static void expect_strict(enum endpoint endpoint, const char *body, enum error_code code, const char *param,
			  const char *message)
{
	expect_decoded(endpoint, body);
	if (openai_request_check_strict(&request, &arena, &findings))
		fail_msg("%s: passed strictly", body);
	assert_int_equal(findings.count, 1);
	assert_int_equal(finding->code, code);
	assert_string_equal(finding->param.at, param);
	assert_string_equal(finding->message.at, message);
}

static void what_some_backend_accepts_is_refused_only_by_the_strict_rules(void **state)
{
	(void)state;
	expect_strict(ENDPOINT_CHAT, CHAT(",\"max_tokens\":-1"), ERROR_INVALID_VALUE, "max_tokens",
		      "max_tokens must be an integer of at least 1; got -1");
	expect_strict(ENDPOINT_CHAT, CHAT(",\"max_tokens\":0"), ERROR_INVALID_VALUE, "max_tokens",
		      "max_tokens must be an integer of at least 1; got 0");
	expect_strict(ENDPOINT_CHAT, CHAT(",\"max_completion_tokens\":9223372036854775808"), ERROR_INVALID_VALUE,
		      "max_completion_tokens",
		      "max_completion_tokens must be an integer of at most 2147483647; got 9223372036854775808");
	expect_strict(ENDPOINT_CHAT, CHAT(",\"n\":4096"), ERROR_INVALID_VALUE, "n",
		      "n must be an integer between 1 and 128; got 4096");
	expect_strict(ENDPOINT_CHAT, CHAT(",\"top_logprobs\":50"), ERROR_INVALID_VALUE, "top_logprobs",
		      "top_logprobs must be an integer between 0 and 20; got 50");
	expect_strict(ENDPOINT_CHAT, CHAT(",\"temperature\":2.5"), ERROR_INVALID_VALUE, "temperature",
		      "temperature must be a number between 0 and 2; got 2.5");
	expect_strict(ENDPOINT_CHAT, CHAT(",\"presence_penalty\":-3"), ERROR_INVALID_VALUE, "presence_penalty",
		      "presence_penalty must be a number between -2 and 2; got -3");
	expect_strict(ENDPOINT_CHAT, CHAT(",\"frequency_penalty\":3"), ERROR_INVALID_VALUE, "frequency_penalty",
		      "frequency_penalty must be a number between -2 and 2; got 3");
	expect_strict(ENDPOINT_CHAT, CHAT(",\"logit_bias\":[[50256,-100]]"), ERROR_INVALID_TYPE, "logit_bias",
		      "logit_bias must be a JSON object; got an array");
	expect_strict(ENDPOINT_CHAT, CHAT(",\"logit_bias\":{\"7\":101}"), ERROR_INVALID_VALUE, "logit_bias.7",
		      "logit_bias.7 must be true or false or a number between -100 and 100; got 101");
	expect_strict(ENDPOINT_CHAT,
		      CHAT(",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{}}}"),
		      ERROR_MISSING_PARAMETER, "response_format.json_schema.name",
		      "response_format.json_schema.name is required");
	expect_strict(ENDPOINT_CHAT, SAYING("{\"role\":\"user\"},{\"role\":\"robot\"}"), ERROR_INVALID_VALUE,
		      "messages[1].role",
		      "messages[1].role must be one of \"system\", \"developer\", \"user\", \"assistant\", \"tool\", "
		      "\"function\"; got \"robot\"");
	expect_strict(ENDPOINT_CHAT, SAYING("{\"role\":\"user\",\"content\":[{\"type\":\"video_url\"}]}"),
		      ERROR_INVALID_VALUE, "messages[0].content[0].type",
		      "messages[0].content[0].type must be one of \"text\", \"image_url\", \"input_audio\", \"file\", "
		      "\"refusal\"; got \"video_url\"");
	expect_strict(ENDPOINT_COMPLETIONS, "{\"model\":\"m\",\"prompt\":\"x\",\"max_tokens\":-1}", ERROR_INVALID_VALUE,
		      "max_tokens", "max_tokens must be an integer of at least 0; got -1");
	expect_strict(ENDPOINT_EMBEDDINGS, "{\"model\":\"m\",\"input\":\"\"}", ERROR_INVALID_VALUE, "input",
		      "input must be a non-empty string or a non-empty array; got an empty string");
	expect_decoded(ENDPOINT_CHAT, CHAT(",\"temperature\":2,\"n\":128"));
	assert_true(openai_request_check_strict(&request, &arena, &findings));
}

static void the_path_names_the_exact_place(void **state)
{
	(void)state;
	expect_refused(ENDPOINT_CHAT, SAYING("{\"role\":\"user\"},{\"role\":7}"), ERROR_INVALID_TYPE,
		       "messages[1].role", "messages[1].role must be a string; got 7");
	expect_refused(ENDPOINT_CHAT, SAYING("{\"content\":\"x\"}"), ERROR_MISSING_PARAMETER, "messages[0].role",
		       "messages[0].role is required");
	expect_refused(ENDPOINT_CHAT, SAYING("{\"role\":\"user\",\"content\":5}"), ERROR_INVALID_TYPE,
		       "messages[0].content", "messages[0].content must be a string or an array; got 5");
	expect_refused(ENDPOINT_CHAT, SAYING("{\"role\":\"user\"},{\"role\":\"user\",\"content\":[{\"text\":\"x\"}]}"),
		       ERROR_MISSING_PARAMETER, "messages[1].content[0].type",
		       "messages[1].content[0].type is required");
	expect_refused(ENDPOINT_CHAT, SAYING("{\"role\":\"user\",\"content\":[\"a\",{\"type\":\"text\"}]}"),
		       ERROR_MISSING_PARAMETER, "messages[0].content[1].text",
		       "messages[0].content[1].text is required");
	expect_refused(ENDPOINT_CHAT, CHAT(",\"tools\":[{\"type\":\"function\",\"function\":{}}]"),
		       ERROR_MISSING_PARAMETER, "tools[0].function.name", "tools[0].function.name is required");
	expect_refused(ENDPOINT_CHAT, CHAT(",\"tool_choice\":{\"type\":\"function\"}"), ERROR_MISSING_PARAMETER,
		       "tool_choice.function", "tool_choice.function is required");
	expect_refused(ENDPOINT_CHAT, SAYING("{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{\"name\":1}}]}"),
		       ERROR_INVALID_TYPE, "messages[0].tool_calls[0].function.name",
		       "messages[0].tool_calls[0].function.name must be a string; got 1");
	expect_refused(ENDPOINT_CHAT, SAYING("null"), ERROR_INVALID_TYPE, "messages[0]",
		       "messages[0] must be an object; got null");
}

static void broken_json_is_told_by_line_and_column(void **state)
{
	(void)state;
	expect_refused(ENDPOINT_CHAT, "{\n \"model\":\"m\",\n      \"model\":\"n\"}", ERROR_INVALID_JSON, "model",
		       "Invalid JSON at line 3, column 7: duplicate key");
	assert_false(
	    openai_request_decode(&request, ENDPOINT_CHAT, &arena, SPAN("{\"a\":[[1]]}"), &JSON_DEPTH(2), &findings));
	assert_string_equal(finding->message.at, "Invalid JSON at line 1, column 7: nested too deeply; the limit is 2 "
						 "levels (limits.json_depth)");
	expect_refused(ENDPOINT_CHAT, "", ERROR_INVALID_JSON, NULL, "Invalid JSON at line 1, column 1: unexpected end");
}

static void too_many_values_name_the_limit_and_its_key(void **state)
{
	(void)state;
	const struct json_limits limits = {.depth = 4, .values = 5};
	assert_true(openai_request_decode(&request, ENDPOINT_EMBEDDINGS, &arena,
					  SPAN("{\"model\":\"m\",\"input\":\"x\"}"), &limits, &findings));
	assert_false(openai_request_decode(&request, ENDPOINT_EMBEDDINGS, &arena,
					   SPAN("{\"model\":\"m\",\"input\":\"x\",\"a\":1}"), &limits, &findings));
	assert_int_equal(findings.count, 1);
	assert_int_equal(finding->code, ERROR_BODY_TOO_LARGE);
	assert_string_equal(finding->message.at,
			    "The request body holds more than 5 JSON values and names of members (at line 1, column "
			    "26); the limit is 5 (limits.json_values).");
}

static void a_duplicate_key_names_its_path(void **state)
{
	(void)state;
	expect_refused(ENDPOINT_CHAT,
		       SAYING("{\"role\":\"user\"},{\"x\":[1,[2,{\"k\":1,\"a\":{\"\":0},\"\\u006b\":2}]]}"),
		       ERROR_INVALID_JSON, "messages[1].x[1][1].k", "Invalid JSON at line 1, column 71: duplicate key");
	assert_string_equal(finding->loc.at, "[\"body\",\"messages\",1,\"x\",1,1,\"k\"]");
	expect_refused(ENDPOINT_CHAT, "[{\"a\":1,\"a\":2}]", ERROR_INVALID_JSON, "[0].a",
		       "Invalid JSON at line 1, column 9: duplicate key");
}

static void an_exhausted_arena_is_overload_and_not_bad_json(void **state)
{
	(void)state;
	char body[4000] = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\"}],\"x\":[1";
	while (strlen(body) < sizeof(body) - 8)
		strcat(body, ",1");
	strcat(body, "]}");
	for (size_t limit = 1; limit < 60000; limit += 199) {
		struct arena small;
		arena_init(&small, limit);
		bool decoded =
		    openai_request_decode(&request, ENDPOINT_CHAT, &small, span_of(body), &JSON_DEPTH(64), &findings);
		if (!decoded)
			assert_int_equal(finding->code, ERROR_OVERLOADED);
		else
			assert_true(span_is(request.model, "m"));
		arena_fini(&small);
	}
}

static void completions_take_every_form_of_prompt(void **state)
{
	(void)state;
	static const char *const prompts[] = {"\"x\"", "\"\"", "[\"a\",\"b\"]", "[1,2]", "[[1,2],[3]]"};
	static const int counts[] = {1, 1, 2, 1, 2};
	char body[100];
	for (size_t i = 0; i < sizeof(prompts) / sizeof(prompts[0]); i++) {
		snprintf(body, sizeof(body), "{\"model\":\"m\",\"prompt\":%s,\"max_tokens\":0,\"n\":2}", prompts[i]);
		expect_decoded(ENDPOINT_COMPLETIONS, body);
		assert_int_equal(request.choices, 2 * counts[i]);
	}
	expect_decoded(ENDPOINT_COMPLETIONS, "{\"model\":\"m\",\"prompt_embeds\":\"x\"}");
	expect_refused(ENDPOINT_COMPLETIONS, "{\"model\":\"m\"}", ERROR_MISSING_PARAMETER, "prompt",
		       "prompt is required");
	expect_refused(ENDPOINT_COMPLETIONS, "{\"model\":\"m\",\"prompt\":[]}", ERROR_INVALID_VALUE, "prompt",
		       "prompt must be a string or a non-empty array; got an empty array");
	expect_refused(ENDPOINT_COMPLETIONS, "{\"model\":\"m\",\"prompt\":[[1,\"a\"]]}", ERROR_INVALID_TYPE,
		       "prompt[0][1]", "prompt[0][1] must be an integer; got a string");
	expect_refused(ENDPOINT_COMPLETIONS, "{\"model\":\"m\",\"prompt\":[{}]}", ERROR_INVALID_TYPE, "prompt[0]",
		       "prompt[0] must be a string, an integer or a non-empty array; got an object");
}

static void embeddings_take_every_form_of_input(void **state)
{
	(void)state;
	static const char *const inputs[] = {"\"x\"", "[\"a\",\"b\"]", "[1,2]", "[[1,2],[3]]"};
	char body[100];
	for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
		snprintf(body, sizeof(body), "{\"model\":\"m\",\"input\":%s,\"stream\":true}", inputs[i]);
		expect_decoded(ENDPOINT_EMBEDDINGS, body);
		assert_false(request.stream);
		assert_int_equal(request.choices, 1);
	}
	expect_refused(ENDPOINT_EMBEDDINGS, "{\"model\":\"m\",\"input\":[]}", ERROR_INVALID_VALUE, "input",
		       "input must be a string or a non-empty array; got an empty array");
	expect_refused(ENDPOINT_EMBEDDINGS, "{\"model\":\"m\",\"input\":[[]]}", ERROR_INVALID_VALUE, "input[0]",
		       "input[0] must be a string, an integer or a non-empty array; got an empty array");
	expect_refused(ENDPOINT_EMBEDDINGS, "{\"model\":\"m\"}", ERROR_MISSING_PARAMETER, "input", "input is required");
}

static void expect_spliced(const char *body, const char *model, bool ask_usage, const char *want)
{
	struct buf out;
	buf_init(&out, 4096);
	expect_decoded(ENDPOINT_CHAT, body);
	const struct request_splice splice = {.model = span_of(model), .ask_usage = ask_usage};
	buf_append(&out, openai_request_splice(&request, &splice, &out));
	assert_false(buf_failed(&out));
	if (!span_is(buf_span(&out), want))
		fail_msg("\n got %.*s\nwant %s", SPAN_ARG(buf_span(&out)), want);
	buf_fini(&out);
}

#define MESSAGES "\"messages\" : [ {\"role\":\"user\"} ]"

static void only_the_model_is_replaced(void **state)
{
	(void)state;
	expect_spliced(
	    "{ \"seed\" : 18446744073709551616 ,\n\t\"model\" : \"m\" , " MESSAGES ", \"x\":1.50e0 }\n", "q\"wen", true,
	    "{ \"seed\" : 18446744073709551616 ,\n\t\"model\" : \"q\\\"wen\" , " MESSAGES ", \"x\":1.50e0 }\n");
	expect_spliced("{\"mod\\u0065l\":\"m\"," MESSAGES ",\"metadata\":{\"model\":\"m\"}}", "n", false,
		       "{\"mod\\u0065l\":\"n\"," MESSAGES ",\"metadata\":{\"model\":\"m\"}}");
	expect_spliced("{\"model\":\"m\",\"stream\":true," MESSAGES "}", "n", false,
		       "{\"model\":\"n\",\"stream\":true," MESSAGES "}");
}

static void usage_is_asked_for_in_a_stream(void **state)
{
	(void)state;
	expect_spliced("{\"stream\":true,\"model\": \"m\" ," MESSAGES "}", "n", true,
		       "{\"stream\":true,\"model\": \"n\",\"stream_options\":{\"include_usage\":true} ," MESSAGES "}");
	expect_spliced("{\"stream_options\": null ,\"stream\":true,\"model\":\"m\"," MESSAGES "}", "n", true,
		       "{\"stream_options\": {\"include_usage\":true} ,\"stream\":true,\"model\":\"n\"," MESSAGES "}");
	expect_spliced("{\"stream\":true,\"model\":\"m\"," MESSAGES ",\"stream_options\":{ }}", "n", true,
		       "{\"stream\":true,\"model\":\"n\"," MESSAGES ",\"stream_options\":{\"include_usage\":true }}");
	expect_spliced("{\"stream\":true,\"model\":\"m\"," MESSAGES ",\"stream_options\":{ \"a\":1}}", "n", true,
		       "{\"stream\":true,\"model\":\"n\"," MESSAGES
		       ",\"stream_options\":{\"include_usage\":true, \"a\":1}}");
	expect_spliced(
	    "{\"stream\":true,\"model\":\"m\"," MESSAGES ",\"stream_options\":{\"a\":1,\"include_usage\": false }}",
	    "n", true,
	    "{\"stream\":true,\"model\":\"n\"," MESSAGES ",\"stream_options\":{\"a\":1,\"include_usage\": true }}");
	expect_spliced("{\"stream\":true,\"model\":\"m\"," MESSAGES ",\"stream_options\":{\"include_usage\":null}}",
		       "n", true,
		       "{\"stream\":true,\"model\":\"n\"," MESSAGES ",\"stream_options\":{\"include_usage\":true}}");
}

static void what_the_client_asked_itself_is_left_alone(void **state)
{
	(void)state;
	expect_spliced("{\"stream\":true,\"model\":\"m\"," MESSAGES ",\"stream_options\":{ \"include_usage\":true}}",
		       "n", true,
		       "{\"stream\":true,\"model\":\"n\"," MESSAGES ",\"stream_options\":{ \"include_usage\":true}}");
	expect_spliced("{\"stream\":false,\"model\":\"m\"," MESSAGES ",\"stream_options\":null}", "n", true,
		       "{\"stream\":false,\"model\":\"n\"," MESSAGES ",\"stream_options\":null}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(a_small_chat_request_is_decoded),
	    TEST(a_large_chat_request_is_decoded),
	    TEST(what_no_backend_could_accept_is_refused),
	    TEST(what_some_backend_accepts_is_refused_only_by_the_strict_rules),
	    TEST(the_path_names_the_exact_place),
	    TEST(broken_json_is_told_by_line_and_column),
	    TEST(a_duplicate_key_names_its_path),
	    TEST(too_many_values_name_the_limit_and_its_key),
	    TEST(an_exhausted_arena_is_overload_and_not_bad_json),
	    TEST(completions_take_every_form_of_prompt),
	    TEST(embeddings_take_every_form_of_input),
	    TEST(only_the_model_is_replaced),
	    TEST(usage_is_asked_for_in_a_stream),
	    TEST(what_the_client_asked_itself_is_left_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
