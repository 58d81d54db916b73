/* SPDX-License-Identifier: MIT */
/* Several answers become one, streamed or whole; and the usage that ends it. */
#ifndef SLUICE_SCHEMAS_OPENAI_ANSWER_MERGE_H
#define SLUICE_SCHEMAS_OPENAI_ANSWER_MERGE_H

#include "schemas/dialect.h"

/*
 * Appends chunk data (repaired or as it came) rewritten for its lane: id, model, each choice's index and
 * sluice_target; other bytes stay. False when data is not a chunk with choices.
 */
bool openai_chunk_write_lane(struct span data, const struct answer_lane *lane, struct arena *scratch, struct buf *out);

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
