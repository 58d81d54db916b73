/* SPDX-License-Identifier: MIT */
/*
 * Requests that are refused before they are complete: too slow, too large by
 * their own word, or not wanted whatever they bring. Row 32 of the fault table,
 * and the bodies that nobody should have uploaded.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

static struct sluice *start(const char *limits)
{
	struct sim *sim = sim_start(NULL);
	return sluice_start("backends:\n  sim: { url: 'http://127.0.0.1:%d/v1' }\nmodels:\n  m: sim/count\n"
			    "limits: { %s }\n",
			    sim->port, limits);
}

static void check_refusal(struct h1 *h1, int status, const char *code)
{
	h1_wait_end(h1);
	check_error(&h1->answer, status, code);
	char *id = answer_header(&h1->answer, "x-request-id");
	assert_non_null(id);
	free(id);
	check_header(&h1->answer, "connection", "close");
	h1_close(h1);
}

static void open_silent(struct h1 *h1, const struct sluice *sluice)
{
	h1_open(h1, sluice->port, false);
	h1->silent = true;
}

/* One byte, then another one, until the peer has something to say. */
static void dribble(struct h1 *h1, const char *text)
{
	while (*text != '\0' && !wire_wait(&h1->wire, 20))
		h1_send_bytes(h1, text++, 1);
	if (*text == '\0')
		fail_msg("the peer has waited for all of it");
}

static void row_32_a_head_that_comes_byte_by_byte_is_408(void **state)
{
	(void)state;
	struct sluice *sluice = start("head_time: 500ms");
	struct h1 slow;
	open_silent(&slow, sluice);
	h1_send(&slow, "GET /livez HTTP/1.1\r\nHost: a\r\nX: ");
	char filler[2000];
	memset(filler, 'x', sizeof filler - 1);
	filler[sizeof filler - 1] = '\0';
	dribble(&slow, filler);
	check_refusal(&slow, 408, "request_timeout");
	assert_true(sluice_errors(sluice, "request_timeout") == 1);
	sluice_wait_base(sluice);
}

static void a_connection_without_a_byte_is_no_slow_head(void **state)
{
	(void)state;
	struct sluice *sluice = start("head_time: 200ms");
	struct h1 quiet, kept;
	open_silent(&quiet, sluice);
	h1_open(&kept, sluice->port, false);
	h1_get(&kept, "/livez");
	h1_wait_end(&kept);
	h1_next(&kept);
	assert_false(wire_wait(&quiet.wire, 1000));
	assert_false(wire_wait(&kept.wire, 0));
	h1_get(&kept, "/livez");
	h1_wait_end(&kept);
	assert_int_equal(kept.answer.status, 200);
	h1_close(&kept);
	h1_close(&quiet);
}

static void row_32_a_body_that_stops_or_comes_byte_by_byte_is_408(void **state)
{
	static const char *const framings[] = {"Content-Length: 100000\r\n", "Transfer-Encoding: chunked\r\n"};
	(void)state;
	struct sluice *sluice = start("body_stall: 500ms");
	for (size_t i = 0; i < 2; i++) {
		char filler[2000];
		struct h1 stopped, slow;
		open_silent(&stopped, sluice);
		open_silent(&slow, sluice);
		h1_send(&stopped, "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n%s\r\n5000\r\n{", framings[i]);
		h1_send(&slow, "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n%s\r\n5000\r\n{", framings[i]);
		memset(filler, ' ', sizeof filler - 1);
		filler[sizeof filler - 1] = '\0';
		dribble(&slow, filler);
		check_refusal(&slow, 408, "request_timeout");
		check_refusal(&stopped, 408, "request_timeout");
	}
	sluice_wait_base(sluice);
}

/* Longer than a body may stall, but never stalled. */
static void a_slow_but_steady_upload_is_answered(void **state)
{
	enum { PIECES = 20, PIECE = 16384, PAUSE_US = 400000 };
	(void)state;
	struct sluice *sluice = start("body_stall: 5s");
	struct h1 h1;
	static const char end[] = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}";
	char piece[PIECE];
	memset(piece, ' ', sizeof piece);
	h1_open(&h1, sluice->port, false);
	h1_send(&h1,
		"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
		"Content-Length: %zu\r\n\r\n",
		PIECES * sizeof piece + strlen(end));
	for (int i = 0; i < PIECES; i++) {
		h1_send_bytes(&h1, piece, sizeof piece);
		usleep(PAUSE_US);
	}
	h1_send(&h1, "%s", end);
	h1_wait_end(&h1);
	assert_int_equal(h1.answer.status, 200);
	h1_close(&h1);
	sluice_wait_base(sluice);
}

static void a_length_above_the_limit_is_413_before_the_body_comes(void **state)
{
	(void)state;
	struct sluice *sluice = start("body: 1MiB");
	struct h1 h1;
	open_silent(&h1, sluice);
	h1_send(&h1, "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n");
	check_refusal(&h1, 413, "request_too_large");
	open_silent(&h1, sluice);
	h1_send(&h1, "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n");
	check_refusal(&h1, 413, "request_too_large");
	struct h2 h2;
	h2_open(&h2, sluice->port, 0);
	h2.silent = h2.withhold = true;
	char *body = calloc(1, 1048578);
	memset(body, ' ', 1048577);
	struct h2_stream *stream = h2_post(&h2, "/v1/chat/completions", body);
	h2_wait_body(&h2, stream, 1);
	check_error(&stream->answer, 413, "request_too_large");
	free(body);
	h2_close(&h2);
	sluice_wait_base(sluice);
}

struct expectation {
	const char *method;
	const char *path;
	const char *type;
	const char *length;
	int status;
	const char *code;
};

static const struct expectation refused[] = {
    {"POST", "/v1/nothing", "application/json", "10", 404, "unknown_url"},
    {"PUT", "/v1/chat/completions", "application/json", "10", 405, "method_not_allowed"},
    {"POST", "/v1/chat/completions", "text/plain", "10", 415, "unsupported_media_type"},
    {"POST", "/v1/chat/completions", "application/json", "99999999", 413, "request_too_large"},
};

static void who_asks_before_uploading_is_refused_at_once(void **state)
{
	(void)state;
	struct sluice *sluice = start("body: 1MiB");
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		const struct expectation *ask = &refused[i];
		struct h1 h1;
		char block[64];
		open_silent(&h1, sluice);
		h1_send(&h1,
			"%s %s HTTP/1.1\r\nHost: a\r\nContent-Type: %s\r\nContent-Length: %s\r\n"
			"Expect: 100-continue\r\n\r\n",
			ask->method, ask->path, ask->type, ask->length);
		assert_true(wire_wait(&h1.wire, HANG_GUARD_MS));
		ssize_t got = wire_read(&h1.wire, block, 12); /* the first status line, of an interim response or not */
		assert_int_equal(got, 12);
		assert_int_equal(atoi(block + 9), ask->status);
		bytes_append(&h1.in, block, 12);
		check_refusal(&h1, ask->status, ask->code);
		struct h2 h2;
		const struct h2_header headers[] = {
		    {"content-type", ask->type}, {"expect", "100-continue"}, {NULL, NULL}};
		if (ask->status == 413)
			continue;
		h2_open(&h2, sluice->port, 0);
		h2.silent = h2.withhold = true;
		struct h2_stream *stream = h2_request(&h2, ask->method, ask->path, headers, "{\"a\":1}   ");
		h2_wait_body(&h2, stream, 1);
		assert_false(stream->continued);
		check_error(&stream->answer, ask->status, ask->code);
		h2_close(&h2);
	}
	sluice_wait_base(sluice);
}

static void who_asks_before_uploading_what_is_wanted_is_told_to_go_on(void **state)
{
	(void)state;
	struct sluice *sluice = start("body: 1MiB");
	const char *body = chat_body("m", false);
	struct h1 h1;
	char block[26];
	h1_open(&h1, sluice->port, false);
	h1_send(&h1,
		"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
		"Content-Length: %zu\r\nExpect: 100-continue\r\n\r\n",
		strlen(body));
	assert_true(wire_wait(&h1.wire, HANG_GUARD_MS));
	assert_int_equal(wire_read(&h1.wire, block, 25), 25);
	check_same(block, 25, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	h1_send(&h1, "%s", body);
	h1_wait_end(&h1);
	assert_int_equal(h1.answer.status, 200);
	h1_close(&h1);
	sluice_wait_base(sluice);
}

/* Returns the first of the clients that has something to read, or count when none has within a moment. */
static size_t find_readable(struct h1 *clients, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (wire_wait(&clients[i].wire, i == 0 ? 20 : 0))
			return i;
	return count;
}

/* The refusal that is written without reading a request once told a length four bytes too long. */
static void a_client_without_a_descriptor_gets_a_whole_refusal(void **state)
{
	enum { CLIENTS = 32 };
	(void)state;
	struct sluice *sluice = start("body: 1MiB");
	struct proc_fds open = proc_fds(sluice->proc);
	struct rlimit before, few;
	struct h1 clients[CLIENTS];
	size_t count = 0, turned = 0;
	struct patience patience = patience_for("a client to be refused");
	assert_int_equal(prlimit(sluice->proc->pid, RLIMIT_NOFILE, NULL, &before), 0);
	few = before;
	few.rlim_cur = open.upstream + open.downstream + open.other;
	assert_int_equal(prlimit(sluice->proc->pid, RLIMIT_NOFILE, &few, NULL), 0);
	while (turned == count) {
		if (count < CLIENTS)
			open_silent(&clients[count++], sluice);
		turned = find_readable(clients, count);
		patience_wait(&patience);
	}
	h1_wait_end(&clients[turned]);
	assert_int_equal(prlimit(sluice->proc->pid, RLIMIT_NOFILE, &before, NULL), 0);
	assert_true(clients[turned].answer.ended);
	assert_int_equal(clients[turned].in.len, 0);
	check_refusal(&clients[turned], 503, "overloaded");
	for (size_t i = 0; i < count; i++)
		if (i != turned)
			h1_close(&clients[i]);
	sluice_wait_base(sluice);
}

static void half_heads_that_fill_the_table_keep_nobody_out(void **state)
{
	enum { CONNECTIONS = 50 };
	(void)state;
	struct sim *sim = sim_start(NULL);
	struct sluice *sluice = sluice_start_workers(1,
						     "backends:\n  sim: { url: 'http://127.0.0.1:%d/v1' }\n"
						     "models:\n  m: sim/count\nlimits: { connections: %d }\n",
						     sim->port, CONNECTIONS);
	struct h1 half[CONNECTIONS], neighbours[3];
	for (int i = 0; i < CONNECTIONS; i++) {
		open_silent(&half[i], sluice);
		h1_send(&half[i], "GET /livez HTTP/1.1\r\nHost:");
	}
	for (int i = 0; i < 3; i++) {
		h1_open(&neighbours[i], sluice->port, false);
		h1_post(&neighbours[i], "/v1/chat/completions", "", chat_body("m", false));
	}
	for (int i = 0; i < 3; i++) {
		h1_wait_end(&neighbours[i]);
		assert_int_equal(neighbours[i].answer.status, 200);
		h1_close(&neighbours[i]);
	}
	for (int i = 0; i < CONNECTIONS; i++)
		h1_close(&half[i]);
	sluice_wait_base(sluice);
}

/* More clients than there are descriptors for them and their backends: the others wait, and nobody fails.
 * The last scenario, because this program's own limit cannot be raised again. */
static void admitted_requests_have_their_descriptors(void **state)
{
	enum { CLIENTS = 160, DESCRIPTORS = 256 };
	(void)state;
	const struct rlimit few = {DESCRIPTORS, DESCRIPTORS};
	struct sim *sim = sim_start(NULL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	struct sluice *sluice = sluice_start_workers(1,
						     "backends:\n  sim: { url: 'http://127.0.0.1:%d/v1' }\n"
						     "models:\n  m: sim/count;tokens=2;ttft=300ms\n"
						     "cache: { policy: off }\n",
						     sim->port);
	static struct h1 clients[CLIENTS];
	for (int i = 0; i < CLIENTS; i++) {
		h1_open(&clients[i], sluice->port, false);
		h1_post(&clients[i], "/v1/chat/completions", "Connection: close\r\n", chat_body("m", false));
	}
	for (int i = 0; i < CLIENTS; i++) {
		h1_wait_end(&clients[i]);
		if (clients[i].answer.status != 200)
			fail_msg("client %d: %d %s", i, clients[i].answer.status, bytes_text(&clients[i].answer.body));
		h1_close(&clients[i]);
	}
	sluice_wait_base(sluice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(row_32_a_head_that_comes_byte_by_byte_is_408),
	    SCENARIO(a_connection_without_a_byte_is_no_slow_head),
	    SCENARIO(row_32_a_body_that_stops_or_comes_byte_by_byte_is_408),
	    SCENARIO(a_slow_but_steady_upload_is_answered),
	    SCENARIO(a_length_above_the_limit_is_413_before_the_body_comes),
	    SCENARIO(who_asks_before_uploading_is_refused_at_once),
	    SCENARIO(who_asks_before_uploading_what_is_wanted_is_told_to_go_on),
	    SCENARIO(a_client_without_a_descriptor_gets_a_whole_refusal),
	    SCENARIO(half_heads_that_fill_the_table_keep_nobody_out),
	    SCENARIO(admitted_requests_have_their_descriptors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
