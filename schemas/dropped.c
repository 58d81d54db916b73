/* SPDX-License-Identifier: MIT */
/* Members that nobody knows; dropped.h holds the contract. */
#include "schemas/dropped.h"

enum { NAME_MOST = 64 };

/* Returns a member's name, unless it has what a header field cannot, or a comma. */
static struct span name_of(const struct json *json, uint32_t key, struct arena *arena)
{
	struct span name = arena_copy(arena, json_string(json, key, arena));
	bool plain = name.len > 0 && name.len <= NAME_MOST;
	for (size_t i = 0; plain && i < name.len; i++)
		plain = name.at[i] > ' ' && name.at[i] < 0x7f && name.at[i] != ',';
	return plain ? name : SPAN("(a member of another name)");
}

void dropped_add_unknown(struct dropped *dropped, const struct json *json, const struct field_table *table,
			 struct arena *arena)
{
	for (uint32_t at = json_first(json, 0); at != JSON_NONE; at = json_next(json, 0, at))
		if (field_find(json, table, at) == NULL)
			dropped_add(dropped, name_of(json, at, arena));
}
