/* SPDX-License-Identifier: MIT */
/* Messages of a conversation as those of a chat; to_chat.h holds the contract. */
#include "lib/json_write.h"
#include "schemas/anthropic/to_chat.h"

#define PARAGRAPH SPAN("\\n\\n") /* as it is written in a string */

/* A list that is being written. */
struct listing {
	struct buf *out;
	size_t count;
};

static void next(struct listing *listing)
{
	if (listing->count++ > 0)
		buf_append(listing->out, SPAN(","));
}

/* Where a block is: of a message, of a result in it, or of the system's text. */
struct place {
	const char *list; /* "messages", or "system" */
	uint32_t message, block, inner;
	bool is_inner;
};

static struct span path_of(const struct to_chat *to, const struct place *place, const char *member)
{
	if (place->list[0] == 's')
		return arena_printf(to->arena, "system[%u]%s", place->block, member);
	if (place->is_inner)
		return arena_printf(to->arena, "messages[%u].content[%u].content[%u]%s", place->message, place->block,
				    place->inner, member);
	return arena_printf(to->arena, "messages[%u].content[%u]%s", place->message, place->block, member);
}

static void drop(const struct to_chat *to, const struct place *place, const char *member)
{
	dropped_add(to->dropped, path_of(to, place, member));
}

/* Drops the members of a block that every type may have. */
static void drop_common(const struct to_chat *to, const struct place *place, uint32_t block)
{
	if (to_chat_has(to, block, "cache_control"))
		dropped_add_idle(to->dropped, path_of(to, place, ".cache_control"));
	if (to_chat_has(to, block, "citations"))
		drop(to, place, ".citations");
}

static bool is_type(const struct to_chat *to, uint32_t block, const char *type)
{
	uint32_t node = json_member(to->json, block, "type");
	return node != JSON_NONE && json_type(to->json, node) == JSON_STRING && json_string_is(to->json, node, type);
}

static void write_raw(const struct to_chat *to, uint32_t node)
{
	buf_append(to->out, json_raw(to->json, node));
}

/* Returns a string as it is written, without its quotation marks; {NULL,0}: there is none. */
static struct span written_of(const struct to_chat *to, uint32_t object, const char *member)
{
	uint32_t node = json_member(to->json, object, member);
	if (node == JSON_NONE || json_type(to->json, node) != JSON_STRING)
		return (struct span){NULL, 0};
	struct span raw = json_raw(to->json, node);
	return (struct span){raw.at + 1, raw.len - 2};
}

/* Appends a string of the object as it is written, without its quotation marks; nothing when there is none. */
static void write_inside(const struct to_chat *to, uint32_t object, const char *member)
{
	struct span text = written_of(to, object, member);
	if (text.at != NULL)
		buf_append(to->out, text);
}

/* Writes a part of that text of the object. */
static void write_text_part(const struct to_chat *to, struct listing *parts, uint32_t object, const char *member)
{
	next(parts);
	buf_append(to->out, SPAN("{\"type\":\"text\",\"text\":\""));
	write_inside(to, object, member);
	buf_append(to->out, SPAN("\"}"));
}

/* ---- images and documents ---- */

static void write_data_url(const struct to_chat *to, uint32_t source)
{
	buf_append(to->out, SPAN("\"data:"));
	write_inside(to, source, "media_type");
	buf_append(to->out, SPAN(";base64,"));
	write_inside(to, source, "data");
	buf_append(to->out, SPAN("\""));
}

static void write_image(const struct to_chat *to, struct listing *parts, const struct place *place, uint32_t block)
{
	uint32_t source = json_member(to->json, block, "source");
	drop_common(to, place, block);
	next(parts);
	buf_append(to->out, SPAN("{\"type\":\"image_url\",\"image_url\":{\"url\":"));
	if (is_type(to, source, "base64")) {
		write_data_url(to, source);
	} else {
		buf_append(to->out, SPAN("\""));
		write_inside(to, source, "url");
		buf_append(to->out, SPAN("\""));
	}
	buf_append(to->out, SPAN("}}"));
}

static void write_file(const struct to_chat *to, struct listing *parts, uint32_t block, uint32_t source)
{
	struct span title = written_of(to, block, "title");
	next(parts);
	buf_append(to->out, SPAN("{\"type\":\"file\",\"file\":{\"filename\":\""));
	buf_append(to->out, title.at == NULL ? SPAN("document.pdf") : title);
	buf_append(to->out, SPAN("\",\"file_data\":"));
	write_data_url(to, source);
	buf_append(to->out, SPAN("}}"));
}

static void write_document(const struct to_chat *to, struct listing *parts, const struct place *place, uint32_t block)
{
	uint32_t source = json_member(to->json, block, "source");
	drop_common(to, place, block);
	if (written_of(to, block, "context").at != NULL)
		write_text_part(to, parts, block, "context");
	if (is_type(to, source, "base64")) {
		write_file(to, parts, block, source);
	} else {
		if (written_of(to, block, "title").at != NULL)
			write_text_part(to, parts, block, "title");
		write_text_part(to, parts, source, "data");
	}
}

/* ---- blocks ---- */

/* Writes a block that a chat has a part for; any other one is dropped. */
static void write_part(const struct to_chat *to, struct listing *parts, const struct place *place, uint32_t block)
{
	if (is_type(to, block, "text")) {
		drop_common(to, place, block);
		write_text_part(to, parts, block, "text");
	} else if (is_type(to, block, "image")) {
		write_image(to, parts, place, block);
	} else if (is_type(to, block, "document")) {
		write_document(to, parts, place, block);
	} else {
		drop(to, place, "");
	}
}

/* Appends content as one string: a string as it is, or all text of blocks. place: of the first block. between: as it is
 * written in a string. */
static void write_content(const struct to_chat *to, const struct place *place, uint32_t content, struct span between)
{
	struct place at = *place;
	uint32_t *index = at.is_inner ? &at.inner : &at.block;
	bool first = true;
	if (content != JSON_NONE && json_type(to->json, content) == JSON_STRING) {
		write_raw(to, content);
		return;
	}
	buf_append(to->out, SPAN("\""));
	for (uint32_t block = content == JSON_NONE ? JSON_NONE : json_first(to->json, content); block != JSON_NONE;
	     block = json_next(to->json, content, block), ++*index) {
		if (!is_type(to, block, "text"))
			continue;
		drop_common(to, &at, block);
		buf_append(to->out, first ? SPAN("") : between);
		write_inside(to, block, "text");
		first = false;
	}
	buf_append(to->out, SPAN("\""));
}

/* The same where all that is not text is left out. */
static void write_text_only(const struct to_chat *to, const struct place *place, uint32_t content)
{
	struct place at = *place;
	write_content(to, place, content, PARAGRAPH);
	if (json_type(to->json, content) != JSON_ARRAY)
		return;
	for (uint32_t block = json_first(to->json, content); block != JSON_NONE;
	     block = json_next(to->json, content, block), at.block++)
		if (!is_type(to, block, "text"))
			drop(to, &at, "");
}

/* ---- what a user says ---- */

/* Returns the place of the first block in a result. */
static struct place inside(const struct place *place)
{
	struct place inner = *place;
	inner.is_inner = true;
	inner.inner = 0;
	return inner;
}

static void write_result(const struct to_chat *to, struct listing *messages, const struct place *place, uint32_t block)
{
	uint32_t failed = json_member(to->json, block, "is_error");
	const struct place inner = inside(place);
	drop_common(to, place, block);
	if (failed != JSON_NONE && json_type(to->json, failed) == JSON_TRUE)
		drop(to, place, ".is_error");
	next(messages);
	buf_append(to->out, SPAN("{\"role\":\"tool\",\"tool_call_id\":"));
	write_raw(to, json_member(to->json, block, "tool_use_id"));
	buf_append(to->out, SPAN(",\"content\":"));
	write_content(to, &inner, json_member(to->json, block, "content"), SPAN("\\n")); /* pictures follow */
	buf_append(to->out, SPAN("}"));
}

/* Writes the pictures of a result, which a tool's message cannot hold. */
static void write_result_pictures(const struct to_chat *to, struct listing *parts, const struct place *place,
				  uint32_t block)
{
	uint32_t content = json_member(to->json, block, "content");
	struct place inner = inside(place);
	if (content == JSON_NONE || json_type(to->json, content) != JSON_ARRAY)
		return;
	for (uint32_t at = json_first(to->json, content); at != JSON_NONE;
	     at = json_next(to->json, content, at), inner.inner++)
		if (!is_type(to, at, "text"))
			write_part(to, parts, &inner, at);
}

static void write_user(const struct to_chat *to, struct listing *messages, struct place *place, uint32_t content)
{
	struct listing parts = {to->out, 0};
	bool results = false;
	for (uint32_t at = json_first(to->json, content); at != JSON_NONE;
	     at = json_next(to->json, content, at), place->block++) {
		if (!is_type(to, at, "tool_result"))
			continue;
		write_result(to, messages, place, at);
		results = true;
	}
	size_t start = buf_len(to->out), before = messages->count;
	next(messages);
	buf_append(to->out, SPAN("{\"role\":\"user\",\"content\":["));
	place->block = 0;
	for (uint32_t at = json_first(to->json, content); at != JSON_NONE;
	     at = json_next(to->json, content, at), place->block++) {
		if (is_type(to, at, "tool_result"))
			write_result_pictures(to, &parts, place, at);
		else
			write_part(to, &parts, place, at);
	}
	buf_append(to->out, SPAN("]}"));
	if (parts.count > 0 || buf_failed(to->out))
		return;
	buf_truncate(to->out, start);
	messages->count = before;
	if (results)
		return;
	next(messages); /* a chat needs a message, if it says nothing */
	buf_append(to->out, SPAN("{\"role\":\"user\",\"content\":\"\"}"));
}

/* ---- what an assistant said ---- */

static void write_call(const struct to_chat *to, struct listing *calls, uint32_t block)
{
	next(calls);
	buf_append(to->out, SPAN("{\"id\":"));
	write_raw(to, json_member(to->json, block, "id"));
	buf_append(to->out, SPAN(",\"type\":\"function\",\"function\":{\"name\":"));
	write_raw(to, json_member(to->json, block, "name"));
	buf_append(to->out, SPAN(",\"arguments\":"));
	json_write_string(to->out, json_raw(to->json, json_member(to->json, block, "input")));
	buf_append(to->out, SPAN("}}"));
}

static bool has_type(const struct to_chat *to, uint32_t list, const char *type)
{
	for (uint32_t at = json_first(to->json, list); at != JSON_NONE; at = json_next(to->json, list, at))
		if (is_type(to, at, type))
			return true;
	return false;
}

static void write_assistant(const struct to_chat *to, struct listing *messages, struct place *place, uint32_t content)
{
	struct listing calls = {to->out, 0};
	next(messages);
	buf_append(to->out, SPAN("{\"role\":\"assistant\",\"content\":"));
	if (has_type(to, content, "text") || !has_type(to, content, "tool_use"))
		write_content(to, place, content, SPAN(""));
	else
		buf_append(to->out, SPAN("null"));
	for (uint32_t at = json_first(to->json, content); at != JSON_NONE;
	     at = json_next(to->json, content, at), place->block++) {
		if (is_type(to, at, "tool_use")) {
			drop_common(to, place, at);
			buf_append(to->out, calls.count == 0 ? SPAN(",\"tool_calls\":[") : SPAN(""));
			write_call(to, &calls, at);
		} else if (!is_type(to, at, "text")) {
			drop(to, place, "");
		}
	}
	buf_append(to->out, calls.count > 0 ? SPAN("]}") : SPAN("}"));
}

/* ---- all of them ---- */

static void write_message(const struct to_chat *to, struct listing *messages, struct place *place, uint32_t message)
{
	uint32_t role = json_member(to->json, message, "role"), content = json_member(to->json, message, "content");
	if (json_type(to->json, content) == JSON_ARRAY && json_string_is(to->json, role, "user")) {
		write_user(to, messages, place, content);
	} else if (json_type(to->json, content) == JSON_ARRAY && json_string_is(to->json, role, "assistant")) {
		write_assistant(to, messages, place, content);
	} else {
		next(messages);
		buf_append(to->out, SPAN("{\"role\":"));
		write_raw(to, role);
		buf_append(to->out, SPAN(",\"content\":"));
		write_text_only(to, place, content);
		buf_append(to->out, SPAN("}"));
	}
}

static void write_system(const struct to_chat *to, struct listing *messages)
{
	uint32_t system = to->typed->system.node;
	struct place place = {.list = "system"};
	if (system == JSON_NONE || (json_type(to->json, system) == JSON_ARRAY && to->json->nodes[system].count == 0))
		return;
	next(messages);
	buf_append(to->out, SPAN("{\"role\":\"system\",\"content\":"));
	write_text_only(to, &place, system);
	buf_append(to->out, SPAN("}"));
}

void anthropic_write_chat_messages(const struct to_chat *to)
{
	uint32_t list = to->typed->messages.node;
	struct listing messages = {to->out, 0};
	struct place place = {.list = "messages"};
	buf_append(to->out, SPAN("["));
	write_system(to, &messages);
	for (uint32_t at = json_first(to->json, list); at != JSON_NONE;
	     at = json_next(to->json, list, at), place.message++) {
		place.block = 0;
		write_message(to, &messages, &place, at);
	}
	if (messages.count == 0) /* all of it was dropped, but a backend of the client's dialect is told */
		buf_append(to->out, SPAN("{\"role\":\"user\",\"content\":\"\"}"));
	buf_append(to->out, SPAN("]"));
}
