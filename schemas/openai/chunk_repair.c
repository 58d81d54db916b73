/* SPDX-License-Identifier: MIT */
/* Repairs of chunks: a list of small changes, applied in one copy. Most chunks need none and cost nothing here. */
#include <inttypes.h>

#include "schemas/openai/internal.h"

struct openai_repair {
	struct openai_repair *next;
	size_t start;
	size_t end;
	struct span text;
};

void openai_repair_add(struct openai_repairs *repairs, struct arena *arena, size_t start, size_t end, struct span text)
{
	struct openai_repair *repair = arena_alloc(arena, sizeof(*repair));
	if (repair == NULL || text.at == NULL)
		return; /* the arena remembers */
	*repair = (struct openai_repair){NULL, start, end, text};
	if (repairs->tail == NULL)
		repairs->tail = &repairs->first;
	*repairs->tail = repair;
	repairs->tail = &repair->next;
	repairs->added += text.len;
	repairs->removed += end - start;
}

static char *put(char *to, const char *from, size_t size)
{
	if (size != 0)
		memcpy(to, from, size);
	return to + size;
}

struct span openai_repair_apply(const struct openai_repairs *repairs, struct arena *arena, struct span document)
{
	if (repairs->first == NULL)
		return (struct span){NULL, 0};
	size_t len = document.len + repairs->added - repairs->removed;
	char *bytes = arena_alloc(arena, len);
	if (bytes == NULL)
		return (struct span){NULL, 0};
	char *to = bytes;
	size_t done = 0;
	for (const struct openai_repair *repair = repairs->first; repair != NULL; repair = repair->next) {
		to = put(to, document.at + done, repair->start - done);
		to = put(to, repair->text.at, repair->text.len);
		done = repair->end;
	}
	put(to, document.at + done, document.len - done);
	return (struct span){bytes, len};
}

/* ---- what engines leave out ---- */

/* The index that a tool call means: its own, the next one when it begins a call, else that of the call begun last. */
static int64_t tool_call_index(const struct json *json, uint32_t call, uint8_t *begun)
{
	int64_t index = 0;
	uint32_t own = json_member(json, call, "index");
	uint32_t id = json_member(json, call, "id");
	if (own != JSON_NONE && json_int(json, own, &index)) {
		if (index >= *begun && index < UINT8_MAX)
			*begun = (uint8_t)(index + 1);
		return index;
	}
	if ((id != JSON_NONE && openai_is_filled(json, id) && *begun < UINT8_MAX) || *begun == 0)
		(*begun)++;
	return *begun - 1;
}

/* A tool call without an index gets one. begun: tool calls of the choice so far. */
static void repair_tool_calls(const struct json *json, uint32_t calls, uint8_t *begun, struct openai_repairs *repairs,
			      struct arena *scratch)
{
	if (json_type(json, calls) != JSON_ARRAY)
		return;
	for (uint32_t at = json_first(json, calls); at != JSON_NONE; at = json_next(json, calls, at)) {
		const struct json_node *call = &json->nodes[at];
		if (call->type != JSON_OBJECT)
			continue;
		uint32_t own = json_member(json, at, "index");
		int64_t index = tool_call_index(json, at, begun);
		if (own == JSON_NONE)
			openai_repair_add(
			    repairs, scratch, call->start + 1, call->start + 1,
			    arena_printf(scratch, "\"index\":%" PRId64 "%s", index, call->count == 0 ? "" : ","));
		else if (json_type(json, own) == JSON_NULL)
			openai_repair_add(repairs, scratch, json->nodes[own].start, json->nodes[own].end,
					  arena_printf(scratch, "%" PRId64, index));
	}
}

void openai_repair_delta(const struct json *json, uint32_t delta, bool first, uint8_t *begun,
			 struct openai_repairs *repairs, struct arena *scratch)
{
	const struct json_node *n = &json->nodes[delta];
	if (first && json_member(json, delta, "role") == JSON_NONE)
		openai_repair_add(repairs, scratch, n->start + 1, n->start + 1,
				  n->count == 0 ? SPAN("\"role\":\"assistant\"") : SPAN("\"role\":\"assistant\","));
	for (uint32_t at = json_first(json, delta); at != JSON_NONE; at = json_next(json, delta, at)) {
		if (first && openai_key_is(json, at, SPAN("role")) && !openai_is_filled(json, at + 1))
			openai_repair_add(repairs, scratch, json->nodes[at + 1].start, json->nodes[at + 1].end,
					  SPAN("\"assistant\""));
		else if (openai_key_is(json, at, SPAN("tool_calls")))
			repair_tool_calls(json, at + 1, begun, repairs, scratch);
	}
}
