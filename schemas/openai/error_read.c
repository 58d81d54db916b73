/* SPDX-License-Identifier: MIT */
/* Errors of backends: what they say, wherever they say it. */
#include "schemas/openai/error_read.h"

#include "schemas/openai/internal.h"

enum {
	ERROR_DEPTH_MOST = 4,    /* objects within objects that are looked into */
	ERROR_TEXT_MOST = 1000,  /* bytes of a body that is plain text */
	ERROR_WORDS_MOST = 4096, /* bytes of a message that are looked at, and told */
	ERROR_PLACE_STEPS = 16,  /* of the place of a fault */
	ERROR_STEP_MOST = 64     /* bytes of each */
};

static const struct span no_text = {NULL, 0};

/* Returns at most so many bytes of the text, and no part of a character. */
static struct span clamp(struct span text, size_t most)
{
	if (text.len <= most)
		return text;
	while (most > 0 && ((unsigned char)text.at[most] & 0xc0) == 0x80)
		most--;
	return (struct span){text.at, most};
}

/* Returns the non-empty string member key of the object at object, or {NULL,0}. */
static struct span string_member(const struct json *json, uint32_t object, const char *key, struct arena *arena)
{
	uint32_t value = json_member(json, object, key);
	if (value == JSON_NONE || json_type(json, value) != JSON_STRING || !openai_is_filled(json, value))
		return no_text;
	return json_string(json, value, arena);
}

/* Returns the status that the member tells, as a number or in digits; 0 when it tells none from 400 to 599. */
static int status_member(const struct json *json, uint32_t object, const char *key, struct arena *arena)
{
	int64_t status = 0;
	uint32_t value = json_member(json, object, key);
	if (value != JSON_NONE && json_type(json, value) == JSON_STRING) {
		struct span digits = json_string(json, value, arena);
		for (size_t i = 0; i < digits.len && status < 1000; i++)
			status = digits.at[i] >= '0' && digits.at[i] <= '9' ? status * 10 + digits.at[i] - '0' : 1000;
	} else if (value == JSON_NONE || !json_int(json, value, &status)) {
		return 0;
	}
	return status < 400 || status > 599 ? 0 : (int)status;
}

static void read_node(const struct json *json, uint32_t node, unsigned depth, struct arena *arena,
		      struct backend_error *error);

/* Returns "body.stream_options: Extra inputs are not permitted" for an entry of FastAPI's detail. */
static struct span detail_entry(const struct json *json, uint32_t entry, struct arena *arena)
{
	struct span text = string_member(json, entry, "msg", arena);
	struct span place = no_text;
	unsigned steps = 0;
	uint32_t loc = json_member(json, entry, "loc");
	for (uint32_t at = loc == JSON_NONE ? JSON_NONE : json_first(json, loc);
	     at != JSON_NONE && steps++ < ERROR_PLACE_STEPS; at = json_next(json, loc, at)) {
		struct span step =
		    json_type(json, at) == JSON_STRING ? json_string(json, at, arena) : json_raw(json, at);
		step = clamp(step, ERROR_STEP_MOST);
		place = arena_printf(arena, "%.*s%s%.*s", SPAN_ARG(place), place.len == 0 ? "" : ".", SPAN_ARG(step));
	}
	if (text.at == NULL || place.len == 0)
		return text;
	return arena_printf(arena, "%.*s: %.*s", SPAN_ARG(place), SPAN_ARG(text));
}

static void read_detail(const struct json *json, uint32_t detail, unsigned depth, struct arena *arena,
			struct backend_error *error)
{
	uint32_t first = json_type(json, detail) == JSON_ARRAY ? json_first(json, detail) : JSON_NONE;
	if (first != JSON_NONE && json_type(json, first) == JSON_OBJECT)
		error->message = detail_entry(json, first, arena);
	if (error->message.at == NULL)
		read_node(json, detail, depth + 1, arena, error);
}

static void read_words(const struct json *json, uint32_t object, struct arena *arena, struct backend_error *error)
{
	struct span code = string_member(json, object, "code", arena);
	struct span type = string_member(json, object, "type", arena);
	int status = status_member(json, object, "code", arena);
	if (status == 0)
		status = status_member(json, object, "status", arena);
	if (status == 0)
		status = status_member(json, object, "status_code", arena);
	error->code = error->code.at == NULL ? code : error->code;
	error->type = error->type.at == NULL ? type : error->type;
	error->status = error->status == 0 ? status : error->status;
}

/* The inner error says more than what stands around it. */
static void read_object(const struct json *json, uint32_t object, unsigned depth, struct arena *arena,
			struct backend_error *error)
{
	static const char *const inner[] = {"error", "message", "errors"};
	static const char *const texts[] = {"msg", "title", "reason"};
	for (size_t i = 0; i < sizeof(inner) / sizeof(inner[0]) && error->message.at == NULL; i++) {
		uint32_t value = json_member(json, object, inner[i]);
		if (value != JSON_NONE)
			read_node(json, value, depth + 1, arena, error);
	}
	uint32_t detail = json_member(json, object, "detail");
	if (error->message.at == NULL && detail != JSON_NONE)
		read_detail(json, detail, depth, arena, error);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && error->message.at == NULL; i++)
		error->message = string_member(json, object, texts[i], arena);
	read_words(json, object, arena, error);
}

static void read_node(const struct json *json, uint32_t node, unsigned depth, struct arena *arena,
		      struct backend_error *error)
{
	if (depth > ERROR_DEPTH_MOST)
		return;
	if (json_type(json, node) == JSON_OBJECT) {
		read_object(json, node, depth, arena, error);
	} else if (json_type(json, node) == JSON_ARRAY) {
		uint32_t first = json_first(json, node);
		if (first != JSON_NONE)
			read_node(json, first, depth + 1, arena, error);
	} else if (json_type(json, node) == JSON_STRING && openai_is_filled(json, node)) {
		error->message = json_string(json, node, arena);
	}
}

void openai_error_read_member(const struct json *json, uint32_t value, struct arena *arena, struct backend_error *error)
{
	*error = (struct backend_error){.object = json_type(json, value) == JSON_OBJECT};
	read_node(json, value, 1, arena, error);
	read_words(json, 0, arena, error);
	if (error->message.at == NULL)
		error->message = json_raw(json, value);
	error->message = clamp(error->message, ERROR_WORDS_MOST);
}

bool openai_error_read_bare(const struct json *json, struct arena *arena, struct backend_error *error)
{
	static const char *const telling[] = {"message", "detail", "errors", "msg"};
	bool told = span_is(string_member(json, 0, "object", arena), "error") ||
		    span_is(string_member(json, 0, "type", arena), "error");
	for (size_t i = 0; i < sizeof(telling) / sizeof(telling[0]) && !told; i++) {
		uint32_t value = json_member(json, 0, telling[i]);
		told = value != JSON_NONE && openai_is_filled(json, value);
	}
	if (!told)
		return false;
	*error = (struct backend_error){.status = 0};
	read_node(json, 0, 0, arena, error);
	error->message = clamp(error->message, ERROR_WORDS_MOST);
	return true;
}

/* Returns the data of the first event when the body is server-sent events, else the body. */
static struct span unframe(struct span body)
{
	static const char data[] = "data:";
	for (size_t at = 0; at < body.len;) {
		const char *end = memchr(body.at + at, '\n', body.len - at);
		size_t len = end == NULL ? body.len - at : (size_t)(end - body.at) - at;
		if (len >= sizeof(data) - 1 && memcmp(body.at + at, data, sizeof(data) - 1) == 0)
			return (struct span){body.at + at + sizeof(data) - 1, len - (sizeof(data) - 1)};
		if (len == 0 || memchr(body.at + at, ':', len) == NULL || body.at[at] == '{')
			break;
		at += len + 1;
	}
	return body;
}

/* Text without markup is worth telling. */
static bool read_text(struct span body, struct backend_error *error)
{
	while (body.len > 0 && (unsigned char)body.at[body.len - 1] <= ' ')
		body.len--;
	if (body.len == 0 || body.len > ERROR_TEXT_MOST || body.at[0] == '<' || body.at[0] == '{' || body.at[0] == '[')
		return false;
	for (size_t i = 0; i < body.len; i++)
		if ((unsigned char)body.at[i] >= 0x7f || ((unsigned char)body.at[i] < ' ' && body.at[i] != '\n'))
			return false;
	error->message = body;
	return true;
}

bool openai_error_read(struct span body, struct arena *arena, struct backend_error *error)
{
	struct json json;
	struct json_error wrong;
	*error = (struct backend_error){.status = 0};
	struct span data = unframe(body);
	if (!json_parse_relaxed(&json, arena, data, &JSON_DEPTH(OPENAI_ANSWER_DEPTH), &wrong))
		return read_text(body, error);
	read_node(&json, 0, 0, arena, error);
	error->message = clamp(error->message, ERROR_WORDS_MOST);
	uint32_t member = json_member(&json, 0, "error");
	error->object = data.at == body.at && member != JSON_NONE && json_type(&json, member) == JSON_OBJECT;
	return error->message.at != NULL || error->code.at != NULL || error->type.at != NULL || error->object;
}
