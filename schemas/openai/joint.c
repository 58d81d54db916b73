/* SPDX-License-Identifier: MIT */
/* Joining two streamed answers; openai_joint.h holds the contract. */
#include "schemas/openai/joint.h"

#include "lib/json_write.h"
#include "schemas/openai/internal.h"

enum { PIECES_MOST = 4 + 2 * OPENAI_JOINT_CALLS + 1 };

/* A string of a chunk that belongs to one of the texts, or its role. */
struct piece {
	struct openai_joint_text *text; /* NULL = the role */
	uint32_t object;
	uint32_t key;     /* in the object; the value follows */
	bool of_call;     /* of a tool call */
	struct span said; /* decoded */
	size_t heard;     /* bytes of it that were said before */
};

/* A chunk, read. In document order. */
struct chunk {
	struct json json;
	struct piece pieces[PIECES_MOST];
	size_t count;
	bool finished;
};

void openai_joint_init(struct openai_joint *joint, struct arena *arena, bool strict)
{
	*joint = (struct openai_joint){.arena = arena, .strict = strict};
	for (size_t i = 0; i < OPENAI_JOINT_TEXTS; i++)
		buf_init(&joint->texts[i].said, OPENAI_JOINT_MOST);
}

void openai_joint_fini(struct openai_joint *joint)
{
	for (size_t i = 0; i < OPENAI_JOINT_TEXTS; i++)
		buf_fini(&joint->texts[i].said);
}

size_t openai_joint_size(const struct openai_joint *joint)
{
	size_t size = 0;
	for (size_t i = 0; i < OPENAI_JOINT_TEXTS; i++)
		size += buf_len(&joint->texts[i].said);
	return size;
}

bool openai_joint_is_open(const struct openai_joint *joint)
{
	return !joint->lost && openai_joint_size(joint) > 0;
}

struct span openai_joint_plain_text(const struct openai_joint *joint)
{
	struct span content = buf_span(&joint->texts[OPENAI_JOINT_CONTENT].said);
	return openai_joint_size(joint) == content.len ? content : (struct span){NULL, 0};
}

void openai_joint_again(struct openai_joint *joint)
{
	for (size_t i = 0; i < OPENAI_JOINT_TEXTS; i++)
		joint->texts[i].heard = 0;
}

static bool is_all_heard(const struct openai_joint *joint)
{
	for (size_t i = 0; i < OPENAI_JOINT_TEXTS; i++)
		if (joint->texts[i].heard < buf_len(&joint->texts[i].said))
			return false;
	return true;
}

/* A member of an object whose value is a text. False when there is no room for it. */
static bool add_piece(struct chunk *chunk, struct openai_joint_text *text, uint32_t object, uint32_t key, bool of_call,
		      struct arena *scratch)
{
	struct piece piece = {.text = text, .object = object, .key = key, .of_call = of_call};
	bool text_or_null =
	    json_type(&chunk->json, key + 1) == JSON_STRING || json_type(&chunk->json, key + 1) == JSON_NULL;
	if (text_or_null && !openai_is_filled(&chunk->json, key + 1))
		return true;
	if (!text_or_null || chunk->count == PIECES_MOST)
		return false;
	piece.said = json_string(&chunk->json, key + 1, scratch);
	chunk->pieces[chunk->count++] = piece;
	return piece.said.at != NULL;
}

/* call: the texts of the tool call, name and arguments. */
static bool add_function(struct chunk *chunk, struct openai_joint_text *call, uint32_t function, struct arena *scratch)
{
	const struct json *json = &chunk->json;
	for (uint32_t at = json_first(json, function); at != JSON_NONE; at = json_next(json, function, at)) {
		struct openai_joint_text *text = NULL;
		if (openai_key_is(json, at, SPAN("name")))
			text = &call[0];
		else if (openai_key_is(json, at, SPAN("arguments")))
			text = &call[1];
		if (text != NULL && !add_piece(chunk, text, function, at, true, scratch))
			return false;
	}
	return true;
}

static bool add_calls(struct openai_joint *joint, struct chunk *chunk, uint32_t calls, struct arena *scratch)
{
	const struct json *json = &chunk->json;
	if (json_type(json, calls) != JSON_ARRAY)
		return json_type(json, calls) == JSON_NULL;
	for (uint32_t at = json_first(json, calls); at != JSON_NONE; at = json_next(json, calls, at)) {
		int64_t index = -1;
		uint32_t told = json_member(json, at, "index");
		uint32_t function = json_member(json, at, "function");
		if (told == JSON_NONE || !json_int(json, told, &index) || index < 0 || index >= OPENAI_JOINT_CALLS)
			return false;
		if (function == JSON_NONE || json_type(json, function) != JSON_OBJECT ||
		    !add_function(chunk, &joint->texts[OPENAI_JOINT_CALL + 2 * index], function, scratch))
			return false;
	}
	return true;
}

/* The text that a member of a delta, or "text" of a completion's choice, belongs to; NULL = none. */
static struct openai_joint_text *text_of(struct openai_joint *joint, const struct json *json, uint32_t key)
{
	if (openai_key_is(json, key, SPAN("content")) || openai_key_is(json, key, SPAN("text")))
		return &joint->texts[OPENAI_JOINT_CONTENT];
	if (openai_key_is(json, key, SPAN("refusal")))
		return &joint->texts[OPENAI_JOINT_REFUSAL];
	if (openai_key_is(json, key, SPAN("reasoning")))
		return &joint->texts[OPENAI_JOINT_REASONING];
	return openai_key_is(json, key, SPAN("reasoning_content")) ? &joint->texts[OPENAI_JOINT_REASONING_CONTENT]
								   : NULL;
}

static bool add_delta(struct openai_joint *joint, struct chunk *chunk, uint32_t delta, struct arena *scratch)
{
	const struct json *json = &chunk->json;
	for (uint32_t at = json_first(json, delta); at != JSON_NONE; at = json_next(json, delta, at)) {
		struct openai_joint_text *text = text_of(joint, json, at);
		bool good = true;
		if (text != NULL || openai_key_is(json, at, SPAN("role")))
			good = add_piece(chunk, text, delta, at, false, scratch);
		else if (openai_key_is(json, at, SPAN("tool_calls")))
			good = add_calls(joint, chunk, at + 1, scratch);
		else /* pictures, sound, details of reasoning: the other answer may say them once more */
			good = !openai_is_filled(json, at + 1);
		if (!good)
			return false;
	}
	return true;
}

static bool add_choice(struct openai_joint *joint, struct chunk *chunk, uint32_t choice, struct arena *scratch)
{
	const struct json *json = &chunk->json;
	for (uint32_t at = json_first(json, choice); at != JSON_NONE; at = json_next(json, choice, at)) {
		bool good = true;
		if (openai_key_is(json, at, SPAN("delta")) && json_type(json, at + 1) == JSON_OBJECT)
			good = add_delta(joint, chunk, at + 1, scratch);
		else if (openai_key_is(json, at, SPAN("text")))
			good = add_piece(chunk, &joint->texts[OPENAI_JOINT_CONTENT], choice, at, false, scratch);
		else if (openai_key_is(json, at, SPAN("finish_reason")))
			chunk->finished |= openai_is_truthy(json, at + 1);
		if (!good)
			return false;
	}
	return true;
}

/* Reads a chunk. False when it holds what cannot be joined; what was read so far is there. */
static bool chunk_read(struct openai_joint *joint, struct chunk *chunk, struct span data, struct arena *scratch)
{
	chunk->count = 0;
	chunk->finished = false;
	if (!openai_read_object(&chunk->json, scratch, data))
		return false;
	uint32_t choices = json_member(&chunk->json, 0, "choices");
	if (choices == JSON_NONE || json_type(&chunk->json, choices) != JSON_ARRAY ||
	    chunk->json.nodes[choices].count == 0)
		return true;
	uint32_t choice = json_first(&chunk->json, choices);
	return chunk->json.nodes[choices].count == 1 && json_type(&chunk->json, choice) == JSON_OBJECT &&
	       add_choice(joint, chunk, choice, scratch);
}

/* The strings of a chunk count as said from here on; the heard part of them did before. */
static void remember(struct openai_joint *joint, const struct chunk *chunk)
{
	size_t pieces = 0;
	for (size_t i = 0; i < chunk->count; i++) {
		const struct piece *piece = &chunk->pieces[i];
		if (piece->text == NULL)
			continue;
		pieces++;
		if (!buf_append(&piece->text->said,
				(struct span){piece->said.at + piece->heard, piece->said.len - piece->heard}))
			joint->lost = true;
		piece->text->heard = buf_len(&piece->text->said);
	}
	joint->chunks += pieces > 0;
	if (openai_joint_size(joint) > OPENAI_JOINT_MOST)
		joint->lost = true;
}

/* The place of id, model or created; NULL for other members. */
static struct span *identity_of(struct openai_joint *joint, const struct json *json, uint32_t key)
{
	if (openai_key_is(json, key, SPAN("id")))
		return &joint->id;
	if (openai_key_is(json, key, SPAN("model")))
		return &joint->model;
	return openai_key_is(json, key, SPAN("created")) ? &joint->created : NULL;
}

static void repair_identity(const struct span *identity, const struct json *json, uint32_t value,
			    struct openai_repairs *repairs, struct arena *scratch)
{
	const struct json_node *node = &json->nodes[value];
	if (identity->at != NULL && !span_equal(*identity, json_raw(json, value)))
		openai_repair_add(repairs, scratch, node->start, node->end, *identity);
}

/* Leaves a member out, with one of the commas around it. */
static void repair_remove(const struct json *json, uint32_t object, uint32_t key, struct openai_repairs *repairs,
			  struct arena *scratch)
{
	uint32_t before = JSON_NONE, next = json_next(json, object, key);
	size_t start = json->nodes[key].start, end = json->nodes[key + 1].end;
	for (uint32_t at = json_first(json, object); at != key; at = json_next(json, object, at))
		before = at;
	if (next != JSON_NONE)
		end = json->nodes[next].start;
	else if (before != JSON_NONE)
		start = json->nodes[before + 1].end;
	openai_repair_add(repairs, scratch, start, end, SPAN(""));
}

static struct span quoted(struct span text, struct arena *scratch)
{
	struct buf out;
	buf_init(&out, text.len * 6 + 16);
	json_write_string(&out, text);
	struct span copy = arena_copy(scratch, buf_span(&out));
	buf_fini(&out);
	return copy;
}

static void repair_pieces(const struct chunk *chunk, struct openai_repairs *repairs, struct arena *scratch)
{
	const struct json *json = &chunk->json;
	for (size_t i = 0; i < chunk->count; i++) {
		const struct piece *piece = &chunk->pieces[i];
		const struct json_node *value = &json->nodes[piece->key + 1];
		struct span rest = {piece->said.at + piece->heard, piece->said.len - piece->heard};
		if (piece->text == NULL)
			repair_remove(json, piece->object, piece->key, repairs, scratch);
		else if (piece->heard > 0)
			openai_repair_add(repairs, scratch, value->start, value->end, quoted(rest, scratch));
	}
}

/* The chunk as a part of the first answer. */
static struct span chunk_rewrite(struct openai_joint *joint, const struct chunk *chunk, struct arena *scratch)
{
	const struct json *json = &chunk->json;
	struct openai_repairs repairs = {NULL, NULL, 0, 0};
	for (uint32_t at = json_first(json, 0); at != JSON_NONE; at = json_next(json, 0, at)) {
		const struct span *identity = identity_of(joint, json, at);
		if (identity != NULL)
			repair_identity(identity, json, at + 1, &repairs, scratch);
		else if (openai_key_is(json, at, SPAN("choices")))
			repair_pieces(chunk, &repairs, scratch);
	}
	struct span rewritten = openai_repair_apply(&repairs, scratch, json->text);
	return rewritten.at == NULL ? json->text : rewritten;
}

static void learn_identity(struct openai_joint *joint, const struct json *json)
{
	for (uint32_t at = json_first(json, 0); at != JSON_NONE; at = json_next(json, 0, at)) {
		struct span *identity = identity_of(joint, json, at);
		if (identity != NULL)
			*identity = arena_copy(joint->arena, json_raw(json, at + 1));
	}
	joint->lost |= arena_failed(joint->arena);
}

void openai_joint_said(struct openai_joint *joint, struct span *data, struct arena *scratch)
{
	struct chunk chunk;
	if (joint->lost && !joint->joined)
		return;
	bool good = chunk_read(joint, &chunk, *data, scratch);
	joint->lost |= !good;
	if (joint->joined)
		*data = chunk_rewrite(joint, &chunk, scratch);
	else if (joint->id.at == NULL)
		learn_identity(joint, &chunk.json);
	if (good)
		remember(joint, &chunk);
}

/* Compares a piece with what was said. False when they differ, or when a joint would be where none may be. */
static bool piece_agrees(const struct openai_joint *joint, struct piece *piece)
{
	struct openai_joint_text *text = piece->text;
	struct span said = buf_span(&text->said);
	size_t left = said.len - text->heard;
	piece->heard = left < piece->said.len ? left : piece->said.len;
	if (memcmp(said.at + text->heard, piece->said.at, piece->heard) != 0)
		return false;
	text->heard += piece->heard;
	return piece->heard == 0 || piece->heard == piece->said.len || (!joint->strict && !piece->of_call);
}

/* True when a tool call of the chunk was heard, and would be told once more in part. */
static bool has_heard_call(const struct chunk *chunk)
{
	for (size_t i = 0; i < chunk->count; i++)
		if (chunk->pieces[i].of_call && chunk->pieces[i].heard > 0)
			return true;
	return false;
}

enum openai_joint_step openai_joint_hear(struct openai_joint *joint, struct span *data, struct arena *scratch)
{
	struct chunk chunk;
	bool goes_on = false;
	if (!chunk_read(joint, &chunk, *data, scratch))
		return OPENAI_JOINT_APART;
	for (size_t i = 0; i < chunk.count; i++) {
		struct piece *piece = &chunk.pieces[i];
		if (piece->text == NULL)
			continue;
		if (!piece_agrees(joint, piece))
			return OPENAI_JOINT_APART;
		goes_on |= piece->heard < piece->said.len;
	}
	goes_on |= chunk.finished;
	if (!goes_on)
		return OPENAI_JOINT_BEHIND;
	if (!is_all_heard(joint) || has_heard_call(&chunk))
		return OPENAI_JOINT_APART;
	joint->joined = true;
	*data = chunk_rewrite(joint, &chunk, scratch);
	remember(joint, &chunk);
	return OPENAI_JOINT_JOINED;
}
