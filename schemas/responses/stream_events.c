/* SPDX-License-Identifier: MIT */
/* Events of a stream; stream_events.h holds the contract. */
#include "schemas/responses/stream_events.h"

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
	if (stream->out != NULL)
		buf_printf(stream->out,
			   "event: response.%s%s\ndata: {\"type\":\"response.%s%s\",\"sequence_number\":%u", name, verb,
			   name, verb, stream->sequence++);
	return stream->out;
}

static void end_event(struct buf *out)
{
	buf_append(out, SPAN("}\n\n"));
}

static void write_place(struct buf *out, const struct responses_stream *stream, const struct responses_item *item)
{
	buf_append(out, SPAN(",\"item_id\":"));
	responses_item_write_id(out, stream->echo, item);
	buf_printf(out, ",\"output_index\":%u%s", item->place,
		   responses_item_is_call(item) ? "" : ",\"content_index\":0");
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
	buf_printf(out, ",\"output_index\":%u,\"item\":", item->place);
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
	buf_printf(out, ",\"%s\":", words[item->kind].member);
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
