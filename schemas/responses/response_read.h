/* SPDX-License-Identifier: MIT */
/*
 * Answers of backends of the Responses dialect: the events of a stream, and whole responses. Text, refusals, reasoning
 * and calls of functions and custom tools become deltas; what has no delta (annotations, tools that the backend runs,
 * encrypted reasoning, unknown items) is left to the bytes that came.
 */
#ifndef SLUICE_SCHEMAS_RESPONSES_RESPONSE_READ_H
#define SLUICE_SCHEMAS_RESPONSES_RESPONSE_READ_H

#include "schemas/dialect.h"

enum { RESPONSES_ITEMS = 256, RESPONSES_ID_SIZE = 128 };

/* What of an item was told. */
struct responses_heard {
	int16_t tool;    /* which call it is, from 1; 0 = it is none */
	bool argued;     /* arguments came */
	bool reasoned;   /* its reasoning came */
	bool summarised; /* a summary of it came, instead */
};

/* What must be remembered of a stream. */
struct responses_reader {
	bool begun;                                    /* the role was told */
	bool finished;                                 /* a terminal event came */
	bool usage_next;                               /* of a terminal event that was read once */
	int16_t calls;                                 /* so far */
	struct responses_heard items[RESPONSES_ITEMS]; /* by their places in the output */
	size_t id_len, model_len;
	char id[RESPONSES_ID_SIZE], model[RESPONSES_ID_SIZE];
	int64_t created;
};

void responses_reader_begin(struct responses_reader *reader);

/* As stream_read of struct dialect: `told` is filled in. The stream ends by [DONE], or where the transfer does. */
enum stream_step responses_reader_read(struct responses_reader *reader, const struct sse_event *sse,
				       struct arena *scratch, struct answer_reading *reading);

/* As answer_read of struct dialect: `told` is filled in. */
bool responses_response_read(struct span body, struct arena *scratch, struct answer_reading *reading);

#endif
