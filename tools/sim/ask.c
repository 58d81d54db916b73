/* SPDX-License-Identifier: MIT */
/* Decoding of request bodies with lib/json; refuses only what an OpenAI server would. */
#include "tools/sim/ask.h"

#include <stdarg.h>
#include <stdio.h>

static bool refuse(struct ask_error *error, const char *param, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool refuse(struct ask_error *error, const char *param, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(error->what, sizeof error->what, format, args);
	va_end(args);
	error->param = param;
	return false;
}

void ask_split_model(struct span model, struct span *name, struct span *list)
{
	const char *end = memchr(model.at, ';', model.len);
	*name = model;
	*list = SPAN("");
	if (end == NULL)
		return;
	name->len = (size_t)(end - model.at);
	*list = (struct span){end + 1, model.len - name->len - 1};
}

/* The member, or JSON_NONE when it is absent or null. */
static uint32_t member(const struct json *json, uint32_t object, const char *key)
{
	uint32_t node = json_member(json, object, key);
	return node != JSON_NONE && json_type(json, node) == JSON_NULL ? JSON_NONE : node;
}

static bool read_bool(const struct json *json, uint32_t object, const char *key, bool *value, struct ask_error *error)
{
	uint32_t node = member(json, object, key);
	*value = node != JSON_NONE && json_type(json, node) == JSON_TRUE;
	if (node == JSON_NONE || *value || json_type(json, node) == JSON_FALSE)
		return true;
	return refuse(error, key, "%s: expected a boolean, got %s", key, json_type_name(json, node));
}

/* An optional integer within bounds; *found tells whether it was there. */
static bool read_count(const struct json *json, const char *key, int64_t low, int64_t high, uint64_t *value,
		       bool *found, struct ask_error *error)
{
	uint32_t node = member(json, 0, key);
	*found = node != JSON_NONE;
	if (!*found)
		return true;
	double number = 0; /* 2.0 is an integer, too; what is counted here fits a double */
	if (!json_double(json, node, &number) || number != (double)(int64_t)number || number < (double)low ||
	    number > (double)high)
		return refuse(error, key, "%s: expected an integer from %lld to %lld", key, (long long)low,
			      (long long)high);
	*value = (uint64_t)number;
	return true;
}

/* The text of one part of a content array; empty when it has none. */
static struct span part_text(const struct json *json, uint32_t part, struct arena *arena)
{
	uint32_t text = json_member(json, part, "text");
	return text != JSON_NONE && json_type(json, text) == JSON_STRING ? json_string(json, text, arena) : SPAN("");
}

/*
 * The text of a message's content: a string, or the text parts of an array joined. Joined into one allocation of the
 * raw length, which the decoded text cannot exceed: 30,000 parts joined pairwise once took 36 GB.
 */
static struct span content_text(const struct json *json, uint32_t content, struct arena *arena)
{
	if (content == JSON_NONE)
		return SPAN("");
	if (json_type(json, content) == JSON_STRING)
		return json_string(json, content, arena);
	if (json_type(json, content) != JSON_ARRAY)
		return SPAN("");
	char *text = arena_alloc(arena, json_raw(json, content).len);
	size_t len = 0;
	for (uint32_t at = json_first(json, content); text != NULL && at != JSON_NONE;
	     at = json_next(json, content, at)) {
		struct span part = part_text(json, at, arena);
		if (part.len > 0)
			memcpy(text + len, part.at, part.len);
		len += part.len;
	}
	return text == NULL ? SPAN("") : (struct span){text, len};
}

/* A stand-in for a tokenizer: four bytes a token, at least one. */
static uint64_t tokens_of(size_t bytes)
{
	return bytes / 4 + 1;
}

static bool read_messages(struct ask *ask, struct arena *arena, struct ask_error *error)
{
	const struct json *json = &ask->json;
	uint32_t messages = member(json, 0, "messages");
	if (messages == JSON_NONE || json_type(json, messages) != JSON_ARRAY || json->nodes[messages].count == 0)
		return refuse(error, "messages", "messages: expected an array of at least one message");
	size_t bytes = 0;
	uint32_t last = JSON_NONE, begun = JSON_NONE;
	for (uint32_t at = json_first(json, messages); at != JSON_NONE; at = json_next(json, messages, at)) {
		uint32_t role = json_member(json, at, "role");
		if (role == JSON_NONE || json_type(json, role) != JSON_STRING)
			return refuse(error, "messages", "messages: every message needs a role");
		uint32_t content = member(json, at, "content");
		if (content != JSON_NONE)
			bytes += json_raw(json, content).len;
		if (json_string_is(json, role, "user"))
			last = content;
		begun = json_string_is(json, role, "assistant") ? content : JSON_NONE;
	}
	ask->prompt = content_text(json, last, arena);
	ask->begun = content_text(json, begun, arena);
	ask->prompt_tokens = tokens_of(bytes);
	return true;
}

/* How many prompts an array holds: one, when it is an array of tokens. */
static uint32_t count_prompts(const struct json *json, uint32_t prompt)
{
	if (json_type(json, prompt) != JSON_ARRAY || json_type(json, json_first(json, prompt)) == JSON_NUMBER)
		return 1;
	return json->nodes[prompt].count;
}

/* A text, an array of texts, of tokens, or of arrays of tokens; or prompt_embeds instead. */
static bool read_prompt(struct ask *ask, struct arena *arena, struct ask_error *error)
{
	const struct json *json = &ask->json;
	uint32_t prompt = member(json, 0, "prompt");
	if (prompt == JSON_NONE)
		prompt = member(json, 0, "prompt_embeds");
	bool given = prompt != JSON_NONE && (json_type(json, prompt) == JSON_STRING ||
					     (json_type(json, prompt) == JSON_ARRAY && json->nodes[prompt].count > 0));
	if (!given)
		return refuse(error, "prompt", "prompt: expected a string or an array");
	ask->choices *= count_prompts(json, prompt);
	ask->prompt_tokens = tokens_of(json_raw(json, prompt).len);
	if (json_type(json, prompt) == JSON_ARRAY)
		prompt = json_first(json, prompt);
	if (json_type(json, prompt) == JSON_STRING)
		ask->prompt = json_string(json, prompt, arena);
	return true;
}

static void read_tool(struct ask *ask, struct arena *arena)
{
	const struct json *json = &ask->json;
	uint32_t tools = member(json, 0, "tools");
	if (tools == JSON_NONE || json_type(json, tools) != JSON_ARRAY || json->nodes[tools].count == 0)
		return;
	uint32_t first = json_first(json, tools);
	uint32_t function = ask->kind == ASK_MESSAGES ? first : json_member(json, first, "function");
	uint32_t name = function == JSON_NONE ? JSON_NONE : json_member(json, function, "name");
	bool named = name != JSON_NONE && json_type(json, name) == JSON_STRING;
	ask->tool = named ? json_string(json, name, arena) : SPAN("tool");
}

/* What chat and text completions share. */
static bool read_generation(struct ask *ask, struct ask_error *error)
{
	const struct json *json = &ask->json;
	uint64_t choices = 1, older = 0;
	bool found, found_older;
	if (!read_bool(json, 0, "stream", &ask->stream, error) ||
	    !read_count(json, "n", 1, ASK_CHOICES_MOST, &choices, &found, error) ||
	    !read_count(json, "max_tokens", 0, INT64_MAX, &older, &found_older, error) ||
	    !read_count(json, "max_completion_tokens", 1, INT64_MAX, &ask->max_tokens, &found, error))
		return false;
	ask->choices = (uint32_t)choices;
	ask->has_max_tokens = found || found_older;
	if (!found)
		ask->max_tokens = older;
	uint32_t options = member(json, 0, "stream_options");
	return options == JSON_NONE || read_bool(json, options, "include_usage", &ask->include_usage, error);
}

static bool read_embeddings(struct ask *ask, struct arena *arena, struct ask_error *error)
{
	const struct json *json = &ask->json;
	uint64_t dimensions = 8;
	bool found;
	ask->input = member(json, 0, "input");
	if (ask->input == JSON_NONE)
		ask->input = member(json, 0, "messages"); /* one vector for each message */
	if (ask->input == JSON_NONE ||
	    (json_type(json, ask->input) != JSON_STRING && json_type(json, ask->input) != JSON_ARRAY))
		return refuse(error, "input", "input: expected a string or an array");
	if (!read_count(json, "dimensions", 1, ASK_DIMENSIONS_MOST, &dimensions, &found, error))
		return false;
	ask->dimensions = (uint32_t)dimensions;
	uint32_t format = member(json, 0, "encoding_format");
	ask->base64 = format != JSON_NONE && json_string_is(json, format, "base64");
	if (format != JSON_NONE && !ask->base64 && !json_string_is(json, format, "float"))
		return refuse(error, "encoding_format", "encoding_format: expected float or base64");
	if (json_type(json, ask->input) == JSON_STRING)
		ask->prompt = json_string(json, ask->input, arena);
	ask->prompt_tokens = tokens_of(json_raw(json, ask->input).len);
	return true;
}

bool ask_parse(struct ask *ask, enum ask_kind kind, struct span body, struct arena *arena, struct ask_error *error)
{
	*ask = (struct ask){.kind = kind, .choices = 1, .prompt = SPAN("")};
	struct json_error broken;
	if (!json_parse(&ask->json, arena, body, ASK_DEPTH_MOST, &broken))
		return refuse(error, NULL, "body: %s at line %u, column %u", broken.what, broken.line, broken.column);
	if (json_type(&ask->json, 0) != JSON_OBJECT)
		return refuse(error, NULL, "body: expected an object, got %s", json_type_name(&ask->json, 0));
	uint32_t model = member(&ask->json, 0, "model");
	if (model == JSON_NONE || json_type(&ask->json, model) != JSON_STRING)
		return refuse(error, "model", "model: expected a string");
	ask->model = json_string(&ask->json, model, arena);
	ask_split_model(ask->model, &ask->name, &ask->list);
	if (kind == ASK_EMBEDDINGS)
		return read_embeddings(ask, arena, error);
	if (!read_generation(ask, error))
		return false;
	if (kind == ASK_COMPLETION)
		return read_prompt(ask, arena, error);
	read_tool(ask, arena);
	return read_messages(ask, arena, error);
}
