/* SPDX-License-Identifier: MIT */
/* The events of one streamed answer, put together on their way to a whole one. */
#ifndef SLUICE_SERVICE_ANSWER_COLLECTION_H
#define SLUICE_SERVICE_ANSWER_COLLECTION_H

#include "schemas/assembly.h"

struct collection {
	struct assembly assembly;
	struct arena arena;              /* of the identity */
	struct answer_identity identity; /* of the first event */
	size_t bytes;                    /* of the events that were added */
	bool begun;                      /* an event was added */
};

/* most: bytes of all texts together. party: who is charged in the ledger. */
void collection_init(struct collection *collection, size_t most, uint32_t party);
void collection_fini(struct collection *collection);

/* Adds a CHUNK that has choices. A failure is sticky (collection->assembly). scratch: for what is read of it. */
void collection_add(struct collection *collection, const struct event *event, struct arena *scratch);

#endif
