/* SPDX-License-Identifier: MIT */
/*
 * HTTP/1.1 requests whose framing a proxy in front may read in another way, as
 * raw bytes. Each is one refusal in our error form and the end of its
 * connection: what follows is never a request. Chunked bodies that once were
 * read as three requests where a strict reader saw one POST.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

#define CHAT_BODY "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}"
#define SMUGGLED "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"

struct world {
	struct sim *sim;
	struct sluice *sluice;
};

static struct world start(void)
{
	struct world world = {.sim = sim_start(NULL)};
	world.sluice = sluice_start("backends:\n  sim: { url: 'http://127.0.0.1:%d/v1' }\nmodels:\n  m: sim/count\n",
				    world.sim->port);
	return world;
}

/* Waits until the peer closes; nothing but the one answer may have come. */
static void check_closed(struct h1 *h1, const char *what)
{
	char byte;
	for (;;) {
		ssize_t got = wire_read(&h1->wire, &byte, 1);
		if (got == 0 || got == WIRE_BROKEN)
			break;
		if (got > 0 || !wire_wait(&h1->wire, HANG_GUARD_MS))
			fail_msg("%s: the connection stays open, or says more than one answer", what);
	}
	if (h1->in.len > 0)
		fail_msg("%s: more than one answer: %s", what, bytes_text(&h1->in));
}

static void check_own_form(const struct answer *answer, int status, const char *code)
{
	char *id = answer_header(answer, "x-request-id");
	check_error(answer, status, code);
	if (id == NULL || *id == '\0')
		fail_msg("the refusal has no request id: %s", bytes_text(&answer->head));
	free(id);
	check_header(answer, "connection", "close");
}

static void check_refused(const struct world *world, const char *what, const void *bytes, size_t len, int status,
			  const char *code)
{
	struct h1 h1;
	h1_open(&h1, world->sluice->port, false);
	h1.silent = true;
	h1_send_bytes(&h1, bytes, len);
	h1_wait_end(&h1);
	if (h1.answer.status != status)
		fail_msg("%s: want %d, got %d %s", what, status, h1.answer.status, bytes_text(&h1.answer.body));
	check_own_form(&h1.answer, status, code);
	check_closed(&h1, what);
	h1_close(&h1);
}

struct body_case {
	const char *what;
	const char *body; /* behind the head */
};

#define WHOLE "38\r\n" CHAT_BODY "\r\n"

static const struct body_case broken_bodies[] = {
    {"a bare LF behind a size", "38\n" CHAT_BODY "\r\n0\r\n\r\n"},
    {"a bare LF behind the data", "38\r\n" CHAT_BODY "\n0\r\n\r\n"},
    {"no line end behind the data", "38\r\n" CHAT_BODY "0\r\n\r\n"},
    {"a bare LF behind the last chunk", WHOLE "0\n\r\n"},
    {"a bare LF at the end", WHOLE "0\r\n\n"},
    {"a bare CR in a size line", "38\r" CHAT_BODY "\r\n0\r\n\r\n"},
    {"a blank before a size", " 38\r\n" CHAT_BODY "\r\n0\r\n\r\n"},
    {"a blank behind a size", "38 \r\n" CHAT_BODY "\r\n0\r\n\r\n"},
    {"a tab behind a size", "38\t\r\n" CHAT_BODY "\r\n0\r\n\r\n"},
    {"a signed size", "+38\r\n" CHAT_BODY "\r\n0\r\n\r\n"},
    {"a negative size", "-38\r\n" CHAT_BODY "\r\n0\r\n\r\n"},
    {"a size with a prefix", "0x38\r\n" CHAT_BODY "\r\n0\r\n\r\n"},
    {"a size with junk", "38g\r\n" CHAT_BODY "\r\n0\r\n\r\n"},
    {"no size", "\r\n" CHAT_BODY "\r\n0\r\n\r\n"},
    {"a size of 17 digits", "00000000000000038\r\n" CHAT_BODY "\r\n0\r\n\r\n"},
    {"a size that wraps around", "10000000000000038\r\n" CHAT_BODY "\r\n0\r\n\r\n"},
    {"the largest size there is", "ffffffffffffffff\r\n" CHAT_BODY "\r\n0\r\n\r\n"},
    {"a control character in an extension", "38;a=\x01\r\n" CHAT_BODY "\r\n0\r\n\r\n"},
    {"a bare LF in an extension", "38;a\nb\r\n" CHAT_BODY "\r\n0\r\n\r\n"},
    {"an extension without a name", "38;\r\n" CHAT_BODY "\r\n0\r\n\r\n"},
    {"an extension without a value", "38;a=\r\n" CHAT_BODY "\r\n0\r\n\r\n"},
    {"an open quotation", "38;a=\"b\r\n" CHAT_BODY "\r\n0\r\n\r\n"},
    {"junk behind a quotation", "38;a=\"b\"c\r\n" CHAT_BODY "\r\n0\r\n\r\n"},
    {"an extension on the last chunk with a bare LF", WHOLE "0;a\n\r\n"},
    {"a trailer without a colon", WHOLE "0\r\njunk\r\n\r\n"},
    {"a trailer with a bare LF", WHOLE "0\r\nx: y\n\r\n"},
    {"a trailer with a control character", WHOLE "0\r\nx: \x02\r\n\r\n"},
    {"a folded trailer", WHOLE "0\r\nx: y\r\n z\r\n\r\n"},
    {"a trailer with a blank before its colon", WHOLE "0\r\nx : y\r\n\r\n"},
    {"a length among the trailers", WHOLE "0\r\nContent-Length: 5\r\n\r\n"},
    {"a coding among the trailers", WHOLE "0\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {"a request line among the trailers", WHOLE "0\r\nGET / HTTP/1.1\r\n\r\n"},
};

#define CHUNKED_HEAD                                                                          \
	"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n" \
	"Transfer-Encoding: chunked\r\n\r\n"

static void chunks_that_the_standard_does_not_allow_are_refused_and_nothing_follows(void **state)
{
	(void)state;
	struct world world = start();
	for (size_t i = 0; i < sizeof broken_bodies / sizeof *broken_bodies; i++) {
		struct bytes text = {0};
		bytes_printf(&text, "%s%s%s", CHUNKED_HEAD, broken_bodies[i].body, SMUGGLED);
		check_refused(&world, broken_bodies[i].what, text.at, text.len, 400, "malformed_http");
		bytes_free(&text);
	}
	assert_int_equal(sim_call_count(world.sim, ""), 0);
	sluice_wait_base(world.sluice);
}

static const struct body_case good_bodies[] = {
    {"one chunk", WHOLE "0\r\n\r\n"},
    {"two chunks",
     "1\r\n{\r\n3E\r\n\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}       \r\n0\r\n\r\n"},
    {"leading zeros", "00000038\r\n" CHAT_BODY "\r\n000\r\n\r\n"},
    {"an extension", "38;a\r\n" CHAT_BODY "\r\n0\r\n\r\n"},
    {"extensions with values and blanks", "38 ; a = b\t;c=\"d \\\"e\"\r\n" CHAT_BODY "\r\n0;last\r\n\r\n"},
    {"trailers", WHOLE "0\r\nX-Checksum: abc\r\nX-Empty:\r\n\r\n"},
};

static void chunks_that_the_standard_allows_are_read_whole_or_byte_by_byte(void **state)
{
	(void)state;
	struct world world = start();
	for (size_t i = 0; i < sizeof good_bodies / sizeof *good_bodies; i++) {
		for (int bytewise = 0; bytewise < 2; bytewise++) {
			const char *body = good_bodies[i].body;
			struct h1 h1;
			h1_open(&h1, world.sluice->port, false);
			h1.silent = true; /* the record knows neither extensions nor trailers */
			h1_send(&h1, "%s", CHUNKED_HEAD);
			for (; bytewise && body[1] != '\0'; body++)
				h1_send_bytes(&h1, body, 1);
			h1_send(&h1, "%s", body);
			h1_wait_end(&h1);
			if (h1.answer.status != 200)
				fail_msg("%s: %d %s", good_bodies[i].what, h1.answer.status,
					 bytes_text(&h1.answer.body));
			h1_next(&h1);
			h1_get(&h1, "/livez"); /* what follows is the next request */
			h1_wait_end(&h1);
			assert_int_equal(h1.answer.status, 200);
			h1_close(&h1);
		}
	}
	sluice_wait_base(world.sluice);
}

/* Sends up to most bytes of filler, or until the peer has answered or closed. Returns the bytes sent. */
static size_t flood(struct h1 *h1, const char *filler, size_t most)
{
	size_t sent = 0, len = strlen(filler);
	while (sent < most && !wire_wait(&h1->wire, 0) && wire_write_all(&h1->wire, filler, len))
		sent += len;
	return sent;
}

static void check_flood(const struct world *world, const char *before, const char *filler, int status, const char *code)
{
	enum { MOST = 50 << 20, TAKEN_MOST = 16 << 20 };
	struct h1 h1;
	h1_open(&h1, world->sluice->port, false);
	h1.silent = true;
	h1_send_bytes(&h1, before, strlen(before));
	size_t sent = flood(&h1, filler, MOST);
	h1_wait_end(&h1);
	check_own_form(&h1.answer, status, code);
	if (sent >= TAKEN_MOST)
		fail_msg("%zu bytes of «%.8s…» were taken", sent, filler);
	h1_close(&h1);
}

static void extensions_and_trailers_without_end_are_cut_off(void **state)
{
	char filler[4001];
	(void)state;
	struct world world = start();
	memset(filler, 'x', sizeof filler - 1);
	filler[sizeof filler - 1] = '\0';
	check_flood(&world, CHUNKED_HEAD "38;", filler, 400, "malformed_http");
	check_flood(&world, CHUNKED_HEAD, "1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n \r\n", 400, "malformed_http");
	check_flood(&world, CHUNKED_HEAD WHOLE "0\r\nx: ", filler, 400, "malformed_http");
	check_flood(&world, CHUNKED_HEAD WHOLE "0\r\n", "x: y\r\n", 400, "malformed_http");
	sluice_wait_base(world.sluice);
}

static void a_head_that_is_too_large_is_431_in_our_form(void **state)
{
	(void)state;
	struct world world = start();
	struct bytes fields = {0}, big = {0};
	bytes_printf(&fields, "GET /livez HTTP/1.1\r\nHost: a\r\n");
	for (int i = 0; i < 3000; i++)
		bytes_printf(&fields, "x-%d: y\r\n", i);
	bytes_printf(&fields, "\r\n");
	check_refused(&world, "3,000 fields", fields.at, fields.len, 431, "headers_too_large");
	bytes_printf(&big, "GET /livez HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\nX-Big: ");
	for (int i = 0; i < 400; i++)
		bytes_printf(&big, "%01024d", 0);
	bytes_printf(&big, "\r\n\r\n");
	check_refused(&world, "400 KB in one field", big.at, big.len, 431, "headers_too_large");
	bytes_free(&fields);
	bytes_free(&big);
	sluice_wait_base(world.sluice);
}

static void a_broken_head_is_400_in_our_form(void **state)
{
	static const char nul_in_target[] = "GET /li\0vez HTTP/1.1\r\nHost: a\r\n\r\n" SMUGGLED;
	static const char nul_in_value[] = "GET /livez HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n" SMUGGLED;
	static const char bare_lf[] = "GET /livez HTTP/1.1\nHost: a\n\n" SMUGGLED;
	static const char no_request[] = "\x16\x03\x01\x02\x00\r\n\r\n";
	(void)state;
	struct world world = start();
	check_refused(&world, "NUL in the target", nul_in_target, sizeof nul_in_target - 1, 400, "malformed_http");
	check_refused(&world, "NUL in a value", nul_in_value, sizeof nul_in_value - 1, 400, "malformed_http");
	check_refused(&world, "bare LF", bare_lf, sizeof bare_lf - 1, 400, "malformed_http");
	check_refused(&world, "no HTTP", no_request, sizeof no_request - 1, 400, "malformed_http");
	sluice_wait_base(world.sluice);
}

/* A client that asks for problem details gets them, when its Accept was read before what is broken. */
static void a_broken_request_is_told_in_the_form_that_the_client_asked_for(void **state)
{
	(void)state;
	struct world world = start();
	struct h1 h1;
	h1_open(&h1, world.sluice->port, false);
	h1.silent = true;
	h1_send(&h1, "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAccept: application/problem+json\r\n"
		     "Transfer-Encoding: chunked\r\n\r\nzz\r\n");
	h1_wait_end(&h1);
	check_problem(&h1.answer, 400, "malformed_http");
	h1_close(&h1);
	sluice_wait_base(world.sluice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(chunks_that_the_standard_does_not_allow_are_refused_and_nothing_follows),
	    SCENARIO(chunks_that_the_standard_allows_are_read_whole_or_byte_by_byte),
	    SCENARIO(extensions_and_trailers_without_end_are_cut_off),
	    SCENARIO(a_head_that_is_too_large_is_431_in_our_form),
	    SCENARIO(a_broken_head_is_400_in_our_form),
	    SCENARIO(a_broken_request_is_told_in_the_form_that_the_client_asked_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
