/* SPDX-License-Identifier: MIT */
/*
 * A raw HTTP/1.1 client: sends exactly the bytes it is told and reads answers
 * strictly (no bare LF, no sloppy chunk sizes), keeping every chunk's borders
 * visible. One connection, any number of answers one after the other.
 */
#ifndef SLUICE_TESTS_HARNESS_H1_H
#define SLUICE_TESTS_HARNESS_H1_H

#include "tests/scenario/harness/answer.h"
#include "tests/scenario/harness/wire.h"

enum h1_state { H1_HEAD, H1_LENGTH, H1_CHUNK_SIZE, H1_CHUNK_DATA, H1_CHUNK_END, H1_TRAILERS, H1_UNTIL_CLOSE, H1_DONE };

struct h1 {
	struct wire wire;
	struct bytes in; /* received, not yet understood */
	enum h1_state state;
	size_t left;       /* bytes left of the body or chunk */
	size_t chunk_at;   /* where in the body the chunk began */
	bool head_only;    /* the request was HEAD */
	bool silent;       /* not for the record */
	bool recorded;     /* this answer is */
	struct bytes sent; /* and not yet recorded */
	struct answer answer;
};

/* Connects to 127.0.0.1:port. tls: with TLS and ALPN http/1.1. */
void h1_open(struct h1 *h1, int port, bool tls);

/* Frees everything; closes the connection when it is still open. */
void h1_close(struct h1 *h1);

/* All that is sent goes through one of these: past them it is not recorded. */
void h1_send_bytes(struct h1 *h1, const void *from, size_t len);
void h1_send(struct h1 *h1, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A whole POST with Content-Length and Content-Type: application/json. headers: more lines, each with CRLF, or "". */
void h1_post(struct h1 *h1, const char *path, const char *headers, const char *body);
void h1_get(struct h1 *h1, const char *path);

/* Reads what is there without waiting and understands it; false when there was nothing. */
bool h1_pump(struct h1 *h1);

/* Wait (hang guard) for: the head; at least len bytes of complete chunks; the end, clean or broken. */
void h1_wait_head(struct h1 *h1);
void h1_wait_body(struct h1 *h1, size_t len);
void h1_wait_end(struct h1 *h1);

/* Forgets the answer, ready for the next one on the same connection. */
void h1_next(struct h1 *h1);

#endif
