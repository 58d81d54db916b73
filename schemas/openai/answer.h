/* SPDX-License-Identifier: MIT */
/*
 * Answers of the OpenAI dialect, streamed (one chunk per SSE event) and whole:
 * what they carry, the repairs some engines need, and the merging of several
 * answers into one.
 */
#ifndef SLUICE_SCHEMAS_OPENAI_ANSWER_H
#define SLUICE_SCHEMAS_OPENAI_ANSWER_H

#include "lib/json.h"
#include "schemas/dialect.h"
#include "schemas/openai/openai.h"
#include "schemas/openai/error.h"

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

/*
 * Appends chunk data (repaired or as it came) rewritten for its lane: id, model, each choice's index and
 * sluice_target; other bytes stay. False when data is not a chunk with choices.
 */
bool openai_chunk_write_lane(struct span data, const struct answer_lane *lane, struct arena *scratch, struct buf *out);

/* Reads a whole answer of an endpoint. False when it is not a JSON object. */
bool openai_answer_read(enum endpoint endpoint, struct span body, struct arena *scratch, struct answer_reading *answer);

/*
 * Appends one whole answer made of several: members of the first, "choices" of
 * all in order, re-indexed, each with sluice_target; "usage" summed; "id" and "model" from
 * lanes[0]. bodies[i] belongs to lanes[i] (their index_base is set here). Chat and completions only.
 * False when a body is not a JSON object with choices.
 */
bool openai_answers_merge(const struct span *bodies, struct answer_lane *lanes, size_t count, struct arena *scratch,
			  struct buf *out);

/*
 * Appends a whole answer with usage in place of its own; other bytes stay. Nothing of usage known: as it is. False when
 * the body is not a JSON object with choices.
 */
bool openai_answer_write_usage(struct span body, const struct usage *usage, struct arena *scratch, struct buf *out);

/* Appends usage as an object with all the counts a client expects; an unknown one is 0, an unknown total the sum. */
void openai_usage_write(struct buf *out, enum endpoint endpoint, const struct usage *usage);

/* Appends a final usage chunk's data: id, object and model as given, created in Unix seconds, empty choices, usage. */
void openai_usage_chunk_write(struct buf *out, enum endpoint endpoint, struct span id, struct span model,
			      int64_t created, const struct usage *usage);

#endif
