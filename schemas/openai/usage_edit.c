/* SPDX-License-Identifier: MIT */
/* Edits of the usage that a chunk carries. */
#include "schemas/openai/usage_edit.h"

#include <inttypes.h>

#include "lib/json_edit.h"
#include "schemas/openai/internal.h"

bool openai_usage_replace(struct span data, const struct usage *usage, struct arena *scratch, struct buf *out)
{
	struct json json;
	uint32_t own = event_parse(data, scratch, &json) ? json_member(&json, 0, "usage") : JSON_NONE;
	if (own == JSON_NONE || json_type(&json, own) != JSON_OBJECT)
		return false;
	struct json_edit edit = json_edit_start(&json, out);
	for (uint32_t at = json_first(&json, own); at != JSON_NONE; at = json_next(&json, own, at)) {
		int64_t count = -1;
		if (openai_key_is(&json, at, SPAN("prompt_tokens")))
			count = usage->prompt_tokens;
		else if (openai_key_is(&json, at, SPAN("completion_tokens")))
			count = usage->completion_tokens;
		else if (openai_key_is(&json, at, SPAN("total_tokens")))
			count = usage->total_tokens;
		if (count < 0)
			continue;
		json_edit_replace(&edit, at + 1);
		buf_printf(out, "%" PRId64, count);
	}
	json_edit_finish(&edit);
	return true;
}

/* A member that every chunk has, and that tells nothing without choices. */
static bool is_usual(const struct json *json, uint32_t key)
{
	static const char *const usual[] = {
	    "id", "object", "created", "model", "choices", "usage", "system_fingerprint", "service_tier"};
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (json_string_is(json, key, usual[i]))
			return true;
	return json_type(json, key + 1) == JSON_NULL;
}

static bool has_more(const struct json *json)
{
	for (uint32_t at = json_first(json, 0); at != JSON_NONE; at = json_next(json, 0, at))
		if (!is_usual(json, at))
			return true;
	return false;
}

bool openai_usage_hide(const struct json *json, enum endpoint endpoint, struct buf *out)
{
	if (!has_more(json))
		return false;
	struct span empty = endpoint == ENDPOINT_CHAT ? SPAN("[{\"index\":0,\"delta\":{},\"finish_reason\":null}]")
						      : SPAN("[{\"index\":0,\"text\":\"\",\"finish_reason\":null}]");
	struct json_edit edit = json_edit_start(json, out);
	for (uint32_t at = json_first(json, 0); at != JSON_NONE; at = json_next(json, 0, at)) {
		if (openai_key_is(json, at, SPAN("usage"))) {
			json_edit_replace(&edit, at + 1);
			buf_append(out, SPAN("null"));
		} else if (openai_key_is(json, at, SPAN("choices"))) {
			json_edit_replace(&edit, at + 1);
			buf_append(out, empty);
		}
	}
	if (json_member(json, 0, "choices") == JSON_NONE) {
		json_edit_insert_last(&edit, 0, "choices");
		buf_append(out, empty);
	}
	json_edit_finish(&edit);
	return true;
}
