/* SPDX-License-Identifier: MIT */
/* A Messages request as a chat request; to_chat.h holds the contract. */
#include "schemas/anthropic/to_chat.h"

#include "lib/json_write.h"

enum { NAME_MOST = 64 };

static void drop(const struct to_chat *to, struct span path)
{
	dropped_add(to->dropped, path);
}

/* Appends a member whose value stays as it is written. */
static void copy(const struct to_chat *to, struct span name, uint32_t node)
{
	if (node == JSON_NONE)
		return;
	buf_append(to->out, SPAN(",\""));
	buf_append(to->out, name);
	buf_append(to->out, SPAN("\":"));
	buf_append(to->out, json_raw(to->json, node));
}

/* ---- tools ---- */

/* Returns whether the client itself runs the tool. */
static bool is_own(const struct to_chat *to, uint32_t tool)
{
	uint32_t type = json_member(to->json, tool, "type");
	return type == JSON_NONE || json_type(to->json, type) == JSON_NULL || json_string_is(to->json, type, "custom");
}

static void write_tool(const struct to_chat *to, uint32_t tool)
{
	buf_append(to->out, SPAN("{\"type\":\"function\",\"function\":{\"name\":"));
	buf_append(to->out, json_raw(to->json, json_member(to->json, tool, "name")));
	copy(to, SPAN("description"), json_member(to->json, tool, "description"));
	copy(to, SPAN("parameters"), json_member(to->json, tool, "input_schema"));
	copy(to, SPAN("strict"), json_member(to->json, tool, "strict"));
	buf_append(to->out, SPAN("}}"));
}

static void write_tools(const struct to_chat *to, uint32_t tools)
{
	size_t count = 0;
	unsigned index = 0;
	if (tools == JSON_NONE)
		return;
	for (uint32_t at = json_first(to->json, tools); at != JSON_NONE; at = json_next(to->json, tools, at), index++) {
		if (!is_own(to, at)) {
			drop(to, arena_printf(to->arena, "tools[%u]", index));
			continue;
		}
		if (to_chat_has(to, at, "cache_control"))
			dropped_add_idle(to->dropped, arena_printf(to->arena, "tools[%u].cache_control", index));
		buf_append(to->out, count++ == 0 ? SPAN(",\"tools\":[") : SPAN(","));
		write_tool(to, at);
	}
	if (count > 0)
		buf_append(to->out, SPAN("]"));
}

static void write_tool_choice(const struct to_chat *to, uint32_t node)
{
	struct anthropic_tool_choice choice;
	if (node == JSON_NONE)
		return;
	field_decode(to->json, &anthropic_tool_choice_fields, node, to->arena, &choice);
	buf_append(to->out, SPAN(",\"tool_choice\":"));
	if (span_is(choice.type.value, "any")) {
		buf_append(to->out, SPAN("\"required\""));
	} else if (span_is(choice.type.value, "tool")) {
		buf_append(to->out, SPAN("{\"type\":\"function\",\"function\":{\"name\":"));
		buf_append(to->out, json_raw(to->json, json_member(to->json, node, "name")));
		buf_append(to->out, SPAN("}}"));
	} else {
		buf_append(to->out, json_raw(to->json, choice.type.node)); /* auto and none */
	}
	if (choice.disable_parallel_tool_use.value)
		buf_append(to->out, SPAN(",\"parallel_tool_calls\":false"));
}

/* ---- options ---- */

static void write_format(const struct to_chat *to, uint32_t node)
{
	struct anthropic_format format;
	if (node == JSON_NONE)
		return;
	field_decode(to->json, &anthropic_format_fields, node, to->arena, &format);
	if (!span_is(format.type.value, "json_schema") || format.schema.node == JSON_NONE) {
		drop(to, SPAN("output_config.format"));
		return;
	}
	buf_append(to->out, SPAN(",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"answer\","
				 "\"strict\":true"));
	copy(to, SPAN("schema"), format.schema.node);
	buf_append(to->out, SPAN("}}"));
}

static void write_output_config(const struct to_chat *to, uint32_t node)
{
	struct anthropic_output_config config;
	field_decode(to->json, &anthropic_output_config_fields, node, to->arena, &config);
	copy(to, SPAN("reasoning_effort"), config.effort.node);
	write_format(to, config.format.node);
}

static void write_thinking(const struct to_chat *to, uint32_t node)
{
	struct anthropic_thinking thinking;
	field_decode(to->json, &anthropic_thinking_fields, node, to->arena, &thinking);
	if (node != JSON_NONE && !span_is(thinking.type.value, "disabled"))
		drop(to, SPAN("thinking"));
}

static void write_user(const struct to_chat *to, uint32_t node)
{
	struct anthropic_metadata metadata;
	field_decode(to->json, &anthropic_metadata_fields, node, to->arena, &metadata);
	copy(to, SPAN("user"), metadata.user_id.node);
}

/* Returns a member's name, unless it has what a header field cannot, or a comma. */
static struct span name_of(const struct to_chat *to, uint32_t key)
{
	struct span name = arena_copy(to->arena, json_string(to->json, key, to->arena));
	bool plain = name.len > 0 && name.len <= NAME_MOST;
	for (size_t i = 0; plain && i < name.len; i++)
		plain = name.at[i] > ' ' && name.at[i] < 0x7f && name.at[i] != ',';
	return plain ? name : SPAN("(a member of another name)");
}

/* Names members that have no row: nobody knows what they ask for. */
static void drop_unknown(const struct to_chat *to)
{
	for (uint32_t at = json_first(to->json, 0); at != JSON_NONE; at = json_next(to->json, 0, at))
		if (json_type(to->json, at + 1) != JSON_NULL &&
		    field_find(to->json, &anthropic_messages_fields, at) == NULL)
			drop(to, name_of(to, at));
}

void anthropic_write_chat(const struct to_chat *to)
{
	const struct anthropic_messages *typed = to->typed;
	buf_append(to->out, SPAN("{\"model\":"));
	buf_append(to->out, json_raw(to->json, typed->model.node));
	buf_append(to->out, SPAN(",\"messages\":"));
	anthropic_write_chat_messages(to);
	copy(to, SPAN("max_tokens"), typed->max_tokens.node);
	copy(to, SPAN("stop"), typed->stop_sequences.node);
	copy(to, SPAN("temperature"), typed->temperature.node);
	copy(to, SPAN("top_p"), typed->top_p.node);
	copy(to, SPAN("top_k"), typed->top_k.node);
	write_tools(to, typed->tools.node);
	write_tool_choice(to, typed->tool_choice.node);
	write_output_config(to, typed->output_config.node);
	write_thinking(to, typed->thinking.node);
	write_user(to, typed->metadata.node);
	if (typed->service_tier.node != JSON_NONE)
		dropped_add_idle(to->dropped, SPAN("service_tier"));
	if (typed->stream.value)
		buf_append(to->out, SPAN(",\"stream\":true")); /* usage is asked for where a backend tells it */
	buf_append(to->out, SPAN("}"));
	drop_unknown(to);
}
