/* SPDX-License-Identifier: MIT */
/*
 * Which answers are being produced right now, by key, for all workers. Whoever
 * asks for one that is under way joins it; who finds none adds it, so that
 * there is at most one at a time.
 */
#ifndef SLUICE_SERVICE_FLIGHTS_FLIGHT_TABLE_H
#define SLUICE_SERVICE_FLIGHTS_FLIGHT_TABLE_H

#include <stdbool.h>

#include "service/cache/cache_key.h"

struct flight_table;

/* What is in the table, embedded in its owner. */
struct flight_place {
	struct cache_key key;
	struct flight_place *next;
};

/* NULL: out of memory. */
struct flight_table *flight_table_create(void);

/* Must be empty. */
void flight_table_destroy(struct flight_table *table);

/*
 * Thread-safe. Has join(place, context) called for the place with mine->key, which cannot leave the table meanwhile;
 * when there is none, or join returns false, mine is added (in its stead). True when mine was added.
 */
bool flight_table_enter(struct flight_table *table, struct flight_place *mine,
			bool (*join)(struct flight_place *place, void *context), void *context);

/* Thread-safe. As flight_table_enter() for a place that is there; false: there is none, or join returned false. */
bool flight_table_join(struct flight_table *table, const struct cache_key *key,
		       bool (*join)(struct flight_place *place, void *context), void *context);

/* Thread-safe. Takes a place out, unless another one stands there in its stead by now. */
void flight_table_leave(struct flight_table *table, struct flight_place *place);

#endif
