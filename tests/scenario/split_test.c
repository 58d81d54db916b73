/* SPDX-License-Identifier: MIT */
/*
 * Every split: a recorded answer, head included, is cut at every byte offset
 * and delivered in two pieces, the second only after Sluice has read the first.
 * The client must receive the same bytes each time. This is where parsers lose
 * a CR at the end of a read, half of a UTF-8 sequence, or a chunk border.
 */
#include <stdio.h>
#include <string.h>

#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"

#define DELTA(text) "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text "\"}}]}"

/* Plain events: relayed as they are. Characters of two, three and four bytes, and an escaped pair. */
static const char plain[] =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n"
    "data: " DELTA(
	"\xc3\xa9\xe4\xbd\xa0\xf0\x9f\x98\x80 \\ud83d\\ude00") "\n\n"
							       "data: " DELTA(
								   "\\\"data: x\\n\\n\\\"") "\n\n"
											    "data: "
											    "{\"choices\":[{\"index\":"
											    "0,\"delta\":{},\"finish_"
											    "reason\":\"stop\"}]}\n\n"
											    "data: [DONE]\n\n";

/* The same freedom SSE gives: BOM, CR, CRLF, comments, several data lines, other fields. */
static const char odd[] =
    "\xef\xbb\xbf: hi\r\n\r\n"
    "data: {\"choices\":[{\"index\":0,\r\ndata: \"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\r\n\r\n"
    ": ping\nevent: x\nid: 1\ndata:" DELTA(
	"\xc3\xa9") "\n\n"
		    "retry: 10\r\rdata: " DELTA(
			"b") "\r\r"
			     "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\r\n\r\n"
			     "data: [DONE]\r\n\r\n";

static struct sluice *start_for(const struct backend *backend)
{
	return sluice_start("backends:\n  b: { url: 'http://127.0.0.1:%d/v1' }\nmodels:\n  m: b/m\n",
			    backend_port(backend));
}

/* One response per offset, each cut there: script k sends k bytes, then the rest. */
static void add_cuts(struct backend *backend, const char *response, size_t len)
{
	for (size_t cut = 1; cut < len; cut++)
		backend_script(backend, (const struct step[]){SEND_BYTES(response, cut), DRAIN,
							      SEND_BYTES(response + cut, len - cut), AGAIN});
}

/* Fetches one answer on a kept connection; its body is compared with *want, which the first one fills. */
static void check_cut(struct h1 *h1, bool stream, size_t cut, struct bytes *want)
{
	h1_post(h1, "/v1/chat/completions", "", chat_body("m", stream));
	h1_wait_end(h1);
	if (h1->answer.status != 200 || !h1->answer.ended)
		fail_msg("cut at byte %zu: status %d, %s: %s", cut, h1->answer.status,
			 h1->answer.ended ? "ended" : "broken", bytes_text(&h1->answer.body));
	if (want->len == 0)
		bytes_append(want, h1->answer.body.at, h1->answer.body.len);
	if (want->len != h1->answer.body.len || memcmp(want->at, h1->answer.body.at, want->len) != 0)
		print_error("cut at byte %zu:\n", cut);
	check_same(h1->answer.body.at, h1->answer.body.len, want->at, want->len);
	h1_next(h1);
}

/* want: what the client must get; NULL: the same for all cuts, whatever the first gave. */
static void check_every_cut(const char *response, size_t len, bool stream, const char *want)
{
	struct bytes expected = {0};
	struct h1 h1;
	struct backend *backend = backend_start();
	add_cuts(backend, response, len);
	struct sluice *sluice = start_for(backend);
	bytes_append(&expected, want, want == NULL ? 0 : strlen(want));
	h1_open(&h1, sluice->port, false);
	for (size_t cut = 1; cut < len; cut++)
		check_cut(&h1, stream, cut, &expected);
	h1_close(&h1);
	assert_int_equal(backend_requests(backend), len - 1);
	bytes_free(&expected);
}

static void with_length(struct bytes *response, const char *type, const char *body)
{
	bytes_printf(response, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s", type,
		     strlen(body), body);
}

/* In chunks of 7 bytes, so that chunk borders fall everywhere in the events. */
static void with_chunks(struct bytes *response, const char *type, const char *body)
{
	size_t len = strlen(body);
	bytes_printf(response, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n", type);
	for (size_t at = 0; at < len; at += 7) {
		size_t take = len - at < 7 ? len - at : 7;
		bytes_printf(response, "%zx\r\n%.*s\r\n", take, (int)take, body + at);
	}
	bytes_printf(response, "0\r\n\r\n");
}

static void a_plain_stream_is_the_same_at_every_cut(void **state)
{
	struct bytes response = {0};
	(void)state;
	with_length(&response, "text/event-stream", plain);
	check_every_cut(response.at, response.len, true, plain);
	bytes_free(&response);
}

static void a_chunked_stream_is_the_same_at_every_cut(void **state)
{
	struct bytes response = {0};
	(void)state;
	with_chunks(&response, "text/event-stream", plain);
	check_every_cut(response.at, response.len, true, plain);
	bytes_free(&response);
}

static void an_oddly_written_stream_is_the_same_at_every_cut(void **state)
{
	struct bytes response = {0};
	(void)state;
	with_length(&response, "text/event-stream", odd);
	check_every_cut(response.at, response.len, true, NULL);
	bytes_free(&response);
}

static void a_whole_answer_is_the_same_at_every_cut(void **state)
{
	static const char whole[] = "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
				    "\"\xf0\x9f\x98\x80\"},\"finish_reason\":\"stop\"}]}";
	struct bytes response = {0};
	(void)state;
	with_length(&response, "application/json", whole);
	check_every_cut(response.at, response.len, false, whole);
	bytes_free(&response);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_plain_stream_is_the_same_at_every_cut),
	    SCENARIO(a_chunked_stream_is_the_same_at_every_cut),
	    SCENARIO(an_oddly_written_stream_is_the_same_at_every_cut),
	    SCENARIO(a_whole_answer_is_the_same_at_every_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
