/* SPDX-License-Identifier: MIT */
/* The size of a Responses request; count.h holds the contract. */
#include "schemas/responses/count.h"

#include <inttypes.h>

#include "schemas/finding_json.h"
#include "schemas/responses/conversation.h"

/* Returns the text between the quotes of a string member, as it is written; {NULL,0}: there is none. */
static struct span text_of(const struct json *json, uint32_t object, const char *name)
{
	uint32_t node = json_member(json, object, name);
	if (node == JSON_NONE || json_type(json, node) != JSON_STRING)
		return (struct span){NULL, 0};
	struct span raw = json_raw(json, node);
	return (struct span){raw.at + 1, raw.len - 2};
}

static void measure_bytes(struct span bytes, struct input_size *size)
{
	size->text -= bytes.len;
	size->documents += bytes.len;
}

/* Takes what is no text of a part out of the text. */
static void measure_part(const struct json *json, uint32_t part, struct input_size *size)
{
	struct span type = text_of(json, part, "type");
	if (span_is(type, "input_image")) {
		size->text -= text_of(json, part, "image_url").len;
		size->images++;
	} else if (span_is(type, "input_file")) {
		measure_bytes(text_of(json, part, "file_data"), size);
	} else if (span_is(type, "input_audio")) {
		uint32_t audio = json_member(json, part, "input_audio");
		if (audio != JSON_NONE && json_type(json, audio) == JSON_OBJECT)
			measure_bytes(text_of(json, audio, "data"), size);
	}
}

static void measure(const struct json *json, struct input_size *size)
{
	size->text = json->text.len;
	for (uint32_t node = 0; node < json->node_count; node++)
		if (json_type(json, node) == JSON_OBJECT)
			measure_part(json, node, size);
}

static bool read_body(struct json *json, struct responses_request *typed, struct span body,
		      const struct json_limits *limits, struct arena *arena, struct findings *findings)
{
	struct json_error error;
	*typed = (struct responses_request){.model = {.node = JSON_NONE}};
	if (json_parse_within(json, arena, body, limits, &error))
		return field_read(json, &responses_request_fields, "body", arena, typed, findings);
	finding_of_json(findings, arena, json, &error, limits);
	return false;
}

bool responses_count_read(struct span body, const struct json_limits *limits, const struct request_memory *memory,
			  struct arena *arena, struct findings *findings, struct input_size *size)
{
	struct json json;
	struct responses_request typed;
	*size = (struct input_size){.model = {NULL, 0}};
	findings->count = 0;
	bool good = read_body(&json, &typed, body, limits, arena, findings);
	size->model = typed.model.value;
	if (good && typed.previous_response_id.node != JSON_NONE) {
		body = responses_conversation(memory, arena->party, &json, &typed, arena, findings);
		good = body.at != NULL && read_body(&json, &typed, body, limits, arena, findings);
	}
	if (good)
		measure(&json, size);
	if (arena_failed(arena)) {
		finding_only(findings, (struct finding){.code = ERROR_OVERLOADED});
		return false;
	}
	return good;
}

void responses_count_write(struct buf *out, uint64_t tokens)
{
	buf_printf(out, "{\"object\":\"response.input_tokens\",\"input_tokens\":%" PRIu64 "}", tokens);
}
