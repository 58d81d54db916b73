/* SPDX-License-Identifier: MIT */
/* Answers that are kept; see ballot.h. */
#include "service/plan/ballot.h"

#include "lib/step.h"
#include "service/plan/gathered.h"

/* One kept event of a stream. */
struct piece {
	size_t start, len; /* in the data */
	unsigned carries;
	struct usage usage;
};

void ballot_init(struct ballot *ballot)
{
	*ballot = (struct ballot){.usage = USAGE_UNKNOWN};
	buf_init(&ballot->data, GATHERED_ANSWER_MOST);
	buf_init(&ballot->pieces, GATHERED_ANSWER_MOST);
	buf_init(&ballot->key, (size_t)GATHERED_ANSWER_MOST * 2);
	openai_text_init(&ballot->text, GATHERED_ANSWER_MOST);
}

void ballot_fini(struct ballot *ballot)
{
	buf_fini(&ballot->data);
	buf_fini(&ballot->pieces);
	buf_fini(&ballot->key);
	openai_text_fini(&ballot->text);
}

static void ballot_note_source(struct ballot *ballot, const struct event *event)
{
	ballot->target = event->target;
	ballot->gathered = event->gathered;
}

static enum error_code add_piece(struct ballot *ballot, const struct event *event, struct arena *scratch)
{
	struct piece piece = {
	    .start = buf_len(&ballot->data), .len = event->data.len, .carries = event->carries, .usage = event->usage};
	if ((event->carries & CARRIES_USAGE) != 0)
		ballot->usage = event->usage;
	if ((event->carries & CARRIES_NO_CHOICE) != 0)
		return ERROR_NONE; /* usage only: told anew */
	ballot_note_source(ballot, event);
	if (!buf_append(&ballot->data, event->data) ||
	    !buf_append(&ballot->pieces, (struct span){(const char *)&piece, sizeof(piece)}))
		return ERROR_UPSTREAM_TOO_LARGE;
	return openai_text_add(&ballot->text, event->data, scratch) ? ERROR_NONE : ERROR_UPSTREAM_INVALID;
}

enum error_code ballot_add(struct ballot *ballot, const struct event *event, struct arena *scratch)
{
	if (event->kind == EVENT_CHUNK)
		return add_piece(ballot, event, scratch);
	ballot->usage = event->usage;
	if (event->kind != EVENT_BODY)
		return ERROR_NONE;
	ballot_note_source(ballot, event);
	return buf_append(&ballot->data, event->data) ? ERROR_NONE : ERROR_UPSTREAM_TOO_LARGE;
}

static enum error_code read_key(struct ballot *ballot, struct run_context *context)
{
	arena_reset(context->worker->scratch);
	if (!context->request->stream &&
	    !openai_text_add(&ballot->text, buf_span(&ballot->data), context->worker->scratch))
		return ERROR_UPSTREAM_INVALID;
	openai_text_write_key(&ballot->text, openai_request_wants_json(context->request), context->worker->scratch,
			      &ballot->key);
	return buf_failed(&ballot->key) || arena_failed(context->worker->scratch) ? ERROR_OVERLOADED : ERROR_NONE;
}

enum error_code ballot_close(struct ballot *ballot, struct run_context *context)
{
	struct step_mark before = step_enter("vote");
	enum error_code error = read_key(ballot, context);
	step_leave(before);
	return error;
}

bool ballot_agrees(const struct ballot *ballot, const struct ballot *other)
{
	return span_equal(buf_span(&ballot->key), buf_span(&other->key));
}

bool ballot_piece(const struct ballot *ballot, size_t index, struct event *event)
{
	struct span pieces = buf_span(&ballot->pieces);
	struct piece piece;
	if ((index + 1) * sizeof(piece) > pieces.len)
		return false;
	memcpy(&piece, pieces.at + index * sizeof(piece), sizeof(piece));
	*event = (struct event){.kind = EVENT_CHUNK,
				.carries = piece.carries,
				.usage = piece.usage,
				.data = {buf_span(&ballot->data).at + piece.start, piece.len}};
	return true;
}
