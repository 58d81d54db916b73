/* SPDX-License-Identifier: MIT */
/*
 * Bytes with several holders, of which any may be the last: a request body that is read on another thread after its
 * client left, say. Freed when nobody holds them. Holding and dropping is thread-safe; the bytes never change.
 */
#ifndef SLUICE_LIB_BYTES_H
#define SLUICE_LIB_BYTES_H

#include <stdatomic.h>

#include "lib/buf.h"

struct bytes {
	_Atomic unsigned holders;
	struct span span;
	void (*dispose)(struct bytes *bytes); /* frees all of it, by whatever thread is last */
};

/* Begins with one holder. dispose: as above. */
void bytes_init(struct bytes *bytes, struct span span, void (*dispose)(struct bytes *bytes));

/* Moves what buf holds, which stays where it is, to bytes with one holder; buf is empty then. NULL: out of memory. */
struct bytes *bytes_take(struct buf *buf);

/* One holder more. Returns bytes. */
struct bytes *bytes_hold(struct bytes *bytes);
/* One holder less. NULL is fine. */
void bytes_drop(struct bytes *bytes);

#endif
