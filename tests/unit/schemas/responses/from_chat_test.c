/* SPDX-License-Identifier: MIT */
/* Chat requests as Responses requests: what becomes of each member and message, and what is named as left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "schemas/dialect.h"
#include "schemas/responses/from_chat.h"

#define ASK "\"model\":\"m\""
#define HELLO "\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]"
#define HEAD "{\"model\":\"gpt\""
#define SAID                                                                                                  \
	",\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":" \
	"\"hello\"}]}]"
#define END ",\"store\":false}"

static void check_of(const char *dialect, const char *body, const struct request_splice *splice, const char *wanted,
		     const char *wanted_names)
{
	struct findings findings = {.count = 0};
	struct dropped dropped = {.count = 0};
	struct buf out;
	char names[512] = "";
	struct request *request = request_create(dialect_find(dialect), ENDPOINT_CHAT, 1 << 20, 0);
	assert_non_null(request);
	buf_init(&out, 1 << 20);
	if (!request_decode(request, span_of(body), &JSON_DEPTH(64), &findings))
		fail_msg("%.*s", SPAN_ARG(findings.list[0].message));
	const struct translation translation = {
	    .request = request, .splice = splice, .arena = &request->arena, .out = &out, .dropped = &dropped};
	responses_request_translate(&translation);
	for (size_t i = 0; i < dropped.count; i++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%.*s", i == 0 ? "" : " ",
			 SPAN_ARG(dropped.list[i]));
	if (!span_is(buf_span(&out), wanted))
		fail_msg("\n got %.*s\nwant %s", SPAN_ARG(buf_span(&out)), wanted);
	assert_string_equal(names, wanted_names);
	buf_fini(&out);
	request_drop(request);
}

static void check(const char *body, const char *wanted, const char *names)
{
	const struct request_splice splice = {.model = SPAN("gpt")};
	check_of("openai", body, &splice, wanted, names);
}

static void plain_members_are_carried(void **state)
{
	(void)state;
	check("{" ASK "," HELLO "}", HEAD SAID END, "");
	check("{" ASK "," HELLO ",\"max_tokens\":7,\"max_completion_tokens\":9,\"temperature\":0.50,\"user\":\"u\","
	      "\"metadata\":{\"a\":\"b\"},\"store\":true,\"stream\":true,\"stream_options\":{\"include_usage\":true}}",
	      HEAD ",\"temperature\":0.50,\"user\":\"u\",\"metadata\":{\"a\":\"b\"}" SAID
		   ",\"max_output_tokens\":9,\"store\":true,\"stream\":true}",
	      "");
}

static void what_responses_have_no_place_for_is_named(void **state)
{
	(void)state;
	check("{" ASK "," HELLO ",\"seed\":1,\"stop\":\"a\",\"logprobs\":false,\"presence_penalty\":0}", HEAD SAID END,
	      "seed stop");
}

static void messages_become_items_in_their_order(void **state)
{
	(void)state;
	check("{" ASK ",\"messages\":[{\"role\":\"system\",\"content\":\"a\"},{\"role\":\"user\",\"content\":["
	      "{\"type\":\"text\",\"text\":\"b\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x/y.png\","
	      "\"detail\":\"low\"}},{\"type\":\"file\",\"file\":{\"file_id\":\"f\"}},{\"type\":\"input_audio\","
	      "\"input_audio\":{\"data\":\"UklGRg==\",\"format\":\"wav\"}}]},{\"role\":\"assistant\",\"content\":\"\"},"
	      "{\"role\":\"assistant\",\"content\":\"c\",\"refusal\":\"d\",\"reasoning_content\":\"hm\"}]}",
	      HEAD
	      ",\"input\":[{\"type\":\"message\",\"role\":\"system\",\"content\":[{\"type\":\"input_text\",\"text\":"
	      "\"a\"}]},{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":"
	      "\"b\"},{\"type\":\"input_image\",\"image_url\":\"https://x/y.png\",\"detail\":\"low\"},{\"type\":"
	      "\"input_file\",\"file_id\":\"f\"}]},{\"type\":\"message\",\"role\":\"assistant\",\"content\":["
	      "{\"type\":\"output_text\",\"text\":\"c\"},{\"type\":\"refusal\",\"refusal\":\"d\"}]}]" END,
	      "messages[1].content[3] messages[3].reasoning_content");
}

static void calls_and_their_results_are_items(void **state)
{
	(void)state;
	check(
	    "{" ASK ",\"messages\":[{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c1\",\"type\":"
	    "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}},{\"id\":\"c2\",\"type\":"
	    "\"custom\",\"custom\":{\"name\":\"g\",\"input\":\"x\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"c2\","
	    "\"content\":\"two\"},{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":[{\"type\":\"text\",\"text\":"
	    "\"one\"}]},{\"role\":\"tool\",\"tool_call_id\":\"lost\",\"content\":\"three\"}]}",
	    HEAD
	    ",\"input\":[{\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":\"f\",\"arguments\":"
	    "\"{\\\"a\\\":1}\"},{\"type\":\"custom_tool_call\",\"call_id\":\"c2\",\"name\":\"g\",\"input\":\"x\"},"
	    "{\"type\":\"custom_tool_call_output\",\"call_id\":\"c2\",\"output\":\"two\"},{\"type\":"
	    "\"function_call_output\",\"call_id\":\"c1\",\"output\":[{\"type\":\"input_text\",\"text\":\"one\"}]},"
	    "{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"three\"}]}]" END,
	    "messages[3].tool_call_id");
}

static void tools_and_their_choice_are_flat(void **state)
{
	(void)state;
	check(
	    "{" ASK "," HELLO ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\"}},"
	    "{\"type\":\"custom\",\"custom\":{\"name\":\"g\",\"format\":{\"type\":\"grammar\",\"grammar\":{\"syntax\":"
	    "\"lark\",\"definition\":\"x\"}}}},{\"type\":\"web_search\"}],\"tool_choice\":{\"type\":\"function\","
	    "\"function\":{\"name\":\"f\"}},\"parallel_tool_calls\":false}",
	    HEAD SAID
	    ",\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"description\":\"d\",\"parameters\":{\"type\":"
	    "\"object\",\"properties\":{}},\"strict\":false},{\"type\":\"custom\",\"name\":\"g\",\"format\":"
	    "{\"type\":\"grammar\",\"syntax\":\"lark\",\"definition\":\"x\"}}],\"tool_choice\":{\"type\":"
	    "\"function\",\"name\":\"f\"},\"parallel_tool_calls\":false" END,
	    "tools[2]");
}

static void the_form_of_the_answer_is_carried(void **state)
{
	(void)state;
	check("{" ASK "," HELLO ",\"reasoning_effort\":\"low\",\"verbosity\":\"high\",\"response_format\":{\"type\":"
	      "\"json_schema\",\"json_schema\":{\"name\":\"r\",\"strict\":true,\"schema\":{\"type\":\"object\"}}}}",
	      HEAD SAID
	      ",\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"r\",\"schema\":{\"type\":\"object\"},"
	      "\"strict\":true},\"verbosity\":\"high\"},\"reasoning\":{\"effort\":\"low\"}" END,
	      "");
	check("{" ASK "," HELLO ",\"response_format\":{\"type\":\"json_object\"}}",
	      HEAD SAID ",\"text\":{\"format\":{\"type\":\"json_object\"}}" END, "");
	check("{" ASK "," HELLO ",\"response_format\":{\"type\":\"text\"}}", HEAD SAID END, "");
	check("{" ASK "," HELLO ",\"response_format\":{\"type\":\"regex\"}}", HEAD SAID END, "response_format");
}

static void an_answer_is_gone_on_with_behind_the_items(void **state)
{
	(void)state;
	const struct request_splice splice = {.model = SPAN("gpt"), .prefill = SPAN("The \"Rhine"), .spent = 4};
	check_of("openai", "{" ASK "," HELLO ",\"max_tokens\":9}", &splice,
		 HEAD
		 ",\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":"
		 "\"hello\"}]},{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\","
		 "\"text\":\"The \\\"Rhine\"}]}],\"max_output_tokens\":5" END,
		 "");
}

static void what_a_client_of_the_dialect_asked_keeps_its_bytes(void **state)
{
	(void)state;
	const struct request_splice splice = {.model = SPAN("gpt")};
	check_of("responses", "{ " ASK " ,\"input\" : \"\\u0048i\", \"new\":[1E2], \"store\" : false }", &splice,
		 "{ \"model\":\"gpt\" ,\"input\" : \"\\u0048i\", \"new\":[1E2], \"store\" : false }", "");
}

static void several_choices_do_not_fit(void **state)
{
	(void)state;
	struct request request = {.choices = 2};
	assert_true(span_is(responses_request_misfit(&request), "n"));
	request.choices = 1;
	assert_null(responses_request_misfit(&request).at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain_members_are_carried),
	    cmocka_unit_test(what_responses_have_no_place_for_is_named),
	    cmocka_unit_test(messages_become_items_in_their_order),
	    cmocka_unit_test(calls_and_their_results_are_items),
	    cmocka_unit_test(tools_and_their_choice_are_flat),
	    cmocka_unit_test(the_form_of_the_answer_is_carried),
	    cmocka_unit_test(an_answer_is_gone_on_with_behind_the_items),
	    cmocka_unit_test(what_a_client_of_the_dialect_asked_keeps_its_bytes),
	    cmocka_unit_test(several_choices_do_not_fit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
