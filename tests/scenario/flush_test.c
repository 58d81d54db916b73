/* SPDX-License-Identifier: MIT */
/*
 * An event is never held back waiting for another, and events that arrive
 * together leave together. The backend waits at a gate behind each group of
 * events; the test opens it only when the client holds the group before. A
 * gateway that buffers makes this test hang, not slow.
 */
#include <stdio.h>
#include <string.h>

#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sse.h"

#define EVENT(delta) "data: {\"choices\":[{\"index\":0,\"delta\":{" delta "}}]}\n\n"
#define ROLE EVENT("\"role\":\"assistant\",\"content\":\"\"")
#define FINISH "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define DONE "data: [DONE]\n\n"

static struct sluice *start_for(const struct backend *backend)
{
	return sluice_start("backends:\n  b: { url: 'http://127.0.0.1:%d/v1' }\n"
			    "models:\n  m: b/m\n  guarded: { fallback: [b/m, b/n] }\n",
			    backend_port(backend));
}

static void an_event_reaches_the_client_before_the_next_one_is_made(void **state)
{
	static const struct step script[] = {SEND(STREAM_HEAD ROLE),
					     GATE,
					     SEND(EVENT("\"content\":\"one\"")),
					     GATE,
					     SEND(EVENT("\"content\":\"two\"")),
					     GATE,
					     SEND(FINISH),
					     GATE,
					     SEND(DONE),
					     FIN,
					     SCRIPT_END};
	(void)state;
	struct backend *backend = backend_start();
	backend_script(backend, script);
	struct sluice *sluice = start_for(backend);
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct client client;
		struct sse sse = {0};
		client_chat(&client, sluice, via, "m", true);
		for (size_t events = 1; events <= 4; events++) {
			client_wait_events(&client, &sse, events);
			assert_int_equal(sse.count, events);
			assert_int_equal(sse_rest(&sse, &client_answer(&client)->body), 0);
			backend_open_gate(backend);
		}
		client_wait_end(&client);
		check_sse_whole(&client_answer(&client)->body, 1);
		sse_free(&sse);
		client_close(&client);
	}
}

static void the_rest_of_a_cut_event_is_waited_for_but_what_is_whole_leaves(void **state)
{
	static const struct step script[] = {SEND(STREAM_HEAD ROLE EVENT("\"content\":\"one\"") "data: {\"choi"),
					     GATE,
					     SEND("ces\":[{\"index\":0,\"delta\":{\"content\":\"two\"}}]}\n"),
					     GATE,
					     SEND("\n" FINISH DONE),
					     FIN,
					     SCRIPT_END};
	(void)state;
	struct backend *backend = backend_start();
	backend_script(backend, script);
	struct sluice *sluice = start_for(backend);
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct client client;
		struct sse sse = {0};
		client_chat(&client, sluice, via, "m", true);
		client_wait_events(&client, &sse, 2);
		assert_int_equal(sse.count, 2);
		assert_int_equal(sse_rest(&sse, &client_answer(&client)->body), 0);
		backend_open_gate(backend);
		backend_open_gate(backend);
		client_wait_end(&client);
		check_sse_whole(&client_answer(&client)->body, 1);
		sse_free(&sse);
		client_close(&client);
	}
}

static void events_that_arrive_together_leave_together(void **state)
{
	static const char group[] =
	    EVENT("\"content\":\"one\"") EVENT("\"content\":\"two\"") EVENT("\"content\":\"three\"");
	static const struct step script[] = {SEND(STREAM_HEAD ROLE), GATE, SEND(group), GATE,
					     SEND(FINISH DONE),      FIN,  SCRIPT_END};
	(void)state;
	struct backend *backend = backend_start();
	backend_script(backend, script);
	struct sluice *sluice = start_for(backend);
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct client client;
		struct sse sse = {0};
		struct answer *answer;
		client_chat(&client, sluice, via, "m", true);
		answer = client_answer(&client);
		client_wait_events(&client, &sse, 1);
		size_t before = answer->piece_count;
		backend_open_gate(backend);
		client_wait_events(&client, &sse, 4);
		if (answer->piece_count != before + 1)
			fail_msg("%s: three events that came as one left as %zu pieces", via_name(via),
				 answer->piece_count - before);
		assert_int_equal(answer->pieces[before].len, strlen(group));
		backend_open_gate(backend);
		client_wait_end(&client);
		check_sse_whole(&answer->body, 1);
		sse_free(&sse);
		client_close(&client);
	}
}

static void content_is_not_held_back_by_a_plan_that_could_still_fall_back(void **state)
{
	static const struct step script[] = {SEND(STREAM_HEAD ROLE EVENT("\"content\":\"one\"")), GATE,
					     SEND(FINISH DONE), FIN, SCRIPT_END};
	(void)state;
	struct backend *backend = backend_start();
	backend_script(backend, script);
	struct sluice *sluice = start_for(backend);
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct client client;
		struct sse sse = {0};
		client_chat(&client, sluice, via, "guarded", true);
		client_wait_events(&client, &sse, 2);
		backend_open_gate(backend);
		client_wait_end(&client);
		check_sse_whole(&client_answer(&client)->body, 1);
		sse_free(&sse);
		client_close(&client);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(an_event_reaches_the_client_before_the_next_one_is_made),
	    SCENARIO(the_rest_of_a_cut_event_is_waited_for_but_what_is_whole_leaves),
	    SCENARIO(events_that_arrive_together_leave_together),
	    SCENARIO(content_is_not_held_back_by_a_plan_that_could_still_fall_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
