/* SPDX-License-Identifier: MIT */
/*
 * A frame-level HTTP/2 client on nghttp2: many streams on one connection, every
 * DATA frame's borders visible, the windows in the test's hands when it wants.
 * Prior knowledge in cleartext, ALPN over TLS.
 */
#ifndef SLUICE_TESTS_HARNESS_H2_H
#define SLUICE_TESTS_HARNESS_H2_H

#include <nghttp2/nghttp2.h>

#include "tests/scenario/harness/answer.h"
#include "tests/scenario/harness/wire.h"

struct h2_stream {
	int32_t id;
	struct bytes request_body;
	size_t request_sent;
	size_t request_limit; /* bytes of the body to send before the sending stalls */
	bool continued;       /* 100 Continue came */
	struct answer answer;
	char *method; /* of the request, for the record */
	char *path;
	struct bytes request_head;
	bool left; /* cancelled by us */
	bool recorded;
	struct h2_stream *next;
};

struct h2 {
	struct wire wire;
	nghttp2_session *session;
	struct h2_stream *streams; /* newest first */
	struct bytes out;          /* serialised, not yet written */
	bool broken;               /* the connection ended */
	bool goaway;               /* the peer said GOAWAY */
	bool silent;               /* its streams are not for the record */
	uint32_t goaway_code;
	uint32_t peer_max_streams;
	bool withhold; /* requests from now on send half of their body and no more */
};

enum {
	H2_TLS = 1,
	H2_OWN_WINDOWS = 2, /* no automatic WINDOW_UPDATE: h2_consume_… give credit */
	H2_WIDE = 4,        /* big windows: 16 MiB for the connection, 1 MiB per stream */
};

/* Connects to 127.0.0.1:port and exchanges SETTINGS. */
void h2_open(struct h2 *h2, int port, unsigned options);
void h2_close(struct h2 *h2);

struct h2_header {
	const char *name;
	const char *value;
};

/* Starts a request. body NULL: none; else with its length and, unless headers name another, type JSON. headers: extra
 * fields up to {NULL, NULL}, or NULL. The stream is owned by h2. */
struct h2_stream *h2_request(struct h2 *h2, const char *method, const char *path, const struct h2_header *headers,
			     const char *body);
/* The same with a body of any bytes. */
struct h2_stream *h2_request_bytes(struct h2 *h2, const char *method, const char *path, const struct h2_header *headers,
				   const char *body, size_t len);
struct h2_stream *h2_post(struct h2 *h2, const char *path, const char *body);

/* Sends what is queued and reads what is there, without waiting; false when there was nothing to read. */
bool h2_pump(struct h2 *h2);

/* Wait (hang guard) for: the head; at least len bytes of body; the end of the stream, clean or broken. */
void h2_wait_head(struct h2 *h2, struct h2_stream *stream);
void h2_wait_body(struct h2 *h2, struct h2_stream *stream, size_t len);
void h2_wait_end(struct h2 *h2, struct h2_stream *stream);

/* Waits (hang guard) for 100 Continue. */
void h2_wait_continue(struct h2 *h2, struct h2_stream *stream);

/* Sends what was withheld of the body. */
void h2_send_rest(struct h2 *h2, struct h2_stream *stream);

/* RST_STREAM with CANCEL, written before it returns. */
void h2_cancel(struct h2 *h2, struct h2_stream *stream);

/* With H2_OWN_WINDOWS: give back credit for len bytes, to a stream or to the connection. */
void h2_consume_stream(struct h2 *h2, struct h2_stream *stream, size_t len);
void h2_consume_connection(struct h2 *h2, size_t len);
/* Sends WINDOW_UPDATE for the connection and the stream at once, however little it is. */
void h2_widen(struct h2 *h2, struct h2_stream *stream, size_t len);

void h2_goaway(struct h2 *h2);

/* Bytes past nghttp2: any frame, well-formed or not. */
void h2_send_raw(struct h2 *h2, const void *frame, size_t len);

/* Frees one finished stream, so that long runs stay small. */
void h2_forget(struct h2 *h2, struct h2_stream *stream);

#endif
