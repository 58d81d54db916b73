/* SPDX-License-Identifier: MIT */
/*
 * Answers of the OpenAI dialect, streamed (one chunk per SSE event) and whole:
 * what they carry, and the repairs that the chunks of some engines need.
 */
#ifndef SLUICE_SCHEMAS_OPENAI_ANSWER_READ_H
#define SLUICE_SCHEMAS_OPENAI_ANSWER_READ_H

#include "lib/json.h"
#include "schemas/dialect.h"
#include "schemas/openai/error_read.h"
#include "schemas/openai/openai.h"

enum {
	OPENAI_CHOICES_TRACKED = 128,
};

/* What must be remembered from chunk to chunk of one stream. Zero-initialise, then set endpoint. */
struct openai_stream {
	enum endpoint endpoint;
	uint64_t role_seen[OPENAI_CHOICES_TRACKED / 64];   /* bit per choice index that has begun */
	uint64_t finish_seen[OPENAI_CHOICES_TRACKED / 64]; /* bit per choice index that has finished */
	uint8_t tool_calls[OPENAI_CHOICES_TRACKED];        /* tool calls begun, per choice index */
};

/*
 * Reads the data of one SSE event (not "[DONE]"). scratch: an arena for the
 * nodes and the repaired bytes, reset by the caller between events. False when
 * data is not a JSON object, or one of too many values. Repairs (chat only): the first delta of a choice
 * gets "role":"assistant" when it lacks one; a tool call of a delta gets
 * "index" (its position) when it lacks one. Bytes around a repair stay as they
 * are.
 */
bool openai_chunk_read(struct openai_stream *stream, struct span data, struct arena *scratch,
		       struct answer_reading *chunk);

/* Returns how many choices have finished. */
int64_t openai_stream_finished(const struct openai_stream *stream);

/* True when at least one choice began or finished and every one that began has finished. */
bool openai_stream_is_finished(const struct openai_stream *stream);

/* Reads a whole answer of an endpoint. False when it is not a JSON object. */
bool openai_answer_read(enum endpoint endpoint, struct span body, struct arena *scratch, struct answer_reading *answer);

#endif
