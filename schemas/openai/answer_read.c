/* SPDX-License-Identifier: MIT */
/*
 * Reading answers: what one chunk or a whole answer carries. openai_chunk_read
 * runs for every streamed event, so it looks at each member once.
 */
#include "schemas/openai/answer_read.h"

#include <inttypes.h>

#include "schemas/failure_rules.h"
#include "schemas/openai/internal.h"

bool openai_is_filled(const struct json *json, uint32_t node)
{
	const struct json_node *n = &json->nodes[node];
	if (n->type == JSON_STRING)
		return n->end - n->start > 2;
	return (n->type == JSON_ARRAY || n->type == JSON_OBJECT) && n->count > 0;
}

bool openai_is_truthy(const struct json *json, uint32_t node)
{
	double number = 1;
	switch (json_type(json, node)) {
	case JSON_NULL:
	case JSON_FALSE:
		return false;
	case JSON_STRING:
		return openai_is_filled(json, node);
	case JSON_NUMBER:
		return !json_double(json, node, &number) || number != 0;
	default:
		return true;
	}
}

/* A count of tokens; -1 for what can't be one. */
static int64_t count_read(const struct json *json, uint32_t node)
{
	int64_t count = -1;
	return json_int(json, node, &count) && count >= 0 && count <= USAGE_MOST ? count : -1;
}

/* Of prompt_tokens_details: cached_tokens is OpenAI's, cache_write_tokens what routers add. */
static void read_details(const struct json *json, uint32_t node, struct usage *usage)
{
	if (json_type(json, node) != JSON_OBJECT)
		return;
	for (uint32_t at = json_first(json, node); at != JSON_NONE; at = json_next(json, node, at)) {
		if (openai_key_is(json, at, SPAN("cached_tokens")))
			usage->cache_read = count_read(json, at + 1);
		else if (openai_key_is(json, at, SPAN("cache_write_tokens")))
			usage->cache_write = count_read(json, at + 1);
	}
}

struct usage openai_usage_read(const struct json *json, uint32_t node)
{
	struct usage usage = USAGE_UNKNOWN;
	for (uint32_t at = json_first(json, node); at != JSON_NONE; at = json_next(json, node, at)) {
		if (openai_key_is(json, at, SPAN("prompt_tokens")))
			usage.prompt_tokens = count_read(json, at + 1);
		else if (openai_key_is(json, at, SPAN("completion_tokens")))
			usage.completion_tokens = count_read(json, at + 1);
		else if (openai_key_is(json, at, SPAN("total_tokens")))
			usage.total_tokens = count_read(json, at + 1);
		else if (openai_key_is(json, at, SPAN("prompt_tokens_details")))
			read_details(json, at + 1, &usage);
	}
	return usage;
}

static bool test_bit(const uint64_t *bits, int64_t index)
{
	return index < 0 || index >= OPENAI_CHOICES_TRACKED || (bits[index / 64] >> (index % 64) & 1) != 0;
}

static void set_bit(uint64_t *bits, int64_t index)
{
	if (index >= 0 && index < OPENAI_CHOICES_TRACKED)
		bits[index / 64] |= UINT64_C(1) << (index % 64);
}

int64_t openai_stream_finished(const struct openai_stream *stream)
{
	int64_t finished = 0;
	for (size_t i = 0; i < OPENAI_CHOICES_TRACKED / 64; i++)
		finished += __builtin_popcountll(stream->finish_seen[i]);
	return finished;
}

bool openai_stream_is_finished(const struct openai_stream *stream)
{
	bool any = false;
	for (size_t i = 0; i < OPENAI_CHOICES_TRACKED / 64; i++) {
		any = any || stream->finish_seen[i] != 0;
		if ((stream->role_seen[i] & ~stream->finish_seen[i]) != 0)
			return false;
	}
	return any;
}

/* Some engines send an empty finish_reason until the end: only a filled one counts. */
static bool is_finish(const struct json *json, uint32_t value)
{
	return json_type(json, value) != JSON_NULL && openai_is_truthy(json, value);
}

/* What is read of choices, one after the other. */
struct choice_reader {
	const struct json *json;
	enum endpoint endpoint;
	struct arena *scratch;
	const struct backend_error *error; /* of the first that failed */
	bool failed;
	size_t content; /* bytes of what was generated, as it is written */
	/* of the choice read last */
	uint32_t delta; /* its delta or message, or JSON_NONE */
	uint32_t index; /* what it tells as its index, or JSON_NONE */
};

/* Notes that a choice failed: by its finish_reason, or by what stands under its "error", which tells more. */
static void choice_failed(struct choice_reader *reader, uint32_t value, bool finish)
{
	bool told = reader->failed && (finish || reader->error == NULL || reader->error->message.at != NULL);
	struct backend_error *error = told ? NULL : arena_zalloc(reader->scratch, 1, sizeof(*error));
	reader->failed = true;
	if (error == NULL)
		return; /* the arena remembers */
	if (finish)
		error->type = json_string(reader->json, value, reader->scratch);
	else
		openai_error_read_member(reader->json, value, reader->scratch, error);
	error->object = false;
	error->choice = true;
	reader->error = error;
}

static unsigned note_content(struct choice_reader *reader, uint32_t value)
{
	const struct json_node *n = &reader->json->nodes[value];
	reader->content += n->end - n->start - 2; /* the quotation marks; nothing that is filled is shorter */
	return CARRIES_CONTENT;
}

/*
 * Returns what a delta or a message carries. All that is in it but the role was generated, as engines have members of
 * their own; an error in it is one of the choice.
 */
static unsigned read_message(struct choice_reader *reader, uint32_t message)
{
	const struct json *json = reader->json;
	unsigned carries = 0;
	for (uint32_t at = json_first(json, message); at != JSON_NONE; at = json_next(json, message, at)) {
		if (openai_key_is(json, at, SPAN("error")) && openai_is_truthy(json, at + 1))
			choice_failed(reader, at + 1, false);
		else if (!openai_is_filled(json, at + 1))
			continue;
		else if (openai_key_is(json, at, SPAN("role")))
			carries |= CARRIES_ROLE;
		else
			carries |= note_content(reader, at + 1);
	}
	return carries;
}

/* Returns what a finish_reason carries. */
static unsigned read_finish(struct choice_reader *reader, uint32_t value)
{
	const struct json *json = reader->json;
	if (!is_finish(json, value))
		return 0;
	if (json_type(json, value) == JSON_STRING && failure_is_finish(json_string(json, value, reader->scratch)))
		choice_failed(reader, value, true);
	return CARRIES_FINISH;
}

/* The members of a choice that are read. */
enum choice_member { MEMBER_OTHER, MEMBER_INDEX, MEMBER_MESSAGE, MEMBER_TEXT, MEMBER_FINISH, MEMBER_ERROR };

/* Returns which member a name means. By its length first: this runs for every choice of every event. */
static enum choice_member find_member(const struct choice_reader *reader, uint32_t key)
{
	const struct json_node *n = &reader->json->nodes[key];
	struct span name = {reader->json->text.at + n->start + 1, n->end - n->start - 2};
	if (n->escaped)
		name = json_string(reader->json, key, reader->scratch);
	switch (name.len) {
	case 4:
		return memcmp(name.at, "text", 4) == 0 ? MEMBER_TEXT : MEMBER_OTHER;
	case 5:
		if (memcmp(name.at, "index", 5) == 0)
			return MEMBER_INDEX;
		if (memcmp(name.at, "delta", 5) == 0)
			return MEMBER_MESSAGE;
		return memcmp(name.at, "error", 5) == 0 ? MEMBER_ERROR : MEMBER_OTHER;
	case 7:
		return memcmp(name.at, "message", 7) == 0 ? MEMBER_MESSAGE : MEMBER_OTHER;
	case 13:
		return memcmp(name.at, "finish_reason", 13) == 0 ? MEMBER_FINISH : MEMBER_OTHER;
	default:
		return MEMBER_OTHER;
	}
}

/* Returns what a choice carries, and leaves its delta or message, and its index, in the reader. */
static unsigned read_choice(struct choice_reader *reader, uint32_t choice)
{
	const struct json *json = reader->json;
	unsigned carries = 0;
	reader->delta = JSON_NONE;
	reader->index = JSON_NONE;
	for (uint32_t at = json_first(json, choice); at != JSON_NONE; at = json_next(json, choice, at)) {
		switch (find_member(reader, at)) {
		case MEMBER_INDEX:
			reader->index = at + 1;
			break;
		case MEMBER_MESSAGE:
			if (reader->endpoint != ENDPOINT_CHAT || json_type(json, at + 1) != JSON_OBJECT)
				break;
			reader->delta = at + 1;
			carries |= read_message(reader, at + 1);
			break;
		case MEMBER_TEXT:
			if (reader->endpoint == ENDPOINT_COMPLETIONS && openai_is_filled(json, at + 1))
				carries |= note_content(reader, at + 1);
			break;
		case MEMBER_FINISH:
			carries |= read_finish(reader, at + 1);
			break;
		case MEMBER_ERROR:
			if (openai_is_truthy(json, at + 1))
				choice_failed(reader, at + 1, false);
			break;
		case MEMBER_OTHER:
			break;
		}
	}
	return carries;
}

/* The index of the choice read last; its position when it tells none. */
static int64_t choice_index(const struct choice_reader *reader, int64_t position)
{
	int64_t index = position;
	if (reader->index != JSON_NONE && !json_int(reader->json, reader->index, &index))
		return position;
	return index;
}

static unsigned read_stream_choices(struct openai_stream *stream, struct choice_reader *reader, uint32_t choices,
				    struct openai_repairs *repairs)
{
	const struct json *json = reader->json;
	unsigned carries = 0;
	int64_t position = 0;
	for (uint32_t at = json_first(json, choices); at != JSON_NONE; at = json_next(json, choices, at), position++) {
		unsigned carried = read_choice(reader, at);
		uint32_t delta = reader->delta;
		int64_t index = choice_index(reader, position);
		bool tracked = index >= 0 && index < OPENAI_CHOICES_TRACKED;
		uint8_t untracked = 0;
		if (delta != JSON_NONE)
			openai_repair_delta(json, delta, !test_bit(stream->role_seen, index),
					    tracked ? &stream->tool_calls[index] : &untracked, repairs,
					    reader->scratch);
		if (delta != JSON_NONE || stream->endpoint != ENDPOINT_CHAT)
			set_bit(stream->role_seen, index);
		if ((carried & CARRIES_FINISH) != 0)
			set_bit(stream->finish_seen, index);
		carries |= carried;
	}
	return carries;
}

static bool is_filled_array(const struct json *json, uint32_t node)
{
	return json_type(json, node) == JSON_ARRAY && json->nodes[node].count > 0;
}

static const struct backend_error *read_error(const struct json *json, uint32_t value, struct arena *scratch)
{
	struct backend_error *error = arena_alloc(scratch, sizeof(*error));
	if (error != NULL)
		openai_error_read_member(json, value, scratch, error);
	return error;
}

/* An answer without choices may be an error in its own right. */
static const struct backend_error *read_bare_error(const struct json *json, unsigned carries, struct arena *scratch)
{
	struct backend_error error;
	if ((carries & CARRIES_NO_CHOICE) == 0 || (carries & (CARRIES_USAGE | CARRIES_ERROR)) != 0 ||
	    !openai_error_read_bare(json, scratch, &error))
		return NULL;
	struct backend_error *kept = arena_alloc(scratch, sizeof(*kept));
	if (kept != NULL)
		*kept = error;
	return kept;
}

/* Everybody who handles a chunk reads it anew, in the turn of a loop: so its values are bounded. */
static bool read_chunk(struct answer_reading *chunk, struct arena *scratch, struct span data)
{
	static const struct json_limits limits = {.depth = OPENAI_ANSWER_DEPTH, .values = EVENT_VALUES};
	struct json_error error;
	if (json_parse_relaxed(&chunk->json, scratch, data, &limits, &error))
		return json_type(&chunk->json, 0) == JSON_OBJECT;
	chunk->too_large = error.what == json_too_many;
	return false;
}

bool openai_chunk_read(struct openai_stream *stream, struct span data, struct arena *scratch,
		       struct answer_reading *chunk)
{
	struct json *json = &chunk->json;
	struct openai_repairs repairs = {NULL, NULL, 0, 0};
	struct choice_reader reader = {.json = json, .endpoint = stream->endpoint, .scratch = scratch};
	*chunk = (struct answer_reading){.carries = CARRIES_NO_CHOICE, .usage = USAGE_UNKNOWN};
	if (!read_chunk(chunk, scratch, data))
		return false;
	for (uint32_t at = json_first(json, 0); at != JSON_NONE; at = json_next(json, 0, at)) {
		uint32_t value = at + 1;
		if (openai_key_is(json, at, SPAN("choices")) && is_filled_array(json, value)) {
			chunk->carries &= ~(unsigned)CARRIES_NO_CHOICE;
			chunk->carries |= read_stream_choices(stream, &reader, value, &repairs);
		} else if (openai_key_is(json, at, SPAN("usage")) && json_type(json, value) == JSON_OBJECT) {
			chunk->carries |= CARRIES_USAGE;
			chunk->usage = openai_usage_read(json, value);
		} else if (openai_key_is(json, at, SPAN("error")) && openai_is_truthy(json, value)) {
			chunk->carries |= CARRIES_ERROR;
			chunk->error = read_error(json, value, scratch);
		}
	}
	chunk->content = reader.content;
	if (reader.failed && (chunk->carries & CARRIES_ERROR) == 0) {
		chunk->carries |= CARRIES_ERROR;
		chunk->error = reader.error;
	}
	const struct backend_error *bare = read_bare_error(json, chunk->carries, scratch);
	if (bare != NULL) {
		chunk->carries |= CARRIES_ERROR;
		chunk->error = bare;
	}
	chunk->repaired = openai_repair_apply(&repairs, scratch, data);
	return !arena_failed(scratch);
}

static unsigned read_answer_choices(struct choice_reader *reader, uint32_t choices)
{
	const struct json *json = reader->json;
	unsigned carries = 0;
	if (reader->endpoint == ENDPOINT_EMBEDDINGS)
		return CARRIES_CONTENT;
	for (uint32_t at = json_first(json, choices); at != JSON_NONE; at = json_next(json, choices, at))
		carries |= read_choice(reader, at);
	return carries;
}

bool openai_answer_read(enum endpoint endpoint, struct span body, struct arena *scratch, struct answer_reading *answer)
{
	struct json *json = &answer->json;
	struct choice_reader reader = {.json = json, .endpoint = endpoint, .scratch = scratch};
	*answer = (struct answer_reading){.carries = CARRIES_NO_CHOICE, .usage = USAGE_UNKNOWN};
	if (!event_parse(body, scratch, json))
		return false;
	/* The vectors of embeddings are called data; they are what choices are elsewhere. */
	uint32_t choices = json_member(json, 0, endpoint == ENDPOINT_EMBEDDINGS ? "data" : "choices");
	if (choices != JSON_NONE && is_filled_array(json, choices))
		answer->carries = read_answer_choices(&reader, choices);
	uint32_t usage = json_member(json, 0, "usage");
	if (usage != JSON_NONE && json_type(json, usage) == JSON_OBJECT) {
		answer->carries |= CARRIES_USAGE;
		answer->usage = openai_usage_read(json, usage);
	}
	uint32_t error = json_member(json, 0, "error");
	if (error != JSON_NONE && openai_is_truthy(json, error)) {
		answer->carries |= CARRIES_ERROR;
		answer->error = read_error(json, error, scratch);
	} else if (reader.failed) {
		answer->carries |= CARRIES_ERROR;
		answer->error = reader.error;
	}
	const struct backend_error *bare = read_bare_error(json, answer->carries, scratch);
	if (bare != NULL) {
		answer->carries |= CARRIES_ERROR;
		answer->error = bare;
	}
	return !arena_failed(scratch);
}
