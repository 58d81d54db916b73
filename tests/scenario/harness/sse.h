/* SPDX-License-Identifier: MIT */
/*
 * A minimal reader of server-sent events for judging what a client received. It
 * shares no code with schemas/sse.c on purpose. It reads what Sluice promises
 * to write: LF line ends, and blocks of data lines and comments.
 */
#ifndef SLUICE_TESTS_HARNESS_SSE_H
#define SLUICE_TESTS_HARNESS_SSE_H

#include "tests/scenario/harness/bytes.h"

struct sse {
	char **data;  /* of each event, NUL-terminated */
	char **names; /* of each event; NULL = it has none */
	size_t count;
	bool named;      /* the names of events are noted: set it before reading */
	bool after_cr;   /* a LF may belong to the line before */
	char *next_name; /* of the event that is being read */
	size_t comments;
	size_t read; /* bytes understood so far: always the end of a line */
	struct bytes pending;
};

/* Reads on from where it stopped: body is the whole body so far. Fails the test on what is not SSE. */
void sse_read(struct sse *sse, const struct bytes *body);
void sse_free(struct sse *sse);

/* Bytes behind the last complete event: 0 when the body ends where an event ends. */
size_t sse_rest(const struct sse *sse, const struct bytes *body);

/* The last event is [DONE]. */
bool sse_is_done(const struct sse *sse);

/* Appends choices[index].delta.content (or .text) of all events to text; checks that each is JSON. */
void sse_text(const struct sse *sse, int index, struct bytes *text);

/*
 * Fails unless choice index holds exactly the first tokens of the simulator's
 * model "count" (" 0", " 1", …, each perhaps padded with _): none lost, doubled
 * or out of order.
 */
void check_sse_counted(const struct sse *sse, int index, size_t tokens);

/*
 * Fails unless the stream is one that broke: its last event is an error in
 * OpenAI's shape with that code, no [DONE], and no finish_reason anywhere.
 */
void check_sse_error(const struct bytes *body, const char *code);

/* Fails unless the stream is whole: [DONE] last and once, and one finish_reason per choice. */
void check_sse_whole(const struct bytes *body, int choices);

#endif
