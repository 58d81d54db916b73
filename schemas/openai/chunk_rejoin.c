/* SPDX-License-Identifier: MIT */
/* Chunks under another answer's name; chunk_rejoin.h holds the contract. */
#include "schemas/openai/chunk_rejoin.h"

#include <inttypes.h>

#include "lib/json_write.h"
#include "schemas/openai/internal.h"

static struct span quoted(struct span text, struct arena *arena)
{
	struct buf out;
	buf_init(&out, text.len * 6 + 16);
	json_write_string(&out, text);
	struct span copy = arena_copy(arena, buf_span(&out));
	buf_fini(&out);
	return copy;
}

/* Returns the JSON token that the member gets; {NULL,0}: its own. */
static struct span token_of(const struct answer_identity *identity, const struct json *json, uint32_t key,
			    struct arena *arena)
{
	struct span text = {NULL, 0};
	if (openai_key_is(json, key, SPAN("id")))
		text = identity->id;
	else if (openai_key_is(json, key, SPAN("model")))
		text = identity->model;
	else if (openai_key_is(json, key, SPAN("created")) && identity->created >= 0)
		return arena_printf(arena, "%" PRId64, identity->created);
	return text.at == NULL ? text : quoted(text, arena);
}

static void repair_identity(const struct answer_identity *identity, const struct json *json, uint32_t key,
			    struct openai_repairs *repairs, struct arena *arena)
{
	const struct json_node *value = &json->nodes[key + 1];
	struct span token = token_of(identity, json, key, arena);
	if (token.at != NULL && !span_equal(token, json_raw(json, key + 1)))
		openai_repair_add(repairs, arena, value->start, value->end, token);
}

/* Returns the object that has the member with that value, beginning at an object around it. */
static uint32_t find_owner(const struct json *json, uint32_t object, uint32_t value)
{
	for (uint32_t at = json_first(json, object); at != JSON_NONE; at = json_next(json, object, at)) {
		uint32_t inner = json_type(json, object) == JSON_OBJECT ? at + 1 : at;
		if (inner == value)
			return object;
		if (value < json->nodes[inner].after)
			return find_owner(json, inner, value);
	}
	return JSON_NONE;
}

/* Leaves a member out, with one of the commas around it. */
static void repair_remove(const struct json *json, uint32_t choice, uint32_t value, struct openai_repairs *repairs,
			  struct arena *arena)
{
	uint32_t key = value - 1, object = find_owner(json, choice, value);
	uint32_t before = JSON_NONE, next = json_next(json, object, key);
	size_t start = json->nodes[key].start, end = json->nodes[value].end;
	for (uint32_t at = json_first(json, object); at != key; at = json_next(json, object, at))
		before = at;
	if (next != JSON_NONE)
		end = json->nodes[next].start;
	else if (before != JSON_NONE)
		start = json->nodes[before + 1].end;
	openai_repair_add(repairs, arena, start, end, SPAN(""));
}

static void repair_choices(const struct json *json, const struct deltas *deltas, const size_t *heard,
			   struct openai_repairs *repairs, struct arena *arena)
{
	uint32_t choice = JSON_NONE;
	for (size_t i = 0; i < deltas->count; i++) {
		const struct delta *delta = &deltas->list[i];
		const struct json_node *value = &json->nodes[delta->node];
		if (delta->part == PART_CHOICE)
			choice = delta->node;
		else if (delta->part == PART_ROLE)
			repair_remove(json, choice, delta->node, repairs, arena);
		else if (heard != NULL && heard[i] > 0)
			openai_repair_add(
			    repairs, arena, value->start, value->end,
			    quoted((struct span){delta->text.at + heard[i], delta->text.len - heard[i]}, arena));
	}
}

struct span openai_chunk_rejoin(const struct json *json, const struct deltas *deltas, const size_t *heard,
				const struct answer_identity *identity, struct arena *arena)
{
	struct openai_repairs repairs = {NULL, NULL, 0, 0};
	for (uint32_t at = json_first(json, 0); at != JSON_NONE; at = json_next(json, 0, at)) {
		if (openai_key_is(json, at, SPAN("choices")))
			repair_choices(json, deltas, heard, &repairs, arena);
		else
			repair_identity(identity, json, at, &repairs, arena);
	}
	struct span rewritten = openai_repair_apply(&repairs, arena, json->text);
	if (rewritten.at == NULL && !arena_failed(arena))
		return json->text;
	return rewritten;
}
