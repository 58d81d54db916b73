/* SPDX-License-Identifier: MIT */
/*
 * Plans over backends of both dialects, asked by clients of both: whoever answers, fails, is slower or breaks off, each
 * client reads one answer of its own dialect with the right text, or the truth about its end. The simulators count, so
 * that the text is known.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

#define TEXT " 0 1 2 3 4 5 6 7"

static const char models[] =
    "  anthropic: a/count\n"
    "  overloaded: { fallback: ['a/count;status=529', s/count] }\n"
    "  broken: { fallback: ['s/count;status=500', a/count] }\n"
    "  error_first: { fallback: ['a/count;fault=error_first_event', s/count] }\n"
    "  garbage: { fallback: ['a/count;fault=broken_json;after=0', 'a/count;fault=not_json', s/count] }\n"
    "  retried: { retry: ['a/count;status=429;retry_after=0', a/count] }\n"
    "  hedged: { hedge: ['a/count;head=60s', s/count], after: 1ms, hedges: 100% }\n"
    "  hedged_back: { hedge: ['s/count;head=60s', a/count], after: 1ms, hedges: 100% }\n"
    "  raced: { race: [a/count, s/count] }\n"
    "  balanced: { balance: [a/count, s/count] }\n"
    "  resumed: { fallback: ['a/count;fault=reset_mid;after=3', s/count], resume: replay }\n"
    "  resumed_back: { fallback: ['s/count;fault=reset_mid;after=3', a/count], resume: replay }\n"
    "  resumed_twice: { fallback: ['a/count;fault=reset_mid;after=2', 's/count;fault=reset_mid;after=4', "
    "'a/count;fault=fin_mid;after=6', s/count], resume: replay }\n"
    "  prefilled: { fallback: ['a/count;fault=reset_mid;after=3', p/count], resume: continue }\n"
    "  prefilled_back: { fallback: ['s/count;fault=reset_mid;after=3', q/count], resume: continue }\n"
    "  voted: { quorum: [a/count, s/count, 'a/count;seed=1'] }\n"
    "  other_form: { fallback: ['a/count;fault=json_for_sse', s/count] }\n"
    "  other_form_whole: { fallback: ['a/count;fault=sse_for_json', s/count] }\n"
    "  packed: { fallback: ['a/count;fault=gzip_unsolicited', s/count] }\n";

static const char *const names[] = {"anthropic", "overloaded",   "broken",           "error_first", "garbage",
				    "retried",   "hedged",       "hedged_back",      "raced",       "balanced",
				    "resumed",   "resumed_back", "resumed_twice",    "prefilled",   "prefilled_back",
				    "voted",     "other_form",   "other_form_whole", "packed"};
enum { NAMES = sizeof names / sizeof *names };

struct world {
	struct sim *sim;
	struct sluice *sluice;
};

static struct world start(const char *itl)
{
	struct world world = {.sim =
				  sim_start((const char *const[]){"--tokens", "8", "--ttft", "0", "--itl", itl, NULL})};
	int port = world.sim->port;
	world.sluice = sluice_start(
	    "backends:\n"
	    "  a: { url: 'http://127.0.0.1:%d/v1', dialect: anthropic, breaker: { enabled: false } }\n"
	    "  q: { url: 'http://127.0.0.1:%d/v1', dialect: anthropic, breaker: { enabled: false }, prefill: true }\n"
	    "  s: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } }\n"
	    "  p: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false }, prefill: true }\n"
	    "cache: { policy: off }\nmodels:\n%s",
	    port, port, port, port, models);
	return world;
}

/* Every string of that name in the body, one behind the other. */
static void strings_of(const struct answer *answer, const char *name, char text[1024])
{
	char member[32];
	size_t len = 0;
	snprintf(member, sizeof member, "\"%s\":\"", name);
	for (const char *at = bytes_text(&answer->body); (at = strstr(at, member)) != NULL;)
		for (at += strlen(member); *at != '"' && len < 1000; at++)
			text[len++] = *at;
	text[len] = '\0';
}

static void body_of(char body[256], const char *model, bool stream)
{
	snprintf(body, 256,
		 "{\"model\":\"%s\",\"stream\":%s,\"temperature\":0,\"max_tokens\":99,\"messages\":[{\"role\":\"user\","
		 "\"content\":\"Hi\"}]}",
		 model, stream ? "true" : "false");
}

static size_t count_of(const struct answer *answer, const char *part)
{
	size_t count = 0;
	for (const char *at = bytes_text(&answer->body); (at = strstr(at, part)) != NULL; at++)
		count++;
	return count;
}

/* One stream of one message: it begins and ends once, and so does each block. */
static void check_message_stream(const struct answer *answer)
{
	assert_int_equal(count_of(answer, "event: message_start\n"), 1);
	assert_int_equal(count_of(answer, "event: message_delta\n"), 1);
	assert_int_equal(count_of(answer, "event: message_stop\n"), 1);
	assert_int_equal(count_of(answer, "event: content_block_start\n"), 1);
	assert_int_equal(count_of(answer, "event: content_block_stop\n"), 1);
	assert_int_equal(count_of(answer, "chat.completion"), 0);
	assert_int_equal(count_of(answer, "event: error"), 0);
}

static void check_chat_stream(const struct answer *answer)
{
	assert_int_equal(count_of(answer, "data: [DONE]\n"), 1);
	assert_int_equal(count_of(answer, "\"role\":\"assistant\""), 1);
	assert_int_equal(count_of(answer, "\"finish_reason\":\"stop\""), 1);
	assert_int_equal(count_of(answer, "message_start"), 0);
}

static void check_plan(const struct world *world, enum via via, const char *model, bool messages, bool stream)
{
	char body[256], text[1024];
	struct answer answer;
	body_of(body, model, stream);
	client_fetch(world->sluice, via, messages ? "/v1/messages" : "/v1/chat/completions", body, &answer);
	print_message("%s, %s, %s\n", model, messages ? "messages" : "chat", stream ? "streamed" : "whole");
	if (answer.status != 200 || !answer.ended)
		fail_msg("%d %s", answer.status, bytes_text(&answer.body));
	strings_of(&answer, messages ? "text" : "content", text);
	if (strcmp(text, TEXT) != 0)
		fail_msg("«%s» of %s", text, bytes_text(&answer.body));
	if (stream && messages)
		check_message_stream(&answer);
	else if (stream)
		check_chat_stream(&answer);
	answer_free(&answer);
}

static void every_client_reads_one_answer_of_its_dialect(void **state)
{
	(void)state;
	struct world world = start("0");
	for (size_t i = 0; i < NAMES; i++)
		for (int form = 0; form < 4; form++)
			check_plan(&world, form % 2 == 0 ? VIA_H1 : VIA_H2, names[i], form / 2 == 0, form % 2 == 0);
	sluice_wait_idle(world.sluice);
	sim_wait_idle(world.sim);
}

static void clients_that_leave_at_any_moment_leave_nothing(void **state)
{
	(void)state;
	enum { JOBS = NAMES * 4 * 4 };
	static char bodies[NAMES * 2][256];
	static struct mass_job jobs[JOBS];
	struct world world = start("2ms");
	for (size_t i = 0; i < NAMES * 2; i++)
		body_of(bodies[i], names[i / 2], i % 2 == 0);
	for (size_t i = 0; i < JOBS; i++)
		jobs[i] = (struct mass_job){.path = i / 2 % 2 == 0 ? "/v1/messages" : NULL,
					    .body = bodies[i % (NAMES * 2)],
					    .leaves = i % 3 == 0   ? MASS_LEAVES_AFTER_TIME
						      : i % 3 == 1 ? MASS_LEAVES_AFTER_BYTES
								   : MASS_LEAVES_MID_REQUEST,
					    .leave_at = i * 37 % (i % 3 == 0 ? 30000 : 900),
					    .how = (enum leave)(i / 5 % 3)};
	struct mass mass = {
	    .sluice = world.sluice, .via = MASS_MIXED, .connections = 40, .streams = 4, .jobs = jobs, .count = JOBS};
	mass_run(&mass);
	mass_free_answers(&mass);
	check_plan(&world, VIA_H1, "anthropic", true, true);
	sluice_wait_idle(world.sluice);
	sim_wait_idle(world.sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(every_client_reads_one_answer_of_its_dialect),
	    SCENARIO(clients_that_leave_at_any_moment_leave_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
