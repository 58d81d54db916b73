/* SPDX-License-Identifier: MIT */
/*
 * Answers of backends of the Anthropic dialect: the events of a stream, and whole messages. Text, thinking and calls of
 * tools become deltas; what has no delta (signatures, citations, tools that the backend runs, unknown blocks) is left
 * to the bytes that came.
 */
#ifndef SLUICE_SCHEMAS_ANTHROPIC_MESSAGE_READ_H
#define SLUICE_SCHEMAS_ANTHROPIC_MESSAGE_READ_H

#include "schemas/anthropic/tool_blocks.h"
#include "schemas/anthropic/usage_read.h"
#include "schemas/dialect.h"

enum { ANTHROPIC_ID_SIZE = 128 };

/* What must be remembered of a stream. */
struct anthropic_reader {
	struct anthropic_usage usage;
	bool stopped;    /* message_stop came */
	bool finished;   /* why it ends was told */
	bool usage_next; /* of a message_delta that was read once */
	struct tool_blocks tools;
	size_t id_len, model_len;
	char id[ANTHROPIC_ID_SIZE], model[ANTHROPIC_ID_SIZE];
};

void anthropic_reader_begin(struct anthropic_reader *reader);

/* As stream_read of struct dialect: deltas and identity are filled in. */
enum stream_step anthropic_reader_read(struct anthropic_reader *reader, const struct sse_event *sse,
				       struct arena *scratch, struct answer_reading *reading);

/* Returns whether the stream came to its end, and said why. */
bool anthropic_reader_is_finished(const struct anthropic_reader *reader);

/* As answer_read of struct dialect: deltas and identity are filled in. */
bool anthropic_message_read(struct span body, struct arena *scratch, struct answer_reading *reading);

/* Reads the body of an error, or the data of an event that reports one. False when it says nothing. */
bool anthropic_error_read(struct span body, struct arena *arena, struct backend_error *error);

#endif
