/* SPDX-License-Identifier: MIT */
/* Looking around in a document that was read: members, iteration, words for messages. */
#include "lib/json.h"

uint32_t json_member(const struct json *json, uint32_t object, const char *key)
{
	if (json->nodes[object].type != JSON_OBJECT)
		return JSON_NONE;
	struct span name = span_of(key);
	for (uint32_t at = json_first(json, object); at != JSON_NONE; at = json_next(json, object, at))
		if (json_string_equals(json, at, name))
			return at + 1;
	return JSON_NONE;
}

const char *json_type_name(const struct json *json, uint32_t node)
{
	static const char *const names[] = {"null", "boolean", "boolean", "number", "string", "array", "object"};
	const struct json_node *n = &json->nodes[node];
	return n->type == JSON_NUMBER && n->integer ? "integer" : names[n->type];
}
