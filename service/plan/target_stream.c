/* SPDX-License-Identifier: MIT */
/*
 * Streamed answers of a target: server-sent events are read as they complete,
 * judged, repaired where an engine left out what clients need, and passed up
 * one by one. What cannot be understood ends the answer: a stream that is cut,
 * stalled or malformed must never look like success.
 */
#include "schemas/dialect.h"
#include "service/plan/target.h"

/* Usage that only we asked for must not reach the client as a chunk. */
static bool stream_is_hidden(const struct target_run *target, const struct answer_reading *reading)
{
	return target->asked_usage && (reading->carries & CARRIES_NO_CHOICE) != 0 &&
	       (reading->carries & CARRIES_USAGE) != 0;
}

/* Passes up the usage that only we asked for, and as a chunk what the engine put beside it. */
static void stream_pass_usage(struct target_run *target, const struct json *json, struct event *usage)
{
	struct buf out;
	buf_init(&out, json->text.len + 256);
	const struct dialect *dialect = target->reads;
	bool more = dialect->event_hide_usage(json, target->run.context->request->endpoint,
					      &out); /* before others use the scratch arena */
	target_emit(target, usage);
	if (more && !buf_failed(&out) && target->state == TARGET_ST_STREAM) {
		struct event rest = {.kind = EVENT_CHUNK, .data = buf_span(&out), .usage = USAGE_UNKNOWN};
		target_emit(target, &rest);
	}
	buf_fini(&out);
}

static struct event stream_event(struct target_run *target, const struct sse_event *sse,
				 const struct answer_reading *reading)
{
	if (target->reads != target->run.context->request->dialect)
		return target_translate_event(target, reading);
	bool repaired = reading->repaired.at != NULL;
	return (struct event){.kind = EVENT_CHUNK,
			      .carries = reading->carries,
			      .data = repaired ? reading->repaired : sse->data,
			      .json = repaired ? NULL : &reading->json,
			      .raw = repaired ? (struct span){NULL, 0} : sse->raw,
			      .usage = reading->usage};
}

static void stream_pass_up(struct target_run *target, const struct sse_event *sse, const struct answer_reading *reading)
{
	struct event event = stream_event(target, sse, reading);
	if (stream_is_hidden(target, reading))
		event.kind = EVENT_USAGE;
	else if (target_is_foreign(target))
		target_give_own(target);
	target->content_bytes += reading->content;
	if ((reading->carries & CARRIES_CONTENT) != 0 && target->contents++ == 0 && !target->content_seen)
		target_content(target);
	if ((reading->carries & CARRIES_USAGE) != 0)
		target->usage = reading->usage;
	if (target->content_seen)
		target_alive(target);
	if (target->collection != NULL) {
		target_collect(target, &event);
		return;
	}
	if (event.kind == EVENT_USAGE && event.json != NULL)
		stream_pass_usage(target, &reading->json, &event);
	else
		target_emit(target, &event);
}

/* All choices have finished. */
static void stream_complete(struct target_run *target, struct span before)
{
	if (target->collection != NULL)
		target_collect_end(target);
	else
		target_complete(target, before);
}

/* A backend that ignores n is believed; one whose choices never finished is not, nor one that said nothing. */
static void stream_on_done(struct target_run *target, const struct sse_event *sse)
{
	bool foreign = target->reads != target->run.context->request->dialect;
	struct span before = {sse->raw.at, foreign ? 0 : sse->between};
	if (target->reads->stream_is_finished(target->stream, 0) || answer_slices_is_on(&target->slices))
		stream_complete(target, before);
	else
		target_fail_code(target, ERROR_UPSTREAM_TRUNCATED);
}

/* Returns why an event could not be read. */
static enum error_code stream_error(const struct answer_reading *reading, const struct arena *scratch)
{
	if (reading->too_large)
		return ERROR_UPSTREAM_TOO_LARGE;
	return arena_failed(scratch) ? ERROR_OVERLOADED : ERROR_UPSTREAM_INVALID;
}

/* Returns whether the event says more. */
static bool stream_on_event(struct target_run *target, const struct sse_event *sse)
{
	struct arena *scratch = target->run.context->worker->scratch;
	struct answer_reading reading;
	reading.more = reading.alive = false;
	arena_reset(scratch);
	enum stream_step step = target->reads->stream_read(target->stream, sse, scratch, &reading);
	enum error_code kept =
	    target_is_foreign(target) && !target->again ? target_keep_own(target, sse->raw) : ERROR_NONE;
	if (kept != ERROR_NONE) {
		target_fail_code(target, kept);
		return false;
	}
	target->again = reading.more;
	switch (step) {
	case STREAM_END:
		stream_on_done(target, sse);
		break;
	case STREAM_NOTHING:
		if (reading.alive && target->content_seen)
			target_alive(target);
		break;
	case STREAM_BROKEN:
		target_fail_code(target, stream_error(&reading, scratch));
		break;
	case STREAM_EVENT:
		if ((reading.carries & CARRIES_ERROR) != 0)
			target_fail_inside(target, reading.error);
		else
			stream_pass_up(target, sse, &reading);
		break;
	}
	return reading.more;
}

bool target_stream_is_finished(const struct target_run *target)
{
	return target->reads->stream_is_finished(target->stream, target->run.context->request->choices);
}

/* Comments go out with the next event; a client that waits for that hears that there were some. */
static void stream_tell_comments(struct target_run *target)
{
	struct run_shared *shared = target->run.context->shared;
	if (!target->sse.commented)
		return;
	target->sse.commented = false;
	if (shared->on_comment != NULL)
		shared->on_comment(shared);
}

void target_stream_on_body(struct target_run *target, struct span bytes)
{
	struct sse_event event;
	while (target->state == TARGET_ST_STREAM) {
		switch (sse_next(&target->sse, &bytes, &event)) {
		case SSE_EVENT:
			while (stream_on_event(target, &event) && target->state == TARGET_ST_STREAM)
				;
			break;
		case SSE_MORE:
			stream_tell_comments(target);
			return;
		case SSE_TOO_LARGE:
			target_fail_code(target, ERROR_UPSTREAM_TOO_LARGE);
			return;
		case SSE_NO_MEMORY:
			target_fail_code(target, ERROR_OVERLOADED);
			return;
		}
	}
}

void target_stream_on_end(struct target_run *target, enum error_code error)
{
	if (target_stream_is_finished(target))
		stream_complete(target, (struct span){NULL, 0});
	else
		target_fail_code(target, error == ERROR_NONE ? ERROR_UPSTREAM_TRUNCATED : error);
}
