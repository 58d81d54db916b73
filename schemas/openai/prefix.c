/* SPDX-License-Identifier: MIT */
/* The part of a request that a conversation repeats; see prefix.h. */
#include "schemas/openai/prefix.h"

#include "lib/hash.h"

static uint64_t hash_messages(const struct json *json, uint32_t messages, uint64_t hash)
{
	for (uint32_t at = json_first(json, messages); at != JSON_NONE; at = json_next(json, messages, at)) {
		uint32_t role = json_member(json, at, "role");
		bool user = role != JSON_NONE && json_string_is(json, role, "user");
		bool standing = role != JSON_NONE &&
				(json_string_is(json, role, "system") || json_string_is(json, role, "developer"));
		if (user || standing)
			hash = hash_bytes(hash, json_raw(json, at));
		if (user)
			break;
	}
	return hash;
}

uint64_t openai_request_prefix(const struct request *request)
{
	uint64_t hash = hash_bytes(HASH_START, request->model);
	if (request->json.node_count == 0)
		return hash;
	uint32_t messages = json_member(&request->json, 0, "messages");
	if (messages != JSON_NONE)
		return hash_messages(&request->json, messages, hash);
	uint32_t text = json_member(&request->json, 0, request->endpoint == ENDPOINT_EMBEDDINGS ? "input" : "prompt");
	if (text == JSON_NONE)
		return hash;
	struct span raw = json_raw(&request->json, text);
	if (raw.len > OPENAI_PREFIX_MOST)
		raw.len = OPENAI_PREFIX_MOST;
	else if (raw.len > 0)
		raw.len--; /* the closing quote would not be there if it went on */
	return hash_bytes(hash, raw);
}
