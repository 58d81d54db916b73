/* SPDX-License-Identifier: MIT */
/* Whether the answer to a request can be gone on with; request.h holds the contract. */
#include "schemas/openai/internal.h"
#include "schemas/openai/request.h"

/* True when text ends with a beginning of stop, so that what follows could complete it unseen. */
static bool ends_like(struct span text, struct span stop)
{
	for (size_t len = 1; len < stop.len && len <= text.len; len++)
		if (memcmp(text.at + text.len - len, stop.at, len) == 0)
			return true;
	return false;
}

static bool may_stop(const struct json *json, struct span text, struct arena *scratch)
{
	uint32_t stop = json_member(json, 0, "stop");
	if (stop == JSON_NONE || json_type(json, stop) == JSON_NULL)
		return false;
	if (json_type(json, stop) == JSON_STRING)
		return ends_like(text, json_string(json, stop, scratch));
	for (uint32_t at = json_first(json, stop); at != JSON_NONE; at = json_next(json, stop, at))
		if (ends_like(text, json_string(json, at, scratch)))
			return true;
	return false;
}

/* A negative limit is none. */
static bool has_tokens_left(const struct json *json, const char *key, int64_t spent)
{
	int64_t most = 0;
	uint32_t node = json_member(json, 0, key);
	return node == JSON_NONE || !json_int(json, node, &most) || most < 0 || most > spent;
}

/* True when the client's own last message is an assistant's. */
static bool has_prefill(const struct json *json)
{
	uint32_t messages = json_member(json, 0, "messages"), last = JSON_NONE;
	for (uint32_t at = json_first(json, messages); at != JSON_NONE; at = json_next(json, messages, at))
		last = at;
	uint32_t role = last == JSON_NONE ? JSON_NONE : json_member(json, last, "role");
	return role == JSON_NONE || json_string_is(json, role, "assistant");
}

bool openai_request_wants_json(const struct request *request)
{
	const struct json *json = &request->json;
	if (json->node_count == 0)
		return false;
	uint32_t format = json_member(json, 0, "response_format");
	uint32_t type = format == JSON_NONE ? JSON_NONE : json_member(json, format, "type");
	return type != JSON_NONE &&
	       (json_string_is(json, type, "json_object") || json_string_is(json, type, "json_schema"));
}

bool openai_request_takes_prefill(const struct request *request, struct span text, int64_t spent, struct arena *scratch)
{
	const struct json *json = &request->json;
	return request->endpoint == ENDPOINT_CHAT && request->choices == 1 && !openai_request_wants_json(request) &&
	       !has_prefill(json) && !may_stop(json, text, scratch) && has_tokens_left(json, "max_tokens", spent) &&
	       has_tokens_left(json, "max_completion_tokens", spent);
}
