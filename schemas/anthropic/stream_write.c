/* SPDX-License-Identifier: MIT */
/* Events out of deltas; stream_write.h holds the contract. */
#include "schemas/anthropic/stream_write.h"

#include <inttypes.h>
#include <stdlib.h>

#include "lib/json_write.h"
#include "schemas/anthropic/answer_write.h"

enum { CALLS_MOST = 1024, HELD_MOST = 16 << 20, ID_MOST = 256, NAME_MOST = 1024, FINISH_MOST = 4096 };

/* A call of a tool, as far as it came. */
struct anthropic_call {
	struct anthropic_call *next;
	int64_t index;
	bool told; /* its block has begun */
	struct buf id, name;
	struct buf arguments; /* that were not told */
};

void anthropic_stream_init(struct anthropic_stream *stream, uint32_t party)
{
	*stream = (struct anthropic_stream){.usage = USAGE_UNKNOWN, .party = party};
	buf_init(&stream->finish, FINISH_MOST);
}

void anthropic_stream_fini(struct anthropic_stream *stream)
{
	for (struct anthropic_call *next, *at = stream->calls; at != NULL; at = next) {
		next = at->next;
		buf_fini(&at->id);
		buf_fini(&at->name);
		buf_fini(&at->arguments);
		free(at);
	}
	buf_fini(&stream->finish);
	stream->calls = NULL;
}

/* ---- framing ---- */

static void begin_event(struct buf *out, const char *type)
{
	buf_printf(out, "event: %s\ndata: {\"type\":\"%s\"", type, type);
}

static void end_event(struct buf *out)
{
	buf_append(out, SPAN("}\n\n"));
}

static void write_start(struct anthropic_stream *stream, const struct answer_identity *identity, struct buf *out)
{
	const struct usage none = USAGE_UNKNOWN;
	if (stream->begun)
		return;
	stream->begun = true;
	begin_event(out, "message_start");
	buf_append(out, SPAN(",\"message\":{\"id\":"));
	json_write_string(out, identity->id.at == NULL ? SPAN("") : identity->id);
	buf_append(out, SPAN(",\"type\":\"message\",\"role\":\"assistant\",\"model\":"));
	json_write_string(out, identity->model.at == NULL ? SPAN("") : identity->model);
	buf_append(out, SPAN(",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":"));
	anthropic_usage_write(out, &none);
	buf_append(out, SPAN("}"));
	end_event(out);
}

/* ---- blocks ---- */

static void close_block(struct anthropic_stream *stream, struct buf *out)
{
	if (stream->open == ANTHROPIC_BLOCK_NONE)
		return;
	begin_event(out, "content_block_stop");
	buf_printf(out, ",\"index\":%u", stream->index++);
	end_event(out);
	stream->open = ANTHROPIC_BLOCK_NONE;
	stream->told = NULL;
}

static void begin_block(struct anthropic_stream *stream, enum anthropic_block block, struct buf *out)
{
	close_block(stream, out);
	stream->open = block;
	begin_event(out, "content_block_start");
	buf_printf(out, ",\"index\":%u,\"content_block\":", stream->index);
}

static void begin_delta(const struct anthropic_stream *stream, const char *type, const char *member, struct buf *out)
{
	begin_event(out, "content_block_delta");
	buf_printf(out, ",\"index\":%u,\"delta\":{\"type\":\"%s\",\"%s\":", stream->index, type, member);
}

static void write_delta(const struct anthropic_stream *stream, const char *type, const char *member, struct span text,
			struct buf *out)
{
	begin_delta(stream, type, member, out);
	json_write_string(out, text);
	buf_append(out, SPAN("}"));
	end_event(out);
}

/* How text of a block is told. */
struct text_words {
	enum anthropic_block block;
	struct span start; /* the block, before there is any */
	const char *delta, *member;
};

static const struct text_words text_words = {ANTHROPIC_BLOCK_TEXT, SPAN_INIT("{\"type\":\"text\",\"text\":\"\"}"),
					     "text_delta", "text"};
static const struct text_words thinking_words = {
    ANTHROPIC_BLOCK_THINKING, SPAN_INIT("{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}"),
    "thinking_delta", "thinking"};

static void write_text(struct anthropic_stream *stream, const struct text_words *words, struct span text,
		       struct buf *out)
{
	if (text.len == 0)
		return;
	if (stream->open != words->block) {
		begin_block(stream, words->block, out);
		buf_append(out, words->start);
		end_event(out);
	}
	write_delta(stream, words->delta, words->member, text, out);
}

/* ---- calls of tools ---- */

/* Returns the call of that index, made when it is new; NULL: out of memory, or they are too many. */
static struct anthropic_call *find_call(struct anthropic_stream *stream, int64_t index)
{
	struct anthropic_call **link = &stream->calls;
	size_t count = 0;
	for (; *link != NULL && (*link)->index < index; link = &(*link)->next)
		count++;
	if (*link != NULL && (*link)->index == index)
		return *link;
	struct anthropic_call *call = count < CALLS_MOST ? calloc(1, sizeof(*call)) : NULL;
	stream->exhausted |= call == NULL && count < CALLS_MOST;
	if (call == NULL)
		return NULL;
	call->index = index;
	call->next = *link;
	buf_init(&call->id, ID_MOST);
	buf_init(&call->name, NAME_MOST);
	buf_init(&call->arguments, HELD_MOST);
	buf_charge(&call->arguments, stream->party);
	*link = call;
	return call;
}

static void begin_call(struct anthropic_stream *stream, struct anthropic_call *call, struct buf *out)
{
	begin_block(stream, ANTHROPIC_BLOCK_TOOL, out);
	buf_append(out, SPAN("{\"type\":\"tool_use\",\"id\":"));
	json_write_string(out, buf_span(&call->id));
	buf_append(out, SPAN(",\"name\":"));
	json_write_string(out, buf_span(&call->name));
	buf_append(out, SPAN(",\"input\":{}}"));
	end_event(out);
	call->told = true;
	stream->told = call;
}

/* Tells the arguments that wait. */
static void flush_call(struct anthropic_stream *stream, struct anthropic_call *call, struct buf *out)
{
	struct span waiting = buf_span(&call->arguments);
	if (waiting.len > 0)
		write_delta(stream, "input_json_delta", "partial_json", waiting, out);
	stream->held -= waiting.len;
	buf_reset(&call->arguments);
}

/* Returns whether a call may be told now: it has a name, and no other one is open. */
static bool may_tell(const struct anthropic_stream *stream, const struct anthropic_call *call)
{
	return call->told ? stream->told == call : stream->told == NULL && buf_len(&call->name) > 0;
}

static void add_arguments(struct anthropic_stream *stream, struct anthropic_call *call, struct span text,
			  struct buf *out)
{
	if (text.len == 0)
		return;
	stream->failed |= stream->held + text.len > HELD_MOST;
	stream->exhausted |= !stream->failed && !buf_append(&call->arguments, text);
	if (stream->failed || stream->exhausted)
		return;
	stream->held += text.len;
	if (!may_tell(stream, call))
		return;
	if (!call->told)
		begin_call(stream, call, out);
	flush_call(stream, call, out);
}

static void add_call(struct anthropic_stream *stream, const struct delta *delta, struct buf *out)
{
	struct anthropic_call *call = find_call(stream, delta->tool < 0 ? 0 : delta->tool);
	stream->failed |= call == NULL;
	if (call == NULL)
		return;
	if (delta->part == PART_TOOL_ARGUMENTS) {
		add_arguments(stream, call, delta->text, out);
		return;
	}
	if (buf_len(&call->id) == 0)
		buf_append(&call->id, delta->name);
	if (!call->told)
		buf_append(&call->name, delta->text);
	stream->failed |= buf_failed(&call->id) || buf_failed(&call->name);
}

/* Tells the calls that wait for others. */
static void write_calls(struct anthropic_stream *stream, struct buf *out)
{
	for (struct anthropic_call *call = stream->calls; call != NULL; call = call->next) {
		/* text came between its arguments: a block that ended cannot go on */
		stream->failed |= call->told && buf_len(&call->arguments) > 0;
		if (call->told)
			continue;
		begin_call(stream, call, out);
		flush_call(stream, call, out);
	}
}

/* ---- events ---- */

static void add_delta(struct anthropic_stream *stream, const struct delta *delta, struct buf *out)
{
	switch (delta->part) {
	case PART_REFUSAL:
		stream->refused |= delta->text.len > 0;
		write_text(stream, &text_words, delta->text, out);
		break;
	case PART_TEXT:
		write_text(stream, &text_words, delta->text, out);
		break;
	case PART_REASONING:
		write_text(stream, &thinking_words, delta->text, out);
		break;
	case PART_TOOL_BEGIN:
	case PART_TOOL_ARGUMENTS:
		add_call(stream, delta, out);
		break;
	case PART_FINISH:
		stream->failed |= !stream->finished && !buf_append(&stream->finish, delta->text);
		stream->finished = true;
		break;
	default:
		break;
	}
}

static bool is_told(const struct anthropic_stream *stream, struct buf *out)
{
	if (stream->exhausted)
		buf_fail(out);
	return !stream->failed && !buf_failed(out);
}

bool anthropic_stream_add(struct anthropic_stream *stream, const struct deltas *deltas, const struct usage *usage,
			  const struct answer_identity *identity, struct buf *out)
{
	write_start(stream, identity, out);
	if (usage_is_known(usage))
		stream->usage = *usage;
	for (size_t i = 0; i < deltas->count; i++)
		if (deltas->list[i].choice == 0)
			add_delta(stream, &deltas->list[i], out);
	return is_told(stream, out);
}

bool anthropic_stream_end(struct anthropic_stream *stream, struct buf *out)
{
	const struct answer_identity unnamed = {{NULL, 0}, {NULL, 0}, -1};
	struct span finish = stream->finished ? buf_span(&stream->finish) : (struct span){NULL, 0};
	write_start(stream, &unnamed, out);
	write_calls(stream, out);
	close_block(stream, out);
	begin_event(out, "message_delta");
	buf_append(out, SPAN(",\"delta\":{\"stop_reason\":"));
	json_write_string(out, anthropic_stop_reason(finish, stream->calls != NULL, stream->refused));
	buf_append(out, SPAN(",\"stop_sequence\":null},\"usage\":"));
	anthropic_usage_write(out, &stream->usage);
	end_event(out);
	begin_event(out, "message_stop");
	end_event(out);
	return is_told(stream, out);
}
