/* SPDX-License-Identifier: MIT */
/* Items and events out of deltas; stream_write.h holds the contract. */
#include "schemas/responses/stream_write.h"

#include <time.h>

#include "schemas/request.h"
#include "schemas/responses/answer_write.h"
#include "schemas/responses/stream_events.h"

enum { MODEL_MOST = 4096, ANSWER_MOST = 256 << 20 };

void responses_stream_init(struct responses_stream *stream, const struct responses_echo *echo, uint32_t party)
{
	*stream = (struct responses_stream){.echo = echo, .completed = -1, .usage = USAGE_UNKNOWN};
	responses_items_init(&stream->items, party);
	buf_init(&stream->model, MODEL_MOST);
}

void responses_stream_keep(struct responses_stream *stream, const struct request_memory *memory)
{
	stream->memory = memory;
}

void responses_stream_fini(struct responses_stream *stream)
{
	responses_items_fini(&stream->items);
	buf_fini(&stream->model);
}

static void begin(struct responses_stream *stream, const struct answer_identity *identity)
{
	if (stream->begun)
		return;
	stream->begun = true;
	stream->created = identity->created >= 0 ? identity->created : (int64_t)time(NULL);
	buf_append(&stream->model, identity->model.at == NULL ? stream->echo->model : identity->model);
	responses_event_response(stream, "created", "in_progress", false, NULL);
	responses_event_response(stream, "in_progress", "in_progress", false, NULL);
}

/* Ends the message or reasoning that goes on. */
static void close_open(struct responses_stream *stream)
{
	if (stream->open == NULL)
		return;
	stream->open->status = RESPONSES_COMPLETED;
	responses_event_end(stream, stream->open);
	stream->open = NULL;
}

static void add_text(struct responses_stream *stream, enum responses_kind kind, struct span text)
{
	if (text.len == 0)
		return;
	if (stream->open == NULL || stream->open->kind != kind) {
		close_open(stream);
		stream->open = responses_items_add(&stream->items, kind);
		if (stream->open != NULL)
			responses_event_begin(stream, stream->open);
	}
	stream->failed |= stream->open == NULL || !responses_item_append(&stream->items, stream->open, text);
	if (!stream->failed)
		responses_event_delta(stream, stream->open, text);
}

/* ---- calls of tools ---- */

static void begin_call(struct responses_stream *stream, struct responses_item *call)
{
	close_open(stream);
	if (responses_echo_is_custom(stream->echo, buf_span(&call->name)))
		call->kind = RESPONSES_CUSTOM_CALL;
	responses_items_begin(&stream->items, call);
	responses_event_begin(stream, call);
}

/* Begins the calls up to that one, as far as they have names; last: whatever they have. */
static void begin_calls(struct responses_stream *stream, const struct responses_item *last, bool nameless)
{
	for (struct responses_item *at = stream->items.calls; at != NULL; at = at->next_call) {
		if (!at->begun && (nameless || buf_len(&at->name) > 0))
			begin_call(stream, at);
		if (at == last)
			break;
	}
}

/* Tells the arguments that came. Those of a custom tool are told when it is done. */
static void flush_call(struct responses_stream *stream, struct responses_item *call)
{
	struct span text = buf_span(&call->text);
	if (!call->begun || call->kind != RESPONSES_FUNCTION_CALL || call->told == text.len)
		return;
	responses_event_delta(stream, call, (struct span){text.at + call->told, text.len - call->told});
	call->told = text.len;
}

static void add_arguments(struct responses_stream *stream, struct responses_item *call, struct span text)
{
	if (text.len == 0)
		return;
	stream->failed |= !responses_item_append(&stream->items, call, text);
	if (stream->failed)
		return;
	if (!call->begun)
		begin_calls(stream, call, false);
	flush_call(stream, call);
}

static void add_call(struct responses_stream *stream, const struct delta *delta)
{
	struct responses_item *call = responses_items_call(&stream->items, delta->tool < 0 ? 0 : delta->tool);
	stream->failed |= call == NULL;
	if (call == NULL)
		return;
	if (delta->part == PART_TOOL_ARGUMENTS) {
		add_arguments(stream, call, delta->text);
		return;
	}
	if (buf_len(&call->call) == 0)
		buf_append(&call->call, delta->name);
	if (!call->begun)
		buf_append(&call->name, delta->text);
	stream->failed |= buf_failed(&call->call) || buf_failed(&call->name);
}

/* ---- events ---- */

static void note_finish(struct responses_stream *stream, struct span finish)
{
	if (!stream->finished && span_is(finish, "length"))
		stream->incomplete = "max_output_tokens";
	if (!stream->finished && span_is(finish, "content_filter"))
		stream->incomplete = "content_filter";
	stream->finished = true;
}

static void add_delta(struct responses_stream *stream, const struct delta *delta)
{
	switch (delta->part) {
	case PART_TEXT:
		add_text(stream, RESPONSES_TEXT, delta->text);
		break;
	case PART_REFUSAL:
		add_text(stream, RESPONSES_REFUSAL, delta->text);
		break;
	case PART_TOOL_BEGIN:
	case PART_TOOL_ARGUMENTS:
		add_call(stream, delta);
		break;
	case PART_FINISH:
		note_finish(stream, delta->text);
		break;
	default:
		break;
	}
}

/* Adds what was thought, which stands before what was said. Engines that move from one name to another send it under
 * both. */
static void add_reasoning(struct responses_stream *stream, const struct deltas *deltas)
{
	const struct delta *before = NULL;
	for (size_t i = 0; i < deltas->count; i++) {
		const struct delta *delta = &deltas->list[i];
		if (delta->choice != 0 || delta->part != PART_REASONING)
			continue;
		if (before == NULL || span_equal(before->name, delta->name) || !span_equal(before->text, delta->text))
			add_text(stream, RESPONSES_REASONING, delta->text);
		before = delta;
	}
}

static void add(struct responses_stream *stream, const struct deltas *deltas, const struct usage *usage,
		const struct answer_identity *identity)
{
	begin(stream, identity);
	if (usage_is_known(usage))
		stream->usage = *usage;
	add_reasoning(stream, deltas);
	for (size_t i = 0; i < deltas->count && !stream->failed; i++)
		if (deltas->list[i].choice == 0)
			add_delta(stream, &deltas->list[i]);
}

bool responses_stream_add(struct responses_stream *stream, const struct deltas *deltas, const struct usage *usage,
			  const struct answer_identity *identity, struct buf *out)
{
	stream->out = out;
	add(stream, deltas, usage, identity);
	return !stream->failed && !buf_failed(out);
}

/* Ends all items. Of an incomplete answer the last one is incomplete, too. */
static void end_items(struct responses_stream *stream)
{
	bool incomplete = stream->incomplete != NULL;
	begin_calls(stream, NULL, true);
	for (struct responses_item *at = stream->items.first; at != NULL; at = at->next) {
		if (at->status != RESPONSES_IN_PROGRESS)
			continue;
		flush_call(stream, at);
		at->status = incomplete && at->next == NULL ? RESPONSES_INCOMPLETE : RESPONSES_COMPLETED;
		responses_event_end(stream, at);
	}
	stream->open = NULL;
}

static void note_completion(struct responses_stream *stream)
{
	end_items(stream);
	if (stream->incomplete == NULL)
		stream->completed = (int64_t)time(NULL);
}

static const char *status_of(const struct responses_stream *stream)
{
	return stream->incomplete == NULL ? "completed" : "incomplete";
}

static void write_answer(const struct responses_stream *stream, struct buf *out)
{
	const struct responses_answer answer = {.echo = stream->echo,
						.model = buf_span(&stream->model),
						.created = stream->created,
						.completed = stream->completed,
						.status = status_of(stream),
						.incomplete = stream->incomplete,
						.items = &stream->items,
						.usage = &stream->usage};
	responses_answer_write(out, &answer);
}

static bool is_kept(const struct responses_stream *stream)
{
	return stream->memory != NULL && stream->echo->input.at != NULL && !stream->failed;
}

static void keep(const struct responses_stream *stream, struct span answer)
{
	const struct request_kept kept = {.id = stream->echo->id, .answer = answer, .input = stream->echo->input};
	stream->memory->keep(stream->memory, &kept);
}

/* Keeps the answer that was streamed, unless there is no memory to write it whole. */
static void keep_streamed(const struct responses_stream *stream)
{
	struct buf answer;
	if (!is_kept(stream))
		return;
	buf_init(&answer, ANSWER_MOST);
	buf_charge(&answer, stream->items.party);
	write_answer(stream, &answer);
	if (!buf_failed(&answer))
		keep(stream, buf_span(&answer));
	buf_fini(&answer);
}

bool responses_stream_end(struct responses_stream *stream, struct buf *out)
{
	const struct answer_identity unnamed = {{NULL, 0}, {NULL, 0}, -1};
	stream->out = out;
	begin(stream, &unnamed);
	note_completion(stream);
	responses_event_response(stream, status_of(stream), status_of(stream), true, NULL);
	if (!buf_append(out, SPAN("data: [DONE]\n\n")) || stream->failed)
		return false;
	keep_streamed(stream);
	return true;
}

bool responses_stream_fail(struct responses_stream *stream, const struct error_told *told, struct buf *out)
{
	const struct answer_identity unnamed = {{NULL, 0}, {NULL, 0}, -1};
	stream->out = out;
	begin(stream, &unnamed);
	responses_event_response(stream, "failed", "failed", false, told);
	buf_append(out, SPAN("data: [DONE]\n\n"));
	return !buf_failed(out);
}

bool responses_stream_whole(struct responses_stream *stream, const struct deltas *deltas, const struct usage *usage,
			    const struct answer_identity *identity, struct buf *out)
{
	size_t start = buf_len(out);
	stream->out = NULL;
	add(stream, deltas, usage, identity);
	note_completion(stream);
	if (!stream->failed)
		write_answer(stream, out);
	if (stream->failed || buf_failed(out))
		return false;
	if (is_kept(stream))
		keep(stream, (struct span){buf_span(out).at + start, buf_len(out) - start});
	return true;
}
