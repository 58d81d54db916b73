/* SPDX-License-Identifier: MIT */
/* Ids of tool calls; call_ids.h holds the contract. Requests hold as many calls and results as their clients like. */
#include "schemas/anthropic/call_ids.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *one, const void *other)
{
	const struct span *a = one, *b = other;
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return memcmp(a->at, b->at, a->len);
}

/* Returns the calls of a message; JSON_NONE: it has none. */
static uint32_t calls_of(const struct json *json, uint32_t message)
{
	uint32_t calls = json_member(json, message, "tool_calls");
	return calls != JSON_NONE && json_type(json, calls) == JSON_ARRAY ? calls : JSON_NONE;
}

static void add_calls(struct call_ids *ids, const struct json *json, uint32_t calls, struct arena *arena)
{
	for (uint32_t call = json_first(json, calls); call != JSON_NONE; call = json_next(json, calls, call)) {
		uint32_t id = json_member(json, call, "id");
		struct span text = {NULL, 0};
		if (id != JSON_NONE && json_type(json, id) == JSON_STRING)
			text = json_string(json, id, arena);
		if (text.len > 0)
			ids->list[ids->count++] = text;
	}
}

void call_ids_read(struct call_ids *ids, const struct json *json, uint32_t list, uint32_t first, uint32_t end,
		   struct arena *arena)
{
	size_t most = 0;
	ids->count = 0;
	for (uint32_t at = first; at != end; at = json_next(json, list, at))
		if (calls_of(json, at) != JSON_NONE)
			most += json->nodes[calls_of(json, at)].count;
	ids->list = most == 0 ? NULL : arena_alloc(arena, most * sizeof(*ids->list));
	if (ids->list == NULL)
		return;
	for (uint32_t at = first; at != end; at = json_next(json, list, at))
		if (calls_of(json, at) != JSON_NONE)
			add_calls(ids, json, calls_of(json, at), arena);
	qsort(ids->list, ids->count, sizeof(*ids->list), compare);
}

bool call_ids_have(const struct call_ids *ids, struct span id)
{
	return ids->count > 0 && bsearch(&id, ids->list, ids->count, sizeof(id), compare) != NULL;
}
