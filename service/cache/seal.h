/* SPDX-License-Identifier: MIT */
/*
 * Records in a list that others can write to, on a way that may mix replies up: each carries a checksum over itself and
 * the name of its list, so that one that was damaged, or belongs to another flight, is never taken for one of this.
 */
#ifndef SLUICE_SERVICE_CACHE_SEAL_H
#define SLUICE_SERVICE_CACHE_SEAL_H

#include "lib/buf.h"

/* Appends the seal to the record in the buffer. Failures are the buffer's. */
void seal_append(struct buf *record, struct span list);

/* False when the bytes are no record of that list as it was written. The record borrows from them. */
bool seal_open(struct span sealed, struct span list, struct span *record);

#endif
