/* SPDX-License-Identifier: MIT */
/* HTTP/1.1 as a client: one request at a time on a connection, bodies by length, chunks or the connection's end. */
#include "tests/bench/load/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HEAD_MOST = 16384, READ_SIZE = 65536 };

enum h1_state {
	H1_HEAD,
	H1_LENGTH,      /* `left` bytes of the body */
	H1_CHUNK_SIZE,  /* within the line with the size of a chunk */
	H1_CHUNK_DATA,  /* `left` bytes of the chunk */
	H1_CHUNK_END,   /* its CRLF */
	H1_TRAILER,     /* behind the last chunk, up to a blank line */
	H1_UNTIL_CLOSE, /* the rest of the connection */
};

struct h1 {
	enum h1_state state;
	bool closes; /* the answer says that its connection ends with it */
	uint64_t left;
	size_t line; /* bytes of the trailer's line */
	size_t head_len;
	char head[HEAD_MOST + 1];
};

/* In a body: where a number of the request is to stand. HTTP/1.1 only. */
#define NUMBER_MARK "########"
enum { NUMBER_DIGITS = sizeof(NUMBER_MARK) - 1 };

void h1_setup(struct load *load)
{
	const struct options *options = &load->options;
	const char *extra = options->header != NULL ? options->header : "";
	size_t room = options->body_len + strlen(extra) + strlen(options->path) + 512;
	load->head = malloc(room);
	if (load->head == NULL)
		load_fail("out of memory");
	int len = snprintf(load->head, room,
			   "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s%sContent-Type: application/json\r\n"
			   "Content-Length: %zu\r\n\r\n",
			   options->method, options->path, options->port, extra, *extra != '\0' ? "\r\n" : "",
			   options->body_len);
	if (options->body_len > 0)
		memcpy(load->head + len, options->body, options->body_len);
	load->head_len = (size_t)len + options->body_len;
	load->number = memmem(load->head, load->head_len, NUMBER_MARK, NUMBER_DIGITS);
}

/* The bytes of each request differ in the number that stands where the mark was. */
static void number_request(struct load *load)
{
	char digits[NUMBER_DIGITS + 1];
	if (load->number == NULL)
		return;
	snprintf(digits, sizeof digits, "%0*u", NUMBER_DIGITS, load->numbered++ % 100000000U);
	memcpy(load->number, digits, NUMBER_DIGITS);
}

void h1_create(struct conn *conn)
{
	conn->h1 = calloc(1, sizeof *conn->h1);
	if (conn->h1 == NULL)
		load_fail("out of memory");
}

void h1_reset(struct conn *conn)
{
	conn->h1->state = H1_HEAD;
	conn->h1->head_len = 0;
}

void h1_begin(struct slot *slot)
{
	struct conn *conn = slot->conn;
	h1_reset(conn);
	number_request(conn->load);
	if (!conn_send(conn, conn->load->head, conn->load->head_len))
		conn_reopen(conn);
}

void h1_writable(struct conn *conn)
{
	if (!conn_flush(conn))
		conn_reopen(conn);
}

/* The value of a header in a head, or NULL. name is in lower case with its colon. */
static const char *find_header(const char *head, const char *name)
{
	size_t len = strlen(name);
	for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n"))
		if (strncasecmp(line + 2, name, len) == 0)
			return line + 2 + len + strspn(line + 2 + len, " ");
	return NULL;
}

static void end_answer(struct conn *conn)
{
	if (conn->h1->closes) {
		slot_done(&conn->slots[0], true);
		conn_reopen(conn);
		return;
	}
	h1_reset(conn);
	slot_done(&conn->slots[0], true);
}

static void read_head(struct conn *conn)
{
	struct h1 *h1 = conn->h1;
	const char *coding = find_header(h1->head, "transfer-encoding:");
	const char *length = find_header(h1->head, "content-length:");
	const char *connection = find_header(h1->head, "connection:");
	if (strncmp(h1->head, "HTTP/1.", 7) != 0)
		load_fail("not an HTTP/1 answer: %.40s", h1->head);
	conn->slots[0].status = atoi(h1->head + 9);
	h1->closes = (connection != NULL && strncasecmp(connection, "close", 5) == 0) || h1->head[7] == '0';
	h1->left = 0;
	if (coding != NULL && strncasecmp(coding, "chunked", 7) == 0)
		h1->state = H1_CHUNK_SIZE;
	else if (length != NULL)
		h1->state = H1_LENGTH, h1->left = strtoull(length, NULL, 10);
	else
		h1->state = H1_UNTIL_CLOSE;
	if (h1->state == H1_LENGTH && h1->left == 0)
		end_answer(conn);
}

/* Takes what belongs to the head; returns how much that was. */
static size_t take_head(struct conn *conn, const char *data, size_t len)
{
	struct h1 *h1 = conn->h1;
	size_t before = h1->head_len;
	size_t take = len < HEAD_MOST - before ? len : HEAD_MOST - before;
	memcpy(h1->head + before, data, take);
	h1->head[before + take] = '\0';
	char *end = strstr(h1->head + (before > 3 ? before - 3 : 0), "\r\n\r\n");
	if (end == NULL) {
		if (before + take == HEAD_MOST)
			load_fail("the head of an answer is too long");
		h1->head_len += take;
		return take;
	}
	end[2] = '\0';
	size_t used = (size_t)(end + 4 - h1->head) - before;
	h1->head_len = 0;
	read_head(conn);
	return used;
}

/* Bytes of a body or chunk whose length is known. */
static size_t take_known(struct conn *conn, const char *data, size_t len)
{
	struct h1 *h1 = conn->h1;
	size_t take = len < h1->left ? len : (size_t)h1->left;
	slot_body(&conn->slots[0], data, take);
	h1->left -= take;
	if (h1->left == 0 && h1->state == H1_CHUNK_DATA)
		h1->state = H1_CHUNK_END;
	else if (h1->left == 0)
		end_answer(conn);
	return take;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte between the data of chunks. */
static void take_frame_byte(struct conn *conn, char c)
{
	struct h1 *h1 = conn->h1;
	if (h1->state == H1_CHUNK_END) {
		if (c == '\n')
			h1->state = H1_CHUNK_SIZE, h1->left = 0;
	} else if (h1->state == H1_CHUNK_SIZE) {
		if (hex_value(c) >= 0)
			h1->left = h1->left * 16 + (uint64_t)hex_value(c);
		else if (c == '\n')
			h1->state = h1->left == 0 ? H1_TRAILER : H1_CHUNK_DATA, h1->line = 0;
	} else if (c == '\n') {
		if (h1->line == 0)
			end_answer(conn);
		h1->line = 0;
	} else if (c != '\r') {
		h1->line++;
	}
}

static size_t take(struct conn *conn, const char *data, size_t len)
{
	switch (conn->h1->state) {
	case H1_HEAD:
		return take_head(conn, data, len);
	case H1_LENGTH:
	case H1_CHUNK_DATA:
		return take_known(conn, data, len);
	case H1_UNTIL_CLOSE:
		slot_body(&conn->slots[0], data, len);
		return len;
	default:
		take_frame_byte(conn, *data);
		return 1;
	}
}

void h1_readable(struct conn *conn)
{
	static char data[READ_SIZE];
	long got = conn_read(conn, data, sizeof data);
	if (got == 0)
		return;
	if (got < 0) {
		slot_done(&conn->slots[0], conn->h1->state == H1_UNTIL_CLOSE);
		conn_reopen(conn);
		return;
	}
	for (size_t used = 0; used < (size_t)got;) {
		if (conn->slots[0].state == SLOT_FREE)
			load_fail("bytes behind the end of an answer");
		used += take(conn, data + used, (size_t)got - used);
	}
}
