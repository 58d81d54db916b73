/* SPDX-License-Identifier: MIT */
/* Chunks from deltas; chunk_write.h holds the contract. */
#include "schemas/openai/chunk_write.h"

#include <inttypes.h>

#include "lib/json_write.h"

/* The members of an object so far. */
struct members {
	struct buf *out;
	size_t count;
};

/* Begins a member; the value follows. */
static void begin(struct members *members, struct span name)
{
	buf_append(members->out, members->count++ == 0 ? SPAN("\"") : SPAN(",\""));
	buf_append(members->out, name);
	buf_append(members->out, SPAN("\":"));
}

static void write_text(struct members *members, struct span name, struct span text)
{
	begin(members, name);
	json_write_string(members->out, text);
}

/* Writes what the deltas from the one at index say of a call. Returns the first behind them. */
static size_t write_call(struct buf *out, const struct deltas *deltas, size_t index)
{
	struct members call = {out, 1}, function = {out, 0};
	int64_t tool = deltas->list[index].tool;
	size_t end = index;
	buf_printf(out, "{\"index\":%" PRId64, tool);
	while (end < deltas->count && deltas->list[end].tool == tool)
		end++;
	for (size_t i = index; i < end; i++) {
		const struct delta *delta = &deltas->list[i];
		if (delta->part == PART_TOOL_BEGIN && delta->name.at != NULL)
			write_text(&call, SPAN("id"), delta->name);
		else if (delta->part == PART_TOOL_TYPE)
			write_text(&call, SPAN("type"), delta->text);
	}
	begin(&call, SPAN("function"));
	buf_append(out, SPAN("{"));
	for (size_t i = index; i < end; i++) {
		const struct delta *delta = &deltas->list[i];
		if (delta->part == PART_TOOL_BEGIN && delta->text.at != NULL)
			write_text(&function, SPAN("name"), delta->text);
		else if (delta->part == PART_TOOL_ARGUMENTS)
			write_text(&function, SPAN("arguments"), delta->text);
	}
	buf_append(out, SPAN("}}"));
	return end;
}

/* Writes the calls, as a member. */
static void write_calls(struct members *members, const struct deltas *deltas)
{
	size_t calls = 0;
	for (size_t i = 0; i < deltas->count;) {
		if (deltas->list[i].tool < 0) {
			i++;
			continue;
		}
		if (calls++ == 0) {
			begin(members, SPAN("tool_calls"));
			buf_append(members->out, SPAN("["));
		} else {
			buf_append(members->out, SPAN(","));
		}
		i = write_call(members->out, deltas, i);
	}
	buf_append(members->out, calls > 0 ? SPAN("]") : SPAN(""));
}

/* Writes the delta. Returns why the choice ends; {NULL,0}: it does not. */
static struct span write_delta(struct buf *out, const struct deltas *deltas)
{
	struct members members = {out, 0};
	struct span finish = {NULL, 0};
	buf_append(out, SPAN("\"delta\":{"));
	for (size_t i = 0; i < deltas->count; i++) {
		const struct delta *delta = &deltas->list[i];
		switch (delta->part) {
		case PART_ROLE:
			write_text(&members, SPAN("role"), delta->text);
			break;
		case PART_TEXT:
			write_text(&members, SPAN("content"), delta->text);
			break;
		case PART_REFUSAL:
			write_text(&members, SPAN("refusal"), delta->text);
			break;
		case PART_REASONING:
			write_text(&members, delta->name, delta->text);
			break;
		case PART_FINISH:
			finish = delta->text;
			break;
		default:
			break; /* calls follow; nothing else is translated */
		}
	}
	write_calls(&members, deltas);
	buf_append(out, SPAN("}"));
	return finish;
}

static struct span or_empty(struct span text)
{
	return text.at == NULL ? SPAN("") : text;
}

void openai_chunk_write(struct buf *out, enum endpoint endpoint, const struct answer_identity *identity,
			const struct deltas *deltas)
{
	(void)endpoint; /* there are no other streams that are translated */
	buf_append(out, SPAN("{\"id\":"));
	json_write_string(out, or_empty(identity->id));
	buf_printf(out, ",\"object\":\"chat.completion.chunk\",\"created\":%" PRId64 ",\"model\":",
		   identity->created < 0 ? 0 : identity->created);
	json_write_string(out, or_empty(identity->model));
	buf_append(out, SPAN(",\"choices\":[{\"index\":0,"));
	struct span finish = write_delta(out, deltas);
	buf_append(out, SPAN(",\"finish_reason\":"));
	json_write_string_or_null(out, finish);
	buf_append(out, SPAN("}]}"));
}
