/* SPDX-License-Identifier: MIT */
/* Which requests may be answered from a cache; cacheable.h holds the contract. */
#include "schemas/openai/cacheable.h"

#include "schemas/field_canonical.h"
#include "schemas/field_contained.h"
#include "schemas/openai/embedding_cache.h"
#include "schemas/openai/internal.h"

static bool is_there(const struct json *json, uint32_t object, const char *name)
{
	uint32_t value = json_member(json, object, name);
	return value != JSON_NONE && json_type(json, value) != JSON_NULL;
}

/* Tools that the backend runs: of any type but those the client runs itself. */
static bool has_server_tools(const struct json *json)
{
	uint32_t tools = json_member(json, 0, "tools");
	if (tools == JSON_NONE || json_type(json, tools) != JSON_ARRAY)
		return false;
	for (uint32_t at = json_first(json, tools); at != JSON_NONE; at = json_next(json, tools, at)) {
		uint32_t type = json_member(json, at, "type");
		if (type == JSON_NONE ||
		    (!json_string_is(json, type, "function") && !json_string_is(json, type, "custom")))
			return true;
	}
	return false;
}

static enum request_caching determinism(const struct json *json)
{
	double value = 1;
	uint32_t temperature = json_member(json, 0, "temperature");
	if (temperature != JSON_NONE && json_double(json, temperature, &value) && value == 0)
		return CACHING_GRADE_YES;
	return is_there(json, 0, "seed") ? CACHING_GRADE_SEEDED : CACHING_GRADE_RANDOM;
}

enum request_caching openai_request_caching(const struct request *request)
{
	const struct json *json = &request->json;
	uint32_t store = json_member(json, 0, "store");
	struct embedding_inputs inputs;
	if (request->endpoint == ENDPOINT_EMBEDDINGS)
		return openai_inputs_read(request, &inputs) ? CACHING_GRADE_YES : CACHING_GRADE_INPUTS;
	if (request->choices != 1)
		return CACHING_GRADE_CHOICES;
	if (store != JSON_NONE && json_type(json, store) == JSON_TRUE)
		return CACHING_GRADE_STORE;
	if (has_server_tools(json))
		return CACHING_GRADE_TOOLS;
	return determinism(json);
}

bool openai_request_is_contained(const struct request *request)
{
	return field_is_contained(&request->json, openai_request_fields(request->endpoint), 0);
}

bool openai_request_is_convertible(const struct request *request)
{
	const struct json *json = &request->json;
	return json_member(json, 0, "audio") == JSON_NONE && json_member(json, 0, "prompt_logprobs") == JSON_NONE;
}

bool openai_request_is_repeatable(const struct request *request)
{
	return determinism(&request->json) != CACHING_GRADE_RANDOM;
}

void openai_request_write_canonical(const struct request *request, struct arena *scratch, struct buf *out)
{
	field_write_canonical(&request->json, openai_request_fields(request->endpoint), NULL, NULL, scratch, out);
}

static bool is_good_finish(const struct json *json, uint32_t choice, bool any)
{
	uint32_t reason = json_member(json, choice, "finish_reason");
	if (reason == JSON_NONE || json_type(json, reason) != JSON_STRING || !openai_is_filled(json, reason))
		return false;
	return json_string_is(json, reason, "stop") || (any && !json_string_is(json, reason, "content_filter"));
}

bool openai_answer_is_keepable(const struct json *json, bool any)
{
	uint32_t error = json_member(json, 0, "error");
	uint32_t choices = json_member(json, 0, "choices");
	if ((error != JSON_NONE && openai_is_truthy(json, error)) || choices == JSON_NONE ||
	    json_type(json, choices) != JSON_ARRAY || json->nodes[choices].count == 0)
		return false;
	for (uint32_t at = json_first(json, choices); at != JSON_NONE; at = json_next(json, choices, at))
		if (json_type(json, at) != JSON_OBJECT || !is_good_finish(json, at, any))
			return false;
	return true;
}
