/* SPDX-License-Identifier: MIT */
/*
 * Request bodies that come compressed: gzip is unpacked and forwarded as it was
 * before, within the limit of bodies; what is no gzip, or unpacks to more, is
 * refused before any call.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"

#define CHAT "/v1/chat/completions"

static const char chat_answer[] =
    "{\"id\":\"1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,"
    "\"message\":{\"role\":\"assistant\",\"content\":\"ok\"},\"finish_reason\":\"stop\"}]}";

static struct sluice *start_for(const struct backend *backend)
{
	return sluice_start("backends:\n  b: { url: 'http://127.0.0.1:%d/v1' }\n"
			    "models:\n  small: b/real\n"
			    "limits: { body: 64KiB, bodies: 64KiB }\n",
			    backend_port(backend));
}

/* Appends text as gzip. */
static void pack(struct bytes *out, const char *text, size_t len)
{
	static char packed[1 << 20];
	z_stream z = {.next_in = (z_const Bytef *)text, .avail_in = (uInt)len};
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_out = (Bytef *)packed;
	z.avail_out = sizeof packed;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	bytes_append(out, packed, sizeof packed - z.avail_out);
	deflateEnd(&z);
}

/* Posts bytes with a Content-Encoding over HTTP/1.1 or HTTP/2. */
static void post(const struct sluice *sluice, enum via via, const char *coding, const struct bytes *body,
		 struct answer *answer)
{
	struct client client = {.via = via};
	if (via == VIA_H1) {
		h1_open(&client.h1, sluice->port, false);
		h1_send(&client.h1,
			"POST " CHAT " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
			"Content-Encoding: %s\r\nContent-Length: %zu\r\n\r\n",
			coding, body->len);
		h1_send_bytes(&client.h1, body->at, body->len);
		h1_wait_end(&client.h1);
		*answer = client.h1.answer;
		client.h1.answer = (struct answer){0};
		h1_close(&client.h1);
		return;
	}
	const struct h2_header headers[] = {{"content-encoding", coding}, {NULL, NULL}};
	h2_open(&client.h2, sluice->port, 0);
	client.stream = h2_request_bytes(&client.h2, "POST", CHAT, headers, body->at, body->len);
	h2_wait_end(&client.h2, client.stream);
	*answer = client.stream->answer;
	client.stream->answer = (struct answer){0};
	h2_close(&client.h2);
}

static const enum via versions[] = {VIA_H1, VIA_H2};

static void a_gzip_body_is_forwarded_unpacked(void **state)
{
	static const char *const codings[] = {"gzip", "GZIP", "x-gzip"};
	(void)state;
	struct backend *backend = backend_start();
	backend_reply(backend, "application/json", chat_answer);
	struct sluice *sluice = start_for(backend);
	char want[1024];
	snprintf(want, sizeof want, "%s", chat_body("real", false));
	struct bytes packed = {0};
	const char *sent = chat_body("small", false);
	pack(&packed, sent, strlen(sent));
	for (size_t i = 0; i < 6; i++) {
		struct answer answer;
		struct bytes got = {0};
		post(sluice, versions[i % 2], codings[i / 2], &packed, &answer);
		if (answer.status != 200)
			fail_msg("%d: %s", answer.status, bytes_text(&answer.body));
		answer_free(&answer);
		backend_request_body(backend, i, &got);
		check_same(got.at, got.len, want, strlen(want));
		bytes_free(&got);
	}
	bytes_free(&packed);
}

/* The body is refused by both versions with that code and those words. */
static void check_refused(const struct sluice *sluice, const char *coding, const struct bytes *body, int status,
			  const char *code, const char *words)
{
	for (size_t i = 0; i < 2; i++) {
		struct answer answer;
		post(sluice, versions[i], coding, body, &answer);
		check_error(&answer, status, code);
		check_contains(&answer.body, words);
		check_header(&answer, "accept-encoding", status == 415 ? "gzip, identity" : NULL);
		answer_free(&answer);
	}
}

static void a_bomb_is_refused_by_the_limit_of_bodies(void **state)
{
	(void)state;
	struct backend *backend = backend_start();
	struct sluice *sluice = start_for(backend);
	size_t len = 32 << 20;
	char *zeros = calloc(len, 1);
	struct bytes bomb = {0};
	assert_non_null(zeros);
	pack(&bomb, zeros, len);
	free(zeros);
	assert_true(bomb.len < 65536);
	size_t before = proc_rss(sluice->proc);
	check_refused(sluice, "gzip", &bomb, 413, "request_too_large", "larger than 64 KiB (limits.body)");
	check_memory("bomb", before, proc_rss(sluice->proc), 8 << 20);
	assert_int_equal(backend_requests(backend), 0);
	bytes_free(&bomb);
}

static void what_is_no_gzip_is_refused(void **state)
{
	(void)state;
	struct backend *backend = backend_start();
	struct sluice *sluice = start_for(backend);
	struct bytes body = {0};
	const char *sent = chat_body("small", false);
	bytes_append(&body, sent, strlen(sent));
	check_refused(sluice, "gzip", &body, 400, "invalid_value", "not complete gzip data");
	bytes_free(&body);
	pack(&body, sent, strlen(sent));
	body.len -= 3;
	check_refused(sluice, "gzip", &body, 400, "invalid_value", "not complete gzip data");
	check_refused(sluice, "br", &body, 415, "unsupported_media_type", "Content-Encoding: gzip");
	check_refused(sluice, "gzip, gzip", &body, 415, "unsupported_media_type", "Content-Encoding: gzip");
	assert_int_equal(backend_requests(backend), 0);
	bytes_free(&body);
}

/* Opens a connection and posts a gzip body there that is not answered: waits until the backend has it. */
static void hold(struct h1 *h1, const struct sluice *sluice, struct backend *backend, const struct bytes *packed)
{
	size_t before = backend_requests(backend);
	h1_open(h1, sluice->port, false);
	h1_send(h1,
		"POST " CHAT " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
		"Content-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
		packed->len);
	h1_send_bytes(h1, packed->at, packed->len);
	struct patience patience = patience_for("the backend to be asked");
	while (backend_requests(backend) == before)
		patience_wait(&patience);
}

/* 40 KB each, of 64 KiB: a few bytes of gzip once took memory that nobody counted. */
static void an_unpacked_body_has_room_until_its_answer_is_over(void **state)
{
	(void)state;
	static const struct step silent[] = {SCRIPT_END};
	struct backend *backend = backend_start();
	backend_script(backend, silent);
	struct sluice *sluice = start_for(backend);
	static char sent[40000];
	size_t head = (size_t)snprintf(sent, sizeof sent, "%s", chat_body("small", true));
	memset(sent + head, ' ', sizeof sent - head);
	struct bytes packed = {0};
	pack(&packed, sent, sizeof sent);
	struct h1 h1;
	hold(&h1, sluice, backend, &packed);
	check_refused(sluice, "gzip", &packed, 503, "bodies_full", "a request body of 40.0 kB at present");
	h1_close(&h1);
	sluice_wait_idle(sluice);
	hold(&h1, sluice, backend, &packed);
	h1_close(&h1);
	bytes_free(&packed);
}

static void a_client_may_leave_while_its_unpacked_request_runs(void **state)
{
	(void)state;
	static const struct step silent[] = {SCRIPT_END};
	struct backend *backend = backend_start();
	backend_script(backend, silent);
	struct sluice *sluice = start_for(backend);
	struct bytes packed = {0};
	const char *sent = chat_body("small", true);
	pack(&packed, sent, strlen(sent));
	struct h1 h1;
	hold(&h1, sluice, backend, &packed);
	h1_close(&h1);
	sluice_wait_idle(sluice);
	bytes_free(&packed);
}

/* More than is unpacked in a turn. */
static void a_large_gzip_body_is_unpacked_by_a_helper(void **state)
{
	enum { TEXT = 20000 };
	(void)state;
	struct backend *backend = backend_start();
	backend_reply(backend, "application/json", chat_answer);
	struct sluice *sluice = start_for(backend);
	static char sent[TEXT + 256], want[TEXT + 256], text[TEXT + 1];
	struct bytes packed = {0}, cut = {0};
	uint64_t mixed = 1;
	for (size_t i = 0; i < TEXT; i++) {
		mixed = mixed * 6364136223846793005u + 1442695040888963407u;
		text[i] = (char)('a' + (mixed >> 33) % 26);
	}
	snprintf(sent, sizeof sent, "{\"model\":\"small\",\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}",
		 text);
	snprintf(want, sizeof want, "{\"model\":\"real\",\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}", text);
	pack(&packed, sent, strlen(sent));
	bytes_append(&cut, packed.at, packed.len - 100);
	for (size_t i = 0; i < 2; i++) {
		struct answer answer;
		struct bytes got = {0};
		post(sluice, versions[i], "gzip", &packed, &answer);
		assert_int_equal(answer.status, 200);
		answer_free(&answer);
		backend_request_body(backend, i, &got);
		check_same(got.at, got.len, want, strlen(want));
		bytes_free(&got);
	}
	check_refused(sluice, "gzip", &cut, 400, "invalid_value", "not complete gzip data");
	assert_int_equal(sluice_metric(sluice, "sluice_offloaded_total{work=\"gunzip\"}"), 4);
	bytes_free(&packed);
	bytes_free(&cut);
	sluice_wait_idle(sluice);
}

static void a_client_that_leaves_while_its_body_is_unpacked_is_forgotten(void **state)
{
	(void)state;
	struct backend *backend = backend_start();
	struct sluice *sluice = start_for(backend);
	size_t len = 16 << 20;
	char *zeros = calloc(len, 1);
	struct bytes bomb = {0};
	assert_non_null(zeros);
	pack(&bomb, zeros, len);
	free(zeros);
	for (int i = 0; i < 10; i++) {
		struct h1 h1;
		h1_open(&h1, sluice->port, false);
		h1_send(&h1,
			"POST " CHAT " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
			"Content-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
			bomb.len);
		h1_send_bytes(&h1, bomb.at, bomb.len);
		h1_close(&h1);
	}
	bytes_free(&bomb);
	sluice_wait_idle(sluice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_gzip_body_is_forwarded_unpacked),
	    SCENARIO(a_bomb_is_refused_by_the_limit_of_bodies),
	    SCENARIO(what_is_no_gzip_is_refused),
	    SCENARIO(an_unpacked_body_has_room_until_its_answer_is_over),
	    SCENARIO(a_large_gzip_body_is_unpacked_by_a_helper),
	    SCENARIO(a_client_that_leaves_while_its_body_is_unpacked_is_forgotten),
	    SCENARIO(a_client_may_leave_while_its_unpacked_request_runs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
