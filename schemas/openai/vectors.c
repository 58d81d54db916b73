/* SPDX-License-Identifier: MIT */
/* Answers of vectors, taken apart while they come; vectors.h holds the contract. */
#include "schemas/openai/vectors.h"

#include <stdlib.h>

#include "schemas/openai/internal.h"

enum { SHELL_MOST = 1 << 20 };

bool openai_vectors_init(struct embedding_vectors *vectors, size_t count, size_t most)
{
	*vectors = (struct embedding_vectors){.count = count, .usage = USAGE_UNKNOWN};
	arena_init(&vectors->scratch, 0);
	buf_init(&vectors->members, most);
	buf_init(&vectors->item, most);
	buf_init(&vectors->shell, SHELL_MOST);
	vectors->places = calloc(count, sizeof(*vectors->places));
	return vectors->places != NULL;
}

void openai_vectors_fini(struct embedding_vectors *vectors)
{
	arena_fini(&vectors->scratch);
	buf_fini(&vectors->members);
	buf_fini(&vectors->item);
	buf_fini(&vectors->shell);
	free(vectors->places);
	vectors->places = NULL;
}

/* Nothing more is wanted of it: its memory goes now. */
static void be_odd(struct embedding_vectors *vectors)
{
	vectors->state = EMBEDDING_VECTORS_ST_ODD;
	vectors->too_large = buf_failed(&vectors->members) || buf_failed(&vectors->item) ||
			     buf_failed(&vectors->shell) || arena_failed(&vectors->scratch);
	buf_fini(&vectors->members);
	buf_fini(&vectors->item);
	buf_fini(&vectors->shell);
}

/* ---- an item that is complete ---- */

static bool is_vector(const struct json *json, uint32_t node)
{
	if (node == JSON_NONE || !openai_is_filled(json, node) || json_type(json, node) == JSON_OBJECT)
		return false;
	if (json_type(json, node) == JSON_ARRAY)
		for (uint32_t at = json_first(json, node); at != JSON_NONE; at = json_next(json, node, at))
			if (json_type(json, at) != JSON_NUMBER)
				return false;
	return true;
}

static size_t length_of(const struct json *json, uint32_t node)
{
	const struct json_node *n = &json->nodes[node];
	return n->type == JSON_ARRAY ? (size_t)n->count << 1 : (size_t)(n->end - n->start) << 1 | 1;
}

static void write_members(const struct json *json, struct buf *out)
{
	bool first = true;
	for (uint32_t at = json_first(json, 0); at != JSON_NONE; at = json_next(json, 0, at)) {
		if (openai_key_is(json, at, SPAN("object")) || openai_key_is(json, at, SPAN("index")))
			continue;
		if (!first)
			buf_append(out, SPAN(","));
		first = false;
		buf_append(out, json_raw(json, at));
		buf_append(out, SPAN(":"));
		buf_append(out, json_raw(json, at + 1));
	}
}

/* object may be absent: some backends leave it out. */
static bool take_item(struct embedding_vectors *vectors)
{
	struct json json;
	int64_t place = -1;
	arena_reset(&vectors->scratch);
	if (!event_parse(buf_span(&vectors->item), &vectors->scratch, &json))
		return false;
	uint32_t index = json_member(&json, 0, "index"), object = json_member(&json, 0, "object");
	if (index == JSON_NONE || !json_int(&json, index, &place) || place < 0 || (size_t)place >= vectors->count ||
	    vectors->places[place].end != 0 || (object != JSON_NONE && !json_string_is(&json, object, "embedding")) ||
	    !is_vector(&json, json_member(&json, 0, "embedding")))
		return false;
	vectors->places[place].start = buf_len(&vectors->members);
	write_members(&json, &vectors->members);
	vectors->places[place].end = buf_len(&vectors->members);
	vectors->places[place].length = length_of(&json, json_member(&json, 0, "embedding"));
	vectors->seen++;
	buf_reset(&vectors->item);
	return !buf_failed(&vectors->members);
}

/* ---- bytes ---- */

/* Follows strings and nesting. True when the byte is one of those that make up the structure. */
static bool is_structure(struct embedding_vectors *vectors, char byte)
{
	if (!vectors->in_string) {
		vectors->in_string = byte == '"';
		vectors->depth += byte == '{' || byte == '[';
		vectors->depth -= byte == '}' || byte == ']';
		return true;
	}
	if (vectors->escaped)
		vectors->escaped = false;
	else if (byte == '\\')
		vectors->escaped = true;
	else if (byte == '"')
		vectors->in_string = false;
	return false;
}

static bool is_space(char byte)
{
	return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* The array that begins, at the end of the shell so far, is that of the items. */
static bool is_data(const struct embedding_vectors *vectors)
{
	static const char data[] = "\"data\"";
	struct span shell = buf_span(&vectors->shell);
	return shell.len - vectors->key >= sizeof(data) && memcmp(shell.at + vectors->key, data, sizeof(data) - 1) == 0;
}

/* Takes bytes of what stands around the items; how many. */
static size_t feed_shell(struct embedding_vectors *vectors, struct span bytes)
{
	size_t copied = 0;
	for (size_t i = 0; i < bytes.len; i++) {
		char byte = bytes.at[i];
		if (!is_structure(vectors, byte) || is_space(byte))
			continue;
		if (byte == '"' && vectors->depth == 1 && !vectors->colon)
			vectors->key = buf_len(&vectors->shell) + i - copied;
		if (byte == '[' && vectors->depth == 2 && vectors->colon &&
		    vectors->state == EMBEDDING_VECTORS_ST_BEFORE) {
			buf_append(&vectors->shell, (struct span){bytes.at + copied, i + 1 - copied});
			copied = i + 1;
			if (is_data(vectors)) {
				vectors->state = EMBEDDING_VECTORS_ST_BETWEEN;
				return copied;
			}
		}
		vectors->colon = byte == ':';
	}
	if (!buf_append(&vectors->shell, (struct span){bytes.at + copied, bytes.len - copied}))
		be_odd(vectors);
	return bytes.len;
}

static size_t feed_between(struct embedding_vectors *vectors, struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		char byte = bytes.at[i];
		bool first = vectors->seen == 0;
		if (byte == '{' && (first || vectors->item_due)) {
			vectors->state = EMBEDDING_VECTORS_ST_ITEM;
			return i; /* it is part of the item */
		}
		if (byte == ']' && !vectors->item_due) {
			vectors->state = EMBEDDING_VECTORS_ST_BEHIND;
			return i;
		}
		if (is_space(byte))
			continue;
		if (byte != ',' || first || vectors->item_due) {
			be_odd(vectors);
			return bytes.len;
		}
		vectors->item_due = true;
	}
	return bytes.len;
}

static size_t feed_item(struct embedding_vectors *vectors, struct span bytes)
{
	enum { DEPTH = 2 }; /* of what stands around it */
	size_t len = 0;
	bool complete = false;
	while (len < bytes.len && !complete) {
		char byte = bytes.at[len++];
		complete = is_structure(vectors, byte) && vectors->depth == DEPTH;
	}
	if (!buf_append(&vectors->item, (struct span){bytes.at, len}) || (complete && !take_item(vectors))) {
		be_odd(vectors);
	} else if (complete) {
		vectors->state = EMBEDDING_VECTORS_ST_BETWEEN;
		vectors->item_due = false;
	}
	return len;
}

static size_t feed_some(struct embedding_vectors *vectors, struct span bytes)
{
	switch (vectors->state) {
	case EMBEDDING_VECTORS_ST_BEFORE:
	case EMBEDDING_VECTORS_ST_BEHIND:
		return feed_shell(vectors, bytes);
	case EMBEDDING_VECTORS_ST_BETWEEN:
		return feed_between(vectors, bytes);
	case EMBEDDING_VECTORS_ST_ITEM:
		return feed_item(vectors, bytes);
	default:
		return bytes.len;
	}
}

void openai_vectors_feed(struct embedding_vectors *vectors, struct span bytes)
{
	while (bytes.len > 0) {
		size_t taken = feed_some(vectors, bytes);
		bytes = (struct span){bytes.at + taken, bytes.len - taken};
	}
}

bool openai_vectors_end(struct embedding_vectors *vectors)
{
	struct json json;
	arena_reset(&vectors->scratch);
	if (vectors->state != EMBEDDING_VECTORS_ST_BEHIND || vectors->seen != vectors->count ||
	    !event_parse(buf_span(&vectors->shell), &vectors->scratch, &json))
		return false;
	uint32_t error = json_member(&json, 0, "error"), model = json_member(&json, 0, "model");
	uint32_t usage = json_member(&json, 0, "usage");
	if (error != JSON_NONE && openai_is_truthy(&json, error))
		return false;
	if (model != JSON_NONE && json_type(&json, model) == JSON_STRING)
		vectors->model = json_raw(&json, model);
	if (usage != JSON_NONE && json_type(&json, usage) == JSON_OBJECT)
		vectors->usage = openai_usage_read(&json, usage);
	return true;
}

size_t openai_vectors_length(const struct embedding_vectors *vectors, size_t index)
{
	return vectors->places[index].length;
}

struct span openai_vectors_at(const struct embedding_vectors *vectors, size_t index)
{
	size_t start = vectors->places[index].start;
	return (struct span){buf_span(&vectors->members).at + start, vectors->places[index].end - start};
}
