/* SPDX-License-Identifier: MIT */
/* Answers that are kept; see held_answer.h. */
#include "service/plan/held_answer.h"

#include <stdlib.h>

#include "lib/step.h"
#include "schemas/dialect.h"
#include "service/loop/offload.h"
#include "service/plan/merge_job.h"

enum { CLOSED_IN_TURN = 256 << 10 /* bytes of an answer, or of its text */ };

/* One kept event of a stream. */
struct piece {
	size_t start, len; /* in the data */
	unsigned carries;
	struct usage usage;
};

void held_answer_init(struct held_answer *held, uint32_t party)
{
	*held = (struct held_answer){.usage = USAGE_UNKNOWN};
	buf_init(&held->data, MERGING_ANSWER_MOST);
	buf_init(&held->pieces, MERGING_ANSWER_MOST);
	buf_init(&held->key, (size_t)MERGING_ANSWER_MOST * 2);
	buf_charge(&held->data, party);
	buf_charge(&held->pieces, party);
	buf_charge(&held->key, party);
	answer_text_init(&held->text, MERGING_ANSWER_MOST);
	buf_charge(&held->text.content, party);
}

void held_answer_fini(struct held_answer *held)
{
	if (held->closing != NULL)
		offload_cancel((struct offload_job *)held->closing); /* its job is first in it */
	held->closing = NULL;
	buf_fini(&held->data);
	buf_fini(&held->pieces);
	buf_fini(&held->key);
	answer_text_fini(&held->text);
}

static void held_answer_note_source(struct held_answer *held, const struct event *event)
{
	held->target = event->target;
	held->dialect = event->dialect;
	held->gathered = event->gathered;
}

static enum error_code add_piece(struct held_answer *held, const struct event *event, struct arena *scratch)
{
	struct piece piece = {
	    .start = buf_len(&held->data), .len = event->data.len, .carries = event->carries, .usage = event->usage};
	if ((event->carries & CARRIES_USAGE) != 0)
		held->usage = event->usage;
	if ((event->carries & CARRIES_NO_CHOICE) != 0)
		return ERROR_NONE; /* usage only: told anew */
	held_answer_note_source(held, event);
	if (!buf_append(&held->data, event->data) ||
	    !buf_append(&held->pieces, (struct span){(const char *)&piece, sizeof(piece)}))
		return ERROR_UPSTREAM_TOO_LARGE;
	struct deltas deltas;
	bool read = event_deltas(event, scratch, &deltas);
	return read && answer_text_add(&held->text, &deltas) ? ERROR_NONE : ERROR_UPSTREAM_INVALID;
}

enum error_code held_answer_add(struct held_answer *held, const struct event *event, struct arena *scratch)
{
	if (event->kind == EVENT_CHUNK)
		return add_piece(held, event, scratch);
	held->usage = event->usage;
	if (event->kind != EVENT_BODY)
		return ERROR_NONE;
	held_answer_note_source(held, event);
	return buf_append(&held->data, event->data) ? ERROR_NONE : ERROR_UPSTREAM_TOO_LARGE;
}

/* Thread-safe. stream: the text is there already. */
static enum error_code held_answer_read_key(struct held_answer *held, bool stream, bool as_json, struct arena *scratch)
{
	struct json json;
	struct deltas deltas;
	if (!stream && (!event_parse(buf_span(&held->data), scratch, &json) ||
			!held->dialect->deltas_read(&json, scratch, &deltas) || !answer_text_add(&held->text, &deltas)))
		return arena_failed(scratch) ? ERROR_OVERLOADED : ERROR_UPSTREAM_INVALID;
	answer_text_write_key(&held->text, as_json, scratch, &held->key);
	return buf_failed(&held->key) || arena_failed(scratch) ? ERROR_OVERLOADED : ERROR_NONE;
}

enum error_code held_answer_close(struct held_answer *held, struct run_context *context)
{
	struct step_mark before = step_enter("vote");
	arena_reset(context->worker->scratch);
	enum error_code error =
	    held_answer_read_key(held, context->request->stream,
				 context->request->dialect->wants_json(context->request), context->worker->scratch);
	step_leave(before);
	return error;
}

/* ---- by a helper ---- */

struct held_answer_closing {
	struct offload_job job;   /* first */
	struct held_answer *held; /* the loop's */
	struct held_answer own;   /* what was taken of it */
	bool stream, as_json;
	enum error_code error;
	void (*on_closed)(void *owner, enum error_code error);
	void *owner;
};

static void held_answer_on_work(struct offload_job *job)
{
	struct held_answer_closing *closing = (struct held_answer_closing *)job;
	struct arena scratch;
	arena_init(&scratch, 0); /* as large as what is read, which has its ceiling */
	arena_charge(&scratch, closing->own.key.party);
	closing->error = held_answer_read_key(&closing->own, closing->stream, closing->as_json, &scratch);
	arena_fini(&scratch);
}

static void held_answer_on_done(struct offload_job *job)
{
	struct held_answer_closing *closing = (struct held_answer_closing *)job;
	closing->own.closing = NULL;
	*closing->held = closing->own;
	closing->on_closed(closing->owner, job->refused ? ERROR_OVERLOADED : closing->error);
	free(closing);
}

static void held_answer_on_discard(struct offload_job *job)
{
	struct held_answer_closing *closing = (struct held_answer_closing *)job;
	closing->own.closing = NULL;
	held_answer_fini(&closing->own);
	free(closing);
}

bool held_answer_close_apart(struct held_answer *held, struct run_context *context,
			     void (*on_closed)(void *owner, enum error_code error), void *owner)
{
	bool stream = context->request->stream;
	struct span heavy = buf_span(stream ? &held->text.content : &held->data);
	if (context->worker->offload == NULL || (heavy.len <= CLOSED_IN_TURN && !offload_is_heavy(heavy)))
		return false;
	struct held_answer_closing *closing = calloc(1, sizeof(*closing));
	if (closing == NULL)
		return false;
	closing->held = held;
	closing->own = *held;
	closing->stream = stream;
	closing->as_json = context->request->dialect->wants_json(context->request);
	closing->on_closed = on_closed;
	closing->owner = owner;
	closing->job = (struct offload_job){.work = held_answer_on_work,
					    .done = held_answer_on_done,
					    .discard = held_answer_on_discard,
					    .kind = OFFLOAD_VOTE,
					    .owner = {context->network, context->client},
					    .bytes = buf_len(&held->data) * 2};
	struct held_answer left = *held;
	held_answer_init(held, context->party);
	held->target = left.target;
	held->dialect = left.dialect;
	held->gathered = left.gathered;
	held->usage = left.usage;
	held->closing = closing;
	offload_submit(context->worker->offload, &closing->job);
	return true;
}

bool held_answer_agrees(const struct held_answer *held, const struct held_answer *other)
{
	return span_equal(buf_span(&held->key), buf_span(&other->key));
}

bool held_answer_piece(const struct held_answer *held, size_t index, struct event *event)
{
	struct span pieces = buf_span(&held->pieces);
	struct piece piece;
	if ((index + 1) * sizeof(piece) > pieces.len)
		return false;
	memcpy(&piece, pieces.at + index * sizeof(piece), sizeof(piece));
	*event = (struct event){.kind = EVENT_CHUNK,
				.dialect = held->dialect,
				.carries = piece.carries,
				.usage = piece.usage,
				.data = {buf_span(&held->data).at + piece.start, piece.len}};
	return true;
}
