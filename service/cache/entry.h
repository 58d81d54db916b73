/* SPDX-License-Identifier: MIT */
/*
 * A cached answer as bytes, the same wherever they are kept: a versioned header,
 * then the fields and the whole answer. Numbers are little-endian. What has not exactly that form is refused;
 * that the bytes are those that were written is the business of who carried them (parcel.h).
 */
#ifndef SLUICE_SERVICE_CACHE_ENTRY_H
#define SLUICE_SERVICE_CACHE_ENTRY_H

#include "lib/buf.h"
#include "schemas/dialect.h"

struct cache_entry {
	enum endpoint endpoint;
	int64_t created; /* when it was kept, Unix seconds */
	struct usage usage;
	uint64_t length;           /* of a vector, as struct dialect_embeddings says it; else 0 */
	uint64_t digest;           /* of what it says, id and time aside; cache_entry_encode makes it */
	struct span target;        /* who gave it: "backend/model"; empty = several */
	struct span finish;        /* finish_reason */
	struct span body;          /* the whole answer, JSON */
	struct answer_marks marks; /* of the body; of embeddings none */
};

/* Appends the entry. Failures are the buffer's. */
void cache_entry_encode(const struct cache_entry *entry, struct buf *out);

/* Spans borrow from bytes. False when they are no entry, or of another version. Any bytes may be asked about. */
bool cache_entry_decode(struct span bytes, struct cache_entry *entry);

#endif
