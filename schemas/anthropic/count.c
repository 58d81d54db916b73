/* SPDX-License-Identifier: MIT */
/* The size of a Messages request; count.h holds the contract. */
#include "schemas/anthropic/count.h"

#include <inttypes.h>

#include "schemas/anthropic/request_fields.h"
#include "schemas/finding_json.h"

static bool has_type(const struct json *json, uint32_t object, const char *type)
{
	uint32_t node = json_member(json, object, "type");
	return node != JSON_NONE && json_string_is(json, node, type);
}

static bool is_image(const struct json *json, uint32_t source)
{
	static const struct span before = SPAN_INIT("\"image/");
	uint32_t node = json_member(json, source, "media_type");
	if (node == JSON_NONE || json_type(json, node) != JSON_STRING)
		return false;
	struct span raw = json_raw(json, node);
	return raw.len > before.len && memcmp(raw.at, before.at, before.len) == 0;
}

/* Takes a source of bytes out of the text. */
static void measure_source(const struct json *json, uint32_t source, struct input_size *size)
{
	uint32_t data = json_member(json, source, "data");
	if (has_type(json, source, "url")) {
		size->images++;
	} else if (has_type(json, source, "base64") && data != JSON_NONE && json_type(json, data) == JSON_STRING) {
		size_t len = json_raw(json, data).len;
		bool image = is_image(json, source);
		size->text -= len;
		size->images += image;
		size->documents += image ? 0 : len;
	}
}

static void measure(const struct json *json, struct input_size *size)
{
	size->text = json->text.len;
	for (uint32_t node = 0; node < json->node_count; node++) {
		uint32_t source = json_type(json, node) == JSON_OBJECT ? json_member(json, node, "source") : JSON_NONE;
		if (source != JSON_NONE && json_type(json, source) == JSON_OBJECT)
			measure_source(json, source, size);
	}
}

bool anthropic_count_read(struct span body, const struct json_limits *limits, const struct request_memory *memory,
			  struct arena *arena, struct findings *findings, struct input_size *size)
{
	struct json json;
	struct json_error error;
	struct anthropic_count typed;
	(void)memory; /* every request has its whole conversation */
	*size = (struct input_size){.model = {NULL, 0}};
	findings->count = 0;
	if (!json_parse_within(&json, arena, body, limits, &error)) {
		finding_of_json(findings, arena, &json, &error, limits);
		return false;
	}
	bool good = field_read(&json, &anthropic_count_fields, "body", arena, &typed, findings);
	size->model = typed.model.value;
	measure(&json, size);
	if (arena_failed(arena)) {
		finding_only(findings, (struct finding){.code = ERROR_OVERLOADED});
		return false;
	}
	return good;
}

void anthropic_count_write(struct buf *out, uint64_t tokens)
{
	buf_printf(out, "{\"input_tokens\":%" PRIu64 "}", tokens);
}
