/* SPDX-License-Identifier: MIT */
/*
 * A scripted raw backend in threads of the test: it accepts, reads one request,
 * then does exactly what the script says, byte by byte, waiting at gates that
 * the test opens. It records every request verbatim and when the peer left.
 * Nothing in it sleeps.
 */
#ifndef SLUICE_TESTS_HARNESS_BACKEND_H
#define SLUICE_TESTS_HARNESS_BACKEND_H

#include <stdint.h>

#include "tests/scenario/harness/bytes.h"

enum step_kind {
	STEP_END,   /* end of the script: waits until the peer leaves */
	STEP_SEND,  /* sends bytes in one write */
	STEP_FLOOD, /* sends bytes again and again, count times, or until the peer leaves */
	STEP_GATE,  /* waits until the test opens it: gate number count */
	STEP_DRAIN, /* waits until the peer has read everything: what is sent next is a read of its own */
	STEP_AGAIN, /* reads another request on the same connection and starts the next script */
	STEP_FIN,   /* closes the connection */
	STEP_RST,   /* resets it */
};

struct step {
	enum step_kind kind;
	const char *bytes;
	size_t len;   /* 0: strlen(bytes) */
	size_t count; /* of STEP_FLOOD; of STEP_GATE */
};

#define SEND(text)                    \
	{                             \
		STEP_SEND, text, 0, 0 \
	}
#define SEND_BYTES(at, len)           \
	{                             \
		STEP_SEND, at, len, 0 \
	}
#define FLOOD(text, count)                 \
	{                                  \
		STEP_FLOOD, text, 0, count \
	}
#define GATE                          \
	{                             \
		STEP_GATE, NULL, 0, 0 \
	}
#define DRAIN                          \
	{                              \
		STEP_DRAIN, NULL, 0, 0 \
	}
#define AGAIN                          \
	{                              \
		STEP_AGAIN, NULL, 0, 0 \
	}
#define FIN                          \
	{                            \
		STEP_FIN, NULL, 0, 0 \
	}
#define RST                          \
	{                            \
		STEP_RST, NULL, 0, 0 \
	}
#define SCRIPT_END                   \
	{                            \
		STEP_END, NULL, 0, 0 \
	}

/* The head of a stream in chunked coding is a bother to script; close-delimited is as good. */
#define STREAM_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"

struct backend;

/* Listens on a free port of 127.0.0.1. Ended at tear-down. */
struct backend *backend_start(void);

int backend_port(const struct backend *backend);

/*
 * The script for the requests to come: the first request gets the first script
 * added, the next the next, and the last script serves all the rest. steps: to
 * SCRIPT_END, AGAIN, FIN or RST; they and their bytes are copied.
 */
void backend_script(struct backend *backend, const struct step *steps);

/* Adds the plainest script: 200 with that body and its length, the connection stays open for the next request. */
void backend_reply(struct backend *backend, const char *content_type, const char *body);

enum { BACKEND_GATES = 2 };

/* Opens one gate, now or when it is reached: gate 0, or any. Of several that wait for the same one, any goes on. */
void backend_open_gate(struct backend *backend);
void backend_open_gate_of(struct backend *backend, size_t gate);

/* Requests read so far; waits (hang guard) until there are at least that many. */
size_t backend_requests(struct backend *backend);
void backend_wait_requests(struct backend *backend, size_t count);

/* Appends head and body of request index, verbatim; body alone. */
void backend_request(struct backend *backend, size_t index, struct bytes *text);
void backend_request_body(struct backend *backend, size_t index, struct bytes *body);

/* When the peer of request index left, on clock_us; waits for it (hang guard). */
uint64_t backend_wait_left(struct backend *backend, size_t index);

/* Connections accepted so far. */
size_t backend_connections(struct backend *backend);

#endif
