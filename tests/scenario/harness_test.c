/* SPDX-License-Identifier: MIT */
/*
 * The harness judged by itself: a test tool that can't see a fault is worse
 * than none. No gateway takes part.
 */
#include <stdio.h>
#include <string.h>

#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/h1.h"
#include "tests/scenario/harness/proc.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sse.h"

static void the_reader_shows_every_chunk_as_it_arrives(void **state)
{
	static const struct step script[] = {
	    SEND("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-One: 1\r\n\r\n5\r\nhello\r\n"),
	    GATE,
	    SEND("6\r\n wor"),
	    SEND("ld\r\n0\r\n\r\n"),
	    AGAIN,
	    SCRIPT_END};
	struct backend *backend = backend_start();
	struct h1 h1;
	(void)state;
	backend_script(backend, script);
	h1_open(&h1, backend_port(backend), false);
	h1_post(&h1, "/x", "X-Two: 2\r\n", "{}");
	h1_wait_body(&h1, 5);
	assert_int_equal(h1.answer.piece_count, 1);
	assert_false(h1.answer.ended);
	check_header(&h1.answer, "x-one", "1");
	backend_open_gate(backend);
	h1_wait_end(&h1);
	assert_true(h1.answer.ended);
	assert_int_equal(h1.answer.piece_count, 2);
	assert_string_equal(bytes_text(&h1.answer.body), "hello world");
	h1_close(&h1);
}

static void the_backend_records_requests_and_leaving(void **state)
{
	static const struct step script[] = {SEND(STREAM_HEAD), SCRIPT_END};
	struct backend *backend = backend_start();
	struct bytes request = {0};
	struct h1 h1;
	(void)state;
	backend_script(backend, script);
	h1_open(&h1, backend_port(backend), false);
	h1_post(&h1, "/x", "", "{\"a\":1}");
	h1_wait_head(&h1);
	uint64_t left_us = clock_us();
	h1_close(&h1);
	assert_true(backend_wait_left(backend, 0) >= left_us);
	backend_request_body(backend, 0, &request);
	assert_string_equal(bytes_text(&request), "{\"a\":1}");
	bytes_free(&request);
}

static void a_cut_answer_is_seen_as_broken(void **state)
{
	static const struct step fin[] = {SEND("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"), FIN,
					  SCRIPT_END};
	static const struct step rst[] = {SEND("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"), GATE, RST,
					  SCRIPT_END};
	struct backend *backend = backend_start();
	(void)state;
	backend_script(backend, fin);
	backend_script(backend, rst);
	backend_open_gate(backend);
	for (int i = 0; i < 2; i++) {
		struct h1 h1;
		h1_open(&h1, backend_port(backend), false);
		h1_get(&h1, "/");
		h1_wait_end(&h1);
		assert_true(h1.answer.broken);
		assert_false(h1.answer.ended);
		h1_close(&h1);
	}
}

static void the_event_reader_keeps_what_is_not_complete(void **state)
{
	struct bytes body = {0};
	struct sse sse = {0};
	(void)state;
	bytes_printf(&body, ": hi\n\ndata: one\n\ndata:two\ndata: three\n");
	sse_read(&sse, &body);
	assert_int_equal(sse.count, 1);
	assert_int_equal(sse.comments, 1);
	assert_true(sse_rest(&sse, &body) != 0);
	bytes_printf(&body, "\ndata: [DONE]\n\n");
	sse_read(&sse, &body);
	assert_int_equal(sse.count, 3);
	assert_string_equal(sse.data[1], "two\nthree");
	assert_true(sse_is_done(&sse));
	assert_int_equal(sse_rest(&sse, &body), 0);
	sse_free(&sse);
	bytes_free(&body);
}

static bool says_ready(const struct bytes *text, void *user)
{
	(void)user;
	return bytes_contain(text, "ready");
}

static void a_program_is_watched_and_ended(void **state)
{
	const char *const command[] = {"/bin/sh", "-c", "echo ready $WORD; exec sleep 100", NULL};
	const char *const environment[] = {"WORD=now", NULL};
	struct bytes out = {0};
	(void)state;
	struct proc *proc = proc_start("sleeper", command, environment);
	proc_wait_output(proc, PROC_STDOUT, says_ready, NULL);
	proc_read(proc, PROC_STDOUT, &out);
	check_contains(&out, "ready now");
	assert_true(proc_fds(proc).other >= 3);
	assert_true(proc_rss(proc) > 0);
	assert_true(proc_stop(proc));
	bytes_free(&out);
}

static void a_program_that_fails_is_told(void **state)
{
	const char *const command[] = {"/bin/sh", "-c", "exit 7", NULL};
	(void)state;
	assert_int_equal(proc_wait(proc_start("failer", command, NULL)), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(the_reader_shows_every_chunk_as_it_arrives),
	    SCENARIO(the_backend_records_requests_and_leaving),
	    SCENARIO(a_cut_answer_is_seen_as_broken),
	    SCENARIO(the_event_reader_keeps_what_is_not_complete),
	    SCENARIO(a_program_is_watched_and_ended),
	    SCENARIO(a_program_that_fails_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
