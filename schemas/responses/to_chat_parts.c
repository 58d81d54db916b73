/* SPDX-License-Identifier: MIT */
/* Contents of items as those of a chat's messages; to_chat.h holds the contract. */
#include "lib/json_write.h"
#include "schemas/responses/to_chat.h"

bool responses_is_type(const struct responses_to_chat *to, uint32_t object, const char *type)
{
	uint32_t node = json_member(to->json, object, "type");
	return node != JSON_NONE && json_type(to->json, node) == JSON_STRING && json_string_is(to->json, node, type);
}

uint32_t responses_member(const struct responses_to_chat *to, uint32_t object, const char *member)
{
	uint32_t node = json_member(to->json, object, member);
	return node == JSON_NONE || json_type(to->json, node) == JSON_NULL ? JSON_NONE : node;
}

static void drop_part(const struct responses_to_chat *to, const struct responses_place *place, uint32_t index)
{
	dropped_add(to->dropped, arena_printf(to->arena, "input[%u].%s[%u]", place->item, place->member, index));
}

/* Returns a string as it is written, without its quotation marks; {NULL,0}: it is none. */
static struct span inside_of(const struct responses_to_chat *to, uint32_t node)
{
	if (node == JSON_NONE || json_type(to->json, node) != JSON_STRING)
		return (struct span){NULL, 0};
	struct span raw = json_raw(to->json, node);
	return (struct span){raw.at + 1, raw.len - 2};
}

/* Returns the text of a part, as it is written; {NULL,0}: it has none. */
static struct span text_of(const struct responses_to_chat *to, uint32_t part)
{
	if (responses_is_type(to, part, "input_text") || responses_is_type(to, part, "output_text") ||
	    responses_is_type(to, part, "text"))
		return inside_of(to, json_member(to->json, part, "text"));
	if (responses_is_type(to, part, "refusal"))
		return inside_of(to, json_member(to->json, part, "refusal"));
	return (struct span){NULL, 0};
}

void responses_write_text(const struct responses_to_chat *to, const struct responses_place *place, uint32_t content,
			  struct span between, bool others)
{
	bool first = true;
	uint32_t index = 0;
	if (json_type(to->json, content) == JSON_STRING) {
		buf_append(to->out, inside_of(to, content));
		return;
	}
	for (uint32_t at = json_first(to->json, content); at != JSON_NONE;
	     at = json_next(to->json, content, at), index++) {
		struct span text = text_of(to, at);
		if (text.at == NULL) {
			if (others)
				drop_part(to, place, index);
			continue;
		}
		buf_append(to->out, first ? SPAN("") : between);
		buf_append(to->out, text);
		first = false;
	}
}

/* ---- parts ---- */

static void copy_member(const struct responses_to_chat *to, const char *prefix, uint32_t node)
{
	if (node == JSON_NONE)
		return;
	buf_append(to->out, span_of(prefix));
	buf_append(to->out, json_raw(to->json, node));
}

static void write_image(const struct responses_to_chat *to, uint32_t part)
{
	copy_member(to, "{\"type\":\"image_url\",\"image_url\":{\"url\":", json_member(to->json, part, "image_url"));
	copy_member(to, ",\"detail\":", responses_member(to, part, "detail"));
	buf_append(to->out, SPAN("}}"));
}

static void write_file(const struct responses_to_chat *to, uint32_t part)
{
	uint32_t name = responses_member(to, part, "filename");
	buf_append(to->out, SPAN("{\"type\":\"file\",\"file\":{\"filename\":"));
	buf_append(to->out, name == JSON_NONE ? SPAN("\"document.pdf\"") : json_raw(to->json, name));
	copy_member(to, ",\"file_data\":", json_member(to->json, part, "file_data"));
	buf_append(to->out, SPAN("}}"));
}

/* Writes a part that a chat has one for; returns whether it did. comma: stands before it. */
static bool write_part(const struct responses_to_chat *to, uint32_t part, bool comma)
{
	struct span text = text_of(to, part);
	bool image = responses_is_type(to, part, "input_image"), file = responses_is_type(to, part, "input_file"),
	     sound = responses_is_type(to, part, "input_audio");
	if (text.at == NULL && !image && !file && !sound)
		return false;
	buf_append(to->out, comma ? SPAN(",") : SPAN(""));
	if (image) {
		write_image(to, part);
	} else if (file) {
		write_file(to, part);
	} else if (sound) {
		copy_member(to,
			    "{\"type\":\"input_audio\",\"input_audio\":", json_member(to->json, part, "input_audio"));
		buf_append(to->out, SPAN("}"));
	} else {
		buf_append(to->out, SPAN("{\"type\":\"text\",\"text\":\""));
		buf_append(to->out, text);
		buf_append(to->out, SPAN("\"}"));
	}
	return true;
}

bool responses_write_content(const struct responses_to_chat *to, const struct responses_place *place, uint32_t content)
{
	uint32_t first = json_type(to->json, content) == JSON_ARRAY ? json_first(to->json, content) : JSON_NONE;
	bool single = first != JSON_NONE && json_next(to->json, content, first) == JSON_NONE;
	if (json_type(to->json, content) == JSON_STRING || (single && text_of(to, first).at != NULL)) {
		buf_append(to->out, SPAN("\""));
		responses_write_text(to, place, content, SPAN(""), true);
		buf_append(to->out, SPAN("\""));
		return true;
	}
	size_t start = buf_len(to->out), count = 0;
	uint32_t index = 0;
	buf_append(to->out, SPAN("["));
	for (uint32_t at = first; at != JSON_NONE; at = json_next(to->json, content, at), index++) {
		if (write_part(to, at, count > 0))
			count++;
		else
			drop_part(to, place, index);
	}
	buf_append(to->out, SPAN("]"));
	if (count == 0 && !buf_failed(to->out))
		buf_truncate(to->out, start);
	return count > 0;
}

void responses_write_pictures(const struct responses_to_chat *to, const struct responses_place *place, uint32_t output,
			      size_t *count)
{
	uint32_t index = 0;
	if (json_type(to->json, output) != JSON_ARRAY)
		return;
	for (uint32_t at = json_first(to->json, output); at != JSON_NONE;
	     at = json_next(to->json, output, at), index++) {
		if (text_of(to, at).at != NULL)
			continue;
		if (write_part(to, at, *count > 0))
			++*count;
		else
			drop_part(to, place, index);
	}
}
