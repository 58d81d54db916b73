/* SPDX-License-Identifier: MIT */
/*
 * Streams whose model thinks for long: comments keep them alive, before the first event and between events, and what
 * was possible without them still is. A model that thought for a minute lost its clients to proxies that give up after
 * half of one.
 */
#include <stdio.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"
#include "tests/scenario/harness/sse.h"

#define COMMENT ": keepalive\n"

enum { KEEPALIVE_US = 30000 };

/* Backend "a" has all the time it needs, "hasty" is given up soon. */
static struct sluice *start(const struct sim *sim, const char *keepalive, const char *models)
{
	return sluice_start("keepalive: %s\n"
			    "backends:\n"
			    "  a: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } }\n"
			    "  hasty: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false },"
			    " timeouts: { first_content: 1s } }\n"
			    "models:\n%s",
			    keepalive, sim->port, sim->port, models);
}

static size_t count_comments(const char *text)
{
	size_t count = 0;
	for (const char *at = text; (at = strstr(at, COMMENT)) != NULL; at++)
		count++;
	return count;
}

/* The body so far from the first event on; empty when none has come. */
static const char *from_event(struct client *client)
{
	const char *event = strstr(bytes_text(&client_answer(client)->body), "data:");
	return event == NULL ? "" : event;
}

/* Asks for a stream that waits at the gate of the simulator, and opens that behind two comments. */
static void fetch_held(const struct sim *sim, const struct sluice *sluice, enum via via, bool behind_event,
		       struct answer *answer)
{
	struct client client;
	sim_close_gate(sim);
	uint64_t began_us = clock_us();
	client_chat(&client, sluice, via, "m", true);
	for (size_t len = 1;; len = client_answer(&client)->body.len + 1) {
		client_wait_body(&client, len);
		assert_false(client_answer(&client)->ended);
		const char *from = behind_event ? from_event(&client) : bytes_text(&client_answer(&client)->body);
		if (count_comments(from) >= 2)
			break;
	}
	sim_open_gate(sim);
	client_finish(&client, answer);
	uint64_t intervals = (clock_us() - began_us) / KEEPALIVE_US;
	assert_in_range(count_comments(bytes_text(&answer->body)), 2, intervals + 1);
}

static void a_stream_that_begins_late_has_comments_and_is_whole(void **state)
{
	struct sim *sim = sim_start(NULL);
	struct sluice *sluice = start(sim, "30ms", "  m: a/count;tokens=3;gate=0\n");
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer;
		fetch_held(sim, sluice, via, false, &answer);
		assert_int_equal(answer.status, 200);
		check_sse_whole(&answer.body, 1);
		check_header(&answer, "content-type", "text/event-stream; charset=utf-8");
		assert_true(strncmp(bytes_text(&answer.body), COMMENT, strlen(COMMENT)) == 0);
		answer_free(&answer);
	}
	sluice_wait_idle(sluice);
}

static void a_stream_that_pauses_has_comments_between_its_events(void **state)
{
	struct sim *sim = sim_start(NULL);
	struct sluice *sluice = start(sim, "30ms", "  m: a/count;tokens=3;gate=1\n");
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer;
		fetch_held(sim, sluice, via, true, &answer);
		check_sse_whole(&answer.body, 1);
		answer_free(&answer);
	}
}

static void after_a_comment_another_backend_still_takes_over_unseen(void **state)
{
	struct sim *sim = sim_start(NULL);
	struct sluice *sluice = start(sim, "30ms", "  m: { fallback: [hasty/x;head_then_hang, a/count;tokens=3] }\n");
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer;
		client_fetch_chat(sluice, via, "m", true, &answer);
		assert_int_equal(answer.status, 200);
		check_sse_whole(&answer.body, 1);
		check_contains(&answer.body, COMMENT);
		check_lacks(&answer.body, "error");
		answer_free(&answer);
	}
}

static void after_a_comment_a_failure_is_told_in_the_stream(void **state)
{
	struct sim *sim = sim_start(NULL);
	struct sluice *sluice = start(sim, "30ms", "  m: hasty/x;head_then_hang\n");
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer;
		client_fetch_chat(sluice, via, "m", true, &answer);
		assert_int_equal(answer.status, 200);
		check_sse_error(&answer.body, "upstream_first_content");
		check_contains(&answer.body, COMMENT);
		answer_free(&answer);
	}
	sluice_wait_idle(sluice);
}

static void whole_answers_and_quick_streams_have_none(void **state)
{
	struct sim *sim = sim_start(NULL);
	struct sluice *sluice = start(sim, "30ms", "  slow: a/count;tokens=3;ttft=200ms\n  quick: a/count;tokens=3\n");
	struct answer answer;
	(void)state;
	client_fetch_chat(sluice, VIA_H1, "slow", false, &answer);
	assert_int_equal(answer.status, 200);
	check_lacks(&answer.body, "keepalive");
	answer_free(&answer);
	struct sluice *off = start(sim, "0s", "  slow: a/count;tokens=3;ttft=200ms\n");
	client_fetch_chat(off, VIA_H1, "slow", true, &answer);
	check_sse_whole(&answer.body, 1);
	check_lacks(&answer.body, "keepalive");
	answer_free(&answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_stream_that_begins_late_has_comments_and_is_whole),
	    SCENARIO(a_stream_that_pauses_has_comments_between_its_events),
	    SCENARIO(after_a_comment_another_backend_still_takes_over_unseen),
	    SCENARIO(after_a_comment_a_failure_is_told_in_the_stream),
	    SCENARIO(whole_answers_and_quick_streams_have_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
