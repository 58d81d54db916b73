/* SPDX-License-Identifier: MIT */
/* What the files about OpenAI requests and answers share; nobody else includes this. */
#ifndef SLUICE_SCHEMAS_OPENAI_INTERNAL_H
#define SLUICE_SCHEMAS_OPENAI_INTERNAL_H

#include "lib/json.h"
#include "schemas/field.h"
#include "schemas/openai/openai.h"

/* The member of a message, and the type of a call, from before there were tools. */
#define OPENAI_LEGACY_CALL "function_call"

enum { OPENAI_ANSWER_DEPTH = 64 }; /* levels of nesting read in what backends send */

/* json_string_is for literals, inlined: it runs for every member of every streamed chunk. */
static inline bool openai_key_is(const struct json *json, uint32_t key, struct span name)
{
	const struct json_node *n = &json->nodes[key];
	if (n->escaped)
		return json_string_is(json, key, name.at);
	return n->end - n->start - 2 == name.len && memcmp(json->text.at + n->start + 1, name.at, name.len) == 0;
}

/* Holds a document against the strict rules of its table. False with findings. */
bool openai_check_strict(const struct json *json, const struct field_table *table, struct arena *arena,
			 struct findings *findings);

/* Not null, not false, not 0 and not an empty string: what makes the SDKs raise an error. */
bool openai_is_truthy(const struct json *json, uint32_t node);

/* A string, array or object with something in it. */
bool openai_is_filled(const struct json *json, uint32_t node);

/* Token counts of the usage object at node. */
struct usage openai_usage_read(const struct json *json, uint32_t node);

/* Changes to a document's bytes, gathered in document order; they live in the arena. */
struct openai_repair;
struct openai_repairs {
	struct openai_repair *first;
	struct openai_repair **tail; /* NULL = none yet */
	size_t added;                /* bytes of all texts */
	size_t removed;
};

/* Puts text where the bytes from start to end are. text must live as long as the arena. */
void openai_repair_add(struct openai_repairs *repairs, struct arena *arena, size_t start, size_t end, struct span text);

/* Repairs a delta, in document order. first: it is the first of its choice. begun: tool calls of the choice so far. */
void openai_repair_delta(const struct json *json, uint32_t delta, bool first, uint8_t *begun,
			 struct openai_repairs *repairs, struct arena *scratch);

/* The document with its repairs, in the arena; {NULL,0} when there are none or on exhaustion. */
struct span openai_repair_apply(const struct openai_repairs *repairs, struct arena *arena, struct span document);

#endif
