/* SPDX-License-Identifier: MIT */
/*
 * A wire format as the service knows it: a table of what can be done in it. Nothing in the service names a particular
 * one; dialect.c lists all.
 */
#ifndef SLUICE_SCHEMAS_DIALECT_H
#define SLUICE_SCHEMAS_DIALECT_H

#include "lib/buf.h"
#include "lib/json.h"
#include "schemas/event.h"

struct dialect {
	const char *name; /* as the configuration calls it */

	/* Reads the deltas of a streamed event's data, or of a whole answer. False when it has no choices, or when
	 * memory ran out. */
	bool (*read_deltas)(const struct json *json, struct arena *arena, struct deltas *deltas);
};

/* Returns the dialect of that name; NULL when there is none. */
const struct dialect *dialect_find(const char *name);

/* Reads the deltas of a CHUNK; as read_deltas. */
bool event_deltas(const struct event *event, struct arena *arena, struct deltas *deltas);

#endif
