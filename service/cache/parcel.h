/* SPDX-License-Identifier: MIT */
/*
 * A cached answer on its way to and from a store that others can write to: the
 * entry (entry.h), compressed when that pays, with the key that it answers, how long it may live, and a checksum of
 * 128 bits over all of it. Whatever is not exactly what was sent under that very key is refused, so that no damage, no
 * older version and no mixed-up reply is ever taken for an answer. Numbers are little-endian.
 */
#ifndef SLUICE_SERVICE_CACHE_PARCEL_H
#define SLUICE_SERVICE_CACHE_PARCEL_H

#include "lib/buf.h"
#include "service/cache/purge_log.h"

struct parcel {
	uint64_t fresh_us;                 /* how long it is fresh, from when it was kept */
	uint64_t life_us;                  /* how long it is kept at all */
	struct purge_id seen[PURGE_KINDS]; /* of purge_log.h: when its call began */
	struct span entry;                 /* as cache_entry_encode wrote it */
	bool too_large;                    /* result: all that is wrong with it is its size */
};

/* Appends the parcel. Failures are the buffer's. */
void parcel_encode(const struct parcel *parcel, const struct cache_key *key, struct buf *out);

/* Returns how many bytes of entry the bytes claim to hold, before anything of them is proven; 0: they are no parcel. */
size_t parcel_entry_size(struct span bytes);

/*
 * Thread-safe. False when the bytes are no parcel of that key, damaged, of another version, or hold more than most
 * bytes. The entry borrows from bytes, or from room (reset by this), into which it was inflated.
 */
bool parcel_decode(struct span bytes, const struct cache_key *key, size_t most, struct buf *room,
		   struct parcel *parcel);

#endif
