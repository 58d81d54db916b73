/* SPDX-License-Identifier: MIT */
/* The inside of embeddings and the cache (embedding.h), for the files that make it up: cache_keys.c (the
 * inputs), embedding.c (looking for them, asking for those that are missing) and embedding_give.c (the answer). */
#ifndef SLUICE_SERVICE_EXCHANGE_EMBEDDING_INTERNAL_H
#define SLUICE_SERVICE_EXCHANGE_EMBEDDING_INTERNAL_H

#include "schemas/dialect.h"
#include "service/exchange/embedding.h"

enum {
	EMBEDDING_SEARCHES_MOST = 128, /* under way at once */
};

/* What there is of an input. */
enum embedding_have {
	EMBEDDING_MISSING,
	EMBEDDING_APART, /* missing: what there is does not go together with the rest */
	EMBEDDING_STALE, /* missing, but what there is may stand in for a failure */
	EMBEDDING_FRESH, /* in its fetch's hit */
	EMBEDDING_CAME,  /* in the answer to this request */
};

struct embedding_input {
	struct cache_fetch fetch; /* its key also when nothing is looked for; its hit is held until the end */
	struct embedding *of;
	uint32_t node;  /* in the request */
	uint32_t first; /* the first input that is the same; its own number when that is itself */
	enum embedding_have have;
	struct embedding_vector vector; /* borrows from the hit or from what came; of the first one only */
};

struct embedding {
	struct exchange *exchange;
	const struct dialect_embeddings *wire;
	struct embedding_inputs inputs;
	struct embedding_input *list;
	size_t count;
	size_t begun;   /* inputs that were looked at so far */
	size_t waiting; /* searches under way */
	bool near;      /* only memory is looked into from here on */
	uint64_t started_us;
	struct timer patience; /* with what replicas share */
	/* of those that are the first of their kind */
	size_t distinct, fresh, stale;
	/* what is asked for, and what comes when it has to be put together */
	struct shared_batch batch; /* in the arena */
	bool merges;
	struct request *part;          /* with merges: the request for what is missing; held */
	bool parted;                   /* what was fresh did not go together */
	struct embedding_vectors came; /* with merges */
	/* the answer that goes out */
	const struct config_plan *target;
	struct span model;
	struct buf tail;
	size_t next; /* input */
	struct buf piece;
	struct task pump;
	bool giving;
};

/* The input is asked for, or would be: it is the first of its kind, and nothing fresh is there. */
static inline bool embedding_is_missing(const struct embedding *embedding, size_t index)
{
	const struct embedding_input *input = &embedding->list[index];
	return input->first == index && input->have <= EMBEDDING_STALE;
}

/* What came of the missing inputs, at the end of the answer. */
enum embedding_came {
	EMBEDDING_CAME_ODD,   /* it is not what was asked for */
	EMBEDDING_CAME_APART, /* it is of another target, model or length than what was kept */
	EMBEDDING_CAME_WELL,
};

enum embedding_came embedding_take(struct embedding *embedding);

/*
 * True when the vectors that are kept may stand in one answer: one target and model made them, in one length. least:
 * EMBEDDING_STALE or EMBEDDING_FRESH.
 */
bool embedding_goes_together(const struct embedding *embedding, enum embedding_have least);

#endif
