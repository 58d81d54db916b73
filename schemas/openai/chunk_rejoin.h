/* SPDX-License-Identifier: MIT */
/* Chunks of one answer that become part of another (service/answer/joint.h). */
#ifndef SLUICE_SCHEMAS_OPENAI_CHUNK_REJOIN_H
#define SLUICE_SCHEMAS_OPENAI_CHUNK_REJOIN_H

#include "lib/json.h"
#include "schemas/event.h"

/*
 * Returns the data of a chunk as a part of the answer with that identity: its id, created and model become those, it
 * has no role, and of the text of delta i the first heard[i] bytes are left out; heard: NULL = of none. Other bytes
 * stay. In the arena; {NULL,0} when memory ran out. deltas: of json.
 */
struct span openai_chunk_rejoin(const struct json *json, const struct deltas *deltas, const size_t *heard,
				const struct answer_identity *identity, struct arena *arena);

#endif
