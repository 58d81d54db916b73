/* SPDX-License-Identifier: MIT */
/* What an answer says; see openai_text.h. */
#include "schemas/openai/text.h"

#include "lib/json_canonical.h"
#include "schemas/openai/internal.h"

void openai_text_init(struct openai_text *text, size_t ceiling)
{
	buf_init(&text->content, ceiling);
	for (size_t i = 0; i < OPENAI_TEXT_CALLS; i++) {
		buf_init(&text->calls[i].name, ceiling);
		buf_init(&text->calls[i].arguments, ceiling);
	}
}

void openai_text_fini(struct openai_text *text)
{
	buf_fini(&text->content);
	for (size_t i = 0; i < OPENAI_TEXT_CALLS; i++) {
		buf_fini(&text->calls[i].name);
		buf_fini(&text->calls[i].arguments);
	}
}

/* Appends the string member key of object, if there is one. False for parts of content, which say more than a text. */
static bool add_member(const struct json *json, uint32_t object, const char *key, struct arena *scratch,
		       struct buf *out)
{
	uint32_t value = json_member(json, object, key);
	if (value == JSON_NONE)
		return true;
	if (json_type(json, value) != JSON_STRING)
		return !openai_is_filled(json, value);
	return buf_append(out, json_string(json, value, scratch)) && !arena_failed(scratch);
}

static bool add_call(struct openai_text *text, const struct json *json, uint32_t call, int64_t position,
		     struct arena *scratch)
{
	int64_t index = position;
	uint32_t told = json_member(json, call, "index");
	uint32_t function = json_member(json, call, "function");
	if (told != JSON_NONE && !json_int(json, told, &index))
		index = position;
	if (index < 0 || index >= OPENAI_TEXT_CALLS)
		return false;
	if (function == JSON_NONE)
		return true;
	return add_member(json, function, "name", scratch, &text->calls[index].name) &&
	       add_member(json, function, "arguments", scratch, &text->calls[index].arguments);
}

static bool add_message(struct openai_text *text, const struct json *json, uint32_t message, struct arena *scratch)
{
	int64_t position = 0;
	if (!add_member(json, message, "content", scratch, &text->content) ||
	    !add_member(json, message, "refusal", scratch, &text->content))
		return false;
	uint32_t calls = json_member(json, message, "tool_calls");
	if (calls == JSON_NONE || json_type(json, calls) != JSON_ARRAY)
		return true;
	for (uint32_t at = json_first(json, calls); at != JSON_NONE; at = json_next(json, calls, at), position++) {
		if (!add_call(text, json, at, position, scratch))
			return false;
	}
	return true;
}

bool openai_text_add(struct openai_text *text, struct span data, struct arena *scratch)
{
	struct json json;
	if (!openai_read_object(&json, scratch, data))
		return false;
	uint32_t choices = json_member(&json, 0, "choices");
	uint32_t choice = choices == JSON_NONE ? JSON_NONE : json_first(&json, choices);
	if (choice == JSON_NONE)
		return false;
	uint32_t message = json_member(&json, choice, "delta");
	if (message == JSON_NONE)
		message = json_member(&json, choice, "message");
	if (message != JSON_NONE)
		return add_message(text, &json, message, scratch);
	return add_member(&json, choice, "text", scratch, &text->content);
}

static bool is_white(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r' || byte == '\v' || byte == '\f';
}

static struct span trim(struct span text)
{
	while (text.len > 0 && is_white(text.at[text.len - 1]))
		text.len--;
	for (; text.len > 0 && is_white(text.at[0]); text.len--)
		text.at++;
	return text;
}

/* A mark, a NUL between parts: what is JSON never equals what is text. */
static void write_part(struct span text, bool as_json, struct arena *scratch, struct buf *out)
{
	struct json json;
	struct json_error error;
	if (as_json && json_parse_relaxed(&json, scratch, text, &JSON_DEPTH(OPENAI_ANSWER_DEPTH), &error)) {
		buf_append(out, SPAN("json:"));
		json_write_canonical(&json, 0, scratch, out);
	} else {
		buf_append(out, SPAN("text:"));
		buf_append(out, trim(text));
	}
	buf_append(out, SPAN("\0"));
}

void openai_text_write_key(const struct openai_text *text, bool as_json, struct arena *scratch, struct buf *out)
{
	write_part(buf_span(&text->content), as_json, scratch, out);
	for (size_t i = 0; i < OPENAI_TEXT_CALLS; i++) {
		const struct openai_text_call *call = &text->calls[i];
		if (buf_len(&call->name) == 0 && buf_len(&call->arguments) == 0)
			continue;
		write_part(buf_span(&call->name), false, scratch, out);
		write_part(buf_span(&call->arguments), true, scratch, out);
	}
}

bool openai_request_wants_json(const struct openai_request *request)
{
	const struct json *json = &request->json;
	if (json->node_count == 0)
		return false;
	uint32_t format = json_member(json, 0, "response_format");
	uint32_t type = format == JSON_NONE ? JSON_NONE : json_member(json, format, "type");
	return type != JSON_NONE &&
	       (json_string_is(json, type, "json_object") || json_string_is(json, type, "json_schema"));
}
