/* SPDX-License-Identifier: MIT */
/* A chat request as a Messages request; from_chat.h holds the contract. */
#include "schemas/anthropic/from_chat.h"

#include <inttypes.h>

#include "lib/json_write.h"

enum { NAME_MOST = 64 };

static const struct json *json_of(const struct translation *to)
{
	return &to->request->json;
}

static void drop(const struct translation *to, struct span path)
{
	dropped_add(to->dropped, path);
}

static bool is_given(const struct translation *to, uint32_t node)
{
	return node != JSON_NONE && json_type(json_of(to), node) != JSON_NULL;
}

/* Appends a member whose value stays as it is written. */
static void copy(const struct translation *to, struct span name, uint32_t node)
{
	if (!is_given(to, node))
		return;
	buf_append(to->out, SPAN(",\""));
	buf_append(to->out, name);
	buf_append(to->out, SPAN("\":"));
	buf_append(to->out, json_raw(json_of(to), node));
}

static bool has_word(const struct translation *to, uint32_t object, const char *member, const char *word)
{
	uint32_t node = object == JSON_NONE ? JSON_NONE : json_member(json_of(to), object, member);
	return node != JSON_NONE && json_type(json_of(to), node) == JSON_STRING &&
	       json_string_is(json_of(to), node, word);
}

/* ---- how much, and how ---- */

/* Writes the limit, less what of the answer is there already. */
static void write_limit(const struct translation *to, int64_t most)
{
	int64_t spent = to->splice->prefill.at != NULL ? to->splice->spent : 0;
	if (most < 1)
		most = to->output_standard;
	buf_printf(to->out, ",\"max_tokens\":%" PRId64, most > spent ? most - spent : 1);
}

static void write_temperature(const struct translation *to, uint32_t node)
{
	double temperature = 0;
	if (!is_given(to, node))
		return;
	if (json_double(json_of(to), node, &temperature) && temperature > 1) {
		drop(to, SPAN("temperature"));
		buf_append(to->out, SPAN(",\"temperature\":1"));
	} else {
		copy(to, SPAN("temperature"), node);
	}
}

static void write_stop(const struct translation *to, uint32_t node)
{
	if (!is_given(to, node))
		return;
	bool list = json_type(json_of(to), node) == JSON_ARRAY;
	buf_append(to->out, SPAN(",\"stop_sequences\":"));
	buf_append(to->out, list ? SPAN("") : SPAN("["));
	buf_append(to->out, json_raw(json_of(to), node));
	buf_append(to->out, list ? SPAN("") : SPAN("]"));
}

/* ---- what it looks like ---- */

/* Returns the effort in Anthropic's words; {NULL,0}: the word stays as it is. */
static struct span effort_of(const struct translation *to, uint32_t node)
{
	if (json_string_is(json_of(to), node, "minimal"))
		return SPAN("\"low\"");
	if (json_string_is(json_of(to), node, "xhigh"))
		return SPAN("\"max\"");
	return json_raw(json_of(to), node);
}

/* Writes the schema of the answer. Returns whether there is one. */
static bool write_format(const struct translation *to, uint32_t format)
{
	uint32_t schema = JSON_NONE;
	if (has_word(to, format, "type", "json_schema")) {
		uint32_t named = json_member(json_of(to), format, "json_schema");
		schema = named == JSON_NONE ? JSON_NONE : json_member(json_of(to), named, "schema");
	}
	if (!is_given(to, schema)) {
		if (is_given(to, format) && !has_word(to, format, "type", "text"))
			drop(to, SPAN("response_format"));
		return false;
	}
	buf_append(to->out, SPAN(",\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":"));
	buf_append(to->out, json_raw(json_of(to), schema));
	buf_append(to->out, SPAN("}"));
	return true;
}

/* Writes output_config, and thinking where effort is asked for and the backend can think (thinks). */
static void write_output_config(const struct translation *to, uint32_t effort, uint32_t format, bool thinks)
{
	bool begun = write_format(to, format);
	if (!is_given(to, effort) || json_type(json_of(to), effort) != JSON_STRING) {
		buf_append(to->out, begun ? SPAN("}") : SPAN(""));
		return;
	}
	if (json_string_is(json_of(to), effort, "none")) {
		buf_append(to->out, begun ? SPAN("}") : SPAN(""));
		buf_append(to->out, SPAN(",\"thinking\":{\"type\":\"disabled\"}"));
		return;
	}
	buf_append(to->out, begun ? SPAN(",\"effort\":") : SPAN(",\"output_config\":{\"effort\":"));
	buf_append(to->out, effort_of(to, effort));
	buf_append(to->out, SPAN("}"));
	if (thinks)
		buf_append(to->out, SPAN(",\"thinking\":{\"type\":\"adaptive\"}"));
}

/* ---- tools ---- */

/* Writes a function. False, with nothing written, when the tool is none. */
static bool write_tool(const struct translation *to, size_t count, uint32_t tool)
{
	const struct json *json = json_of(to);
	uint32_t function = json_member(json, tool, "function");
	uint32_t name = function == JSON_NONE ? JSON_NONE : json_member(json, function, "name");
	if (name == JSON_NONE || !has_word(to, tool, "type", "function"))
		return false;
	uint32_t parameters = json_member(json, function, "parameters");
	buf_append(to->out, count == 0 ? SPAN(",\"tools\":[") : SPAN(","));
	buf_append(to->out, SPAN("{\"name\":"));
	buf_append(to->out, json_raw(json, name));
	copy(to, SPAN("description"), json_member(json, function, "description"));
	buf_append(to->out, SPAN(",\"input_schema\":"));
	buf_append(to->out, is_given(to, parameters) ? json_raw(json, parameters)
						     : SPAN("{\"type\":\"object\",\"properties\":{}}"));
	copy(to, SPAN("strict"), json_member(json, function, "strict"));
	copy(to, SPAN("cache_control"), json_member(json, tool, "cache_control"));
	buf_append(to->out, SPAN("}"));
	return true;
}

/* Returns how many tools were written. */
static size_t write_tools(const struct translation *to, uint32_t tools)
{
	size_t count = 0;
	unsigned index = 0;
	if (!is_given(to, tools))
		return 0;
	for (uint32_t at = json_first(json_of(to), tools); at != JSON_NONE;
	     at = json_next(json_of(to), tools, at), index++) {
		if (write_tool(to, count, at))
			count++;
		else
			drop(to, arena_printf(to->arena, "tools[%u]", index));
	}
	buf_append(to->out, count > 0 ? SPAN("]") : SPAN(""));
	return count;
}

/* Writes the choice, without its end. False, with nothing written: none is made. */
static bool write_choice(const struct translation *to, uint32_t choice)
{
	const struct json *json = json_of(to);
	if (!is_given(to, choice))
		return false;
	if (json_type(json, choice) == JSON_STRING) {
		bool required = json_string_is(json, choice, "required");
		buf_append(to->out, SPAN(",\"tool_choice\":{\"type\":"));
		buf_append(to->out, required ? SPAN("\"any\"") : json_raw(json, choice));
		return true;
	}
	uint32_t function = json_member(json, choice, "function");
	uint32_t name = function == JSON_NONE ? JSON_NONE : json_member(json, function, "name");
	if (name == JSON_NONE) {
		drop(to, SPAN("tool_choice"));
		return false;
	}
	buf_append(to->out, SPAN(",\"tool_choice\":{\"type\":\"tool\",\"name\":"));
	buf_append(to->out, json_raw(json, name));
	return true;
}

static void write_tool_choice(const struct translation *to, uint32_t choice, uint32_t parallel)
{
	bool alone = parallel != JSON_NONE && json_type(json_of(to), parallel) == JSON_FALSE;
	bool none = choice != JSON_NONE && json_type(json_of(to), choice) == JSON_STRING &&
		    json_string_is(json_of(to), choice, "none");
	bool chosen = write_choice(to, choice);
	if (!chosen && alone)
		buf_append(to->out, SPAN(",\"tool_choice\":{\"type\":\"auto\""));
	if (alone && !none)
		buf_append(to->out, SPAN(",\"disable_parallel_tool_use\":true"));
	buf_append(to->out, chosen || alone ? SPAN("}") : SPAN(""));
}

/* ---- the members ---- */

enum member {
	MEMBER_OTHER, /* has no place in a Messages request */
	MEMBER_IGNORED,
	MEMBER_MESSAGES,
	MEMBER_TEMPERATURE,
	MEMBER_TOP_P,
	MEMBER_TOP_K,
	MEMBER_STOP,
	MEMBER_TOOLS,
	MEMBER_TOOL_CHOICE,
	MEMBER_PARALLEL,
	MEMBER_EFFORT,
	MEMBER_FORMAT,
	MEMBER_USER,
	MEMBER_SAFETY,
	MEMBER_TIER,
	MEMBER_COUNT
};

/* Returns whether a member is absent, or a number of at least that. */
static bool is_least(const struct translation *to, uint32_t node, double least)
{
	double number = 0;
	return !is_given(to, node) || (json_double(json_of(to), node, &number) && number >= least);
}

/* Returns whether thinking may be asked for. Not in the middle of a turn, whose thoughts a chat does not return; nor
 * with what Anthropic refuses beside it: a forced tool, a beginning of the answer, other sampling than the usual one.
 */
static bool may_think(const struct translation *to, const uint32_t nodes[MEMBER_COUNT])
{
	uint32_t choice = nodes[MEMBER_TOOL_CHOICE];
	bool forced = is_given(to, choice) && !json_string_is(json_of(to), choice, "auto") &&
		      !json_string_is(json_of(to), choice, "none");
	return !forced && to->splice->prefill.at == NULL && !is_given(to, nodes[MEMBER_TOP_K]) &&
	       is_least(to, nodes[MEMBER_TEMPERATURE], 1) && is_least(to, nodes[MEMBER_TOP_P], 0.95) &&
	       !anthropic_is_in_turn(json_of(to), nodes[MEMBER_MESSAGES]);
}

static enum member member_of(const struct json *json, uint32_t key)
{
	static const struct {
		const char *name;
		enum member member;
	} members[] = {
	    {"messages", MEMBER_MESSAGES},
	    {"model", MEMBER_IGNORED}, /* and those that are told in another way, or ask for nothing here */
	    {"stream", MEMBER_IGNORED},
	    {"stream_options", MEMBER_IGNORED},
	    {"max_tokens", MEMBER_IGNORED},
	    {"max_completion_tokens", MEMBER_IGNORED},
	    {"n", MEMBER_IGNORED},
	    {"temperature", MEMBER_TEMPERATURE},
	    {"top_p", MEMBER_TOP_P},
	    {"top_k", MEMBER_TOP_K},
	    {"stop", MEMBER_STOP},
	    {"tools", MEMBER_TOOLS},
	    {"tool_choice", MEMBER_TOOL_CHOICE},
	    {"parallel_tool_calls", MEMBER_PARALLEL},
	    {"reasoning_effort", MEMBER_EFFORT},
	    {"response_format", MEMBER_FORMAT},
	    {"user", MEMBER_USER},
	    {"safety_identifier", MEMBER_SAFETY},
	    {"service_tier", MEMBER_TIER},
	};
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (json_string_is(json, key, members[i].name))
			return members[i].member;
	return MEMBER_OTHER;
}

/* Returns a member's name, unless it has what a header field cannot, or a comma. */
static struct span name_of(const struct translation *to, uint32_t key)
{
	struct span name = arena_copy(to->arena, json_string(json_of(to), key, to->arena));
	bool plain = name.len > 0 && name.len <= NAME_MOST;
	for (size_t i = 0; plain && i < name.len; i++)
		plain = name.at[i] > ' ' && name.at[i] < 0x7f && name.at[i] != ',';
	return plain ? name : SPAN("(a member of another name)");
}

/* A value that asks for what is done anyway is not missed. */
static bool is_missed(const struct translation *to, uint32_t value)
{
	double number = 1;
	enum json_type type = json_type(json_of(to), value);
	if (type == JSON_NUMBER)
		return !json_double(json_of(to), value, &number) || number != 0;
	return type != JSON_NULL && type != JSON_FALSE;
}

static void write_tier(const struct translation *to, uint32_t tier)
{
	if (!is_given(to, tier))
		return;
	if (json_string_is(json_of(to), tier, "auto"))
		copy(to, SPAN("service_tier"), tier);
	else if (json_string_is(json_of(to), tier, "default"))
		buf_append(to->out, SPAN(",\"service_tier\":\"standard_only\""));
	else
		drop(to, SPAN("service_tier"));
}

void anthropic_write_from_chat(const struct translation *to)
{
	const struct json *json = json_of(to);
	uint32_t nodes[MEMBER_COUNT] = {JSON_NONE};
	buf_append(to->out, SPAN("{\"model\":"));
	json_write_string(to->out, to->splice->model);
	for (uint32_t at = json_first(json, 0); at != JSON_NONE; at = json_next(json, 0, at)) {
		enum member member = member_of(json, at);
		nodes[member] = at + 1;
		if (member == MEMBER_OTHER && is_missed(to, at + 1))
			drop(to, name_of(to, at));
	}
	write_limit(to, to->request->output_most);
	anthropic_write_from_chat_messages(to, nodes[MEMBER_MESSAGES]);
	write_temperature(to, nodes[MEMBER_TEMPERATURE]);
	copy(to, SPAN("top_p"), nodes[MEMBER_TOP_P]);
	copy(to, SPAN("top_k"), nodes[MEMBER_TOP_K]);
	write_stop(to, nodes[MEMBER_STOP]);
	if (write_tools(to, nodes[MEMBER_TOOLS]) > 0)
		write_tool_choice(to, nodes[MEMBER_TOOL_CHOICE], nodes[MEMBER_PARALLEL]);
	write_output_config(to, nodes[MEMBER_EFFORT], nodes[MEMBER_FORMAT], may_think(to, nodes));
	uint32_t user = is_given(to, nodes[MEMBER_SAFETY]) ? nodes[MEMBER_SAFETY] : nodes[MEMBER_USER];
	if (is_given(to, user)) {
		buf_append(to->out, SPAN(",\"metadata\":{\"user_id\":"));
		buf_append(to->out, json_raw(json, user));
		buf_append(to->out, SPAN("}"));
	}
	write_tier(to, nodes[MEMBER_TIER]);
	buf_append(to->out, to->request->stream ? SPAN(",\"stream\":true}") : SPAN("}"));
}
