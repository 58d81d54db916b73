/* SPDX-License-Identifier: MIT */
/* Members and deltas of what a backend's responses say; read.h holds the contract. */
#include "schemas/responses/read.h"

#include "schemas/openai/error_read.h"

#define REASONING SPAN("reasoning_content") /* as most chat backends call it */

/* ---- members ---- */

uint32_t response_member(const struct json *json, uint32_t object, const char *member, enum json_type type)
{
	uint32_t node = json_member(json, object, member);
	return node != JSON_NONE && json_type(json, node) == type ? node : JSON_NONE;
}

struct span response_text(const struct json *json, uint32_t object, const char *member, struct arena *arena)
{
	uint32_t node = response_member(json, object, member, JSON_STRING);
	return node == JSON_NONE ? (struct span){NULL, 0} : json_string(json, node, arena);
}

bool response_is_type(const struct json *json, uint32_t object, const char *type)
{
	uint32_t node = response_member(json, object, "type", JSON_STRING);
	return node != JSON_NONE && json_string_is(json, node, type);
}

int64_t response_count(const struct json *json, uint32_t object, const char *member)
{
	int64_t count = -1;
	uint32_t node = json_member(json, object, member);
	return node != JSON_NONE && json_int(json, node, &count) && count >= 0 && count <= USAGE_MOST ? count : -1;
}

/* ---- a response object ---- */

struct usage response_usage_read(const struct json *json, uint32_t response)
{
	struct usage usage = USAGE_UNKNOWN;
	uint32_t node = response_member(json, response, "usage", JSON_OBJECT);
	if (node == JSON_NONE)
		return usage;
	uint32_t details = response_member(json, node, "input_tokens_details", JSON_OBJECT);
	usage.prompt_tokens = response_count(json, node, "input_tokens");
	usage.completion_tokens = response_count(json, node, "output_tokens");
	usage.total_tokens = response_count(json, node, "total_tokens");
	if (details != JSON_NONE) {
		usage.cache_read = response_count(json, details, "cached_tokens");
		usage.cache_write = response_count(json, details, "cache_write_tokens");
	}
	return usage;
}

int64_t response_created(const struct json *json, uint32_t response)
{
	int64_t created = -1;
	uint32_t node = json_member(json, response, "created_at");
	if (node == JSON_NONE || !json_int(json, node, &created) || created < 0)
		return -1;
	return created;
}

struct span response_finish(const struct json *json, uint32_t response, bool calls, struct arena *arena)
{
	uint32_t details = response_member(json, response, "incomplete_details", JSON_OBJECT);
	struct span reason =
	    details == JSON_NONE ? (struct span){NULL, 0} : response_text(json, details, "reason", arena);
	uint32_t status = response_member(json, response, "status", JSON_STRING);
	bool incomplete = status != JSON_NONE && json_string_is(json, status, "incomplete");
	if (!incomplete && reason.at == NULL)
		return calls ? SPAN("tool_calls") : SPAN("stop");
	if (reason.at == NULL || span_is(reason, "max_output_tokens") || span_is(reason, "max_tokens"))
		return SPAN("length");
	return reason;
}

/* ---- errors ---- */

void response_error(const struct json *json, uint32_t node, struct arena *scratch, struct answer_reading *reading)
{
	struct backend_error *error = arena_zalloc(scratch, 1, sizeof(*error));
	reading->carries |= CARRIES_ERROR;
	reading->error = error;
	if (error != NULL)
		openai_error_read_member(json, node, scratch, error);
}

/* ---- deltas ---- */

void response_add(struct deltas *deltas, struct delta *room, enum part part, int64_t tool, struct span text,
		  struct span name)
{
	deltas->list = room;
	room[deltas->count++] = (struct delta){.part = part, .tool = tool, .text = text, .name = name};
}

unsigned response_add_text(struct deltas *deltas, struct delta *room, enum part part, struct span text)
{
	if (text.len == 0)
		return 0;
	response_add(deltas, room, part, -1, text, part == PART_REASONING ? REASONING : SPAN(""));
	return CARRIES_CONTENT;
}

bool response_is_call(const struct json *json, uint32_t item)
{
	return response_is_type(json, item, "function_call") || response_is_type(json, item, "custom_tool_call");
}

unsigned response_add_call(struct deltas *deltas, struct delta *room, const struct json *json, uint32_t item,
			   int64_t tool, struct arena *arena)
{
	bool custom = response_is_type(json, item, "custom_tool_call");
	response_add(deltas, room, PART_TOOL_BEGIN, tool, response_text(json, item, "name", arena),
		     response_text(json, item, "call_id", arena));
	response_add(deltas, room, PART_TOOL_TYPE, tool, custom ? SPAN("custom") : SPAN("function"), SPAN(""));
	return CARRIES_CONTENT;
}

struct span response_arguments(const struct json *json, uint32_t item, struct arena *arena)
{
	return response_text(json, item, response_is_type(json, item, "custom_tool_call") ? "input" : "arguments",
			     arena);
}
