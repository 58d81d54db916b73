/* SPDX-License-Identifier: MIT */
/* The raw HTTP/1.1 client: a strict incremental reader of answers. */
#include "tests/scenario/harness/h1.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/h1_request.h"
#include "tests/scenario/harness/record.h"

void h1_open(struct h1 *h1, int port, bool tls)
{
	*h1 = (struct h1){.state = H1_HEAD};
	wire_open(&h1->wire, port, tls ? "http/1.1" : NULL);
}

static bool h1_over(const struct h1 *h1)
{
	return h1->answer.ended || h1->answer.broken;
}

/* Writes the exchange to the record, unless it is there or nothing was sent. */
static void h1_record(struct h1 *h1, bool client_left)
{
	struct h1_request request;
	if (h1->sent.len == 0 || h1->recorded)
		return;
	h1->recorded = true;
	h1_request_take(&h1->sent, &request);
	record_write(&(struct record){.http_version = "1.1",
				      .method = bytes_text(&request.method),
				      .path = bytes_text(&request.path),
				      .head = &request.head,
				      .body = &request.body,
				      .request_whole = request.whole,
				      .malformed = request.malformed,
				      .client_left = client_left,
				      .answer = &h1->answer});
	h1_request_free(&request);
}

void h1_close(struct h1 *h1)
{
	h1_record(h1, true);
	wire_close(&h1->wire);
	bytes_free(&h1->sent);
	bytes_free(&h1->in);
	answer_free(&h1->answer);
}

void h1_send_bytes(struct h1 *h1, const void *from, size_t len)
{
	if (!h1->silent && record_wanted(h1->wire.port))
		bytes_append(&h1->sent, from, len);
	wire_write_all(&h1->wire, from, len);
}

void h1_send(struct h1 *h1, const char *format, ...)
{
	char *text;
	va_list arguments;
	va_start(arguments, format);
	int len = vasprintf(&text, format, arguments);
	va_end(arguments);
	assert_true(len >= 0);
	h1_send_bytes(h1, text, (size_t)len);
	free(text);
}

void h1_post(struct h1 *h1, const char *path, const char *headers, const char *body)
{
	h1_send(h1,
		"POST %s HTTP/1.1\r\nHost: sluice.test\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
		"%s\r\n%s",
		path, strlen(body), headers, body);
}

void h1_get(struct h1 *h1, const char *path)
{
	h1_send(h1, "GET %s HTTP/1.1\r\nHost: sluice.test\r\n\r\n", path);
}

void h1_next(struct h1 *h1)
{
	answer_free(&h1->answer);
	h1->state = H1_HEAD;
	h1->head_only = false;
	h1->recorded = false;
}

static void h1_add_header(struct h1 *h1, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	if (colon == NULL)
		fail_msg("a header line without a colon: %.*s", (int)len, line);
	const char *value = colon + 1;
	while (*value == ' ')
		value++;
	answer_add_header(&h1->answer, line, (size_t)(colon - line), value, (size_t)(line + len - value));
}

static void h1_choose_body(struct h1 *h1)
{
	char *length = answer_header(&h1->answer, "content-length");
	char *coding = answer_header(&h1->answer, "transfer-encoding");
	if (length != NULL && coding != NULL)
		fail_msg("an answer with both Content-Length and Transfer-Encoding");
	if (coding != NULL && strcasecmp(coding, "chunked") != 0)
		fail_msg("Transfer-Encoding: %s", coding);
	h1->left = length == NULL ? 0 : strtoul(length, NULL, 10);
	if (h1->head_only || h1->answer.status == 204 || h1->answer.status == 304)
		h1->state = H1_DONE;
	else if (coding != NULL)
		h1->state = H1_CHUNK_SIZE;
	else if (length != NULL)
		h1->state = h1->left == 0 ? H1_DONE : H1_LENGTH;
	else
		h1->state = H1_UNTIL_CLOSE;
	free(length);
	free(coding);
}

/* Takes one line without its CRLF; NULL when it is not complete. The caller frees. */
static char *h1_take_line(struct h1 *h1)
{
	const char *text = bytes_text(&h1->in);
	const char *end = memchr(text, '\n', h1->in.len);
	if (end == NULL)
		return NULL;
	if (end == text || end[-1] != '\r')
		fail_msg("a bare LF in the answer's framing: %.200s", text);
	char *line = strndup(text, (size_t)(end - 1 - text));
	bytes_drop(&h1->in, (size_t)(end + 1 - text));
	return line;
}

static bool h1_read_head(struct h1 *h1)
{
	const char *end = memmem(bytes_text(&h1->in), h1->in.len, "\r\n\r\n", 4);
	if (end == NULL)
		return false;
	char *line = h1_take_line(h1);
	int status = 0;
	if (sscanf(line, "HTTP/1.1 %3d", &status) != 1)
		fail_msg("not an HTTP/1.1 status line: %s", line);
	free(line);
	while ((line = h1_take_line(h1)) != NULL && *line != '\0') {
		if (status >= 200)
			h1_add_header(h1, line, strlen(line));
		free(line);
	}
	free(line);
	if (status >= 200) { /* 1xx are stepped over */
		h1->answer.status = status;
		h1_choose_body(h1);
	}
	return true;
}

static bool h1_read_chunk_size(struct h1 *h1)
{
	char *line = h1_take_line(h1);
	if (line == NULL)
		return false;
	char *rest;
	h1->left = strtoul(line, &rest, 16);
	if (rest == line || *rest != '\0')
		fail_msg("not a chunk size: «%s»", line);
	free(line);
	h1->chunk_at = h1->answer.body.len;
	h1->state = h1->left == 0 ? H1_TRAILERS : H1_CHUNK_DATA;
	return true;
}

static bool h1_read_empty_line(struct h1 *h1, enum h1_state next)
{
	char *line = h1_take_line(h1);
	if (line == NULL)
		return false;
	if (*line != '\0')
		fail_msg("expected an empty line, got «%s»", line);
	free(line);
	if (h1->state == H1_CHUNK_END)
		answer_add_piece(&h1->answer, h1->chunk_at, h1->answer.body.len - h1->chunk_at);
	h1->state = next;
	return true;
}

static bool h1_read_bytes(struct h1 *h1, enum h1_state next)
{
	if (h1->in.len == 0)
		return false;
	size_t take = h1->in.len < h1->left ? h1->in.len : h1->left;
	if (next != H1_CHUNK_END)
		answer_add_piece(&h1->answer, h1->answer.body.len, take);
	bytes_append(&h1->answer.body, h1->in.at, take);
	bytes_drop(&h1->in, take);
	h1->left -= take;
	if (h1->left == 0)
		h1->state = next;
	return true;
}

/* One step of understanding; false when more bytes are needed. */
static bool h1_step(struct h1 *h1)
{
	switch (h1->state) {
	case H1_HEAD:
		return h1_read_head(h1);
	case H1_LENGTH:
		return h1_read_bytes(h1, H1_DONE);
	case H1_CHUNK_SIZE:
		return h1_read_chunk_size(h1);
	case H1_CHUNK_DATA:
		return h1_read_bytes(h1, H1_CHUNK_END);
	case H1_CHUNK_END:
		return h1_read_empty_line(h1, H1_CHUNK_SIZE);
	case H1_TRAILERS:
		return h1_read_empty_line(h1, H1_DONE);
	case H1_UNTIL_CLOSE:
		h1->left = SIZE_MAX;
		return h1_read_bytes(h1, H1_UNTIL_CLOSE);
	case H1_DONE:
		break;
	}
	return false;
}

static void h1_on_end(struct h1 *h1, bool clean)
{
	if (h1->state == H1_UNTIL_CLOSE && clean)
		h1->answer.ended = true;
	else
		h1->answer.broken = true;
}

static bool h1_read(struct h1 *h1)
{
	char block[65536];
	while (h1_step(h1)) {
	}
	if (h1->state == H1_DONE) {
		h1->answer.ended = true;
		return true;
	}
	ssize_t got = wire_read(&h1->wire, block, sizeof block);
	if (got == WIRE_AGAIN)
		return false;
	if (got <= 0) {
		h1_on_end(h1, got == 0);
		return true;
	}
	bytes_append(&h1->in, block, (size_t)got);
	while (h1_step(h1)) {
	}
	h1->answer.ended = h1->state == H1_DONE;
	return true;
}

bool h1_pump(struct h1 *h1)
{
	if (h1_over(h1))
		return false;
	bool moved = h1_read(h1);
	if (h1_over(h1))
		h1_record(h1, h1->wire.fd < 0);
	return moved;
}

static void h1_wait(struct h1 *h1, const char *what)
{
	if (!h1_pump(h1) && !wire_wait(&h1->wire, HANG_GUARD_MS))
		fail_msg("gave up waiting for %s; status %d, body so far:\n%.2000s", what, h1->answer.status,
			 bytes_text(&h1->answer.body));
}

void h1_wait_head(struct h1 *h1)
{
	while (h1->answer.status == 0 && !h1_over(h1))
		h1_wait(h1, "the head");
}

static size_t h1_complete_bytes(const struct h1 *h1)
{
	return h1->state == H1_CHUNK_DATA || h1->state == H1_CHUNK_END ? h1->chunk_at : h1->answer.body.len;
}

void h1_wait_body(struct h1 *h1, size_t len)
{
	while (h1_complete_bytes(h1) < len && !h1_over(h1))
		h1_wait(h1, "the body");
}

void h1_wait_end(struct h1 *h1)
{
	while (!h1_over(h1))
		h1_wait(h1, "the end of the answer");
}
