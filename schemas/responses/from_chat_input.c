/* SPDX-License-Identifier: MIT */
/* The messages of a chat as items of an input; from_chat.h holds the contract. */
#include "lib/json_write.h"
#include "schemas/responses/from_chat.h"

/* The items, and the messages that they come from. */
struct input {
	const struct translation *to;
	const struct json *json;
	struct buf *out;
	uint32_t list;
	size_t count;
	size_t looks; /* at calls, for those that results answer */
};

enum { LOOKS_MOST = 65536 /* then a call is taken for one of a function that there is: it is a matter of ms */ };

/* A list of parts within an item. */
struct parts {
	struct buf *out;
	size_t count;
};

static bool is_word(const struct json *json, uint32_t object, const char *member, const char *word)
{
	uint32_t node = json_member(json, object, member);
	return node != JSON_NONE && json_type(json, node) == JSON_STRING && json_string_is(json, node, word);
}

/* Returns a member that is a string with something in it; JSON_NONE: there is none. */
static uint32_t text_member(const struct json *json, uint32_t object, const char *member)
{
	uint32_t node = json_member(json, object, member);
	bool filled = node != JSON_NONE && json_type(json, node) == JSON_STRING &&
		      json->nodes[node].end - json->nodes[node].start > 2;
	return filled ? node : JSON_NONE;
}

static bool is_tool(const struct json *json, uint32_t message)
{
	return is_word(json, message, "role", "tool") || is_word(json, message, "role", "function");
}

static void next_item(struct input *at)
{
	if (at->count++ > 0)
		buf_append(at->out, SPAN(","));
}

static void next_part(struct parts *parts)
{
	if (parts->count++ > 0)
		buf_append(parts->out, SPAN(","));
}

/* Writes a member whose value stays as it is written, unless there is none. */
static void copy(const struct input *at, struct span name, uint32_t node)
{
	if (node == JSON_NONE || json_type(at->json, node) == JSON_NULL)
		return;
	buf_append(at->out, SPAN(",\""));
	buf_append(at->out, name);
	buf_append(at->out, SPAN("\":"));
	buf_append(at->out, json_raw(at->json, node));
}

/* ---- parts ---- */

static void write_text(const struct input *at, struct parts *parts, struct span type, uint32_t text)
{
	next_part(parts);
	buf_append(at->out, SPAN("{\"type\":\""));
	buf_append(at->out, type);
	buf_append(at->out, SPAN("\",\"text\":"));
	buf_append(at->out, json_raw(at->json, text));
	buf_append(at->out, SPAN("}"));
}

/* False: it is not told where the image is. */
static bool write_image(const struct input *at, struct parts *parts, uint32_t part)
{
	uint32_t image = json_member(at->json, part, "image_url");
	bool object = image != JSON_NONE && json_type(at->json, image) == JSON_OBJECT;
	uint32_t url = object ? text_member(at->json, image, "url") : text_member(at->json, part, "image_url");
	if (url == JSON_NONE)
		return false;
	next_part(parts);
	buf_append(at->out, SPAN("{\"type\":\"input_image\""));
	copy(at, SPAN("image_url"), url);
	copy(at, SPAN("detail"), object ? json_member(at->json, image, "detail") : JSON_NONE);
	buf_append(at->out, SPAN("}"));
	return true;
}

static bool write_file(const struct input *at, struct parts *parts, uint32_t part)
{
	uint32_t file = json_member(at->json, part, "file");
	if (file == JSON_NONE || json_type(at->json, file) != JSON_OBJECT)
		return false;
	next_part(parts);
	buf_append(at->out, SPAN("{\"type\":\"input_file\""));
	copy(at, SPAN("file_id"), json_member(at->json, file, "file_id"));
	copy(at, SPAN("filename"), json_member(at->json, file, "filename"));
	copy(at, SPAN("file_data"), json_member(at->json, file, "file_data"));
	buf_append(at->out, SPAN("}"));
	return true;
}

/* text: the type that text has there. False, with nothing written: there is no such part. */
static bool write_part(const struct input *at, struct parts *parts, uint32_t part, struct span text)
{
	if (json_type(at->json, part) == JSON_STRING) {
		write_text(at, parts, text, part);
		return true;
	}
	if (is_word(at->json, part, "type", "image_url"))
		return write_image(at, parts, part);
	if (is_word(at->json, part, "type", "file"))
		return write_file(at, parts, part);
	uint32_t own = json_member(at->json, part, "text");
	if (own == JSON_NONE || json_type(at->json, own) != JSON_STRING)
		return false;
	write_text(at, parts, text, own);
	return true;
}

/* Writes the content of message number index as parts, without the brackets. */
static void write_parts(const struct input *at, struct parts *parts, uint32_t message, unsigned index, struct span text)
{
	uint32_t content = json_member(at->json, message, "content");
	unsigned number = 0;
	if (content == JSON_NONE)
		return;
	if (json_type(at->json, content) == JSON_STRING && text_member(at->json, message, "content") != JSON_NONE)
		write_text(at, parts, text, content);
	for (uint32_t part = json_first(at->json, content); part != JSON_NONE;
	     part = json_next(at->json, content, part), number++)
		if (!write_part(at, parts, part, text))
			dropped_add(at->to->dropped,
				    arena_printf(at->to->arena, "messages[%u].content[%u]", index, number));
}

/* ---- messages ---- */

static void begin_message(struct input *at, struct span role)
{
	next_item(at);
	buf_append(at->out, SPAN("{\"type\":\"message\",\"role\":"));
	buf_append(at->out, role);
	buf_append(at->out, SPAN(",\"content\":["));
}

/* Writes what somebody says; nothing when it is nothing. role: with its quotation marks. */
static void write_said(struct input *at, uint32_t message, unsigned index, struct span role, struct span text)
{
	size_t start = buf_len(at->out), before = at->count;
	struct parts parts = {at->out, 0};
	begin_message(at, role);
	write_parts(at, &parts, message, index, text);
	uint32_t refusal = text_member(at->json, message, "refusal");
	if (refusal != JSON_NONE) {
		next_part(&parts);
		buf_append(at->out, SPAN("{\"type\":\"refusal\""));
		copy(at, SPAN("refusal"), refusal);
		buf_append(at->out, SPAN("}"));
	}
	buf_append(at->out, SPAN("]}"));
	if (parts.count > 0 || buf_failed(at->out))
		return;
	buf_truncate(at->out, start);
	at->count = before;
}

/* False, with nothing written: it is no call of a function or custom tool, or has no id. */
static bool write_call(struct input *at, uint32_t call)
{
	uint32_t function = json_member(at->json, call, "function"), custom = json_member(at->json, call, "custom");
	uint32_t own = function != JSON_NONE ? function : custom, id = text_member(at->json, call, "id");
	uint32_t name = own == JSON_NONE ? JSON_NONE : text_member(at->json, own, "name");
	if (name == JSON_NONE || id == JSON_NONE)
		return false;
	uint32_t arguments = json_member(at->json, own, function != JSON_NONE ? "arguments" : "input");
	next_item(at);
	buf_append(at->out, function != JSON_NONE ? SPAN("{\"type\":\"function_call\"")
						  : SPAN("{\"type\":\"custom_tool_call\""));
	copy(at, SPAN("call_id"), id);
	copy(at, SPAN("name"), name);
	buf_append(at->out, function != JSON_NONE ? SPAN(",\"arguments\":") : SPAN(",\"input\":"));
	if (arguments == JSON_NONE)
		buf_append(at->out, SPAN("\"\""));
	else if (json_type(at->json, arguments) == JSON_STRING)
		buf_append(at->out, json_raw(at->json, arguments));
	else
		json_write_string(at->out, json_raw(at->json, arguments));
	buf_append(at->out, SPAN("}"));
	return true;
}

static void write_assistant(struct input *at, uint32_t message, unsigned index)
{
	static const char *const others[] = {"reasoning_content", "reasoning", "audio", "function_call"};
	uint32_t calls = json_member(at->json, message, "tool_calls");
	unsigned number = 0;
	write_said(at, message, index, SPAN("\"assistant\""), SPAN("output_text"));
	for (uint32_t call = calls == JSON_NONE ? JSON_NONE : json_first(at->json, calls); call != JSON_NONE;
	     call = json_next(at->json, calls, call), number++)
		if (!write_call(at, call))
			dropped_add(at->to->dropped,
				    arena_printf(at->to->arena, "messages[%u].tool_calls[%u]", index, number));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		uint32_t node = json_member(at->json, message, others[i]);
		if (node != JSON_NONE && json_type(at->json, node) != JSON_NULL)
			dropped_add(at->to->dropped, arena_printf(at->to->arena, "messages[%u].%s", index, others[i]));
	}
}

/* Returns whether a call of that id is in a message before. *custom: of a custom tool. */
static bool find_call(struct input *at, uint32_t before, struct span id, bool *custom)
{
	*custom = false;
	for (uint32_t message = json_first(at->json, at->list); message != JSON_NONE && message < before;
	     message = json_next(at->json, at->list, message)) {
		uint32_t calls = json_member(at->json, message, "tool_calls");
		for (uint32_t call = calls == JSON_NONE ? JSON_NONE : json_first(at->json, calls); call != JSON_NONE;
		     call = json_next(at->json, calls, call)) {
			uint32_t own = text_member(at->json, call, "id");
			if (at->looks++ >= LOOKS_MOST)
				return true;
			if (own == JSON_NONE || !span_equal(json_string(at->json, own, at->to->arena), id))
				continue;
			*custom = json_member(at->json, call, "function") == JSON_NONE;
			return true;
		}
	}
	return false;
}

static void write_result(struct input *at, uint32_t message, unsigned index)
{
	uint32_t id = text_member(at->json, message, "tool_call_id");
	uint32_t content = json_member(at->json, message, "content");
	struct parts parts = {at->out, 0};
	bool custom = false;
	if (id == JSON_NONE || !find_call(at, message, json_string(at->json, id, at->to->arena), &custom)) {
		dropped_add(at->to->dropped, arena_printf(at->to->arena, "messages[%u].tool_call_id", index));
		write_said(at, message, index, SPAN("\"user\""), SPAN("input_text"));
		return;
	}
	next_item(at);
	buf_append(at->out,
		   custom ? SPAN("{\"type\":\"custom_tool_call_output\"") : SPAN("{\"type\":\"function_call_output\""));
	copy(at, SPAN("call_id"), id);
	buf_append(at->out, SPAN(",\"output\":"));
	if (content != JSON_NONE && json_type(at->json, content) == JSON_ARRAY) {
		buf_append(at->out, SPAN("["));
		write_parts(at, &parts, message, index, SPAN("input_text"));
		buf_append(at->out, SPAN("]"));
	} else {
		bool text = content != JSON_NONE && json_type(at->json, content) == JSON_STRING;
		buf_append(at->out, text ? json_raw(at->json, content) : SPAN("\"\""));
	}
	buf_append(at->out, SPAN("}"));
}

void responses_write_input(const struct translation *translation, uint32_t list)
{
	struct input at = {
	    .to = translation, .json = &translation->request->json, .out = translation->out, .list = list};
	unsigned index = 0;
	buf_append(at.out, SPAN(",\"input\":["));
	for (uint32_t node = list == JSON_NONE ? JSON_NONE : json_first(at.json, list); node != JSON_NONE;
	     node = json_next(at.json, list, node), index++) {
		if (is_word(at.json, node, "role", "assistant"))
			write_assistant(&at, node, index);
		else if (is_tool(at.json, node))
			write_result(&at, node, index);
		else
			write_said(&at, node, index, json_raw(at.json, json_member(at.json, node, "role")),
				   SPAN("input_text"));
	}
	if (translation->splice->prefill.at != NULL) {
		begin_message(&at, SPAN("\"assistant\""));
		buf_append(at.out, SPAN("{\"type\":\"output_text\",\"text\":"));
		json_write_string(at.out, translation->splice->prefill);
		buf_append(at.out, SPAN("}]}"));
	}
	buf_append(at.out, SPAN("]"));
}
