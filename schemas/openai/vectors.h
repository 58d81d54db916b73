/* SPDX-License-Identifier: MIT */
/*
 * An answer of vectors, taken apart while it comes: each item is read when it is complete and then forgotten, but for
 * its members. So neither time nor memory is spent on all of a large answer at once.
 */
#ifndef SLUICE_SCHEMAS_OPENAI_VECTORS_H
#define SLUICE_SCHEMAS_OPENAI_VECTORS_H

#include "lib/arena.h"
#include "lib/buf.h"
#include "schemas/openai/openai.h"

/* Where the reader is. */
enum openai_vectors_state {
	OPENAI_VECTORS_ST_BEFORE,  /* in what stands before the data */
	OPENAI_VECTORS_ST_BETWEEN, /* in the data, where an item may begin */
	OPENAI_VECTORS_ST_ITEM,
	OPENAI_VECTORS_ST_BEHIND, /* in what stands behind the data */
	OPENAI_VECTORS_ST_ODD,    /* it is not what was asked for, or too large */
};

struct openai_vectors {
	/* what came of it */
	size_t count;
	struct buf members; /* of all items, one behind the other */
	struct span model;  /* JSON text, borrowed; {NULL,0} = not told */
	struct usage usage;
	bool too_large; /* or out of memory */
	/* the reader's own */
	enum openai_vectors_state state;
	struct {
		size_t start, end; /* in members; end 0 = it has not come */
		size_t length;
	} * places; /* by index */
	size_t seen;
	struct buf shell; /* all but the items */
	struct buf item;  /* the one that comes */
	struct arena scratch;
	unsigned depth;
	bool in_string, escaped;
	bool item_due; /* behind a comma */
	bool colon;    /* the last thing seen was one, behind the string that began at key */
	size_t key;
};

/* For an answer of count vectors with at most most bytes. False when out of memory; openai_vectors_fini is due then,
 * too. */
bool openai_vectors_init(struct openai_vectors *vectors, size_t count, size_t most);
void openai_vectors_fini(struct openai_vectors *vectors);

/* The next bytes of the answer. */
void openai_vectors_feed(struct openai_vectors *vectors, struct span bytes);

/*
 * That was all. False when the answer is anything but exactly count vectors: an error, other items, indexes that are no
 * permutation, a vector that is empty, or neither numbers nor text.
 */
bool openai_vectors_end(struct openai_vectors *vectors);

/* The members of the item with that index as the backend wrote them, without object and index; behind a good end. */
struct span openai_vectors_at(const struct openai_vectors *vectors, size_t index);

/* Returns a number that is the same for vectors of the same form and length, and for no others. */
size_t openai_vectors_length(const struct openai_vectors *vectors, size_t index);

#endif
