/* SPDX-License-Identifier: MIT */
/* Answers that are kept; see ballot.h. */
#include "service/plan/ballot.h"

#include <stdlib.h>

#include "lib/step.h"
#include "schemas/dialect.h"
#include "service/loop/offload.h"
#include "service/plan/merging.h"

enum { CLOSED_IN_TURN = 256 << 10 /* bytes of an answer, or of its text */ };

/* One kept event of a stream. */
struct piece {
	size_t start, len; /* in the data */
	unsigned carries;
	struct usage usage;
};

void ballot_init(struct ballot *ballot, uint32_t party)
{
	*ballot = (struct ballot){.usage = USAGE_UNKNOWN};
	buf_init(&ballot->data, MERGING_ANSWER_MOST);
	buf_init(&ballot->pieces, MERGING_ANSWER_MOST);
	buf_init(&ballot->key, (size_t)MERGING_ANSWER_MOST * 2);
	buf_charge(&ballot->data, party);
	buf_charge(&ballot->pieces, party);
	buf_charge(&ballot->key, party);
	answer_text_init(&ballot->text, MERGING_ANSWER_MOST);
	buf_charge(&ballot->text.content, party);
}

void ballot_fini(struct ballot *ballot)
{
	if (ballot->closing != NULL)
		offload_cancel((struct offload_job *)ballot->closing); /* its job is first in it */
	ballot->closing = NULL;
	buf_fini(&ballot->data);
	buf_fini(&ballot->pieces);
	buf_fini(&ballot->key);
	answer_text_fini(&ballot->text);
}

static void ballot_note_source(struct ballot *ballot, const struct event *event)
{
	ballot->target = event->target;
	ballot->dialect = event->dialect;
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
	struct deltas deltas;
	bool read = event_deltas(event, scratch, &deltas);
	return read && answer_text_add(&ballot->text, &deltas) ? ERROR_NONE : ERROR_UPSTREAM_INVALID;
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

/* Thread-safe. stream: the text is there already. */
static enum error_code ballot_read_key(struct ballot *ballot, bool stream, bool as_json, struct arena *scratch)
{
	struct json json;
	struct deltas deltas;
	if (!stream &&
	    (!event_parse(buf_span(&ballot->data), scratch, &json) ||
	     !ballot->dialect->deltas_read(&json, scratch, &deltas) || !answer_text_add(&ballot->text, &deltas)))
		return arena_failed(scratch) ? ERROR_OVERLOADED : ERROR_UPSTREAM_INVALID;
	answer_text_write_key(&ballot->text, as_json, scratch, &ballot->key);
	return buf_failed(&ballot->key) || arena_failed(scratch) ? ERROR_OVERLOADED : ERROR_NONE;
}

enum error_code ballot_close(struct ballot *ballot, struct run_context *context)
{
	struct step_mark before = step_enter("vote");
	arena_reset(context->worker->scratch);
	enum error_code error =
	    ballot_read_key(ballot, context->request->stream, context->request->dialect->wants_json(context->request),
			    context->worker->scratch);
	step_leave(before);
	return error;
}

/* ---- by a helper ---- */

struct ballot_closing {
	struct offload_job job; /* first */
	struct ballot *ballot;  /* the loop's */
	struct ballot own;      /* what was taken of it */
	bool stream, as_json;
	enum error_code error;
	void (*on_closed)(void *owner, enum error_code error);
	void *owner;
};

static void ballot_on_work(struct offload_job *job)
{
	struct ballot_closing *closing = (struct ballot_closing *)job;
	struct arena scratch;
	arena_init(&scratch, 0); /* as large as what is read, which has its ceiling */
	arena_charge(&scratch, closing->own.key.party);
	closing->error = ballot_read_key(&closing->own, closing->stream, closing->as_json, &scratch);
	arena_fini(&scratch);
}

static void ballot_on_done(struct offload_job *job)
{
	struct ballot_closing *closing = (struct ballot_closing *)job;
	closing->own.closing = NULL;
	*closing->ballot = closing->own;
	closing->on_closed(closing->owner, job->refused ? ERROR_OVERLOADED : closing->error);
	free(closing);
}

static void ballot_on_discard(struct offload_job *job)
{
	struct ballot_closing *closing = (struct ballot_closing *)job;
	closing->own.closing = NULL;
	ballot_fini(&closing->own);
	free(closing);
}

bool ballot_close_apart(struct ballot *ballot, struct run_context *context,
			void (*on_closed)(void *owner, enum error_code error), void *owner)
{
	bool stream = context->request->stream;
	struct span heavy = buf_span(stream ? &ballot->text.content : &ballot->data);
	if (context->worker->offload == NULL || (heavy.len <= CLOSED_IN_TURN && !offload_is_heavy(heavy)))
		return false;
	struct ballot_closing *closing = calloc(1, sizeof(*closing));
	if (closing == NULL)
		return false;
	closing->ballot = ballot;
	closing->own = *ballot;
	closing->stream = stream;
	closing->as_json = context->request->dialect->wants_json(context->request);
	closing->on_closed = on_closed;
	closing->owner = owner;
	closing->job = (struct offload_job){.work = ballot_on_work,
					    .done = ballot_on_done,
					    .discard = ballot_on_discard,
					    .kind = OFFLOAD_VOTE,
					    .owner = {context->network, context->client},
					    .bytes = buf_len(&ballot->data) * 2};
	struct ballot left = *ballot;
	ballot_init(ballot, context->party);
	ballot->target = left.target;
	ballot->dialect = left.dialect;
	ballot->gathered = left.gathered;
	ballot->usage = left.usage;
	ballot->closing = closing;
	offload_submit(context->worker->offload, &closing->job);
	return true;
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
				.dialect = ballot->dialect,
				.carries = piece.carries,
				.usage = piece.usage,
				.data = {buf_span(&ballot->data).at + piece.start, piece.len}};
	return true;
}
