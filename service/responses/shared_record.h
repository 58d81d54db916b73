/* SPDX-License-Identifier: MIT */
/*
 * A stored response as Redis has it: its tenant, id, answer and input, and a checksum of 128 bits over them and the
 * name of the key. What is not exactly what was stored under that name is refused, so no damage and no reply to another
 * question becomes part of a conversation.
 */
#ifndef SLUICE_SERVICE_RESPONSES_SHARED_RECORD_H
#define SLUICE_SERVICE_RESPONSES_SHARED_RECORD_H

#include "lib/buf.h"

struct shared_record {
	struct span tenant, id, answer, input;
};

/* Appends the record under that name of a key. Failures are the buffer's. */
void shared_record_encode(const struct shared_record *record, struct span name, struct buf *out);

/* Returns false when the bytes are no record of that name. The texts borrow from bytes. */
bool shared_record_decode(struct span bytes, struct span name, struct shared_record *record);

#endif
