/* SPDX-License-Identifier: MIT */
/*
 * Embeddings in parts, whatever the dialect: the inputs of a request one by one, the request for only some of them, the
 * form in which a vector is kept, and an answer made of vectors that came at several times. Vectors stay the backend's
 * own text: neither numbers nor base64 are ever read.
 */
#ifndef SLUICE_SCHEMAS_EMBEDDINGS_H
#define SLUICE_SCHEMAS_EMBEDDINGS_H

#include "lib/arena.h"
#include "lib/buf.h"
#include "lib/json.h"
#include "schemas/event.h"
#include "schemas/request.h"

enum { EMBEDDING_INPUTS_MOST = 2048 }; /* more are not told apart: what the OpenAI API itself takes */

/* Its inputs: texts or arrays of tokens. */
struct embedding_inputs {
	const struct json *json; /* borrowed */
	uint32_t input;          /* the member's value */
	size_t count;
	bool many; /* input is an array of inputs, not one itself */
};

/* The request in canonical form, but for its input, which goes between the two. In an arena. */
struct embedding_frame {
	struct span head, tail;
};

/* A vector and who made it, both JSON text. */
struct embedding_vector {
	struct span model;   /* {NULL,0} = not told */
	struct span members; /* as openai_vectors_at gives them */
	uint64_t length;     /* as openai_vectors_length says it; not in the form in which it is kept */
};

/* Where the reader is. */
enum embedding_vectors_state {
	EMBEDDING_VECTORS_ST_BEFORE,  /* in what stands before the data */
	EMBEDDING_VECTORS_ST_BETWEEN, /* in the data, where an item may begin */
	EMBEDDING_VECTORS_ST_ITEM,
	EMBEDDING_VECTORS_ST_BEHIND, /* in what stands behind the data */
	EMBEDDING_VECTORS_ST_ODD,    /* it is not what was asked for, or too large */
};

struct embedding_vectors {
	/* what came of it */
	size_t count;
	struct buf members; /* of all items, one behind the other */
	struct span model;  /* JSON text, borrowed; {NULL,0} = not told */
	struct usage usage;
	bool too_large; /* or out of memory */
	/* the reader's own */
	enum embedding_vectors_state state;
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

/* What a dialect does with embeddings. */
struct dialect_embeddings {
	/* Reads the inputs of a validated request. False when they cannot be told apart, or are too many. */
	bool (*inputs_read)(const struct request *request, struct embedding_inputs *inputs);
	/* Lists their nodes in order. nodes: room for all. */
	void (*inputs_list)(const struct embedding_inputs *inputs, uint32_t *nodes);
	/* Returns how much of a batch an input is, to share its tokens out. */
	uint64_t (*input_weight)(const struct embedding_inputs *inputs, uint32_t node);
	/* Makes the frame, in the arena; false when out of memory. */
	bool (*frame_make)(const struct request *request, struct arena *arena, struct embedding_frame *frame);
	/* Appends what the canonical form of a request for that input alone would be. Failures are the buffer's and the
	 * arena's. */
	void (*input_write_canonical)(const struct embedding_frame *frame, const struct embedding_inputs *inputs,
				      uint32_t node, struct arena *scratch, struct buf *out);
	/* Appends the client's own body with only those inputs. */
	void (*inputs_write_request)(const struct embedding_inputs *inputs, const uint32_t *nodes, size_t count,
				     struct buf *out);

	/* Appends a vector in the form in which it is kept. usage: what that took. */
	void (*vector_write_kept)(const struct embedding_vector *vector, const struct usage *usage, struct buf *out);
	/* Reads that form without looking into the members; spans borrow from body. False when it is not that. */
	bool (*vector_read_kept)(struct span body, struct embedding_vector *vector);

	/* Begins to read an answer of count vectors with at most most bytes. False when out of memory; vectors_fini is
	 * due then, too. */
	bool (*vectors_init)(struct embedding_vectors *vectors, size_t count, size_t most);
	void (*vectors_fini)(struct embedding_vectors *vectors);
	/* Takes the next bytes of the answer. */
	void (*vectors_feed)(struct embedding_vectors *vectors, struct span bytes);
	/* That was all. False when the answer is anything but exactly those vectors. */
	bool (*vectors_end)(struct embedding_vectors *vectors);
	/* Returns the members of the item with that index, without object and index; behind a good end. */
	struct span (*vectors_at)(const struct embedding_vectors *vectors, size_t index);
	/* Returns a number that is the same for vectors of the same form and length, and for no others. */
	size_t (*vectors_length)(const struct embedding_vectors *vectors, size_t index);

	/* Append what stands before the first vector, before the one with that index, behind each, and at the end. */
	void (*write_head)(struct buf *out);
	void (*write_item_head)(size_t index, struct buf *out);
	void (*write_item_tail)(struct buf *out);
	void (*write_tail)(struct span model, const struct usage *usage, struct buf *out);
};

#endif
