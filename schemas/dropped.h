/* SPDX-License-Identifier: MIT */
/* What of a request another dialect cannot carry. */
#ifndef SLUICE_SCHEMAS_DROPPED_H
#define SLUICE_SCHEMAS_DROPPED_H

#include "lib/arena.h"
#include "lib/span.h"
#include "schemas/field.h"

enum { DROPPED_MOST = 16 };

struct dropped {
	struct span list[DROPPED_MOST]; /* paths, such as messages[1].content[0]; in the arena, or static */
	size_t count;                   /* of all, also of those that are not listed */
	bool material;                  /* some of them may change the answer */
};

/* Returns the paths by commas, in the arena; {NULL,0}: there are none. */
static inline struct span dropped_text(const struct dropped *dropped, struct arena *arena)
{
	struct span text = {NULL, 0};
	size_t listed = dropped->count < DROPPED_MOST ? dropped->count : DROPPED_MOST;
	for (size_t i = 0; i < listed; i++)
		text = i == 0 ? dropped->list[i]
			      : arena_printf(arena, "%.*s, %.*s", SPAN_ARG(text), SPAN_ARG(dropped->list[i]));
	return dropped->count > listed
		   ? arena_printf(arena, "%.*s and %zu more", SPAN_ARG(text), dropped->count - listed)
		   : text;
}

/* Adds the path of what changes nothing but the bill; {NULL,0}, for which memory ran out, counts as well. */
static inline void dropped_add_idle(struct dropped *dropped, struct span path)
{
	if (dropped->count < DROPPED_MOST)
		dropped->list[dropped->count] = path;
	dropped->count++;
}

/* The same of what may change the answer. */
static inline void dropped_add(struct dropped *dropped, struct span path)
{
	dropped->material = true;
	dropped_add_idle(dropped, path);
}

/* The same of the names of the document's members that have no row in the table: nobody knows what they ask for. */
void dropped_add_unknown(struct dropped *dropped, const struct json *json, const struct field_table *table,
			 struct arena *arena);

#endif
