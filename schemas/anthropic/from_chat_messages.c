/* SPDX-License-Identifier: MIT */
/* The messages of a chat as those of a Messages request; from_chat.h holds the contract. */
#include "lib/json_write.h"
#include "schemas/anthropic/call_ids.h"
#include "schemas/anthropic/from_chat.h"

/* A list that is being written. */
struct listing {
	struct buf *out;
	size_t count;
};

/* The messages, and who has spoken so far. */
struct messages {
	const struct translation *to;
	const struct json *json;
	struct buf *out;
	uint32_t list;
	struct listing written;
	struct call_ids called; /* by the assistant that spoke last */
};

static void next(struct listing *listing)
{
	if (listing->count++ > 0)
		buf_append(listing->out, SPAN(","));
}

static struct span path_of(const struct messages *at, unsigned message, const char *member)
{
	return arena_printf(at->to->arena, "messages[%u]%s", message, member);
}

static struct span part_path_of(const struct messages *at, unsigned message, unsigned part)
{
	return arena_printf(at->to->arena, "messages[%u].content[%u]", message, part);
}

static bool is_word(const struct json *json, uint32_t object, const char *member, const char *word)
{
	uint32_t node = json_member(json, object, member);
	return node != JSON_NONE && json_type(json, node) == JSON_STRING && json_string_is(json, node, word);
}

static bool is_role(const struct json *json, uint32_t message, const char *role)
{
	return is_word(json, message, "role", role);
}

static bool is_system(const struct json *json, uint32_t message)
{
	return is_role(json, message, "system") || is_role(json, message, "developer");
}

static bool is_tool(const struct json *json, uint32_t message)
{
	return is_role(json, message, "tool") || is_role(json, message, "function");
}

/* Returns a member that is a string with something in it; JSON_NONE: there is none. */
static uint32_t text_member(const struct json *json, uint32_t object, const char *member)
{
	uint32_t node = json_member(json, object, member);
	bool filled = node != JSON_NONE && json_type(json, node) == JSON_STRING &&
		      json->nodes[node].end - json->nodes[node].start > 2;
	return filled ? node : JSON_NONE;
}

/* ---- blocks ---- */

/* Writes a block of text, with the cache_control of the part that it was. raw: with its quotation marks. */
static void write_text(const struct messages *at, struct listing *blocks, struct span raw, uint32_t part)
{
	uint32_t control = part == JSON_NONE ? JSON_NONE : json_member(at->json, part, "cache_control");
	if (raw.len <= 2)
		return; /* Anthropic refuses blocks without a text */
	next(blocks);
	buf_append(at->out, SPAN("{\"type\":\"text\",\"text\":"));
	buf_append(at->out, raw);
	if (control != JSON_NONE && json_type(at->json, control) == JSON_OBJECT) {
		buf_append(at->out, SPAN(",\"cache_control\":"));
		buf_append(at->out, json_raw(at->json, control));
	}
	buf_append(at->out, SPAN("}"));
}

/* Writes the source of an image or document: data of its own, or a URL. raw: without quotation marks. */
static void write_source(const struct messages *at, struct span raw)
{
	static const struct span base64 = SPAN_INIT(";base64,");
	const char *comma = raw.len > 5 && span_begins(raw, "data:") ? memchr(raw.at, ',', raw.len) : NULL;
	size_t head = comma == NULL ? 0 : (size_t)(comma + 1 - raw.at);
	if (head > 5 + base64.len && memcmp(comma + 1 - base64.len, base64.at, base64.len) == 0) {
		buf_append(at->out, SPAN("\"source\":{\"type\":\"base64\",\"media_type\":\""));
		buf_append(at->out, (struct span){raw.at + 5, head - 5 - base64.len});
		buf_append(at->out, SPAN("\",\"data\":\""));
		buf_append(at->out, (struct span){comma + 1, raw.len - head});
	} else {
		buf_append(at->out, SPAN("\"source\":{\"type\":\"url\",\"url\":\""));
		buf_append(at->out, raw);
	}
	buf_append(at->out, SPAN("\"}"));
}

/* False: it is not told where the image is. */
static bool write_image(const struct messages *at, struct listing *blocks, uint32_t part)
{
	uint32_t image = json_member(at->json, part, "image_url");
	uint32_t url = image != JSON_NONE && json_type(at->json, image) == JSON_STRING ? image : JSON_NONE;
	if (image != JSON_NONE && url == JSON_NONE)
		url = text_member(at->json, image, "url");
	if (url == JSON_NONE)
		return false;
	struct span raw = json_raw(at->json, url);
	next(blocks);
	buf_append(at->out, SPAN("{\"type\":\"image\","));
	write_source(at, (struct span){raw.at + 1, raw.len - 2});
	buf_append(at->out, SPAN("}"));
	return true;
}

/* False: it is a reference to a file of another backend. */
static bool write_file(const struct messages *at, struct listing *blocks, uint32_t part)
{
	uint32_t file = json_member(at->json, part, "file");
	uint32_t data = file == JSON_NONE ? JSON_NONE : text_member(at->json, file, "file_data");
	uint32_t name = file == JSON_NONE ? JSON_NONE : text_member(at->json, file, "filename");
	if (data == JSON_NONE)
		return false;
	struct span raw = json_raw(at->json, data);
	next(blocks);
	buf_append(at->out, SPAN("{\"type\":\"document\","));
	write_source(at, (struct span){raw.at + 1, raw.len - 2});
	if (name != JSON_NONE) {
		buf_append(at->out, SPAN(",\"title\":"));
		buf_append(at->out, json_raw(at->json, name));
	}
	buf_append(at->out, SPAN("}"));
	return true;
}

/* False, with nothing written: Messages have no block for the part. */
static bool write_part(const struct messages *at, struct listing *blocks, uint32_t part)
{
	const struct json *json = at->json;
	if (json_type(json, part) == JSON_STRING) {
		write_text(at, blocks, json_raw(json, part), JSON_NONE);
		return true;
	}
	if (is_word(json, part, "type", "image_url"))
		return write_image(at, blocks, part);
	if (is_word(json, part, "type", "file"))
		return write_file(at, blocks, part);
	uint32_t text = json_member(json, part, is_word(json, part, "type", "refusal") ? "refusal" : "text");
	if (text == JSON_NONE || json_type(json, text) != JSON_STRING)
		return false;
	write_text(at, blocks, json_raw(json, text), part);
	return true;
}

/* Writes the content of message number index: a string, or parts. */
static void write_content(const struct messages *at, struct listing *blocks, uint32_t message, unsigned index)
{
	uint32_t content = json_member(at->json, message, "content");
	unsigned part = 0;
	if (content == JSON_NONE)
		return;
	if (json_type(at->json, content) == JSON_STRING)
		write_text(at, blocks, json_raw(at->json, content), JSON_NONE);
	for (uint32_t node = json_first(at->json, content); node != JSON_NONE;
	     node = json_next(at->json, content, node), part++)
		if (!write_part(at, blocks, node))
			dropped_add(at->to->dropped, part_path_of(at, index, part));
}

/* ---- the system ---- */

static void write_system(const struct messages *at)
{
	struct listing blocks = {at->out, 0};
	unsigned index = 0;
	size_t start = buf_len(at->out);
	buf_append(at->out, SPAN(",\"system\":["));
	for (uint32_t node = json_first(at->json, at->list); node != JSON_NONE;
	     node = json_next(at->json, at->list, node), index++)
		if (is_system(at->json, node))
			write_content(at, &blocks, node, index);
	buf_append(at->out, SPAN("]"));
	if (blocks.count == 0 && !buf_failed(at->out))
		buf_truncate(at->out, start);
}

/* ---- what users and tools say ---- */

/* Returns whether the assistant that spoke last made a call of that id, a string. */
static bool was_called(const struct messages *at, uint32_t id)
{
	return id != JSON_NONE && call_ids_have(&at->called, json_string(at->json, id, at->to->arena));
}

static void write_result(const struct messages *at, struct listing *blocks, uint32_t message, unsigned index)
{
	uint32_t id = text_member(at->json, message, "tool_call_id");
	struct listing inside = {at->out, 0};
	if (!was_called(at, id)) {
		dropped_add(at->to->dropped, path_of(at, index, ".tool_call_id"));
		write_content(at, blocks, message, index);
		return;
	}
	next(blocks);
	buf_append(at->out, SPAN("{\"type\":\"tool_result\",\"tool_use_id\":"));
	buf_append(at->out, json_raw(at->json, id));
	buf_append(at->out, SPAN(",\"content\":["));
	write_content(at, &inside, message, index);
	buf_append(at->out, SPAN("]}"));
}

/* Returns whether the message belongs to those of users and tools that follow each other. */
static bool is_heard(const struct json *json, uint32_t message)
{
	return !is_role(json, message, "assistant");
}

/* Writes the messages of users and tools from the one at node, number *index, as one. Returns the next one. */
static uint32_t write_heard(struct messages *at, uint32_t node, unsigned *index)
{
	struct listing blocks = {at->out, 0};
	size_t start = buf_len(at->out), before = at->written.count;
	unsigned number = *index;
	uint32_t end = node;
	next(&at->written);
	buf_append(at->out, SPAN("{\"role\":\"user\",\"content\":["));
	for (; end != JSON_NONE && is_heard(at->json, end); end = json_next(at->json, at->list, end), number++)
		if (is_tool(at->json, end))
			write_result(at, &blocks, end, number);
	number = *index;
	for (uint32_t heard = node; heard != end; heard = json_next(at->json, at->list, heard), number++)
		if (!is_tool(at->json, heard) && !is_system(at->json, heard))
			write_content(at, &blocks, heard, number);
	buf_append(at->out, SPAN("]}"));
	*index = number;
	if (blocks.count == 0 && !buf_failed(at->out)) {
		buf_truncate(at->out, start);
		at->written.count = before;
	}
	return end;
}

/* ---- what an assistant said ---- */

/* Appends arguments as an object; what is none becomes the member "arguments" of one. */
static void write_input(const struct messages *at, uint32_t arguments)
{
	static const struct json_limits limits = {.depth = 128};
	struct json_error error;
	struct json parsed;
	if (arguments != JSON_NONE && json_type(at->json, arguments) == JSON_OBJECT) {
		buf_append(at->out, json_raw(at->json, arguments));
		return;
	}
	struct span text = arguments == JSON_NONE || json_type(at->json, arguments) != JSON_STRING
			       ? SPAN("")
			       : json_string(at->json, arguments, at->to->arena);
	if (text.len == 0) {
		buf_append(at->out, SPAN("{}"));
	} else if (json_parse_relaxed(&parsed, at->to->arena, text, &limits, &error) &&
		   json_type(&parsed, 0) == JSON_OBJECT) {
		buf_append(at->out, text);
	} else {
		buf_append(at->out, SPAN("{\"arguments\":"));
		json_write_string(at->out, text);
		buf_append(at->out, SPAN("}"));
	}
}

/* False: it is no call of a function. */
static bool write_call(const struct messages *at, struct listing *blocks, uint32_t call)
{
	uint32_t function = json_member(at->json, call, "function"), id = text_member(at->json, call, "id");
	uint32_t name = function == JSON_NONE ? JSON_NONE : text_member(at->json, function, "name");
	if (name == JSON_NONE || id == JSON_NONE)
		return false;
	next(blocks);
	buf_append(at->out, SPAN("{\"type\":\"tool_use\",\"id\":"));
	buf_append(at->out, json_raw(at->json, id));
	buf_append(at->out, SPAN(",\"name\":"));
	buf_append(at->out, json_raw(at->json, name));
	buf_append(at->out, SPAN(",\"input\":"));
	write_input(at, json_member(at->json, function, "arguments"));
	buf_append(at->out, SPAN("}"));
	return true;
}

static void write_calls(const struct messages *at, struct listing *blocks, uint32_t message, unsigned index)
{
	uint32_t calls = json_member(at->json, message, "tool_calls");
	unsigned number = 0;
	if (calls == JSON_NONE)
		return;
	for (uint32_t call = json_first(at->json, calls); call != JSON_NONE;
	     call = json_next(at->json, calls, call), number++)
		if (!write_call(at, blocks, call))
			dropped_add(at->to->dropped,
				    arena_printf(at->to->arena, "messages[%u].tool_calls[%u]", index, number));
}

/* Names what an assistant's message has that Messages have no block for. */
static void drop_rest(const struct messages *at, uint32_t message, unsigned index)
{
	static const char *const members[] = {"reasoning_content", "reasoning", "audio", "function_call"};
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		uint32_t node = json_member(at->json, message, members[i]);
		if (node != JSON_NONE && json_type(at->json, node) != JSON_NULL)
			dropped_add(at->to->dropped, arena_printf(at->to->arena, "messages[%u].%s", index, members[i]));
	}
}

/* Writes the messages of assistants that follow each other as one. Returns the next one. */
static uint32_t write_said(struct messages *at, uint32_t node, unsigned *index)
{
	struct listing blocks = {at->out, 0};
	size_t start = buf_len(at->out), before = at->written.count;
	uint32_t first = node;
	next(&at->written);
	buf_append(at->out, SPAN("{\"role\":\"assistant\",\"content\":["));
	for (; node != JSON_NONE && !is_heard(at->json, node); node = json_next(at->json, at->list, node), ++*index) {
		uint32_t refusal = text_member(at->json, node, "refusal");
		write_content(at, &blocks, node, *index);
		if (refusal != JSON_NONE)
			write_text(at, &blocks, json_raw(at->json, refusal), JSON_NONE);
		write_calls(at, &blocks, node, *index);
		drop_rest(at, node, *index);
	}
	call_ids_read(&at->called, at->json, at->list, first, node, at->to->arena);
	buf_append(at->out, SPAN("]}"));
	if (blocks.count == 0 && !buf_failed(at->out)) {
		buf_truncate(at->out, start);
		at->written.count = before;
	}
	return node;
}

/* ---- all of them ---- */

/* Writes how the answer began, for the backend to go on with. */
static void write_prefill(struct messages *at, struct span text)
{
	if (text.at == NULL)
		return;
	next(&at->written);
	buf_append(at->out, SPAN("{\"role\":\"assistant\",\"content\":"));
	json_write_string(at->out, text);
	buf_append(at->out, SPAN("}"));
}

void anthropic_write_from_chat_messages(const struct translation *translation, uint32_t list)
{
	struct messages at = {.to = translation,
			      .json = &translation->request->json,
			      .out = translation->out,
			      .list = list,
			      .written = {translation->out, 0}};
	unsigned index = 0;
	uint32_t node = list == JSON_NONE ? JSON_NONE : json_first(at.json, list);
	if (node != JSON_NONE)
		write_system(&at);
	buf_append(at.out, SPAN(",\"messages\":["));
	while (node != JSON_NONE)
		node = is_heard(at.json, node) ? write_heard(&at, node, &index) : write_said(&at, node, &index);
	write_prefill(&at, translation->splice->prefill);
	buf_append(at.out, SPAN("]"));
}

bool anthropic_is_in_turn(const struct json *json, uint32_t list)
{
	uint32_t last = JSON_NONE;
	for (uint32_t at = list == JSON_NONE ? JSON_NONE : json_first(json, list); at != JSON_NONE;
	     at = json_next(json, list, at))
		last = at;
	return last != JSON_NONE && is_tool(json, last);
}
