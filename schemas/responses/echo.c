/* SPDX-License-Identifier: MIT */
/* What answers repeat; echo.h holds the contract. */
#include "schemas/responses/echo.h"

#include "lib/buf.h"
#include "lib/random.h"
#include "schemas/request.h"

enum { MORE = 2048, ID_BYTES = 16, ID_SIZE = 5 + 2 * ID_BYTES };

/* Appends a member: the request's value as it is written, or the default. */
static void repeat(struct buf *out, const struct json *json, struct span name, uint32_t node, struct span standard)
{
	buf_append(out, SPAN(",\""));
	buf_append(out, name);
	buf_append(out, SPAN("\":"));
	buf_append(out, node == JSON_NONE ? standard : json_raw(json, node));
}

static void write_text(struct buf *out, const struct json *json, uint32_t node, struct arena *arena)
{
	struct responses_text text;
	field_decode(json, &responses_text_fields, node, arena, &text);
	buf_append(out, SPAN(",\"text\":{\"format\":"));
	buf_append(out, text.format.node == JSON_NONE ? SPAN("{\"type\":\"text\"}") : json_raw(json, text.format.node));
	if (text.verbosity.node != JSON_NONE)
		repeat(out, json, SPAN("verbosity"), text.verbosity.node, SPAN(""));
	buf_append(out, SPAN("}"));
}

static void write_reasoning(struct buf *out, const struct json *json, uint32_t node, struct arena *arena)
{
	struct responses_reasoning reasoning;
	field_decode(json, &responses_reasoning_fields, node, arena, &reasoning);
	buf_append(out, SPAN(",\"reasoning\":{\"effort\":"));
	buf_append(out, reasoning.effort.node == JSON_NONE ? SPAN("null") : json_raw(json, reasoning.effort.node));
	repeat(out, json, SPAN("summary"), reasoning.summary.node, SPAN("null"));
	buf_append(out, SPAN("}"));
}

static void write_members(struct buf *out, const struct json *json, const struct responses_request *typed,
			  const struct responses_echo *echo, struct span previous, struct arena *arena)
{
	repeat(out, json, SPAN("background"), typed->background.node, SPAN("false"));
	repeat(out, json, SPAN("frequency_penalty"), typed->frequency_penalty.node, SPAN("0"));
	repeat(out, json, SPAN("instructions"), typed->instructions.node, SPAN("null"));
	repeat(out, json, SPAN("max_output_tokens"), typed->max_output_tokens.node, SPAN("null"));
	repeat(out, json, SPAN("max_tool_calls"), typed->max_tool_calls.node, SPAN("null"));
	repeat(out, json, SPAN("metadata"), typed->metadata.node, SPAN("{}"));
	repeat(out, json, SPAN("parallel_tool_calls"), typed->parallel_tool_calls.node, SPAN("true"));
	repeat(out, json, SPAN("presence_penalty"), typed->presence_penalty.node, SPAN("0"));
	buf_append(out, SPAN(",\"previous_response_id\":"));
	buf_append(out, previous);
	repeat(out, json, SPAN("prompt_cache_key"), typed->prompt_cache_key.node, SPAN("null"));
	write_reasoning(out, json, typed->reasoning.node, arena);
	repeat(out, json, SPAN("safety_identifier"), typed->safety_identifier.node, SPAN("null"));
	repeat(out, json, SPAN("service_tier"), typed->service_tier.node, SPAN("\"default\""));
	buf_append(out, echo->input.at != NULL ? SPAN(",\"store\":true") : SPAN(",\"store\":false"));
	repeat(out, json, SPAN("temperature"), typed->temperature.node, SPAN("1"));
	write_text(out, json, typed->text.node, arena);
	repeat(out, json, SPAN("tool_choice"), typed->tool_choice.node, SPAN("\"auto\""));
	repeat(out, json, SPAN("tools"), typed->tools.node, SPAN("[]"));
	repeat(out, json, SPAN("top_logprobs"), typed->top_logprobs.node, SPAN("0"));
	repeat(out, json, SPAN("top_p"), typed->top_p.node, SPAN("1"));
	repeat(out, json, SPAN("truncation"), typed->truncation.node, SPAN("\"disabled\""));
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
