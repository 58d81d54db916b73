/* SPDX-License-Identifier: MIT */
/*
 * A copy of the store's keys in memory, for look-ups by all threads: immutable, its keys and itself counted by atomic
 * references. A change makes another copy, which shares the keys that did not change.
 */
#ifndef SLUICE_SERVICE_ACCESS_KEY_COPY_H
#define SLUICE_SERVICE_ACCESS_KEY_COPY_H

#include <stdatomic.h>

#include "service/access/key_record.h"
#include "service/access/key_store.h"

/* A key of the store, as it was in one version of it. */
struct stored_key {
	atomic_uint references;
	struct config_key key;
	const struct config_key_hash *former; /* NULL = there is none */
	uint64_t version;
	struct key_record record;
	struct arena arena; /* of all of that */
};

/* Reads a record. The caller has a reference. NULL with why appended: it is none of this build's. */
struct stored_key *stored_key_create(const struct key_store_item *item, struct buf *why);
/* Any thread. NULL is harmless. */
struct stored_key *stored_key_hold(struct stored_key *key);
void stored_key_drop(struct stored_key *key);

struct key_copy {
	atomic_uint references;
	size_t count;
	struct stored_key *keys[]; /* sorted by id */
};

/*
 * Makes a copy of before (borrows; NULL = none) in which changes (count of them, sorted in place, takes) replace or
 * join what is there. Of two changes of one key the later version counts. The caller has a reference. NULL: out of
 * memory.
 */
struct key_copy *key_copy_create(const struct key_copy *before, struct stored_key **changes, size_t count);
struct key_copy *key_copy_hold(struct key_copy *copy);
void key_copy_drop(struct key_copy *copy);

/* Returns the key of that id, borrowed; NULL: there is none. copy may be NULL. */
struct stored_key *key_copy_find(const struct key_copy *copy, struct span id);

/* Returns the index of the first key behind that id. */
size_t key_copy_after(const struct key_copy *copy, struct span id);

#endif
