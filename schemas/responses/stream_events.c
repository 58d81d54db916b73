/* SPDX-License-Identifier: MIT */
/* Events of a stream; stream_events.h holds the contract. */
#include "schemas/responses/stream_events.h"

#include "lib/decimal.h"
#include "lib/json_write.h"
#include "schemas/responses/answer_write.h"

/* What the events of an item's content are called, and the member that ends it. */
static const struct {
	const char *content, *member;
} words[] = {
    [RESPONSES_TEXT] = {"output_text", "text"},
    [RESPONSES_REFUSAL] = {"refusal", "refusal"},
    [RESPONSES_REASONING] = {"reasoning_text", "text"},
    [RESPONSES_FUNCTION_CALL] = {"function_call_arguments", "arguments"},
    [RESPONSES_CUSTOM_CALL] = {"custom_tool_call_input", "input"},
};

/* Begins an event, response.NAME.VERB. Returns where its members go; NULL: nowhere. */
static struct buf *begin_event(struct responses_stream *stream, const char *name, const char *verb)
{
	struct buf *out = stream->out;
	if (out == NULL)
		return NULL;
	buf_append(out, SPAN("event: response."));
	buf_append(out, span_of(name));
	buf_append(out, span_of(verb));
	buf_append(out, SPAN("\ndata: {\"type\":\"response."));
	buf_append(out, span_of(name));
	buf_append(out, span_of(verb));
	buf_append(out, SPAN("\",\"sequence_number\":"));
	decimal_append(out, stream->sequence++);
	return out;
}

static void end_event(struct buf *out)
{
	buf_append(out, SPAN("}\n\n"));
}

static void write_place(struct buf *out, const struct responses_stream *stream, const struct responses_item *item)
{
	buf_append(out, SPAN(",\"item_id\":"));
	responses_item_write_id(out, stream->echo, item);
	buf_append(out, SPAN(",\"output_index\":"));
	decimal_append(out, item->place);
	buf_append(out, responses_item_is_call(item) ? SPAN("") : SPAN(",\"content_index\":0"));
}

void responses_event_response(struct responses_stream *stream, const char *type, const char *status, bool told,
			      const struct error_told *error)
{
	const struct responses_answer answer = {.echo = stream->echo,
						.model = buf_span(&stream->model),
						.created = stream->created,
						.completed = told ? stream->completed : -1,
						.status = status,
						.incomplete = told ? stream->incomplete : NULL,
						.items = told ? &stream->items : NULL,
						.usage = told ? &stream->usage : NULL,
						.error = error};
	struct buf *out = begin_event(stream, type, "");
	if (out == NULL)
		return;
	buf_append(out, SPAN(",\"response\":"));
	responses_answer_write(out, &answer);
	end_event(out);
}

static void write_item_event(struct responses_stream *stream, const struct responses_item *item, bool empty)
{
	struct buf *out = begin_event(stream, "output_item.", empty ? "added" : "done");
	if (out == NULL)
		return;
	buf_append(out, SPAN(",\"output_index\":"));
	decimal_append(out, item->place);
	buf_append(out, SPAN(",\"item\":"));
	responses_item_write(out, stream->echo, item, empty);
	end_event(out);
}

static void write_part_event(struct responses_stream *stream, const struct responses_item *item, bool empty)
{
	struct buf *out = begin_event(stream, "content_part.", empty ? "added" : "done");
	if (out == NULL)
		return;
	write_place(out, stream, item);
	buf_append(out, SPAN(",\"part\":"));
	responses_item_write_part(out, item, empty);
	end_event(out);
}

void responses_event_begin(struct responses_stream *stream, const struct responses_item *item)
{
	write_item_event(stream, item, true);
	if (!responses_item_is_call(item))
		write_part_event(stream, item, true);
}

static struct buf *begin_delta(struct responses_stream *stream, const struct responses_item *item)
{
	struct buf *out = begin_event(stream, words[item->kind].content, ".delta");
	if (out == NULL)
		return NULL;
	write_place(out, stream, item);
	buf_append(out, SPAN(",\"delta\":"));
	return out;
}

void responses_event_delta(struct responses_stream *stream, const struct responses_item *item, struct span text)
{
	struct buf *out = begin_delta(stream, item);
	if (out == NULL)
		return;
	json_write_string(out, text);
	buf_append(out, item->kind == RESPONSES_TEXT ? SPAN(",\"logprobs\":[]") : SPAN(""));
	end_event(out);
}

/* The whole input of a custom tool. */
static void write_input_delta(struct responses_stream *stream, const struct responses_item *item)
{
	struct buf *out = begin_delta(stream, item);
	if (out == NULL)
		return;
	responses_item_write_input(out, item);
	end_event(out);
}

static void write_content_done(struct responses_stream *stream, const struct responses_item *item)
{
	struct buf *out = begin_event(stream, words[item->kind].content, ".done");
	if (out == NULL)
		return;
	write_place(out, stream, item);
	if (item->kind == RESPONSES_TEXT)
		buf_append(out, SPAN(",\"logprobs\":[]"));
	if (item->kind == RESPONSES_FUNCTION_CALL) {
		buf_append(out, SPAN(",\"name\":"));
		json_write_string(out, buf_span(&item->name));
	}
	buf_append(out, SPAN(",\""));
	buf_append(out, span_of(words[item->kind].member));
	buf_append(out, SPAN("\":"));
	if (item->kind == RESPONSES_CUSTOM_CALL)
		responses_item_write_input(out, item);
	else
		json_write_string(out, buf_span(&item->text));
	end_event(out);
}

void responses_event_end(struct responses_stream *stream, const struct responses_item *item)
{
	if (item->kind == RESPONSES_CUSTOM_CALL)
		write_input_delta(stream, item);
	write_content_done(stream, item);
	if (!responses_item_is_call(item))
		write_part_event(stream, item, false);
	write_item_event(stream, item, false);
}
