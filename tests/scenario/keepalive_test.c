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

static struct sluice *start(const struct sim *sim, const char *keepalive, const char *models)
{
	return sluice_start("keepalive: %s\n"
			    "backends:\n"
			    "  a: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false },"
			    " timeouts: { first_content: 1s, idle: 1s } }\n"
			    "models:\n%s",
			    keepalive, sim->port, models);
}

static size_t count_comments(const struct bytes *body)
{
	size_t count = 0;
	for (const char *at = bytes_text(body); (at = strstr(at, COMMENT)) != NULL; at++)
		count++;
	return count;
}

static void a_stream_that_begins_late_has_comments_and_is_whole(void **state)
{
	struct sim *sim = sim_start(NULL);
	struct sluice *sluice = start(sim, "30ms", "  m: a/count;tokens=3;ttft=400ms\n");
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer;
		client_fetch_chat(sluice, via, "m", true, &answer);
		assert_int_equal(answer.status, 200);
		check_sse_whole(&answer.body, 1);
		check_header(&answer, "content-type", "text/event-stream; charset=utf-8");
		assert_in_range(count_comments(&answer.body), 2, 20);
		assert_true(strncmp(bytes_text(&answer.body), COMMENT, strlen(COMMENT)) == 0);
		answer_free(&answer);
	}
	sluice_wait_idle(sluice);
}

static void a_stream_that_pauses_has_comments_between_its_events(void **state)
{
	struct sim *sim = sim_start(NULL);
	struct sluice *sluice = start(sim, "30ms", "  m: a/count;tokens=3;itl=300ms\n");
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer;
		client_fetch_chat(sluice, via, "m", true, &answer);
		check_sse_whole(&answer.body, 1);
		assert_in_range(count_comments(&answer.body), 2, 40);
		assert_true(strncmp(bytes_text(&answer.body), "data:", 5) == 0);
		answer_free(&answer);
	}
}

static void after_a_comment_another_backend_still_takes_over_unseen(void **state)
{
	struct sim *sim = sim_start(NULL);
	struct sluice *sluice = start(sim, "30ms", "  m: { fallback: [a/x;head_then_hang, a/count;tokens=3] }\n");
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
	struct sluice *sluice = start(sim, "30ms", "  m: a/x;head_then_hang\n");
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
