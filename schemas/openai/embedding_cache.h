/* SPDX-License-Identifier: MIT */
/*
 * Embeddings in parts: the inputs of a request one by one, the request for only some of them, the form in which a
 * vector is kept, and an answer made of vectors that came at several times (vectors.h takes a backend's answer
 * apart). Vectors stay the backend's own JSON text: neither numbers nor base64 are ever read.
 */
#ifndef SLUICE_SCHEMAS_OPENAI_EMBEDDING_CACHE_H
#define SLUICE_SCHEMAS_OPENAI_EMBEDDING_CACHE_H

#include "lib/buf.h"
#include "schemas/embeddings.h"
#include "schemas/openai/request.h"

/* ---- the request ---- */

/*
 * False when the request has no inputs that can be told apart: messages instead, an array of tokens and texts, or more
 * than EMBEDDING_INPUTS_MOST.
 * request: validated.
 */
bool openai_inputs_read(const struct request *request, struct embedding_inputs *inputs);

/* The inputs' nodes in order. nodes: room for all. */
void openai_inputs_list(const struct embedding_inputs *inputs, uint32_t *nodes);

/* How much of a batch an input is, to share its tokens out: bytes of a text, four for each token of an array. */
uint64_t openai_input_weight(const struct embedding_inputs *inputs, uint32_t node);

/* Makes the frame; false when out of memory. */
bool openai_input_frame_make(const struct request *request, struct arena *arena, struct embedding_frame *frame);

/*
 * Appends what the canonical form of a request for that input alone would be, idle members left out, whether it is
 * asked for as text or in an array of one. Failures are the buffer's and the arena's sticky ones.
 */
void openai_input_write_canonical(const struct embedding_frame *frame, const struct embedding_inputs *inputs,
				  uint32_t node, struct arena *scratch, struct buf *out);

/* Appends the client's own body with an array of only those inputs in place of its own. */
void openai_inputs_write_request(const struct embedding_inputs *inputs, const uint32_t *nodes, size_t count,
				 struct buf *out);

/* ---- the answer ---- */

/* Appends a vector as the answer to a request for it alone: the form in which it is kept. usage: what that took. */
void openai_vector_write_kept(const struct embedding_vector *vector, const struct usage *usage, struct buf *out);

/* Reads that form without looking into the members; spans borrow from body. False when it is not that. */
bool openai_vector_read_kept(struct span body, struct embedding_vector *vector);

/* ---- the pieces of an answer made of such vectors, in the order in which they go out ---- */

/* Appends what stands before the first vector, before the vector with that index, behind each, and at the end. */
void openai_vectors_write_head(struct buf *out);
void openai_vectors_write_item_head(size_t index, struct buf *out);
void openai_vectors_write_item_tail(struct buf *out);
void openai_vectors_write_tail(struct span model, const struct usage *usage, struct buf *out);

#endif
