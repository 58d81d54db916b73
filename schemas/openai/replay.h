/* SPDX-License-Identifier: MIT */
/*
 * A whole answer that is kept, given once more: as it is but with an id and a
 * time of its own, or as the chunks of a stream. What schemas/assembly.h
 * makes of those chunks says the same as the whole answer.
 */
#ifndef SLUICE_SCHEMAS_OPENAI_REPLAY_H
#define SLUICE_SCHEMAS_OPENAI_REPLAY_H

#include "lib/buf.h"
#include "schemas/dialect.h"
#include "schemas/openai/request.h"

/* Returns the marks of a whole answer. */
struct answer_marks openai_replay_marks(const struct json *json);

/* Appends the whole answer with the fresh id and time; other bytes stay. The body is not read. False when out of
 * memory. */
bool openai_replay_whole(const struct answer_replay *replay, struct buf *out);

/*
 * Gives the data of each chunk to emit, in order, until that returns false. scratch: for all of it. False when the body
 * is no answer with choices, memory ran out, or emit returned false.
 */
bool openai_replay_chunks(const struct answer_replay *replay, struct arena *scratch,
			  bool (*emit)(void *context, struct span data, unsigned carries), void *context);

/*
 * Appends the stream that the whole answer amounts to: its chunks as server-sent events, and the end. *events: how many
 * chunks; may be NULL. Thread-safe. False as openai_replay_chunks, or when out does not take it.
 */
bool openai_replay_stream(const struct answer_replay *replay, struct buf *out, uint64_t *events);

#endif
