/* SPDX-License-Identifier: MIT */
/* Items of a conversation as the messages of a chat; to_chat.h holds the contract. */
#include "lib/json_write.h"
#include "schemas/responses/to_chat.h"

#define PARAGRAPH SPAN("\\n\\n") /* as it is written in a string */
#define LINE SPAN("\\n")

enum kind { SYSTEM, USER, ASSISTANT, CALL, CUSTOM_CALL, OUTPUT, OTHER };

/* A conversation that is being written. */
struct conversation {
	struct responses_to_chat *to;
	uint32_t item, index; /* the item at hand, and its place in the input */
	bool open;            /* an assistant's message is, and calls may be added to it */
	size_t calls;         /* that it has */
	uint32_t outputs;     /* the first of several outputs of tools in a row; JSON_NONE: the last item was none */
	uint32_t outputs_index;
};

static enum kind role_of(const struct responses_to_chat *to, uint32_t item)
{
	static const struct {
		const char *role;
		enum kind kind;
	} roles[] = {{"user", USER}, {"assistant", ASSISTANT}, {"system", SYSTEM}, {"developer", SYSTEM}};
	uint32_t role = responses_member(to, item, "role");
	if (role == JSON_NONE || responses_member(to, item, "content") == JSON_NONE)
		return OTHER;
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (json_string_is(to->json, role, roles[i].role))
			return roles[i].kind;
	return OTHER;
}

static enum kind kind_of(const struct responses_to_chat *to, uint32_t item)
{
	static const struct {
		const char *type;
		enum kind kind;
	} types[] = {{"function_call", CALL},
		     {"custom_tool_call", CUSTOM_CALL},
		     {"function_call_output", OUTPUT},
		     {"custom_tool_call_output", OUTPUT}};
	if (responses_member(to, item, "type") == JSON_NONE || responses_is_type(to, item, "message"))
		return role_of(to, item);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (responses_is_type(to, item, types[i].type))
			return types[i].kind;
	return OTHER;
}

static void next_item(struct conversation *c)
{
	c->item = json_next(c->to->json, c->to->typed->input.node, c->item);
	c->index++;
}

static void begin_message(struct conversation *c)
{
	buf_append(c->to->out, c->to->messages++ > 0 ? SPAN(",") : SPAN(""));
}

static void copy(const struct conversation *c, const char *before, const char *member)
{
	buf_append(c->to->out, span_of(before));
	buf_append(c->to->out, json_raw(c->to->json, json_member(c->to->json, c->item, member)));
}

/* ---- system ---- */

static void write_system_text(const struct conversation *c)
{
	const struct responses_place place = {c->index, "content"};
	responses_write_text(c->to, &place, json_member(c->to->json, c->item, "content"), PARAGRAPH, true);
}

/* Writes the instructions, and what the system or the developer says before anybody else does. */
static void write_first_system(struct conversation *c)
{
	struct responses_to_chat *to = c->to;
	uint32_t instructions = to->typed->instructions.node;
	bool begun = instructions != JSON_NONE;
	if (!begun && (c->item == JSON_NONE || kind_of(to, c->item) != SYSTEM))
		return;
	begin_message(c);
	buf_append(to->out, SPAN("{\"role\":\"system\",\"content\":\""));
	if (begun) {
		struct span raw = json_raw(to->json, instructions);
		buf_append(to->out, (struct span){raw.at + 1, raw.len - 2});
	}
	for (; c->item != JSON_NONE && kind_of(to, c->item) == SYSTEM; next_item(c), begun = true) {
		buf_append(to->out, begun ? PARAGRAPH : SPAN(""));
		write_system_text(c);
	}
	buf_append(to->out, SPAN("\"}"));
}

/* ---- messages ---- */

static void write_user(struct conversation *c)
{
	const struct responses_place place = {c->index, "content"};
	struct buf *out = c->to->out;
	size_t start = buf_len(out), before = c->to->messages;
	begin_message(c);
	buf_append(out, SPAN("{\"role\":\"user\",\"content\":"));
	bool written = responses_write_content(c->to, &place, json_member(c->to->json, c->item, "content"));
	buf_append(out, SPAN("}"));
	if (written || buf_failed(out))
		return;
	buf_truncate(out, start); /* nothing of it could be carried, and that was named */
	c->to->messages = before;
}

static void write_later_system(struct conversation *c)
{
	begin_message(c);
	buf_append(c->to->out, SPAN("{\"role\":\"system\",\"content\":\""));
	write_system_text(c);
	buf_append(c->to->out, SPAN("\"}"));
}

static void close_assistant(struct conversation *c)
{
	if (c->open)
		buf_append(c->to->out, c->calls > 0 ? SPAN("]}") : SPAN("}"));
	c->open = false;
	c->calls = 0;
}

static void write_assistant(struct conversation *c)
{
	const struct responses_place place = {c->index, "content"};
	close_assistant(c);
	begin_message(c);
	buf_append(c->to->out, SPAN("{\"role\":\"assistant\",\"content\":\""));
	responses_write_text(c->to, &place, json_member(c->to->json, c->item, "content"), SPAN(""), true);
	buf_append(c->to->out, SPAN("\""));
	c->open = true;
	if (responses_member(c->to, c->item, "phase") != JSON_NONE)
		dropped_add(c->to->dropped, arena_printf(c->to->arena, "input[%u].phase", c->index));
}

/* ---- tools ---- */

/* Appends the input of a custom tool as the arguments of its function. */
static void write_custom_arguments(const struct conversation *c)
{
	struct span input = json_raw(c->to->json, json_member(c->to->json, c->item, "input"));
	struct span object = arena_printf(c->to->arena, "{\"" RESPONSES_CUSTOM_PARAMETER "\":%.*s}", SPAN_ARG(input));
	json_write_string(c->to->out, object);
}

static void write_call(struct conversation *c, enum kind kind)
{
	if (!c->open) {
		begin_message(c);
		buf_append(c->to->out, SPAN("{\"role\":\"assistant\",\"content\":null"));
		c->open = true;
	}
	buf_append(c->to->out, c->calls++ == 0 ? SPAN(",\"tool_calls\":[") : SPAN(","));
	copy(c, "{\"id\":", "call_id");
	copy(c, ",\"type\":\"function\",\"function\":{\"name\":", "name");
	if (kind == CALL) {
		copy(c, ",\"arguments\":", "arguments");
	} else {
		buf_append(c->to->out, SPAN(",\"arguments\":"));
		write_custom_arguments(c);
	}
	buf_append(c->to->out, SPAN("}}"));
}

static void write_output(struct conversation *c)
{
	const struct responses_place place = {c->index, "output"};
	begin_message(c);
	copy(c, "{\"role\":\"tool\",\"tool_call_id\":", "call_id");
	buf_append(c->to->out, SPAN(",\"content\":\""));
	responses_write_text(c->to, &place, json_member(c->to->json, c->item, "output"), LINE, false);
	buf_append(c->to->out, SPAN("\"}"));
	if (c->outputs != JSON_NONE)
		return;
	c->outputs = c->item;
	c->outputs_index = c->index;
}

/* Writes the pictures of the outputs that came in a row, which messages of tools cannot hold: no other message may
 * stand between those. */
static void write_pictures(struct conversation *c)
{
	struct responses_place place = {c->outputs_index, "output"};
	struct buf *out = c->to->out;
	size_t start = buf_len(out), before = c->to->messages, count = 0;
	if (c->outputs == JSON_NONE)
		return;
	begin_message(c);
	buf_append(out, SPAN("{\"role\":\"user\",\"content\":["));
	for (uint32_t at = c->outputs; at != c->item;
	     at = json_next(c->to->json, c->to->typed->input.node, at), place.item++)
		if (kind_of(c->to, at) == OUTPUT)
			responses_write_pictures(c->to, &place, json_member(c->to->json, at, "output"), &count);
	buf_append(out, SPAN("]}"));
	c->outputs = JSON_NONE;
	if (count > 0 || buf_failed(out))
		return;
	buf_truncate(out, start);
	c->to->messages = before;
}

/* ---- all of them ---- */

static void write_item(struct conversation *c, enum kind kind)
{
	if (kind == OTHER) {
		dropped_add(c->to->dropped, arena_printf(c->to->arena, "input[%u]", c->index));
		return; /* what stands around it stays together */
	}
	if (kind != CALL && kind != CUSTOM_CALL)
		close_assistant(c);
	switch (kind) {
	case SYSTEM:
		write_later_system(c);
		break;
	case USER:
		write_user(c);
		break;
	case ASSISTANT:
		write_assistant(c);
		break;
	case OUTPUT:
		write_output(c);
		break;
	default:
		write_call(c, kind);
	}
}

static void write_items(struct conversation *c)
{
	for (; c->item != JSON_NONE; next_item(c)) {
		enum kind kind = kind_of(c->to, c->item);
		if (kind != OUTPUT && kind != OTHER)
			write_pictures(c);
		write_item(c, kind);
	}
	write_pictures(c);
	close_assistant(c);
}

void responses_write_messages(struct responses_to_chat *to)
{
	uint32_t input = to->typed->input.node;
	bool items = json_type(to->json, input) == JSON_ARRAY;
	struct conversation c = {
	    .to = to, .item = items ? json_first(to->json, input) : JSON_NONE, .outputs = JSON_NONE};
	buf_append(to->out, SPAN("["));
	write_first_system(&c);
	if (!items) {
		begin_message(&c);
		buf_append(to->out, SPAN("{\"role\":\"user\",\"content\":"));
		buf_append(to->out, json_raw(to->json, input));
		buf_append(to->out, SPAN("}"));
	}
	write_items(&c);
	buf_append(to->out, SPAN("]"));
}
