/* SPDX-License-Identifier: MIT */
/* Chunks written from deltas, of answers that came in another dialect. */
#ifndef SLUICE_SCHEMAS_OPENAI_CHUNK_WRITE_H
#define SLUICE_SCHEMAS_OPENAI_CHUNK_WRITE_H

#include "lib/buf.h"
#include "schemas/endpoint.h"
#include "schemas/event.h"

/* Appends the data of a chunk of a chat with those deltas of one choice, at most one for each part and tool. */
void openai_chunk_write(struct buf *out, enum endpoint endpoint, const struct answer_identity *identity,
			const struct deltas *deltas);

#endif
