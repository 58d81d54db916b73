/* SPDX-License-Identifier: MIT */
/* A Responses request as a chat request; to_chat.h holds the contract. */
#include "schemas/responses/to_chat.h"

#include "lib/json_write.h"

static void drop(const struct responses_to_chat *to, struct span path)
{
	dropped_add(to->dropped, path);
}

/* Appends a member whose value stays as it is written; nothing when it is not there. */
static void copy(const struct responses_to_chat *to, struct span name, uint32_t node)
{
	if (node == JSON_NONE)
		return;
	buf_append(to->out, SPAN(",\""));
	buf_append(to->out, name);
	buf_append(to->out, SPAN("\":"));
	buf_append(to->out, json_raw(to->json, node));
}

/* ---- tools ---- */

static void write_function(const struct responses_to_chat *to, uint32_t tool)
{
	buf_append(to->out, SPAN("{\"type\":\"function\",\"function\":{\"name\":"));
	buf_append(to->out, json_raw(to->json, json_member(to->json, tool, "name")));
	copy(to, SPAN("description"), responses_member(to, tool, "description"));
	copy(to, SPAN("parameters"), responses_member(to, tool, "parameters"));
	copy(to, SPAN("strict"), responses_member(to, tool, "strict"));
	buf_append(to->out, SPAN("}}"));
}

static void write_custom(const struct responses_to_chat *to, uint32_t tool, unsigned index)
{
	uint32_t format = responses_member(to, tool, "format");
	if (format != JSON_NONE && !responses_is_type(to, format, "text"))
		drop(to, arena_printf(to->arena, "tools[%u].format", index));
	buf_append(to->out, SPAN("{\"type\":\"function\",\"function\":{\"name\":"));
	buf_append(to->out, json_raw(to->json, json_member(to->json, tool, "name")));
	copy(to, SPAN("description"), responses_member(to, tool, "description"));
	buf_append(to->out, SPAN(",\"parameters\":{\"type\":\"object\",\"properties\":{\"" RESPONSES_CUSTOM_PARAMETER
				 "\":{\"type\":\"string\"}},\"required\":[\"" RESPONSES_CUSTOM_PARAMETER
				 "\"],\"additionalProperties\":false}}}"));
}

/* Returns how many tools a chat can have. */
static size_t write_tools(const struct responses_to_chat *to, uint32_t tools)
{
	size_t count = 0;
	unsigned index = 0;
	if (tools == JSON_NONE)
		return 0;
	for (uint32_t at = json_first(to->json, tools); at != JSON_NONE; at = json_next(to->json, tools, at), index++) {
		bool custom = responses_is_type(to, at, "custom");
		if (!custom && !responses_is_type(to, at, "function")) {
			drop(to, arena_printf(to->arena, "tools[%u]", index));
			continue;
		}
		buf_append(to->out, count++ == 0 ? SPAN(",\"tools\":[") : SPAN(","));
		if (custom)
			write_custom(to, at, index);
		else
			write_function(to, at);
	}
	buf_append(to->out, count > 0 ? SPAN("]") : SPAN(""));
	return count;
}

static bool is_run_by_client(const struct responses_to_chat *to, uint32_t tool)
{
	return responses_is_type(to, tool, "function") || responses_is_type(to, tool, "custom");
}

/* Writes a tool by its name. */
static void write_name(const struct responses_to_chat *to, uint32_t tool)
{
	buf_append(to->out, SPAN("{\"type\":\"function\",\"function\":{\"name\":"));
	buf_append(to->out, json_raw(to->json, json_member(to->json, tool, "name")));
	buf_append(to->out, SPAN("}}"));
}

static void write_allowed(const struct responses_to_chat *to, uint32_t choice)
{
	uint32_t mode = responses_member(to, choice, "mode"), tools = json_member(to->json, choice, "tools");
	size_t count = 0;
	unsigned index = 0;
	buf_append(to->out, SPAN(",\"tool_choice\":{\"type\":\"allowed_tools\",\"allowed_tools\":{\"mode\":"));
	buf_append(to->out, mode == JSON_NONE ? SPAN("\"auto\"") : json_raw(to->json, mode));
	buf_append(to->out, SPAN(",\"tools\":["));
	for (uint32_t at = json_first(to->json, tools); at != JSON_NONE; at = json_next(to->json, tools, at), index++) {
		if (!is_run_by_client(to, at) || responses_member(to, at, "name") == JSON_NONE) {
			drop(to, arena_printf(to->arena, "tool_choice.tools[%u]", index));
			continue;
		}
		buf_append(to->out, count++ > 0 ? SPAN(",") : SPAN(""));
		write_name(to, at);
	}
	buf_append(to->out, SPAN("]}}"));
}

/* A chat without tools may not choose among them. */
static void write_tool_choice(const struct responses_to_chat *to, uint32_t choice, size_t tools)
{
	if (choice == JSON_NONE)
		return;
	bool word = json_type(to->json, choice) == JSON_STRING;
	bool idle = word && !json_string_is(to->json, choice, "required");
	if (tools == 0) {
		if (!idle)
			drop(to, SPAN("tool_choice"));
	} else if (word) {
		copy(to, SPAN("tool_choice"), choice);
	} else if (responses_is_type(to, choice, "allowed_tools")) {
		write_allowed(to, choice);
	} else if (is_run_by_client(to, choice)) {
		buf_append(to->out, SPAN(",\"tool_choice\":"));
		write_name(to, choice);
	} else {
		drop(to, SPAN("tool_choice"));
	}
}

/* ---- options ---- */

static void write_format(const struct responses_to_chat *to, uint32_t format)
{
	if (format == JSON_NONE || responses_is_type(to, format, "text"))
		return;
	if (responses_is_type(to, format, "json_object")) {
		buf_append(to->out, SPAN(",\"response_format\":{\"type\":\"json_object\"}"));
		return;
	}
	buf_append(to->out, SPAN(",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":"));
	buf_append(to->out, json_raw(to->json, json_member(to->json, format, "name")));
	copy(to, SPAN("description"), responses_member(to, format, "description"));
	copy(to, SPAN("schema"), json_member(to->json, format, "schema"));
	copy(to, SPAN("strict"), responses_member(to, format, "strict"));
	buf_append(to->out, SPAN("}}"));
}

static void write_text_options(const struct responses_to_chat *to, uint32_t node)
{
	struct responses_text text;
	field_decode(to->json, &responses_text_fields, node, to->arena, &text);
	write_format(to, text.format.node);
	copy(to, SPAN("verbosity"), text.verbosity.node);
}

static void write_reasoning(const struct responses_to_chat *to, uint32_t node)
{
	struct responses_reasoning reasoning;
	field_decode(to->json, &responses_reasoning_fields, node, to->arena, &reasoning);
	copy(to, SPAN("reasoning_effort"), reasoning.effort.node);
	if (reasoning.summary.node != JSON_NONE)
		drop(to, SPAN("reasoning.summary"));
}

/* Names the options that no chat has, where they ask for more than what happens anyway. */
static void drop_options(const struct responses_to_chat *to)
{
	const struct responses_request *typed = to->typed;
	struct responses_stream_options stream;
	field_decode(to->json, &responses_stream_options_fields, typed->stream_options.node, to->arena, &stream);
	if (typed->include.node != JSON_NONE && to->json->nodes[typed->include.node].count > 0)
		drop(to, SPAN("include"));
	if (typed->max_tool_calls.node != JSON_NONE)
		drop(to, SPAN("max_tool_calls"));
	if (typed->store.node != JSON_NONE && typed->store.value && !to->keeps)
		drop(to, SPAN("store"));
	if (stream.include_obfuscation.value)
		drop(to, SPAN("stream_options.include_obfuscation"));
	if (typed->top_logprobs.value > 0)
		drop(to, SPAN("top_logprobs"));
	if (span_is(typed->truncation.value, "auto"))
		drop(to, SPAN("truncation"));
}

void responses_write_chat(struct responses_to_chat *to)
{
	const struct responses_request *typed = to->typed;
	buf_append(to->out, SPAN("{\"model\":"));
	buf_append(to->out, json_raw(to->json, typed->model.node));
	buf_append(to->out, SPAN(",\"messages\":"));
	responses_write_messages(to);
	copy(to, SPAN("max_completion_tokens"), typed->max_output_tokens.node);
	copy(to, SPAN("temperature"), typed->temperature.node);
	copy(to, SPAN("top_p"), typed->top_p.node);
	copy(to, SPAN("frequency_penalty"), typed->frequency_penalty.node);
	copy(to, SPAN("presence_penalty"), typed->presence_penalty.node);
	size_t tools = write_tools(to, typed->tools.node);
	write_tool_choice(to, typed->tool_choice.node, tools);
	if (tools > 0)
		copy(to, SPAN("parallel_tool_calls"), typed->parallel_tool_calls.node);
	write_text_options(to, typed->text.node);
	write_reasoning(to, typed->reasoning.node);
	copy(to, SPAN("service_tier"), typed->service_tier.node);
	copy(to, SPAN("prompt_cache_key"), typed->prompt_cache_key.node);
	copy(to, SPAN("prompt_cache_retention"), typed->prompt_cache_retention.node);
	copy(to, SPAN("safety_identifier"), typed->safety_identifier.node);
	copy(to, SPAN("user"), typed->user.node);
	if (typed->stream.value)
		buf_append(to->out, SPAN(",\"stream\":true")); /* usage is asked for where a backend tells it */
	buf_append(to->out, SPAN("}"));
	drop_options(to);
	dropped_add_unknown(to->dropped, to->json, &responses_request_fields, to->arena);
}
