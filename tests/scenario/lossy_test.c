/* SPDX-License-Identifier: MIT */
/*
 * Requests with something that a backend cannot be told. As a rule it is left out and named; where the client or the
 * configuration refuses that, such a target is not asked: another one that can be told all answers, or it is a 400.
 */
#include <stdio.h>
#include <string.h>

#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

#define MESSAGES "/v1/messages"
#define CHAT "/v1/chat/completions"
#define HELLO "\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]"
#define ONLY_MESSAGES                                                                                                 \
	",\"thinking\":{\"type\":\"adaptive\"},\"mcp_servers\":[],\"system\":[{\"type\":\"text\",\"text\":\"Brief\"," \
	"\"cache_control\":{}}]"
#define THEIR_NAMES "system[0].cache_control, thinking, mcp_servers"
#define WHOLE                                                                                                    \
	"{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-x\",\"content\":["     \
	"{\"type\":\"text\",\"text\":\"Hi there\"}],\"stop_reason\":\"end_turn\",\"usage\":{\"input_tokens\":8," \
	"\"output_tokens\":5}}"

struct world {
	struct backend *messages; /* speaks Messages */
	struct sim *sim;          /* speaks chat completions */
	struct sluice *sluice;
};

static struct world start(const char *more)
{
	struct world world = {.messages = backend_start(), .sim = sim_start(NULL)};
	backend_script(world.messages,
		       (const struct step[]){SEND("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
						  "Connection: close\r\n\r\n" WHOLE),
					     FIN});
	world.sluice =
	    sluice_start("backends: { a: { url: 'http://127.0.0.1:%d/v1', dialect: anthropic },"
			 " s: { url: 'http://127.0.0.1:%d/v1' } }\n"
			 "models: { chats: s/one, messages: a/claude, chats-first: { fallback: [s/one, a/claude] },"
			 " messages-first: { fallback: [a/claude, s/one] } }\n%s",
			 backend_port(world.messages), world.sim->port, more);
	return world;
}

/* lossy: the header's value; NULL = it is absent. more: members, each with a comma before it. */
static struct answer ask(const struct world *world, enum via via, const char *path, const char *model,
			 const char *lossy, const char *more)
{
	const struct h2_header headers[] = {{lossy == NULL ? NULL : "x-sluice-lossy", lossy}, {NULL, NULL}};
	struct answer answer;
	char body[1024];
	snprintf(body, sizeof body, "{\"model\":\"%s\",\"max_tokens\":64," HELLO "%s}", model, more);
	client_ask(world->sluice, via, "POST", path, headers, body, &answer);
	return answer;
}

/* Takes the answer. dropped: the value of the header; NULL = it must be absent. */
static void check_answered(struct answer answer, const char *target, const char *dropped)
{
	if (answer.status != 200)
		fail_msg("%d: %s", answer.status, bytes_text(&answer.body));
	assert_string_equal(answer_header(&answer, "x-sluice-target"), target);
	check_header(&answer, "x-sluice-dropped", dropped);
	answer_free(&answer);
}

static void check_refused(struct answer answer, const char *names, const char *first)
{
	char part[256];
	assert_int_equal(answer.status, 400);
	snprintf(part, sizeof part, "x-sluice-lossy): %s. (", names);
	check_contains(&answer.body, part);
	snprintf(part, sizeof part, "\"param\":\"%s\",\"code\":\"unsupported_parameter\"", first);
	check_contains(&answer.body, part);
	check_header(&answer, "x-should-retry", "false");
	answer_free(&answer);
}

static void a_client_can_have_losses_refused_over_every_way_in(void **state)
{
	(void)state;
	struct world world = start("");
	for (enum via via = 0; via < VIA_COUNT; via++) {
		check_answered(ask(&world, via, MESSAGES, "chats", NULL, ONLY_MESSAGES), "s/one", THEIR_NAMES);
		check_answered(ask(&world, via, MESSAGES, "chats", "report", ONLY_MESSAGES), "s/one", THEIR_NAMES);
		check_answered(ask(&world, via, MESSAGES, "chats", "refuse", ""), "s/one", NULL);
		check_refused(ask(&world, via, MESSAGES, "chats", "refuse", ONLY_MESSAGES), THEIR_NAMES,
			      "system[0].cache_control");
		check_refused(
		    ask(&world, via, MESSAGES, "chats", "refuse", ",\"stream\":true,\"service_tier\":\"auto\""),
		    "service_tier", "service_tier");
		check_answered(ask(&world, via, CHAT, "messages", NULL, ",\"seed\":1"), "a/claude", "seed");
		check_refused(ask(&world, via, CHAT, "messages", "refuse", ",\"seed\":1,\"logit_bias\":{\"1\":2}"),
			      "seed, logit_bias", "seed");
	}
}

static void the_configuration_can_and_clients_cannot_relax_it(void **state)
{
	(void)state;
	struct world world = start("dialects: { lossy: refuse }\n");
	check_refused(ask(&world, VIA_H1, MESSAGES, "chats", NULL, ONLY_MESSAGES), THEIR_NAMES,
		      "system[0].cache_control");
	check_refused(ask(&world, VIA_H1, MESSAGES, "chats", "report", ONLY_MESSAGES), THEIR_NAMES,
		      "system[0].cache_control");
	check_refused(ask(&world, VIA_H1, CHAT, "messages", NULL, ",\"seed\":1"), "seed", "seed");
	check_answered(ask(&world, VIA_H1, MESSAGES, "chats", NULL, ",\"service_tier\":null"), "s/one", NULL);
	assert_int_equal(sim_call_count(world.sim, "one"), 1);
}

static void another_target_that_can_be_told_all_answers(void **state)
{
	(void)state;
	struct world world = start("");
	check_answered(ask(&world, VIA_H1, MESSAGES, "chats-first", "refuse", ONLY_MESSAGES), "a/claude", NULL);
	check_answered(ask(&world, VIA_H1, MESSAGES, "chats-first", "refuse", ""), "s/one", NULL);
	check_answered(ask(&world, VIA_H1, CHAT, "messages-first", "refuse", ",\"seed\":1"), "s/one", NULL);
	check_answered(ask(&world, VIA_H1, CHAT, "messages-first", NULL, ",\"seed\":1"), "a/claude", "seed");
}

/* What others had left out is no answer for a client that refuses that. */
static void who_refuses_losses_gets_no_answer_of_others(void **state)
{
	(void)state;
	struct world world = start("cache: { policy: always }\n");
	static const char idle[] = ",\"system\":[{\"type\":\"text\",\"text\":\"Brief\",\"cache_control\":{}}]";
	for (int twice = 0; twice < 2; twice++) {
		struct answer answer = ask(&world, VIA_H1, MESSAGES, "chats", NULL, idle);
		assert_true((strstr(answer_header(&answer, "cache-status"), "hit") != NULL) == (twice == 1));
		answer_free(&answer);
		answer = ask(&world, VIA_H1, CHAT, "messages", NULL, ",\"seed\":1");
		assert_true((strstr(answer_header(&answer, "cache-status"), "hit") != NULL) == (twice == 1));
		answer_free(&answer);
	}
	check_refused(ask(&world, VIA_H1, MESSAGES, "chats", "refuse", idle), "system[0].cache_control",
		      "system[0].cache_control");
	check_refused(ask(&world, VIA_H1, CHAT, "messages", "refuse", ",\"seed\":1"), "seed", "seed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_client_can_have_losses_refused_over_every_way_in),
	    SCENARIO(the_configuration_can_and_clients_cannot_relax_it),
	    SCENARIO(another_target_that_can_be_told_all_answers),
	    SCENARIO(who_refuses_losses_gets_no_answer_of_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
