/* SPDX-License-Identifier: MIT */
/* What answers repeat; echo.h holds the contract. */
#include "schemas/responses/echo.h"

#include "lib/buf.h"
#include "lib/random.h"
#include "schemas/request.h"

enum { MORE = 2048, ID_BYTES = 16, ID_SIZE = 5 + 2 * ID_BYTES };

/* Appends a member: the request's value as it is written, or the default. */
static void repeat(struct buf *out, const struct json *json, const char *name, uint32_t node, const char *standard)
{
	buf_printf(out, ",\"%s\":", name);
	buf_append(out, node == JSON_NONE ? span_of(standard) : json_raw(json, node));
}

static void write_text(struct buf *out, const struct json *json, uint32_t node, struct arena *arena)
{
	struct responses_text text;
	field_decode(json, &responses_text_fields, node, arena, &text);
	buf_append(out, SPAN(",\"text\":{\"format\":"));
	buf_append(out, text.format.node == JSON_NONE ? SPAN("{\"type\":\"text\"}") : json_raw(json, text.format.node));
	if (text.verbosity.node != JSON_NONE)
		repeat(out, json, "verbosity", text.verbosity.node, "");
	buf_append(out, SPAN("}"));
}

static void write_reasoning(struct buf *out, const struct json *json, uint32_t node, struct arena *arena)
{
	struct responses_reasoning reasoning;
	field_decode(json, &responses_reasoning_fields, node, arena, &reasoning);
	buf_append(out, SPAN(",\"reasoning\":{\"effort\":"));
	buf_append(out, reasoning.effort.node == JSON_NONE ? SPAN("null") : json_raw(json, reasoning.effort.node));
	repeat(out, json, "summary", reasoning.summary.node, "null");
	buf_append(out, SPAN("}"));
}

static void write_members(struct buf *out, const struct json *json, const struct responses_request *typed,
			  const struct responses_echo *echo, struct span previous, struct arena *arena)
{
	repeat(out, json, "background", typed->background.node, "false");
	repeat(out, json, "frequency_penalty", typed->frequency_penalty.node, "0");
	repeat(out, json, "instructions", typed->instructions.node, "null");
	repeat(out, json, "max_output_tokens", typed->max_output_tokens.node, "null");
	repeat(out, json, "max_tool_calls", typed->max_tool_calls.node, "null");
	repeat(out, json, "metadata", typed->metadata.node, "{}");
	repeat(out, json, "parallel_tool_calls", typed->parallel_tool_calls.node, "true");
	repeat(out, json, "presence_penalty", typed->presence_penalty.node, "0");
	buf_append(out, SPAN(",\"previous_response_id\":"));
	buf_append(out, previous);
	repeat(out, json, "prompt_cache_key", typed->prompt_cache_key.node, "null");
	write_reasoning(out, json, typed->reasoning.node, arena);
	repeat(out, json, "safety_identifier", typed->safety_identifier.node, "null");
	repeat(out, json, "service_tier", typed->service_tier.node, "\"default\"");
	buf_append(out, echo->input.at != NULL ? SPAN(",\"store\":true") : SPAN(",\"store\":false"));
	repeat(out, json, "temperature", typed->temperature.node, "1");
	write_text(out, json, typed->text.node, arena);
	repeat(out, json, "tool_choice", typed->tool_choice.node, "\"auto\"");
	repeat(out, json, "tools", typed->tools.node, "[]");
	repeat(out, json, "top_logprobs", typed->top_logprobs.node, "0");
	repeat(out, json, "top_p", typed->top_p.node, "1");
	repeat(out, json, "truncation", typed->truncation.node, "\"disabled\"");
}

static struct span make_id(struct arena *arena)
{
	char room[ID_SIZE + 1] = "resp_"; /* it is terminated */
	random_hex(room + 5, ID_BYTES);
	return arena_copy(arena, (struct span){room, ID_SIZE});
}

static bool is_custom(const struct json *json, uint32_t tool)
{
	uint32_t type = json_member(json, tool, "type");
	return type != JSON_NONE && json_string_is(json, type, "custom");
}

/* Returns false when memory ran out. */
static bool list_customs(struct responses_echo *echo, const struct json *json, uint32_t tools, struct arena *arena)
{
	size_t count = tools == JSON_NONE ? 0 : json->nodes[tools].count;
	if (count == 0)
		return true;
	struct span *names = arena_alloc(arena, count * sizeof(*names));
	if (names == NULL)
		return false;
	for (uint32_t at = json_first(json, tools); at != JSON_NONE; at = json_next(json, tools, at))
		if (is_custom(json, at))
			names[echo->custom_count++] =
			    arena_copy(arena, json_string(json, json_member(json, at, "name"), arena));
	echo->customs = names;
	return true;
}

/* Returns the input as items by commas, in the arena; {NULL,0} when memory ran out. */
static struct span items_of(const struct json *json, uint32_t input, struct arena *arena)
{
	struct span raw = json_raw(json, input);
	if (json_type(json, input) == JSON_STRING)
		return arena_printf(arena, "{\"type\":\"message\",\"role\":\"user\",\"content\":%.*s}", SPAN_ARG(raw));
	return arena_copy(arena, (struct span){raw.at + 1, raw.len - 2});
}

static bool is_complete(const struct responses_echo *echo, bool keeps)
{
	return echo->id.at != NULL && echo->members.at != NULL && echo->model.at != NULL &&
	       (!keeps || echo->input.at != NULL);
}

const struct responses_echo *responses_echo_of(const struct request *request, const struct json *json,
					       const struct responses_request *typed, struct span previous,
					       struct arena *arena)
{
	struct buf out;
	bool keeps = request->memory != NULL && typed->store.value;
	struct responses_echo *echo = arena_zalloc(arena, 1, sizeof(*echo));
	if (echo == NULL || !list_customs(echo, json, typed->tools.node, arena))
		return NULL;
	if (keeps)
		echo->input = items_of(json, typed->input.node, arena);
	buf_init(&out, json->text.len + MORE);
	buf_charge(&out, request->party);
	write_members(&out, json, typed, echo, previous, arena);
	echo->id = make_id(arena);
	echo->model = arena_copy(arena, typed->model.value);
	if (!buf_failed(&out))
		echo->members = arena_copy(arena, buf_span(&out));
	buf_fini(&out);
	return is_complete(echo, keeps) ? echo : NULL;
}

bool responses_echo_is_custom(const struct responses_echo *echo, struct span name)
{
	for (size_t i = 0; i < echo->custom_count; i++)
		if (span_equal(echo->customs[i], name))
			return true;
	return false;
}
