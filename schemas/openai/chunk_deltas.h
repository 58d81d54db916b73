/* SPDX-License-Identifier: MIT */
/* The one reader of what the choices of a chunk, or of a whole answer, say (schemas/event.h). */
#ifndef SLUICE_SCHEMAS_OPENAI_CHUNK_DELTAS_H
#define SLUICE_SCHEMAS_OPENAI_CHUNK_DELTAS_H

#include "lib/json.h"
#include "schemas/event.h"

/*
 * Reads the deltas of all choices, in the order of the document; node is that of a text's value. Of a chat they stand
 * in "delta" or "message", of a completion in the choice itself. Members that hold nothing are left out.
 * False when the document has no array of choices, or when memory ran out.
 */
bool openai_deltas_read(const struct json *json, struct arena *arena, struct deltas *deltas);

/* Returns what a member of a delta or message is; PART_OPAQUE: only the dialect knows. */
enum part openai_part_of(const struct json *json, uint32_t key);

/* Reads the identity of a chunk or a whole answer. In the arena. */
void openai_identity_read(const struct json *json, struct arena *arena, struct answer_identity *identity);

#endif
