/* SPDX-License-Identifier: MIT */
/* The ids of the tool calls of assistants' messages that follow each other, to find which results belong to them. */
#ifndef SLUICE_SCHEMAS_ANTHROPIC_CALL_IDS_H
#define SLUICE_SCHEMAS_ANTHROPIC_CALL_IDS_H

#include "lib/arena.h"
#include "lib/json.h"

/* Zeroed: no calls. */
struct call_ids {
	struct span *list; /* sorted */
	size_t count;
};

/* Reads the ids of a chat's messages from the one at first up to end (JSON_NONE: the last one) of the list. The ids
 * are in the arena; when memory runs out there are none, and the arena remembers. */
void call_ids_read(struct call_ids *ids, const struct json *json, uint32_t list, uint32_t first, uint32_t end,
		   struct arena *arena);

/* Returns whether a call has that id. */
bool call_ids_have(const struct call_ids *ids, struct span id);

#endif
