/* SPDX-License-Identifier: MIT */
/* Responses requests as chat requests: what becomes of each member and item, and what is named as left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "schemas/dialect.h"
#include "schemas/dropped.h"
#include "schemas/responses/dialect.h"
#include "schemas/responses/echo.h"

#define HEAD "{\"model\":\"m\",\"messages\":["
#define HELLO "{\"role\":\"user\",\"content\":\"hello\"}"
#define ASK "{\"model\":\"m\",\"input\":\"hello\""
#define CALLED(ID) "{\"type\":\"function_call\",\"call_id\":\"" ID "\",\"name\":\"f\",\"arguments\":\"{}\"}"
#define CALL(ID) "{\"id\":\"" ID "\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}"
#define SAID(ID, TEXT) "{\"type\":\"function_call_output\",\"call_id\":\"" ID "\",\"output\":\"" TEXT "\"}"
#define TOOL(ID, TEXT) "{\"role\":\"tool\",\"tool_call_id\":\"" ID "\",\"content\":\"" TEXT "\"}"

static const struct json_limits limits = {.depth = 64, .values = 100000};

struct decoded {
	struct request *request; /* findings are in its arena */
	struct findings findings;
	bool good;
};

static struct decoded decode(const char *body)
{
	struct decoded decoded = {.request = request_create(&responses_dialect, ENDPOINT_CHAT, 1 << 22, 0)};
	decoded.good = request_decode(decoded.request, span_of(body), &limits, &decoded.findings);
	return decoded;
}

/* dropped: paths by blanks. */
static void check(const char *body, const char *chat, const char *dropped)
{
	char names[512] = "";
	const struct decoded decoded = decode(body);
	struct request *request = decoded.request;
	if (!decoded.good)
		fail_msg("%s: %.*s", body, SPAN_ARG(decoded.findings.list[0].message));
	if (!span_is(request->json.text, chat))
		fail_msg("\n got %.*s\nwant %s", SPAN_ARG(request->json.text), chat);
	for (size_t i = 0; i < request->dropped->count; i++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%.*s", i == 0 ? "" : " ",
			 SPAN_ARG(request->dropped->list[i]));
	assert_string_equal(names, dropped);
	request_drop(request);
}

static void check_refused(const char *body, const char *param)
{
	const struct decoded decoded = decode(body);
	struct span found = decoded.findings.list[0].param;
	if (decoded.good)
		fail_msg("%s passed", body);
	if (!span_is(found, param))
		fail_msg("%s: %.*s, not %s", body, SPAN_ARG(found), param);
	request_drop(decoded.request);
}

static void plain_members_become_those_of_a_chat(void **state)
{
	(void)state;
	check(ASK "}", HEAD HELLO "]}", "");
	check(ASK ",\"instructions\":\"be brief\",\"max_output_tokens\":9,\"temperature\":0.50,\"top_p\":1e-1,"
		  "\"frequency_penalty\":1,\"presence_penalty\":2,\"reasoning\":{\"effort\":\"low\"},"
		  "\"text\":{\"verbosity\":\"low\"},\"service_tier\":\"flex\",\"prompt_cache_key\":\"k\","
		  "\"safety_identifier\":\"s\",\"user\":\"u\",\"stream\":true,\"metadata\":{\"a\":\"b\"},"
		  "\"truncation\":\"disabled\",\"store\":false,\"background\":false,\"include\":[]}",
	      HEAD
	      "{\"role\":\"system\",\"content\":\"be brief\"}," HELLO
	      "],\"max_completion_tokens\":9,\"temperature\":0.50,\"top_p\":1e-1,\"frequency_penalty\":1,"
	      "\"presence_penalty\":2,\"verbosity\":\"low\",\"reasoning_effort\":\"low\",\"service_tier\":\"flex\","
	      "\"prompt_cache_key\":\"k\",\"safety_identifier\":\"s\",\"user\":\"u\",\"stream\":true}",
	      "");
	check(ASK ",\"instructions\":null,\"tools\":null,\"text\":null,\"previous_response_id\":null}", HEAD HELLO "]}",
	      "");
}

static void what_a_chat_cannot_carry_is_named(void **state)
{
	(void)state;
	check(ASK ",\"include\":[\"reasoning.encrypted_content\"],\"max_tool_calls\":3,\"store\":true,"
		  "\"stream_options\":{\"include_obfuscation\":true},\"top_logprobs\":2,\"truncation\":\"auto\","
		  "\"reasoning\":{\"summary\":\"auto\"},\"client_metadata\":{},\"a,b\":1}",
	      HEAD HELLO "]}",
	      "reasoning.summary include max_tool_calls store stream_options.include_obfuscation top_logprobs "
	      "truncation client_metadata (a member of another name)");
}

static void several_systems_at_the_beginning_become_one(void **state)
{
	(void)state;
	check("{\"model\":\"m\",\"instructions\":\"a\",\"input\":[{\"role\":\"developer\",\"content\":\"b\"},"
	      "{\"type\":\"message\",\"role\":\"system\",\"content\":[{\"type\":\"input_text\",\"text\":\"c\\n\"},"
	      "{\"type\":\"input_text\",\"text\":\"d\"}]}," HELLO ",{\"role\":\"developer\",\"content\":\"e\"}]}",
	      HEAD "{\"role\":\"system\",\"content\":\"a\\n\\nb\\n\\nc\\n\\n\\nd\"}," HELLO
		   ",{\"role\":\"system\",\"content\":\"e\"}]}",
	      "");
	check("{\"model\":\"m\",\"input\":[{\"role\":\"developer\",\"content\":\"b\"}," HELLO "]}",
	      HEAD "{\"role\":\"system\",\"content\":\"b\"}," HELLO "]}", "");
}

static void parts_become_those_of_a_chat(void **state)
{
	(void)state;
	check("{\"model\":\"m\",\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"hello\"}"
	      "]}]}",
	      HEAD HELLO "]}", ""); /* as a chat would ask */
	check("{\"model\":\"m\",\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"see\"},"
	      "{\"type\":\"input_image\",\"image_url\":\"https://x/y.png\",\"detail\":\"low\"},"
	      "{\"type\":\"input_file\",\"file_data\":\"data:application/pdf;base64,JVBE\"},"
	      "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"UklG\",\"format\":\"wav\"}},"
	      "{\"type\":\"computer_screenshot\"}]}]}",
	      HEAD "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"see\"},"
		   "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x/y.png\",\"detail\":\"low\"}},"
		   "{\"type\":\"file\",\"file\":{\"filename\":\"document.pdf\",\"file_data\":\"data:application/"
		   "pdf;base64,JVBE\"}},"
		   "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"UklG\",\"format\":\"wav\"}}]}]}",
	      "input[0].content[4]");
	check("{\"model\":\"m\",\"input\":[" HELLO ",{\"role\":\"user\",\"content\":[{\"type\":\"odd\"}]}]}",
	      HEAD HELLO "]}", "input[1].content[0]");
}

static void calls_join_the_message_before_and_outputs_follow(void **state)
{
	(void)state;
	check("{\"model\":\"m\",\"input\":[" HELLO
	      ",{\"type\":\"reasoning\",\"id\":\"rs\",\"summary\":[],\"encrypted_content\":\"x\"},"
	      "{\"type\":\"message\",\"id\":\"i\",\"role\":\"assistant\",\"status\":\"completed\",\"phase\":"
	      "\"commentary\",\"content\":[{\"type\":\"output_text\",\"text\":\"I \",\"annotations\":[]},"
	      "{\"type\":\"refusal\",\"refusal\":\"look\"}]}," CALLED("a") "," CALLED("b") "," SAID("a", "1") "," SAID(
		  "b", "2") "," CALLED("c") "," SAID("c", "3") "]}",
	      HEAD HELLO ",{\"role\":\"assistant\",\"content\":\"I look\",\"tool_calls\":[" CALL("a") "," CALL(
		  "b") "]}," TOOL("a", "1") "," TOOL("b", "2") ",{\"role\":\"assistant\",\"content\":null,\"tool_"
							       "calls\":[" CALL("c") "]}," TOOL("c", "3") "]}",
	      "input[1] input[2].phase");
	/* an output without its call is the backend's to judge */
	check("{\"model\":\"m\",\"input\":[" SAID("x", "1") "," HELLO "]}", HEAD TOOL("x", "1") "," HELLO "]}", "");
}

static void pictures_of_outputs_follow_all_outputs(void **state)
{
	(void)state;
	check(
	    "{\"model\":\"m\",\"input\":[" HELLO "," CALLED("a") "," CALLED(
		"b") ",{\"type\":\"function_call_output\",\"call_id\":\"a\",\"output\":[{\"type\":\"input_image\","
		     "\"image_url\":\"https://x/y\"},{\"type\":\"input_text\",\"text\":\"p\"},{\"type\":\"input_text\","
		     "\"text\":\"q\"},{\"type\":\"odd\"}]},{\"type\":\"reasoning\",\"summary\":[]}," SAID("b",
													  "2") "]}",
	    HEAD HELLO ",{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[" CALL("a") "," CALL("b") "]}," TOOL(
		"a", "p\\nq") "," TOOL("b", "2") ",{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_"
						 "url\":{\"url\":\"https://x/y\"}}]}]}",
	    "input[4] input[3].output[3]");
}

static void custom_tools_are_functions_with_one_parameter(void **state)
{
	(void)state;
	check("{\"model\":\"m\",\"input\":[" HELLO
	      ",{\"type\":\"custom_tool_call\",\"call_id\":\"a\",\"name\":\"sql\",\"input\":\"SELECT \\\"x\\\"\"},"
	      "{\"type\":\"custom_tool_call_output\",\"call_id\":\"a\",\"output\":\"1\"}],"
	      "\"tools\":[{\"type\":\"custom\",\"name\":\"sql\",\"description\":\"Runs SQL.\",\"format\":{\"type\":"
	      "\"grammar\",\"syntax\":\"lark\",\"definition\":\"\"}}],\"tool_choice\":{\"type\":\"custom\",\"name\":"
	      "\"sql\"}}",
	      HEAD HELLO
	      ",{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"a\",\"type\":\"function\","
	      "\"function\":{\"name\":\"sql\",\"arguments\":\"{\\\"input\\\":\\\"SELECT "
	      "\\\\\\\"x\\\\\\\"\\\"}\"}}]}," TOOL(
		  "a", "1") "],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"sql\",\"description\":"
			    "\"Runs SQL.\",\"parameters\":{\"type\":\"object\",\"properties\":{\"input\":{"
			    "\"type\":\"string\"}},\"required\":[\"input\"],\"additionalProperties\":false}}}],"
			    "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"sql\"}}}",
	      "tools[0].format");
}

static void tools_and_their_choice_are_those_of_a_chat(void **state)
{
#define FUNCTION "{\"type\":\"function\",\"name\":\"f\",\"parameters\":{\"type\":\"object\"},\"strict\":true}"
#define CHAT_FUNCTION \
	"{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\"},\"strict\":true}}"
	(void)state;
	check(ASK ",\"tools\":[{\"type\":\"web_search\"}," FUNCTION
		  ",{\"type\":\"function\",\"name\":\"g\",\"description\":null,\"parameters\":null,\"strict\":null}],"
		  "\"tool_choice\":\"required\",\"parallel_tool_calls\":false}",
	      HEAD HELLO "],\"tools\":[" CHAT_FUNCTION ",{\"type\":\"function\",\"function\":{\"name\":\"g\"}}],"
			 "\"tool_choice\":\"required\",\"parallel_tool_calls\":false}",
	      "tools[0]");
	check(ASK ",\"tools\":[" FUNCTION
		  "],\"tool_choice\":{\"type\":\"allowed_tools\",\"mode\":\"required\",\"tools\":"
		  "[{\"type\":\"function\",\"name\":\"f\"},{\"type\":\"web_search\"}]}}",
	      HEAD HELLO
	      "],\"tools\":[" CHAT_FUNCTION
	      "],\"tool_choice\":{\"type\":\"allowed_tools\",\"allowed_tools\":{\"mode\":\"required\",\"tools\":"
	      "[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]}}}",
	      "tool_choice.tools[1]");
	/* a chat without tools takes no choice */
	check(ASK ",\"tools\":[{\"type\":\"web_search\"}],\"tool_choice\":\"auto\",\"parallel_tool_calls\":true}",
	      HEAD HELLO "]}", "tools[0]");
	check(ASK ",\"tool_choice\":\"required\"}", HEAD HELLO "]}", "tool_choice");
	check(ASK ",\"tools\":[" FUNCTION "],\"tool_choice\":{\"type\":\"web_search\"}}",
	      HEAD HELLO "],\"tools\":[" CHAT_FUNCTION "]}", "tool_choice");
}

static void the_form_of_the_answer_is_asked_for_as_in_a_chat(void **state)
{
	(void)state;
	check(ASK ",\"text\":{\"format\":{\"type\":\"text\"}}}", HEAD HELLO "]}", "");
	check(ASK ",\"text\":{\"format\":{\"type\":\"json_object\"}}}",
	      HEAD HELLO "],\"response_format\":{\"type\":\"json_object\"}}", "");
	check(ASK
	      ",\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"n\",\"schema\":{\"b\":1,\"a\":2},\"strict\":"
	      "true}}}",
	      HEAD HELLO "],\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":{"
			 "\"b\":1,\"a\":2},\"strict\":true}}}",
	      "");
}

static void what_is_not_in_the_request_is_refused_by_name(void **state)
{
	(void)state;
	check_refused(ASK ",\"background\":true}", "background");
	check_refused(ASK ",\"previous_response_id\":\"resp_1\"}", "previous_response_id");
	check_refused(ASK ",\"conversation\":\"conv_1\"}", "conversation");
	check_refused(ASK ",\"prompt\":{\"id\":\"p\"}}", "prompt");
	check_refused("{\"model\":\"m\",\"input\":[{\"type\":\"item_reference\",\"id\":\"i\"}]}", "input[0].id");
	check_refused(
	    "{\"model\":\"m\",\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_file\",\"file_id\":"
	    "\"f\",\"file_data\":\"x\"}]}]}",
	    "input[0].content[0].file_id");
	check_refused(
	    "{\"model\":\"m\",\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_file\",\"file_url\":"
	    "\"https://x\",\"file_data\":\"x\"}]}]}",
	    "input[0].content[0].file_url");
	check_refused("{\"model\":\"m\",\"input\":[{\"type\":\"reasoning\",\"summary\":[]}]}", "input");
	check_refused("{\"model\":\"m\",\"input\":[]}", "input");
	check_refused("{\"model\":\"m\"}", "input");
	check_refused("{\"model\":\"m\",\"input\":[{\"type\":\"message\",\"role\":\"tool\",\"content\":\"x\"}]}",
		      "input[0].role");
}

static void the_answer_repeats_the_request(void **state)
{
	static const char *const members[] = {",\"instructions\":\"be \\u0062rief\"",
					      ",\"metadata\":{\"a\":\"b\"}",
					      ",\"temperature\":0.50",
					      ",\"tools\":[{\"type\":\"custom\",\"name\":\"sql\"}]",
					      ",\"tool_choice\":\"auto\"",
					      ",\"text\":{\"format\":{\"type\":\"text\"},\"verbosity\":\"low\"}",
					      ",\"max_output_tokens\":null",
					      ",\"store\":false",
					      ",\"truncation\":\"disabled\"",
					      ",\"reasoning\":{\"effort\":\"low\",\"summary\":null}"};
	(void)state;
	const struct decoded decoded =
	    decode(ASK ",\"instructions\":\"be \\u0062rief\",\"metadata\":{\"a\":\"b\"},\"temperature\""
		       ":0.50,\"tools\":[{\"type\":\"custom\",\"name\":\"sql\"}],\"text\":{\"verbosity\":"
		       "\"low\"},\"reasoning\":{\"effort\":\"low\"}}");
	const struct responses_echo *echo = decoded.request->echo;
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (memmem(echo->members.at, echo->members.len, members[i], strlen(members[i])) == NULL)
			fail_msg("%s in %.*s", members[i], SPAN_ARG(echo->members));
	assert_true(responses_echo_is_custom(echo, SPAN("sql")));
	assert_false(responses_echo_is_custom(echo, SPAN("f")));
	request_drop(decoded.request);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain_members_become_those_of_a_chat),
	    cmocka_unit_test(what_a_chat_cannot_carry_is_named),
	    cmocka_unit_test(several_systems_at_the_beginning_become_one),
	    cmocka_unit_test(parts_become_those_of_a_chat),
	    cmocka_unit_test(calls_join_the_message_before_and_outputs_follow),
	    cmocka_unit_test(pictures_of_outputs_follow_all_outputs),
	    cmocka_unit_test(custom_tools_are_functions_with_one_parameter),
	    cmocka_unit_test(tools_and_their_choice_are_those_of_a_chat),
	    cmocka_unit_test(the_form_of_the_answer_is_asked_for_as_in_a_chat),
	    cmocka_unit_test(what_is_not_in_the_request_is_refused_by_name),
	    cmocka_unit_test(the_answer_repeats_the_request),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
