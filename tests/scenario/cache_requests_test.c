/* SPDX-License-Identifier: MIT */
/*
 * Which requests are the same, and which refer to something that may change. A hit for a request whose schema had its
 * members in another order gave the answer to another prompt: that order is shown to the model. And requests were kept
 * whose answer depends on a search, a file or an earlier answer, by a member that nobody had thought of.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/cached.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

enum { BODY_MOST = 2048 };

struct world {
	struct sim *sim;
	struct sluice *sluice;
};

static struct world start(void)
{
	struct world world = {.sim = sim_start(NULL)};
	world.sluice = sluice_start("backends: { sim: { url: 'http://127.0.0.1:%d/v1' } }\n"
				    "models: { m: sim/count;tokens=20, v: sim/vec }\n",
				    world.sim->port);
	return world;
}

static const char *const paths[] = {"/v1/chat/completions", "/v1/completions", "/v1/embeddings"};

enum { CHAT, COMPLETION, EMBEDDING };

static void ask(const struct world *world, int endpoint, const char *body, struct answer *answer)
{
	client_fetch(world->sluice, VIA_H1, paths[endpoint], body, answer);
	if (answer->status != 200)
		fail_msg("%d %s: %s", answer->status, body, bytes_text(&answer->body));
}

static bool hits(const struct world *world, int endpoint, const char *body)
{
	struct answer answer;
	ask(world, endpoint, body, &answer);
	char *status = answer_header(&answer, "cache-status");
	bool hit = status != NULL && strncmp(status, "sluice; hit", 11) == 0;
	free(status);
	answer_free(&answer);
	return hit;
}

static const char *with(int endpoint, const char *members)
{
	static const char *const heads[] = {
	    "\"model\":\"m\",\"temperature\":0,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]",
	    "\"model\":\"m\",\"temperature\":0,\"prompt\":\"x\"",
	    "\"model\":\"v\",\"input\":\"x\"",
	};
	static char bodies[2][BODY_MOST];
	static unsigned turn;
	char *body = bodies[turn++ % 2];
	snprintf(body, BODY_MOST, "{%s%s%s}", heads[endpoint], members[0] == '\0' ? "" : ",", members);
	return body;
}

#define FUNCTION(parameters) \
	"\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":" parameters "}}]"
#define SCHEMA(schema) \
	"\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"r\",\"schema\":" schema "}}"
#define CALLS(arguments)                                                                                           \
	"\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\",\"function\":{" \
	"\"name\":\"f\",\"arguments\":" arguments "}}]}]"

static void what_reaches_the_prompt_counts_as_it_is_written(void **state)
{
	static const struct {
		const char *first, *second;
		bool same;
	} rows[] = {
	    {SCHEMA("{\"type\":\"object\",\"properties\":{\"a\":{},\"b\":{}}}"),
	     SCHEMA("{\"type\":\"object\",\"properties\":{\"b\":{},\"a\":{}}}"), false},
	    {SCHEMA("{\"minimum\":1}"), SCHEMA("{\"minimum\":1.0}"), false},
	    {SCHEMA("{\"enum\":[\"a\"]}"), SCHEMA("{ \"enum\" : [ \"\\u0061\" ] }"), true},
	    {FUNCTION("{\"type\":\"object\",\"properties\":{\"a\":{},\"b\":{}}}"),
	     FUNCTION("{\"type\":\"object\",\"properties\":{\"b\":{},\"a\":{}}}"), false},
	    {FUNCTION("{\"maximum\":1e2}"), FUNCTION("{\"maximum\":100}"), false},
	    {"\"functions\":[{\"name\":\"f\",\"parameters\":{\"x\":1,\"y\":2}}]",
	     "\"functions\":[{\"name\":\"f\",\"parameters\":{\"y\":2,\"x\":1}}]", false},
	    {"\"chat_template_kwargs\":{\"a\":1,\"b\":2}", "\"chat_template_kwargs\":{\"b\":2,\"a\":1}", false},
	    {"\"guided_json\":{\"minimum\":1}", "\"guided_json\":{\"minimum\":1.0}", false},
	    {"\"logit_bias\":{\"1\":1,\"2\":2}", "\"logit_bias\":{\"2\":2.0,\"1\":1e0}", true},
	    {"\"max_tokens\":20", "\"max_tokens\":20.0", true},
	    {"\"top_k\":20,\"min_p\":0.1", "\"min_p\":0.1,\"top_k\":20", true},
	};
	struct world world = start();
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_false(hits(&world, CHAT, with(CHAT, rows[i].first)));
		assert_true(hits(&world, CHAT, with(CHAT, rows[i].first)));
		if (hits(&world, CHAT, with(CHAT, rows[i].second)) != rows[i].same)
			fail_msg("%s: %s and %s", rows[i].same ? "not the same" : "the same", rows[i].first,
				 rows[i].second);
	}
	assert_false(hits(&world, CHAT, "{\"model\":\"m\",\"temperature\":0," CALLS("{\"a\":1,\"b\":2}") "}"));
	assert_false(hits(&world, CHAT, "{\"model\":\"m\",\"temperature\":0," CALLS("{\"b\":2,\"a\":1}") "}"));
	sluice_wait_idle(world.sluice);
}

static void what_means_the_same_is_the_same(void **state)
{
	static const struct {
		int endpoint;
		const char *first, *second;
	} rows[] = {
	    {CHAT, "", "\"max_tokens\":null,\"stop\":null,\"tools\":null"},
	    {CHAT, "\"stop\":\"a\"", "\"stop\":[\"\\u0061\"]"},
	    {COMPLETION, "\"stop\":[\"a\"]", "\"stop\":\"a\",\"suffix\":null"},
	    {EMBEDDING, "", "\"dimensions\":null"},
	};
	struct world world = start();
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_false(hits(&world, rows[i].endpoint, with(rows[i].endpoint, rows[i].first)));
		if (!hits(&world, rows[i].endpoint, with(rows[i].endpoint, rows[i].second)))
			fail_msg("%s is not %s", rows[i].first, rows[i].second);
	}
	sluice_wait_idle(world.sluice);
}

#define PART(part) "{\"model\":\"m\",\"temperature\":0,\"messages\":[{\"role\":\"user\",\"content\":[" part "]}]}"
#define IMAGE(url) PART("{\"type\":\"image_url\",\"image_url\":{\"url\":" url "}}")

static void what_is_inside_the_request_is_kept(void **state)
{
	static const char *const bodies[] = {
	    IMAGE("\"data:image/png;base64,AAAA\""),
	    IMAGE("\"DATA:image/png;base64,AAAB\""),
	    IMAGE("\"\\u0064ata:image\\/png;base64,AAAC\""),
	    PART("{\"type\":\"image_url\",\"image_url\":\"data:,x\"}"),
	    PART("{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"UklGRg==\",\"format\":\"wav\"}}"),
	    PART("{\"type\":\"file\",\"file\":{\"file_data\":\"data:application/pdf;base64,JVBE\"}}"),
	    PART("{\"type\":\"text\",\"text\":\"see https://example.org\",\"cache_control\":{\"type\":\"ephemeral\"}}"),
	    PART("\"bare\""),
	};
	struct world world = start();
	(void)state;
	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
		hits(&world, CHAT, bodies[i]);
		if (!hits(&world, CHAT, bodies[i]))
			fail_msg("not kept: %s", bodies[i]);
	}
	sluice_wait_idle(world.sluice);
}

static void what_refers_to_something_else_is_never_kept(void **state)
{
	static const char *const members[] = {
	    "\"previous_response_id\":\"r\"",
	    "\"conversation\":\"c\"",
	    "\"data_sources\":[{\"type\":\"azure_search\"}]",
	    "\"search_parameters\":{\"mode\":\"auto\"}",
	    "\"plugins\":[{\"id\":\"web\"}]",
	    "\"enable_search\":true",
	    "\"web_search_options\":{}",
	    "\"nobody_has_heard_of_it\":1",
	    "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"},\"server_url\":\"http://x\"}]",
	    "\"tool_choice\":{\"type\":\"web_search\"}",
	    "\"audio\":{\"voice\":{\"id\":\"v\"}}",
	    SCHEMA("{\"$ref\":\"https://example.org/s.json\"}"),
	    "\"response_format\":{\"type\":\"own\",\"of\":\"x\"}",
	};
	static const char *const bodies[] = {
	    IMAGE("\"https://example.org/a.png\""),
	    IMAGE("\"HTTPS://example.org/a.png\""),
	    IMAGE("\" data:,x\""),
	    IMAGE("\"\""),
	    PART("{\"type\":\"image_url\",\"image_url\":\"http://example.org/a.png\"}"),
	    PART("{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:,x\",\"uri\":\"http://x\"}}"),
	    PART("{\"type\":\"text\",\"text\":\"x\",\"image_url\":{\"url\":\"http://x\"}}"),
	    PART("{\"type\":\"input_image\",\"image_url\":\"http://x\"}"),
	    PART("{\"type\":\"video_url\",\"video_url\":{\"url\":\"http://x\"}}"),
	    PART("{\"type\":\"input_file\",\"file_url\":\"http://x\"}"),
	    PART("{\"type\":\"input_file\",\"file_id\":\"f\"}"),
	    PART("{\"type\":\"file\",\"file\":{\"file_id\":\"f\"}}"),
	    PART("{\"type\":\"file\",\"file\":{\"file_data\":\"https://example.org/a.pdf\"}}"),
	    PART("{\"type\":\"file\",\"file\":{\"file_url\":\"https://example.org/a.pdf\"}}"),
	    PART("{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"https://example.org/a.wav\"}}"),
	    "{\"model\":\"m\",\"temperature\":0,\"messages\":[{\"role\":\"assistant\",\"audio\":{\"id\":\"a\"}}]}",
	    "{\"model\":\"m\",\"temperature\":0,\"messages\":[{\"role\":\"user\",\"content\":\"x\",\"file_ids\":[\"f\"]"
	    "}"
	    "]}",
	};
	struct world world = start();
	struct answer answer;
	(void)state;
	for (size_t i = 0; i < 2 * (sizeof members / sizeof members[0] + sizeof bodies / sizeof bodies[0]); i++) {
		size_t index = i / 2, count = sizeof members / sizeof members[0];
		const char *body = index < count ? with(CHAT, members[index]) : bodies[index - count];
		ask(&world, CHAT, body, &answer);
		char *status = answer_header(&answer, "cache-status");
		if (status == NULL || strcmp(status, "sluice; fwd=bypass") != 0)
			fail_msg("%s: %s", status, body);
		free(status);
		answer_free(&answer);
	}
	assert_false(hits(&world, EMBEDDING, with(EMBEDDING, "\"source\":\"http://x\"")));
	assert_false(hits(&world, EMBEDDING, with(EMBEDDING, "\"source\":\"http://x\"")));
	assert_true(sluice_metric(world.sluice, "sluice_cache_entries") == 0);
	sluice_wait_idle(world.sluice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(what_reaches_the_prompt_counts_as_it_is_written),
	    SCENARIO(what_means_the_same_is_the_same),
	    SCENARIO(what_is_inside_the_request_is_kept),
	    SCENARIO(what_refers_to_something_else_is_never_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
