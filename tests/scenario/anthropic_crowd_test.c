/* SPDX-License-Identifier: MIT */
/*
 * Crowds at a backend of the Anthropic dialect: chats and messages that ask for the same share one call, also over
 * replicas, whoever leaves; and clients that do not read stop the backend.
 */
#include <stdio.h>
#include <string.h>

#include "tests/redis/redis_server.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/replicas.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

#define TEXT " 0 1 2 3 4 5 6 7 8 9 10 11"

enum { CLIENTS = 64, TOKENS = 60000, SENT_MOST = 40000, STALLED_MS = 4000 };

static struct sluice *start_at(const struct replicas *world, bool redis)
{
	char kept[128] = "";
	if (redis)
		snprintf(kept, sizeof kept, "redis: { servers: [127.0.0.1:%d], budget: 5s }\n", world->redis->port);
	return sluice_start("backends: { a: { url: 'http://127.0.0.1:%d/v1', dialect: anthropic, timeouts: { idle: 3s, "
			    "idle_whole: 3s } } }\n"
			    "models:\n  m: a/count;tokens=12;gate=6\n  big: a/count;tokens=%d;token_bytes=1000\n%s",
			    world->sim->port, TOKENS, kept);
}

static const char *question(bool stream)
{
	return stream ? "{\"model\":\"m\",\"stream\":true,\"temperature\":0,\"max_tokens\":99,\"messages\":[{\"role\":"
			"\"user\",\"content\":\"Hi\"}]}"
		      : "{\"model\":\"m\",\"temperature\":0,\"max_tokens\":99,\"messages\":[{\"role\":\"user\","
			"\"content\":\"Hi\"}]}";
}

static bool is_message(size_t i)
{
	return i % 2 == 1;
}

/* Every text in the body, one behind the other. */
static void check_text(const struct answer *answer, bool message)
{
	const char *member = message ? "\"text\":\"" : "\"content\":\"";
	char text[256];
	size_t len = 0;
	for (const char *at = bytes_text(&answer->body); (at = strstr(at, member)) != NULL;)
		for (at += strlen(member); *at != '"' && len < sizeof text - 1; at++)
			text[len++] = *at;
	text[len] = '\0';
	if (answer->status != 200 || !answer->ended || strcmp(text, TEXT) != 0)
		fail_msg("%d %s", answer->status, bytes_text(&answer->body));
	check_lacks(&answer->body, message ? "chat.completion" : "message_start");
}

static void check_crowd(struct sluice *const *each, size_t count, const struct sim *sim)
{
	struct client clients[CLIENTS];
	for (size_t i = 0; i < CLIENTS; i++) {
		client_post(&clients[i], each[i / 4 % count], (enum via)(i / 8 % VIA_COUNT),
			    is_message(i) ? "/v1/messages" : "/v1/chat/completions", question(i / 2 % 2 == 0));
		if (i == 0)
			sim_wait_calls(sim, "", 1);
	}
	for (size_t i = 0; i < count; i++)
		sluice_wait_in_flight(each[i], CLIENTS / count);
	for (size_t i = 0; i < CLIENTS; i += 5)
		client_leave(&clients[i], (enum leave)(i / 5 % 3));
	sim_open_gate(sim);
	for (size_t i = 0; i < CLIENTS; i++) {
		if (i % 5 != 0) {
			client_wait_end(&clients[i]);
			check_text(client_answer(&clients[i]), is_message(i));
		}
		client_close(&clients[i]);
	}
}

static void a_crowd_of_both_dialects_is_one_call(void **state)
{
	(void)state;
	struct replicas world = {.sim = sim_start(NULL)};
	struct sluice *sluice = start_at(&world, false);
	check_crowd(&sluice, 1, world.sim);
	assert_int_equal(sim_call_count(world.sim, ""), 1);
	sluice_wait_idle(sluice);
}

static void a_crowd_of_both_dialects_at_two_replicas_reads_the_same(void **state)
{
	(void)state;
	struct replicas world = replicas_prepare();
	struct sluice *each[] = {start_at(&world, true), start_at(&world, true)};
	replicas_wait_up(each[0]);
	replicas_wait_up(each[1]);
	check_crowd(each, 2, world.sim);
	for (size_t i = 0; i < 4; i++) { /* what is kept is for both */
		struct answer answer;
		client_fetch(each[i % 2], VIA_H1, i / 2 == 0 ? "/v1/messages" : "/v1/chat/completions", question(true),
			     &answer);
		check_text(&answer, i / 2 == 0);
		answer_free(&answer);
	}
	assert_true(sim_call_count(world.sim, "") <= 2);
	sluice_wait_idle(each[0]);
	sluice_wait_idle(each[1]);
}

static void a_client_that_does_not_read_stops_the_backend_and_loses_nothing(void **state)
{
	(void)state;
	static const char *const paths[] = {"/v1/messages", "/v1/chat/completions"};
	for (size_t i = 0; i < 2; i++) {
		struct replicas world = {.sim = sim_start(NULL)};
		struct sluice *sluice = start_at(&world, false);
		struct h1 h1 = {0};
		char last[32];
		wire_open_narrow(&h1.wire, sluice->port, NULL);
		h1_post(&h1, paths[i], "",
			"{\"model\":\"big\",\"stream\":true,\"max_tokens\":100000,\"messages\":[{\"role\":\"user\","
			"\"content\":\"Hi\"}]}");
		sim_wait_calls(world.sim, "token_bytes", 1);
		double sent = sim_wait_stalled(world.sim, "token_bytes", STALLED_MS);
		if (sent > SENT_MOST)
			fail_msg("the backend could send %.0f tokens for a client that reads none", sent);
		h1_wait_end(&h1);
		assert_true(h1.answer.ended);
		snprintf(last, sizeof last, "\" %d_", TOKENS - 1);
		check_contains(&h1.answer.body, last);
		check_contains(&h1.answer.body, i == 0 ? "event: message_stop\n" : "data: [DONE]\n");
		h1_close(&h1);
		sluice_wait_idle(sluice);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_crowd_of_both_dialects_is_one_call),
	    SCENARIO(a_crowd_of_both_dialects_at_two_replicas_reads_the_same),
	    SCENARIO(a_client_that_does_not_read_stops_the_backend_and_loses_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
