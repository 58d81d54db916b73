/* SPDX-License-Identifier: MIT */
/*
 * Inside of service/cache: a parcel that came from Redis made a value of the store: proven, inflated, and copied into
 * memory of its own. A large one is opened by a helper thread, which has a copy of the bytes.
 */
#ifndef SLUICE_SERVICE_CACHE_PARCEL_OPEN_H
#define SLUICE_SERVICE_CACHE_PARCEL_OPEN_H

#include "service/cache/parcel.h"
#include "service/cache/store.h"
#include "service/loop/offload.h"

enum { OPENED_IN_TURN = 256 << 10 /* bytes of an entry */ };

struct opening;

struct opened {
	struct parcel parcel;      /* its entry lies in the value */
	struct store_value *value; /* owned; NULL: the bytes are no parcel of the key, too large, or memory ran out */
};

/* Opens a parcel in the turn. most: bytes of its entry; room: for inflating. */
void parcel_open(struct span bytes, const struct cache_key *key, size_t most, struct buf *room, struct opened *opened);

/* Returns whether the parcel is one for a helper. offload: NULL = there are none. */
bool opening_is_worth(const struct offload_port *offload, struct span bytes);

/*
 * Has a helper open a parcel, of which it takes a copy. on_opened is called once in a later turn and takes the value;
 * refused: too much is queued. NULL: out of memory, and it is not called.
 */
struct opening *opening_begin(struct offload_port *offload, const struct offload_owner *owner, struct span bytes,
			      const struct cache_key *key, size_t most,
			      void (*on_opened)(void *context, const struct opened *opened, bool refused),
			      void *context);

/* Nobody waits for it any more. Not after on_opened. */
void opening_cancel(struct opening *opening);

#endif
