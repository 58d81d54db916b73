/* SPDX-License-Identifier: MIT */
/*
 * An answer of vectors, taken apart while it comes: each item is read when it is complete and then forgotten, but for
 * its members. So neither time nor memory is spent on all of a large answer at once.
 */
#ifndef SLUICE_SCHEMAS_OPENAI_VECTORS_H
#define SLUICE_SCHEMAS_OPENAI_VECTORS_H

#include "lib/arena.h"
#include "lib/buf.h"
#include "schemas/embeddings.h"
#include "schemas/openai/openai.h"

/* For an answer of count vectors with at most most bytes. False when out of memory; openai_vectors_fini is due then,
 * too. */
bool openai_vectors_init(struct embedding_vectors *vectors, size_t count, size_t most);
void openai_vectors_fini(struct embedding_vectors *vectors);

/* The next bytes of the answer. */
void openai_vectors_feed(struct embedding_vectors *vectors, struct span bytes);

/*
 * That was all. False when the answer is anything but exactly count vectors: an error, other items, indexes that are no
 * permutation, a vector that is empty, or neither numbers nor text.
 */
bool openai_vectors_end(struct embedding_vectors *vectors);

/* The members of the item with that index as the backend wrote them, without object and index; behind a good end. */
struct span openai_vectors_at(const struct embedding_vectors *vectors, size_t index);

/* Returns a number that is the same for vectors of the same form and length, and for no others. */
size_t openai_vectors_length(const struct embedding_vectors *vectors, size_t index);

#endif
