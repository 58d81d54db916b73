/* SPDX-License-Identifier: MIT */
/*
 * A backend may refuse what counts for no answer: a user it does not know, metadata it does not take. Whoever asked for
 * the same answer in other words was refused along with the one who led; now others ask for themselves.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/cached.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/replicas.h"
#include "tests/scenario/harness/scenario.h"

#define REFUSAL                              \
	"{\"error\":{\"message\":\"no such " \
	"user\",\"type\":\"invalid_request_error\",\"param\":\"user\",\"code\":\"u\"}}"

enum { CHAT, EMBEDDING, BODY_MOST = 256 };

static const char *const paths[] = {"/v1/chat/completions", "/v1/embeddings"};
static const char *const answers[] = {
    "{\"id\":\"i\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"x\",\"choices\":[{\"index\":0,\"message\":{"
    "\"role\":\"assistant\",\"content\":\"fine\"},\"finish_reason\":\"stop\"}]}",
    "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":[1,2],\"is\":\"fine\"}],"
    "\"model\":\"x\"}",
};

static const char *body_of(int kind, const char *more)
{
	static char bodies[2][BODY_MOST];
	static unsigned turn;
	static const char *const heads[] = {
	    "\"model\":\"m\",\"temperature\":0,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]",
	    "\"model\":\"m\",\"input\":[\"x\",\"x\"]", /* put together, as it is repeated */
	};
	char *body = bodies[turn++ % 2];
	snprintf(body, BODY_MOST, "{%s%s}", heads[kind], more);
	return body;
}

/* An answer of that status and body; gated: behind a gate. */
static void script(struct backend *backend, int status, const char *body, bool gated)
{
	char reply[1024];
	struct step steps[3] = {{STEP_GATE, NULL, 0, 0}};
	snprintf(reply, sizeof reply,
		 "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", status,
		 strlen(body), body);
	steps[gated] = (struct step){STEP_SEND, reply, 0, 0};
	steps[gated + 1] = (struct step){STEP_AGAIN, NULL, 0, 0};
	backend_script(backend, steps);
}

static void a_refusal_reaches_only_the_same_bytes(void **state)
{
	static const unsigned crowds[] = {2, 30, 300};
	(void)state;
	for (int round = 0; round < 6; round++) {
		unsigned crowd = crowds[round / 2];
		int kind = round % 2;
		struct backend *backend = backend_start();
		struct client *clients = calloc(crowd, sizeof *clients);
		assert_non_null(clients);
		script(backend, 400, REFUSAL, true);
		script(backend, 200, answers[kind], false);
		struct sluice *sluice = sluice_start(
		    "backends: { b: { url: 'http://127.0.0.1:%d/v1' } }\nmodels: { m: b/x }\n", backend_port(backend));
		for (unsigned i = 0; i < crowd; i++) {
			client_post(&clients[i], sluice, (enum via)(i / 2 % VIA_COUNT), paths[kind],
				    body_of(kind, i % 2 == 0 ? ",\"user\":\"nobody\"" : ""));
			if (i == 0)
				backend_wait_requests(backend, 1);
		}
		sluice_wait_in_flight(sluice, crowd);
		backend_open_gate(backend);
		for (unsigned i = 0; i < crowd; i++) {
			struct answer *answer = client_answer(&clients[i]);
			client_wait_end(&clients[i]);
			if (answer->status != (i % 2 == 0 ? 400 : 200))
				fail_msg("%u: %d %s", i, answer->status, bytes_text(&answer->body));
			check_contains(&answer->body, i % 2 == 0 ? "no such user" : "fine");
			client_close(&clients[i]);
		}
		assert_int_equal(backend_requests(backend), 2);
		free(clients);
		sluice_wait_idle(sluice);
	}
}

static bool listens(const struct sluice *sluice)
{
	return sluice_metric(sluice, "sluice_cache_leases_total{result=\"taken\"}") > 0;
}

/* What another replica's leader said is not known: all ask for themselves, those in the same words together. */
static void a_refusal_at_another_replica_reaches_nobody_in_other_words(void **state)
{
	enum { CROWD = 30 };
	struct replicas world = replicas_start("models:\n  m: sim/count;tokens=20;status=400;times=1;gate=0\n");
	struct client first, others[CROWD];
	(void)state;
	client_post(&first, world.each[0], VIA_H1, paths[CHAT],
		    cached_body("m", false, CACHED_ZERO ",\"user\":\"nobody\""));
	sim_wait_calls(world.sim, "", 1);
	for (int i = 0; i < CROWD; i++)
		client_post(&others[i], world.each[1], (enum via)(i % VIA_COUNT), paths[CHAT],
			    cached_body("m", i % 2 == 0, CACHED_ZERO));
	sluice_wait_in_flight(world.each[1], CROWD);
	for (struct patience patience = patience_for("the other replica to listen"); !listens(world.each[1]);)
		patience_wait(&patience);
	sim_open_gate(world.sim);
	client_wait_end(&first);
	assert_int_equal(client_answer(&first)->status, 400);
	client_close(&first);
	for (int i = 0; i < CROWD; i++) {
		client_wait_end(&others[i]);
		cached_check(client_answer(&others[i]), i % 2 == 0);
		client_close(&others[i]);
	}
	assert_int_equal(sim_call_count(world.sim, ""), 1 + 2); /* those that stream and those that do not */
	replicas_wait_idle(&world);
}

/* A stream that has had comments may still get any answer: once all of them got the leader's refusal. */
static void a_refusal_after_comments_reaches_only_the_same_bytes(void **state)
{
	static const unsigned crowds[] = {2, 30, 300};
	(void)state;
	for (int round = 0; round < 3; round++) {
		unsigned crowd = crowds[round];
		struct backend *backend = backend_start();
		struct client *clients = calloc(crowd, sizeof *clients);
		assert_non_null(clients);
		script(backend, 400, REFUSAL, true);
		script(backend, 200, answers[CHAT], false);
		struct sluice *sluice = sluice_start(
		    "keepalive: 50ms\nbackends: { b: { url: 'http://127.0.0.1:%d/v1' } }\nmodels: { m: b/x }\n",
		    backend_port(backend));
		for (unsigned i = 0; i < crowd; i++) {
			client_post(
			    &clients[i], sluice, (enum via)(i / 2 % VIA_COUNT), paths[CHAT],
			    body_of(CHAT, i % 2 == 0 ? ",\"stream\":true,\"user\":\"nobody\"" : ",\"stream\":true"));
			if (i == 0)
				backend_wait_requests(backend, 1);
		}
		for (unsigned i = 0; i < crowd; i++)
			client_wait_head(&clients[i]);
		backend_open_gate(backend);
		for (unsigned i = 0; i < crowd; i++) {
			struct answer *answer = client_answer(&clients[i]);
			client_wait_end(&clients[i]);
			assert_int_equal(answer->status, 200);
			check_contains(&answer->body, ": keepalive\n");
			check_contains(&answer->body, i % 2 == 0 ? "no such user" : "fine");
			if (i % 2 == 0)
				check_lacks(&answer->body, "[DONE]");
			else
				check_contains(&answer->body, "data: [DONE]\n\n");
			client_close(&clients[i]);
		}
		assert_int_equal(backend_requests(backend), 2);
		free(clients);
		sluice_wait_idle(sluice);
	}
}

/* The head is out, so a validator that matches is no reason for a 304 either. */
static void a_stale_answer_stands_in_for_a_failure_after_comments(void **state)
{
	struct backend *backend = backend_start();
	(void)state;
	script(backend, 200, answers[CHAT], false);
	script(backend, 500, "{}", true);
	struct sluice *sluice = sluice_start("keepalive: 50ms\ncache: { stale_if_error: 1h }\n"
					     "backends: { b: { url: 'http://127.0.0.1:%d/v1' } }\nmodels: { m: b/x }\n",
					     backend_port(backend));
	const char *body = body_of(CHAT, ",\"stream\":true");
	struct answer kept;
	client_fetch(sluice, VIA_H1, paths[CHAT], body, &kept);
	assert_int_equal(kept.status, 200);
	answer_free(&kept);
	client_fetch(sluice, VIA_H1, paths[CHAT], body, &kept);
	const struct h2_header headers[] = {
	    {"cache-control", "max-age=1"}, {"if-none-match", answer_header(&kept, "etag")}, {NULL, NULL}};
	assert_non_null(headers[1].value);
	usleep(2100000); /* it is too old then */
	struct client client;
	client_send(&client, sluice, VIA_H1, "POST", paths[CHAT], headers, body);
	client_wait_head(&client);
	backend_open_gate(backend);
	client_wait_end(&client);
	assert_int_equal(client_answer(&client)->status, 200);
	check_contains(&client_answer(&client)->body, ": keepalive\n");
	check_contains(&client_answer(&client)->body, "fine");
	check_contains(&client_answer(&client)->body, "data: [DONE]\n\n");
	client_close(&client);
	answer_free(&kept);
	sluice_wait_idle(sluice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_refusal_reaches_only_the_same_bytes),
	    SCENARIO(a_refusal_after_comments_reaches_only_the_same_bytes),
	    SCENARIO(a_stale_answer_stands_in_for_a_failure_after_comments),
	    SCENARIO(a_refusal_at_another_replica_reaches_nobody_in_other_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
