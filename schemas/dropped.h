/* SPDX-License-Identifier: MIT */
/* What of a request another dialect cannot carry. */
#ifndef SLUICE_SCHEMAS_DROPPED_H
#define SLUICE_SCHEMAS_DROPPED_H

#include "lib/arena.h"
#include "lib/span.h"

enum { DROPPED_MOST = 16 };

struct dropped {
	struct span list[DROPPED_MOST]; /* paths, such as messages[1].content[0]; in the arena, or static */
	size_t count;                   /* of all, also of those that are not listed */
};

/* Adds a path; {NULL,0}, for which memory ran out, counts as well. */
static inline void dropped_add(struct dropped *dropped, struct span path)
{
	if (dropped->count < DROPPED_MOST)
		dropped->list[dropped->count] = path;
	dropped->count++;
}

#endif
