/* SPDX-License-Identifier: MIT */
/*
 * The owner of a struct config: its arena, its references, its index of models.
 * The loader fills one; from sealing on it is immutable.
 */
#ifndef SLUICE_CONFIG_SNAPSHOT_H
#define SLUICE_CONFIG_SNAPSHOT_H

#include <stdatomic.h>

#include "config/config.h"
#include "lib/arena.h"

struct snapshot {
	struct config config; /* first: config_hold and others find the snapshot by it */
	struct arena arena;   /* everything that config points to */
	atomic_uint references;
	const struct config_model **by_name; /* sorted */
};

/* Empty, with one reference; NULL when out of memory. */
struct snapshot *snapshot_create(void);

/* Ends the filling. False when out of memory. */
bool snapshot_seal(struct snapshot *snapshot);

#endif
