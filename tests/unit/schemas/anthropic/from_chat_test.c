/* SPDX-License-Identifier: MIT */
/* Chat requests as Messages requests: what becomes of each member and message, and what is named as left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "schemas/anthropic/from_chat.h"
#include "schemas/anthropic/request_translate.h"
#include "schemas/dialect.h"

#define ASK "\"model\":\"m\""
#define HELLO "\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]"
#define HEAD "{\"model\":\"claude\",\"max_tokens\":100"
#define SAID ",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hello\"}]}]"

/* Translates a request of a dialect. names: gets what was dropped, by blanks. */
static void translate(const char *dialect, const char *body, const struct request_splice *splice, struct buf *out,
		      char names[512])
{
	struct findings findings = {.count = 0};
	struct dropped dropped = {.count = 0};
	struct request *request = request_create(dialect_find(dialect), ENDPOINT_CHAT, 1 << 20, 0);
	assert_non_null(request);
	if (!request_decode(request, span_of(body), &JSON_DEPTH(64), &findings))
		fail_msg("%.*s", SPAN_ARG(findings.list[0].message));
	const struct translation translation = {.request = request,
						.splice = splice,
						.output_standard = 100,
						.arena = &request->arena,
						.out = out,
						.dropped = &dropped};
	anthropic_request_translate(&translation);
	names[0] = '\0';
	for (size_t i = 0; i < dropped.count; i++)
		snprintf(names + strlen(names), 512 - strlen(names), "%s%.*s", i == 0 ? "" : " ",
			 SPAN_ARG(dropped.list[i]));
	request_drop(request);
}

static void check_of(const char *dialect, const char *body, const struct request_splice *splice, const char *messages,
		     const char *dropped)
{
	struct buf out;
	char names[512];
	buf_init(&out, 1 << 20);
	translate(dialect, body, splice, &out, names);
	if (!span_is(buf_span(&out), messages))
		fail_msg("\n got %.*s\nwant %s", SPAN_ARG(buf_span(&out)), messages);
	assert_string_equal(names, dropped);
	buf_fini(&out);
}

static void check(const char *body, const char *messages, const char *dropped)
{
	const struct request_splice splice = {.model = SPAN("claude")};
	check_of("openai", body, &splice, messages, dropped);
}

static void plain_members_become_those_of_a_message(void **state)
{
	(void)state;
	check("{" ASK "," HELLO "}", HEAD SAID "}", "");
	check("{" ASK "," HELLO ",\"max_tokens\":7,\"max_completion_tokens\":9,\"temperature\":0.50,\"top_p\":1e-1,"
	      "\"top_k\":40,\"stop\":\"a\",\"user\":\"u\",\"stream\":true,\"stream_options\":{\"include_usage\":true},"
	      "\"n\":1,\"service_tier\":\"auto\"}",
	      "{\"model\":\"claude\",\"max_tokens\":9" SAID
	      ",\"temperature\":0.50,\"top_p\":1e-1,\"top_k\":40,\"stop_sequences\":[\"a\"],\"metadata\":{\"user_id\":"
	      "\"u\"},\"service_tier\":\"auto\",\"stream\":true}",
	      "");
	check("{" ASK "," HELLO ",\"stop\":[\"a\",\"b\"],\"service_tier\":\"default\"}",
	      HEAD SAID ",\"stop_sequences\":[\"a\",\"b\"],\"service_tier\":\"standard_only\"}", "");
}

static void what_messages_have_no_place_for_is_named(void **state)
{
	(void)state;
	check("{" ASK "," HELLO ",\"temperature\":1.7,\"seed\":1,\"logprobs\":true,\"presence_penalty\":0.5,"
	      "\"frequency_penalty\":0,\"store\":false,\"logit_bias\":null,\"service_tier\":\"flex\",\"un,known\":1,"
	      "\"response_format\":{\"type\":\"json_object\"}}",
	      HEAD SAID ",\"temperature\":1}",
	      "seed logprobs presence_penalty (a member of another name) temperature response_format service_tier");
}

static void systems_go_in_front_wherever_they_stand(void **state)
{
	(void)state;
	check("{" ASK ",\"messages\":[{\"role\":\"system\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"b\"},"
	      "{\"role\":\"developer\",\"content\":[{\"type\":\"text\",\"text\":\"c\",\"cache_control\":{\"type\":"
	      "\"ephemeral\"}}]},{\"role\":\"user\",\"content\":\"d\"}]}",
	      HEAD
	      ",\"system\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"c\",\"cache_control\":"
	      "{\"type\":\"ephemeral\"}}],\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
	      "\"b\"},{\"type\":\"text\",\"text\":\"d\"}]}]}",
	      "");
}

#define CALLS                                                                                                   \
	"{\"role\":\"assistant\",\"content\":null,\"tool_calls\":["                                             \
	"{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\": 1}\"}}," \
	"{\"id\":\"c2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"\"}},"               \
	"{\"id\":\"c3\",\"type\":\"function\",\"function\":{\"name\":\"h\",\"arguments\":\"no json\"}}]}"
#define CALLED                                                                                                  \
	"{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"c1\",\"name\":\"f\",\"input\":"   \
	"{\"a\": 1}},{\"type\":\"tool_use\",\"id\":\"c2\",\"name\":\"g\",\"input\":{}},{\"type\":\"tool_use\"," \
	"\"id\":\"c3\",\"name\":\"h\",\"input\":{\"arguments\":\"no json\"}}]}"

static void results_of_tools_come_first_in_one_message(void **state)
{
	(void)state;
	check(
	    "{" ASK ",\"messages\":[{\"role\":\"user\",\"content\":\"go\"}," CALLS
	    ",{\"role\":\"user\",\"content\":\"and?\"},{\"role\":\"tool\",\"tool_call_id\":\"c2\",\"content\":\"two\"},"
	    "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":[{\"type\":\"text\",\"text\":\"one\"}]},"
	    "{\"role\":\"tool\",\"tool_call_id\":\"lost\",\"content\":\"three\"}]}",
	    HEAD ",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"go\"}]}," CALLED
		 ",{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"c2\",\"content\":"
		 "[{\"type\":\"text\",\"text\":\"two\"}]},{\"type\":\"tool_result\",\"tool_use_id\":\"c1\",\"content\":"
		 "[{\"type\":\"text\",\"text\":\"one\"}]},{\"type\":\"text\",\"text\":\"three\"},{\"type\":\"text\","
		 "\"text\":\"and?\"}]}]}",
	    "messages[5].tool_call_id");
}

/* Both messages of the assistant are one for the backend, which wants a result for each call in it. */
static void results_belong_to_all_messages_of_the_assistant_before_them(void **state)
{
	(void)state;
	check("{" ASK
	      ",\"messages\":[{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c\\u0031\",\"type\":"
	      "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]},{\"role\":\"assistant\",\"content\":"
	      "\"wait\"},"
	      "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"one\"}]}",
	      HEAD
	      ",\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"c\\u0031\",\"name\":"
	      "\"f\",\"input\":{}},{\"type\":\"text\",\"text\":\"wait\"}]},{\"role\":\"user\",\"content\":[{\"type\":"
	      "\"tool_result\",\"tool_use_id\":\"c1\",\"content\":[{\"type\":\"text\",\"text\":\"one\"}]}]}]}",
	      "");
}

static void messages_of_one_speaker_become_one_and_empty_ones_vanish(void **state)
{
	(void)state;
	check("{" ASK ",\"messages\":[{\"role\":\"user\",\"content\":\"\"},{\"role\":\"user\",\"content\":\"a\"},"
	      "{\"role\":\"assistant\",\"content\":\"\"},{\"role\":\"user\",\"content\":\"b\"},"
	      "{\"role\":\"assistant\",\"content\":\"c\",\"refusal\":null,\"reasoning_content\":\"hm\"},"
	      "{\"role\":\"assistant\",\"refusal\":\"d\"}]}",
	      HEAD
	      ",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]},{\"role\":\"user\","
	      "\"content\":[{\"type\":\"text\",\"text\":\"b\"}]},{\"role\":\"assistant\",\"content\":[{\"type\":"
	      "\"text\",\"text\":\"c\"},{\"type\":\"text\",\"text\":\"d\"}]}]}",
	      "messages[4].reasoning_content");
}

static void pictures_and_files_become_blocks(void **state)
{
	(void)state;
	check(
	    "{" ASK ",\"messages\":[{\"role\":\"user\",\"content\":["
	    "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}},"
	    "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x/y.png\",\"detail\":\"low\"}},"
	    "{\"type\":\"file\",\"file\":{\"file_data\":\"data:application/pdf;base64,BBBB\",\"filename\":\"r.pdf\"}},"
	    "{\"type\":\"file\",\"file\":{\"file_id\":\"f\"}},"
	    "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"UklGRg==\",\"format\":\"wav\"}}]}]}",
	    HEAD ",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":{\"type\":\"base64\","
		 "\"media_type\":\"image/png\",\"data\":\"AAAA\"}},{\"type\":\"image\",\"source\":{\"type\":\"url\","
		 "\"url\":\"https://x/y.png\"}},{\"type\":\"document\",\"source\":{\"type\":\"base64\",\"media_type\":"
		 "\"application/pdf\",\"data\":\"BBBB\"},\"title\":\"r.pdf\"}]}]}",
	    "messages[0].content[3] messages[0].content[4]");
}

#define TOOL "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\",\"strict\":true}}]"
#define TOOL_OUT                                                                                                  \
	",\"tools\":[{\"name\":\"f\",\"description\":\"d\",\"input_schema\":{\"type\":\"object\",\"properties\":" \
	"{}},\"strict\":true}]"

static void tools_and_their_choice_are_carried(void **state)
{
	(void)state;
	check("{" ASK "," HELLO "," TOOL ",\"tool_choice\":\"required\",\"parallel_tool_calls\":false}",
	      HEAD SAID TOOL_OUT ",\"tool_choice\":{\"type\":\"any\",\"disable_parallel_tool_use\":true}}", "");
	check("{" ASK "," HELLO "," TOOL ",\"tool_choice\":\"none\",\"parallel_tool_calls\":false}",
	      HEAD SAID TOOL_OUT ",\"tool_choice\":{\"type\":\"none\"}}", "");
	check("{" ASK "," HELLO "," TOOL ",\"parallel_tool_calls\":false}",
	      HEAD SAID TOOL_OUT ",\"tool_choice\":{\"type\":\"auto\",\"disable_parallel_tool_use\":true}}", "");
	check("{" ASK "," HELLO "," TOOL ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}}",
	      HEAD SAID TOOL_OUT ",\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\"}}", "");
	check("{" ASK "," HELLO
	      ",\"tools\":[{\"type\":\"custom\",\"custom\":{\"name\":\"sql\"}}],\"tool_choice\":\"auto\"}",
	      HEAD SAID "}", "tools[0]");
}

static void effort_and_schemas_become_output_config(void **state)
{
	(void)state;
	check("{" ASK "," HELLO ",\"reasoning_effort\":\"minimal\",\"response_format\":{\"type\":\"json_schema\","
	      "\"json_schema\":{\"name\":\"r\",\"schema\":{\"type\":\"object\"}}}}",
	      HEAD SAID ",\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}},"
			"\"effort\":\"low\"},\"thinking\":{\"type\":\"adaptive\"}}",
	      "");
	check("{" ASK "," HELLO ",\"reasoning_effort\":\"none\",\"response_format\":{\"type\":\"text\"}}",
	      HEAD SAID ",\"thinking\":{\"type\":\"disabled\"}}", "");
	check("{" ASK ",\"messages\":[" CALLS ",{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"1\"}],"
	      "\"reasoning_effort\":\"high\"}",
	      HEAD
	      ",\"messages\":[" CALLED ",{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":"
	      "\"c1\",\"content\":[{\"type\":\"text\",\"text\":\"1\"}]}]}],\"output_config\":{\"effort\":\"high\"}}",
	      "");
}

static void an_answer_is_gone_on_with_behind_the_messages(void **state)
{
	(void)state;
	const struct request_splice splice = {.model = SPAN("claude"), .prefill = SPAN("The \"Rhine"), .spent = 4};
	check_of(
	    "openai", "{" ASK "," HELLO ",\"max_tokens\":9}", &splice,
	    "{\"model\":\"claude\",\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
	    "\"text\":\"hello\"}]},{\"role\":\"assistant\",\"content\":\"The \\\"Rhine\"}]}",
	    "");
	check_of("anthropic", "{ \"max_tokens\": 9," HELLO ", " ASK ", \"x\": [1.0] }", &splice,
		 "{ \"max_tokens\": 5,\"messages\":[{\"role\":\"user\",\"content\":\"hello\"},{\"role\":\"assistant\","
		 "\"content\":\"The \\\"Rhine\"}], \"model\":\"claude\", \"x\": [1.0] }",
		 "");
}

static void what_a_client_of_the_dialect_asked_keeps_its_bytes(void **state)
{
	(void)state;
	const struct request_splice splice = {.model = SPAN("claude")};
	check_of("anthropic",
		 "{ " ASK " ,\"max_tokens\":9.0e0, \"thinking\":{\"type\":\"adaptive\"}, \"messages\" : "
		 "[{\"role\":\"user\",\"content\":[{\"type\":\"new_block\",\"x\":1E2}]}] }",
		 &splice,
		 "{ \"model\":\"claude\" ,\"max_tokens\":9.0e0, \"thinking\":{\"type\":\"adaptive\"}, \"messages\" : "
		 "[{\"role\":\"user\",\"content\":[{\"type\":\"new_block\",\"x\":1E2}]}] }",
		 "");
}

static void several_choices_do_not_fit(void **state)
{
	(void)state;
	struct request request = {.choices = 2};
	assert_true(span_is(anthropic_request_misfit(&request), "n"));
	request.choices = 1;
	assert_null(anthropic_request_misfit(&request).at);
}

/* Anthropic refuses thinking beside them; the effort is asked for all the same. */
static void thinking_is_not_asked_for_where_the_backend_would_refuse_it(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
	    {"\"temperature\":0", ",\"temperature\":0"},
	    {"\"top_p\":0.5", ",\"top_p\":0.5"},
	    {"\"top_k\":5", ",\"top_k\":5"},
	    {"\"temperature\":1,\"top_p\":0.95", ",\"temperature\":1,\"top_p\":0.95"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char body[512], want[512];
		snprintf(body, sizeof body, "{" ASK "," HELLO ",\"reasoning_effort\":\"low\",%s}", rows[i][0]);
		snprintf(want, sizeof want, HEAD SAID "%s,\"output_config\":{\"effort\":\"low\"}%s}", rows[i][1],
			 i == 3 ? ",\"thinking\":{\"type\":\"adaptive\"}" : "");
		check(body, want, "");
	}
	check("{" ASK "," HELLO ",\"reasoning_effort\":\"low\",\"tool_choice\":\"required\",\"tools\":[{\"type\":"
	      "\"function\",\"function\":{\"name\":\"f\"}}]}",
	      HEAD SAID ",\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\",\"properties\":{}}}],"
			"\"tool_choice\":{\"type\":\"any\"},\"output_config\":{\"effort\":\"low\"}}",
	      "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain_members_become_those_of_a_message),
	    cmocka_unit_test(what_messages_have_no_place_for_is_named),
	    cmocka_unit_test(systems_go_in_front_wherever_they_stand),
	    cmocka_unit_test(results_of_tools_come_first_in_one_message),
	    cmocka_unit_test(results_belong_to_all_messages_of_the_assistant_before_them),
	    cmocka_unit_test(messages_of_one_speaker_become_one_and_empty_ones_vanish),
	    cmocka_unit_test(pictures_and_files_become_blocks),
	    cmocka_unit_test(tools_and_their_choice_are_carried),
	    cmocka_unit_test(thinking_is_not_asked_for_where_the_backend_would_refuse_it),
	    cmocka_unit_test(effort_and_schemas_become_output_config),
	    cmocka_unit_test(an_answer_is_gone_on_with_behind_the_messages),
	    cmocka_unit_test(what_a_client_of_the_dialect_asked_keeps_its_bytes),
	    cmocka_unit_test(several_choices_do_not_fit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
