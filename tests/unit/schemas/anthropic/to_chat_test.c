/* SPDX-License-Identifier: MIT */
/* Messages requests as chat requests: what becomes of each member and block, and what is named as left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "schemas/anthropic/to_chat.h"

#define HEAD "{\"model\":\"m\",\"messages\":"
#define ASK "\"model\":\"m\",\"max_tokens\":9"
#define HELLO "[{\"role\":\"user\",\"content\":\"hello\"}]"

struct world {
	struct arena arena;
	struct json json;
	struct anthropic_messages typed;
	struct buf out;
	struct dropped dropped;
	struct findings findings;
};

/* Returns whether the request is valid. */
static bool read(struct world *world, const char *body)
{
	struct json_error error;
	*world = (struct world){.dropped = {.count = 0}};
	arena_init(&world->arena, 0);
	buf_init(&world->out, 1 << 20);
	assert_true(json_parse(&world->json, &world->arena, span_of(body), 64, &error));
	return field_read(&world->json, &anthropic_messages_fields, "body", &world->arena, &world->typed,
			  &world->findings);
}

static void translate(struct world *world, const char *body)
{
	if (!read(world, body))
		fail_msg("%.*s", SPAN_ARG(world->findings.list[0].message));
	const struct to_chat to = {&world->json, &world->typed, &world->arena, &world->out, &world->dropped};
	anthropic_write_chat(&to);
}

static void finish(struct world *world)
{
	buf_fini(&world->out);
	arena_fini(&world->arena);
}

/* dropped: paths by blanks. */
static void check(const char *body, const char *chat, const char *dropped)
{
	struct world world;
	char names[512] = "";
	translate(&world, body);
	if (!span_is(buf_span(&world.out), chat))
		fail_msg("\n got %.*s\nwant %s", SPAN_ARG(buf_span(&world.out)), chat);
	for (size_t i = 0; i < world.dropped.count; i++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%.*s", i == 0 ? "" : " ",
			 SPAN_ARG(world.dropped.list[i]));
	assert_string_equal(names, dropped);
	finish(&world);
}

static void plain_members_become_those_of_a_chat(void **state)
{
	(void)state;
	check("{" ASK ",\"messages\":" HELLO "}", HEAD HELLO ",\"max_tokens\":9}", "");
	check("{" ASK ",\"messages\":" HELLO
	      ",\"temperature\":0.50,\"top_p\":1e-1,\"top_k\":40,\"stop_sequences\":[\"a\",\"b\"],"
	      "\"metadata\":{\"user_id\":\"u\"},\"stream\":true,\"service_tier\":\"auto\"}",
	      HEAD HELLO ",\"max_tokens\":9,\"stop\":[\"a\",\"b\"],\"temperature\":0.50,\"top_p\":1e-1,\"top_k\":40,"
			 "\"user\":\"u\",\"stream\":true}",
	      "service_tier");
}

static void the_system_stands_in_front_of_the_messages(void **state)
{
	(void)state;
	check("{" ASK ",\"system\":\"be brief\",\"messages\":" HELLO "}",
	      HEAD "[{\"role\":\"system\",\"content\":\"be brief\"},{\"role\":\"user\",\"content\":\"hello\"}],"
		   "\"max_tokens\":9}",
	      "");
	check("{" ASK ",\"system\":[{\"type\":\"text\",\"text\":\"a\\n\"},{\"type\":\"text\",\"text\":\"b\",\"cache_"
	      "control\":{}}],"
	      "\"messages\":" HELLO "}",
	      HEAD "[{\"role\":\"system\",\"content\":\"a\\n\\n\\nb\"},{\"role\":\"user\",\"content\":\"hello\"}],"
		   "\"max_tokens\":9}",
	      "system[1].cache_control");
	check("{" ASK ",\"system\":[],\"messages\":" HELLO "}", HEAD HELLO ",\"max_tokens\":9}", "");
}

static void blocks_of_a_user_become_parts(void **state)
{
	(void)state;
	check(
	    "{" ASK ",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"see\"},"
	    "{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"iVBO\"}},"
	    "{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://x/y.png\"}},"
	    "{\"type\":\"document\",\"title\":\"t.pdf\",\"source\":{\"type\":\"base64\",\"media_type\":\"application/"
	    "pdf\",\"data\":\"JVBE\"}},"
	    "{\"type\":\"document\",\"source\":{\"type\":\"text\",\"media_type\":\"text/"
	    "plain\",\"data\":\"words\"},\"citations\":{\"enabled\":true}},"
	    "{\"type\":\"search_result\",\"title\":\"?\"}]}]}",
	    HEAD
	    "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"see\"},"
	    "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,iVBO\"}},"
	    "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x/y.png\"}},"
	    "{\"type\":\"file\",\"file\":{\"filename\":\"t.pdf\",\"file_data\":\"data:application/pdf;base64,JVBE\"}},"
	    "{\"type\":\"text\",\"text\":\"words\"}]}],\"max_tokens\":9}",
	    "messages[0].content[4].citations messages[0].content[5]");
}

static void what_one_backend_alone_knows_is_refused_by_name(void **state)
{
	static const char *const blocks[] = {
	    "{\"type\":\"image\",\"source\":{\"type\":\"file\",\"file_id\":\"f\"}}",
	    "{\"type\":\"document\",\"source\":{\"type\":\"url\",\"url\":\"https://x\"}}",
	    "{\"type\":\"tool_result\",\"tool_use_id\":\"t\",\"content\":[{\"type\":\"image\",\"source\":{}}]}"};
	static const char *const params[] = {"messages[0].content[0].source.type", "messages[0].content[0].source.type",
					     "messages[0].content[0].content[0].source.type"};
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct world world;
		char body[512];
		snprintf(body, sizeof(body), "{" ASK ",\"messages\":[{\"role\":\"user\",\"content\":[%s]}]}",
			 blocks[i]);
		assert_false(read(&world, body));
		assert_true(span_is(world.findings.list[0].param, params[i]));
		finish(&world);
	}
}

static void calls_and_results_become_messages_of_tools(void **state)
{
	(void)state;
	check("{" ASK ",\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\","
	      "\"signature\":\"s\"},"
	      "{\"type\":\"text\",\"text\":\"let \"},{\"type\":\"text\",\"text\":\"me\"},"
	      "{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"f\",\"input\":{\"a\": \"\\u00e9\"}},"
	      "{\"type\":\"tool_use\",\"id\":\"t2\",\"name\":\"g\",\"input\":{}}]},"
	      "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"here\"},"
	      "{\"type\":\"tool_result\",\"tool_use_id\":\"t1\",\"content\":\"one\"},"
	      "{\"type\":\"tool_result\",\"tool_use_id\":\"t2\",\"is_error\":true,\"content\":[{\"type\":\"text\","
	      "\"text\":\"two\"},"
	      "{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://p\"}}]}]}]}",
	      HEAD "[{\"role\":\"assistant\",\"content\":\"let me\",\"tool_calls\":["
		   "{\"id\":\"t1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\": "
		   "\\\"\\\\u00e9\\\"}\"}},"
		   "{\"id\":\"t2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]},"
		   "{\"role\":\"tool\",\"tool_call_id\":\"t1\",\"content\":\"one\"},"
		   "{\"role\":\"tool\",\"tool_call_id\":\"t2\",\"content\":\"two\"},"
		   "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"here\"},"
		   "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://p\"}}]}],\"max_tokens\":9}",
	      "messages[0].content[0] messages[1].content[2].is_error");
	check("{" ASK ",\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"t\","
	      "\"name\":\"f\",\"input\":{}}]},"
	      "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t\"}]}]}",
	      HEAD
	      "[{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"t\",\"type\":\"function\","
	      "\"function\":"
	      "{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"t\",\"content\":\"\"}],"
	      "\"max_tokens\":9}",
	      "");
}

static void tools_become_functions(void **state)
{
	(void)state;
	check("{" ASK ",\"messages\":" HELLO
	      ",\"tools\":[{\"name\":\"f\",\"description\":\"d\",\"input_schema\":{\"type\":\"object\"},"
	      "\"cache_control\":{}},{\"type\":\"web_search_20250305\",\"name\":\"web_search\"},{\"type\":\"custom\","
	      "\"name\":\"g\"}],"
	      "\"tool_choice\":{\"type\":\"any\",\"disable_parallel_tool_use\":true}}",
	      HEAD HELLO
	      ",\"max_tokens\":9,\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\","
	      "\"parameters\":{\"type\":\"object\"}}},{\"type\":\"function\",\"function\":{\"name\":\"g\"}}],"
	      "\"tool_choice\":\"required\",\"parallel_tool_calls\":false}",
	      "tools[0].cache_control tools[1]");
	check("{" ASK ",\"messages\":" HELLO ",\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\"}}",
	      HEAD HELLO ",\"max_tokens\":9,\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}}",
	      "");
	check("{" ASK ",\"messages\":" HELLO ",\"tool_choice\":{\"type\":\"none\"}}",
	      HEAD HELLO ",\"max_tokens\":9,\"tool_choice\":\"none\"}", "");
}

static void options_of_the_answer_are_carried_or_named(void **state)
{
	(void)state;
	check("{" ASK ",\"messages\":" HELLO
	      ",\"output_config\":{\"effort\":\"low\",\"format\":{\"type\":\"json_schema\","
	      "\"schema\":{\"type\":\"object\"}}},\"thinking\":{\"type\":\"adaptive\"},\"mcp_servers\":[],\"odd, "
	      "name\":1}",
	      HEAD HELLO ",\"max_tokens\":9,\"reasoning_effort\":\"low\",\"response_format\":{\"type\":\"json_schema\","
			 "\"json_schema\":{\"name\":\"answer\",\"strict\":true,\"schema\":{\"type\":\"object\"}}}}",
	      "thinking mcp_servers (a member of another name)");
	check("{" ASK ",\"messages\":" HELLO ",\"thinking\":{\"type\":\"disabled\"}}", HEAD HELLO ",\"max_tokens\":9}",
	      "");
}

static void blocks_of_a_system_that_are_no_text_are_named(void **state)
{
	(void)state;
	check("{" ASK
	      ",\"system\":[{\"type\":\"odd\"},{\"type\":\"text\",\"text\":\"a\"}],\"messages\":[{\"role\":\"system\","
	      "\"content\":[{\"type\":\"text\",\"text\":\"b\"},{\"type\":\"odd\"}]}]}",
	      HEAD
	      "[{\"role\":\"system\",\"content\":\"a\"},{\"role\":\"system\",\"content\":\"b\"}],\"max_tokens\":9}",
	      "system[0] messages[0].content[1]");
}

static void a_message_of_which_nothing_is_left_stays_a_message(void **state)
{
	(void)state;
	check("{" ASK ",\"messages\":[{\"role\":\"user\",\"content\":[]}]}",
	      HEAD "[{\"role\":\"user\",\"content\":\"\"}],\"max_tokens\":9}", "");
	check("{" ASK ",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"odd\"}]}]}",
	      HEAD "[{\"role\":\"user\",\"content\":\"\"}],\"max_tokens\":9}", "messages[0].content[0]");
}

static void members_that_are_null_are_not_named(void **state)
{
	(void)state;
	check("{" ASK ",\"service_tier\":null,\"container\":null,\"system\":[{\"type\":\"text\",\"text\":\"a\","
	      "\"cache_control\":null,\"citations\":null}],\"messages\":" HELLO
	      ",\"tools\":[{\"name\":\"f\",\"cache_control\":null}]}",
	      HEAD "[{\"role\":\"system\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"hello\"}],"
		   "\"max_tokens\":9,\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]}",
	      "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain_members_become_those_of_a_chat),
	    cmocka_unit_test(the_system_stands_in_front_of_the_messages),
	    cmocka_unit_test(blocks_of_a_user_become_parts),
	    cmocka_unit_test(what_one_backend_alone_knows_is_refused_by_name),
	    cmocka_unit_test(calls_and_results_become_messages_of_tools),
	    cmocka_unit_test(tools_become_functions),
	    cmocka_unit_test(blocks_of_a_system_that_are_no_text_are_named),
	    cmocka_unit_test(a_message_of_which_nothing_is_left_stays_a_message),
	    cmocka_unit_test(members_that_are_null_are_not_named),
	    cmocka_unit_test(options_of_the_answer_are_carried_or_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
