/* SPDX-License-Identifier: MIT */
/*
 * HTTP/2 as an attacker speaks it: frames written byte by byte, with no library
 * that would refuse to, and what the peer says to them.
 */
#ifndef SLUICE_TESTS_HARNESS_FRAMES_H
#define SLUICE_TESTS_HARNESS_FRAMES_H

#include "tests/scenario/harness/bytes.h"
#include "tests/scenario/harness/wire.h"

enum frame_type {
	FRAME_DATA,
	FRAME_HEADERS,
	FRAME_PRIORITY,
	FRAME_RST_STREAM,
	FRAME_SETTINGS,
	FRAME_PUSH_PROMISE,
	FRAME_PING,
	FRAME_GOAWAY,
	FRAME_WINDOW_UPDATE,
	FRAME_CONTINUATION,
	FRAME_TYPES
};

enum { FRAME_END_STREAM = 1, FRAME_END_HEADERS = 4, H2_ENHANCE_YOUR_CALM = 11 };

struct frames {
	struct wire wire;
	struct bytes in;
	bool closed;
	bool goaway;
	unsigned goaway_code;
	unsigned seen[FRAME_TYPES]; /* frames that came, by type */
	unsigned last_reset;        /* code of the last RST_STREAM */
};

/* Connects in cleartext and sends the preface with an initial window of so many bytes. */
void frames_open(struct frames *frames, int port, unsigned window);
void frames_close(struct frames *frames);

/* Appends one frame to text. */
void frame_put(struct bytes *text, enum frame_type type, unsigned flags, unsigned id, const void *payload, size_t len);
/* Appends a request head in literal fields; length: of content-length, -1 = none. */
void frame_put_head(struct bytes *text, unsigned id, unsigned flags, const char *method, const char *path, long length);
void frame_put_window(struct bytes *text, unsigned id, unsigned more);

/* Sends it; false when the peer has closed. */
bool frames_send(struct frames *frames, const struct bytes *text);
/* Reads what is there without waiting. */
void frames_read(struct frames *frames);
/* Waits (hang guard) until the peer has closed, or count frames of that type came. */
void frames_wait_closed(struct frames *frames);
void frames_wait(struct frames *frames, enum frame_type type, unsigned count);

#endif
