/* SPDX-License-Identifier: MIT */
/* A chat request as a Responses request; from_chat.h holds the contract. */
#include "schemas/responses/from_chat.h"

#include <inttypes.h>

#include "lib/json_edit.h"
#include "lib/json_write.h"
#include "schemas/responses/dialect.h"

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

static void begin(const struct translation *to, struct span name)
{
	buf_append(to->out, SPAN(",\""));
	buf_append(to->out, name);
	buf_append(to->out, SPAN("\":"));
}

/* Appends a member whose value stays as it is written. */
static void copy(const struct translation *to, struct span name, uint32_t node)
{
	if (!is_given(to, node))
		return;
	begin(to, name);
	buf_append(to->out, json_raw(json_of(to), node));
}

static uint32_t object_of(const struct translation *to, uint32_t object, const char *member)
{
	uint32_t node = json_member(json_of(to), object, member);
	return node != JSON_NONE && json_type(json_of(to), node) == JSON_OBJECT ? node : JSON_NONE;
}

static bool has_word(const struct translation *to, uint32_t object, const char *member, const char *word)
{
	uint32_t node = json_member(json_of(to), object, member);
	return node != JSON_NONE && json_type(json_of(to), node) == JSON_STRING &&
	       json_string_is(json_of(to), node, word);
}

/* ---- tools ---- */

/* Writes a function. It is strict only where the chat says so. */
static void write_function(const struct translation *to, uint32_t function)
{
	uint32_t parameters = json_member(json_of(to), function, "parameters");
	uint32_t strict = json_member(json_of(to), function, "strict");
	buf_append(to->out, SPAN("{\"type\":\"function\""));
	copy(to, SPAN("name"), json_member(json_of(to), function, "name"));
	copy(to, SPAN("description"), json_member(json_of(to), function, "description"));
	begin(to, SPAN("parameters"));
	buf_append(to->out, is_given(to, parameters) ? json_raw(json_of(to), parameters)
						     : SPAN("{\"type\":\"object\",\"properties\":{}}"));
	begin(to, SPAN("strict"));
	buf_append(to->out, is_given(to, strict) ? json_raw(json_of(to), strict) : SPAN("false"));
	buf_append(to->out, SPAN("}"));
}

/* Writes a custom tool, the grammar of its input flat. */
static void write_custom(const struct translation *to, uint32_t custom)
{
	uint32_t format = object_of(to, custom, "format");
	uint32_t grammar = format == JSON_NONE ? JSON_NONE : object_of(to, format, "grammar");
	buf_append(to->out, SPAN("{\"type\":\"custom\""));
	copy(to, SPAN("name"), json_member(json_of(to), custom, "name"));
	copy(to, SPAN("description"), json_member(json_of(to), custom, "description"));
	if (grammar != JSON_NONE) {
		begin(to, SPAN("format"));
		buf_append(to->out, SPAN("{\"type\":\"grammar\""));
		copy(to, SPAN("syntax"), json_member(json_of(to), grammar, "syntax"));
		copy(to, SPAN("definition"), json_member(json_of(to), grammar, "definition"));
		buf_append(to->out, SPAN("}"));
	}
	buf_append(to->out, SPAN("}"));
}

/* False, with nothing written: it is of another type. */
static bool write_tool(const struct translation *to, size_t count, uint32_t tool)
{
	uint32_t function = object_of(to, tool, "function"), custom = object_of(to, tool, "custom");
	if (function == JSON_NONE && custom == JSON_NONE)
		return false;
	if (count > 0)
		buf_append(to->out, SPAN(","));
	else
		buf_append(to->out, SPAN(",\"tools\":["));
	if (function != JSON_NONE)
		write_function(to, function);
	else
		write_custom(to, custom);
	return true;
}

/* Returns whether tools were written. */
static bool write_tools(const struct translation *to, uint32_t tools)
{
	size_t count = 0;
	unsigned index = 0;
	if (!is_given(to, tools))
		return false;
	for (uint32_t at = json_first(json_of(to), tools); at != JSON_NONE;
	     at = json_next(json_of(to), tools, at), index++) {
		if (write_tool(to, count, at))
			count++;
		else
			drop(to, arena_printf(to->arena, "tools[%u]", index));
	}
	buf_append(to->out, count > 0 ? SPAN("]") : SPAN(""));
	return count > 0;
}

static void write_choice(const struct translation *to, uint32_t choice)
{
	if (!is_given(to, choice))
		return;
	if (json_type(json_of(to), choice) == JSON_STRING) {
		copy(to, SPAN("tool_choice"), choice);
		return;
	}
	uint32_t function = object_of(to, choice, "function"), custom = object_of(to, choice, "custom");
	uint32_t named = function != JSON_NONE ? function : custom;
	if (named == JSON_NONE) {
		drop(to, SPAN("tool_choice"));
		return;
	}
	begin(to, SPAN("tool_choice"));
	buf_append(to->out, function != JSON_NONE ? SPAN("{\"type\":\"function\"") : SPAN("{\"type\":\"custom\""));
	copy(to, SPAN("name"), json_member(json_of(to), named, "name"));
	buf_append(to->out, SPAN("}"));
}

/* ---- the form of the answer ---- */

static void write_schema(const struct translation *to, uint32_t schema)
{
	uint32_t name = json_member(json_of(to), schema, "name");
	buf_append(to->out, SPAN("{\"type\":\"json_schema\",\"name\":"));
	buf_append(to->out, is_given(to, name) ? json_raw(json_of(to), name) : SPAN("\"answer\""));
	copy(to, SPAN("description"), json_member(json_of(to), schema, "description"));
	copy(to, SPAN("schema"), json_member(json_of(to), schema, "schema"));
	copy(to, SPAN("strict"), json_member(json_of(to), schema, "strict"));
	buf_append(to->out, SPAN("}"));
}

static void write_text(const struct translation *to, uint32_t format, uint32_t verbosity)
{
	size_t start = buf_len(to->out), count = 0;
	buf_append(to->out, SPAN(",\"text\":{"));
	uint32_t schema = is_given(to, format) ? object_of(to, format, "json_schema") : JSON_NONE;
	if (schema != JSON_NONE) {
		buf_append(to->out, SPAN("\"format\":"));
		write_schema(to, schema);
		count++;
	} else if (is_given(to, format) && has_word(to, format, "type", "json_object")) {
		buf_append(to->out, SPAN("\"format\":{\"type\":\"json_object\"}"));
		count++;
	} else if (is_given(to, format) && !has_word(to, format, "type", "text")) {
		drop(to, SPAN("response_format"));
	}
	if (is_given(to, verbosity)) {
		buf_append(to->out, count++ > 0 ? SPAN(",\"verbosity\":") : SPAN("\"verbosity\":"));
		buf_append(to->out, json_raw(json_of(to), verbosity));
	}
	buf_append(to->out, SPAN("}"));
	if (count == 0 && !buf_failed(to->out))
		buf_truncate(to->out, start);
}

static void write_reasoning(const struct translation *to, uint32_t effort)
{
	if (!is_given(to, effort))
		return;
	buf_append(to->out, SPAN(",\"reasoning\":{\"effort\":"));
	buf_append(to->out, json_raw(json_of(to), effort));
	buf_append(to->out, SPAN("}"));
}

/* The limit, less what of the answer is there already. */
static void write_limit(const struct translation *to, int64_t most)
{
	int64_t spent = to->splice->prefill.at != NULL ? to->splice->spent : 0;
	if (most >= 1)
		buf_printf(to->out, ",\"max_output_tokens\":%" PRId64, most > spent ? most - spent : 1);
}

/* ---- the members ---- */

enum member {
	MEMBER_OTHER, /* has no place in a Responses request */
	MEMBER_IGNORED,
	MEMBER_COPIED,
	MEMBER_MESSAGES,
	MEMBER_TOOLS,
	MEMBER_TOOL_CHOICE,
	MEMBER_PARALLEL,
	MEMBER_EFFORT,
	MEMBER_FORMAT,
	MEMBER_VERBOSITY,
	MEMBER_STORE,
	MEMBER_COUNT
};

static enum member member_of(const struct json *json, uint32_t key)
{
	static const struct {
		const char *name;
		enum member member;
	} members[] = {
	    {"messages", MEMBER_MESSAGES},
	    {"model", MEMBER_IGNORED}, /* and those that are told in another way */
	    {"stream", MEMBER_IGNORED},
	    {"stream_options", MEMBER_IGNORED},
	    {"max_tokens", MEMBER_IGNORED},
	    {"max_completion_tokens", MEMBER_IGNORED},
	    {"n", MEMBER_IGNORED},
	    {"temperature", MEMBER_COPIED},
	    {"top_p", MEMBER_COPIED},
	    {"user", MEMBER_COPIED},
	    {"safety_identifier", MEMBER_COPIED},
	    {"metadata", MEMBER_COPIED},
	    {"service_tier", MEMBER_COPIED},
	    {"prompt_cache_key", MEMBER_COPIED},
	    {"prompt_cache_retention", MEMBER_COPIED},
	    {"parallel_tool_calls", MEMBER_PARALLEL},
	    {"tools", MEMBER_TOOLS},
	    {"tool_choice", MEMBER_TOOL_CHOICE},
	    {"reasoning_effort", MEMBER_EFFORT},
	    {"response_format", MEMBER_FORMAT},
	    {"verbosity", MEMBER_VERBOSITY},
	    {"store", MEMBER_STORE},
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

static void write_from_chat(const struct translation *to)
{
	const struct json *json = json_of(to);
	uint32_t nodes[MEMBER_COUNT] = {JSON_NONE};
	buf_append(to->out, SPAN("{\"model\":"));
	json_write_string(to->out, to->splice->model);
	for (uint32_t at = json_first(json, 0); at != JSON_NONE; at = json_next(json, 0, at)) {
		enum member member = member_of(json, at);
		nodes[member] = at + 1;
		if (member == MEMBER_COPIED)
			copy(to, json_string(json, at, to->arena), at + 1);
		else if (member == MEMBER_OTHER && is_missed(to, at + 1))
			drop(to, name_of(to, at));
	}
	responses_write_input(to, nodes[MEMBER_MESSAGES]);
	write_limit(to, to->request->output_most);
	if (write_tools(to, nodes[MEMBER_TOOLS])) {
		write_choice(to, nodes[MEMBER_TOOL_CHOICE]);
		copy(to, SPAN("parallel_tool_calls"), nodes[MEMBER_PARALLEL]);
	}
	write_text(to, nodes[MEMBER_FORMAT], nodes[MEMBER_VERBOSITY]);
	write_reasoning(to, nodes[MEMBER_EFFORT]);
	bool stores = is_given(to, nodes[MEMBER_STORE]) && json_type(json, nodes[MEMBER_STORE]) == JSON_TRUE;
	buf_append(to->out, stores ? SPAN(",\"store\":true") : SPAN(",\"store\":false"));
	buf_append(to->out, to->request->stream ? SPAN(",\"stream\":true}") : SPAN("}"));
}

/* ---- the client's own bytes ---- */

static void write_own(const struct translation *to)
{
	const struct json *json = &to->request->own;
	struct json_edit edit = json_edit_start(json, to->out);
	for (uint32_t at = json_first(json, 0); at != JSON_NONE; at = json_next(json, 0, at)) {
		if (!json_string_is(json, at, "model"))
			continue;
		json_edit_replace(&edit, at + 1);
		json_write_string(to->out, to->splice->model);
	}
	buf_append(to->out, json_edit_rest(&edit));
}

struct span responses_request_misfit(const struct request *request)
{
	return request->choices > 1 ? SPAN("n") : (struct span){NULL, 0};
}

void responses_request_translate(const struct translation *translation)
{
	const struct request *request = translation->request;
	bool goes_on = translation->splice->prefill.at != NULL; /* which a chat says in one way alone */
	if (request->own_dialect == &responses_dialect && !goes_on)
		write_own(translation);
	else
		write_from_chat(translation);
}

size_t responses_splice_growth(const struct request_splice *splice)
{
	enum { GROWTH_MEMBERS = 65536, GROWTH_ESCAPED = 6 };
	return (splice->model.len + splice->prefill.len) * GROWTH_ESCAPED + GROWTH_MEMBERS;
}
