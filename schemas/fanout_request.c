/* SPDX-License-Identifier: MIT */
/* Decoding a fan-out's request; fanout_request.h holds the contract. */
#include "schemas/fanout_request.h"

#include "lib/buf.h"
#include "schemas/finding_json.h"
#include "schemas/openai/internal.h"

/* Members of the nested request that may stand there as null, and are set anew. */
static bool is_set_anew(const struct json *json, uint32_t key)
{
	return openai_key_is(json, key, SPAN("model")) || openai_key_is(json, key, SPAN("stream")) ||
	       openai_key_is(json, key, SPAN("stream_options"));
}

/* The nested request as the body of a chat completion; {NULL,0} on exhaustion. */
static struct span write_chat(const struct fanout_request *request, struct arena *arena)
{
	const struct json *json = &request->json;
	uint32_t nested = request->fields.request.node;
	struct span copy = {NULL, 0};
	struct buf text;
	buf_init(&text, json_raw(json, nested).len + 128);
	buf_append(&text, SPAN("{\"model\":\"" FANOUT_MODEL "\""));
	if (request->fields.stream.value)
		buf_append(&text, SPAN(",\"stream\":true"));
	for (uint32_t at = json_first(json, nested); at != JSON_NONE; at = json_next(json, nested, at)) {
		if (is_set_anew(json, at))
			continue;
		buf_append(&text, SPAN(","));
		buf_append(&text, json_raw(json, at));
		buf_append(&text, SPAN(":"));
		buf_append(&text, json_raw(json, at + 1));
	}
	buf_append(&text, SPAN("}"));
	if (!buf_failed(&text))
		copy = arena_copy(arena, buf_span(&text));
	buf_fini(&text);
	return copy;
}

bool fanout_request_check_strict(const struct fanout_request *request, struct arena *arena, struct findings *findings)
{
	return openai_check_strict(&request->json, &fanout_fields, arena, findings);
}

bool fanout_request_decode(struct fanout_request *request, struct request *chat, struct arena *arena, struct span body,
			   const struct json_limits *limits, struct findings *findings)
{
	struct json_error error;
	if (!json_parse_within(&request->json, arena, body, limits, &error)) {
		finding_of_json(findings, arena, &request->json, &error, limits);
		return false;
	}
	if (!field_read(&request->json, &fanout_fields, "body", arena, &request->fields, findings))
		return false;
	struct span text = write_chat(request, arena);
	if (text.at != NULL)
		return openai_request_decode(chat, ENDPOINT_CHAT, arena, text, limits, findings);
	finding_only(findings, (struct finding){.code = ERROR_OVERLOADED});
	return false;
}
