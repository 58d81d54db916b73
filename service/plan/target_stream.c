/* SPDX-License-Identifier: MIT */
/*
 * Streamed answers of a target: server-sent events are read as they complete,
 * judged, repaired where an engine left out what clients need, and passed up
 * one by one. What cannot be understood ends the answer: a stream that is cut,
 * stalled or malformed must never look like success.
 */
#include "schemas/openai/usage.h"
#include "service/plan/target.h"

/* Usage that only we asked for must not reach the client as a chunk. */
static bool stream_is_hidden(const struct target_run *target, const struct openai_chunk *chunk)
{
	return target->asked_usage && (chunk->carries & CARRIES_NO_CHOICE) != 0 &&
	       (chunk->carries & CARRIES_USAGE) != 0;
}

/* Passes up the usage that only we asked for, and as a chunk what the engine put beside it. */
static void stream_pass_usage(struct target_run *target, const struct json *json, struct event *usage)
{
	struct buf out;
	buf_init(&out, json->text.len + 256);
	bool more = openai_usage_hide(json, target->stream.endpoint, &out); /* before others use the scratch arena */
	target_emit(target, usage);
	if (more && !buf_failed(&out) && target->state == TARGET_ST_STREAM) {
		struct event rest = {.kind = EVENT_CHUNK, .data = buf_span(&out), .usage = USAGE_UNKNOWN};
		target_emit(target, &rest);
	}
	buf_fini(&out);
}

static void stream_pass_up(struct target_run *target, const struct sse_event *sse, const struct openai_chunk *chunk)
{
	struct event event = {.kind = EVENT_CHUNK,
			      .carries = chunk->carries,
			      .data = chunk->repaired.at != NULL ? chunk->repaired : sse->data,
			      .json = chunk->repaired.at != NULL ? NULL : &chunk->json,
			      .raw = chunk->repaired.at != NULL ? (struct span){NULL, 0} : sse->raw,
			      .usage = chunk->usage};
	if (stream_is_hidden(target, chunk))
		event.kind = EVENT_USAGE;
	if (!target->content_seen && (chunk->carries & CARRIES_CONTENT) != 0)
		target_content(target);
	if (target->content_seen)
		target_alive(target);
	if (target->collection != NULL) {
		target_collect(target, &event);
		return;
	}
	if (event.kind == EVENT_USAGE)
		stream_pass_usage(target, &chunk->json, &event);
	else
		target_emit(target, &event);
}

/* All choices have finished. */
static void stream_complete(struct target_run *target)
{
	if (target->collection != NULL)
		target_collect_end(target);
	else
		target_complete(target);
}

/* A backend that ignores n is believed; one whose choices never finished is not, nor one that said nothing. */
static void stream_on_done(struct target_run *target)
{
	if (openai_stream_is_finished(&target->stream) || telling_is_on(&target->telling))
		stream_complete(target);
	else
		target_fail_code(target, ERROR_UPSTREAM_TRUNCATED);
}

/* An event that is called an error is one, whatever its data is. */
static void stream_on_error_event(struct target_run *target, const struct sse_event *sse)
{
	struct arena *scratch = target->run.context->worker->scratch;
	struct openai_error error;
	arena_reset(scratch);
	openai_error_read(sse->data, scratch, &error);
	target_fail_inside(target, &error);
}

/* Returns why a chunk could not be read. */
static enum error_code chunk_error(const struct openai_chunk *chunk, const struct arena *scratch)
{
	if (chunk->too_large)
		return ERROR_UPSTREAM_TOO_LARGE;
	return arena_failed(scratch) ? ERROR_OVERLOADED : ERROR_UPSTREAM_INVALID;
}

static void stream_on_event(struct target_run *target, const struct sse_event *sse)
{
	struct arena *scratch = target->run.context->worker->scratch;
	struct openai_chunk chunk;
	if (openai_ends_stream(sse->data)) {
		stream_on_done(target);
		return;
	}
	if (sse->data.len == 0)
		return;
	if (span_is(sse->name, "error")) {
		stream_on_error_event(target, sse);
		return;
	}
	arena_reset(scratch);
	if (!openai_chunk_read(&target->stream, sse->data, scratch, &chunk))
		target_fail_code(target, chunk_error(&chunk, scratch));
	else if ((chunk.carries & CARRIES_ERROR) != 0)
		target_fail_inside(target, chunk.error);
	else
		stream_pass_up(target, sse, &chunk);
}

bool target_stream_is_finished(const struct target_run *target)
{
	int64_t finished = 0;
	for (size_t i = 0; i < OPENAI_CHOICES_TRACKED / 64; i++)
		finished += __builtin_popcountll(target->stream.finish_seen[i]);
	return finished >= target->run.context->request->choices && openai_stream_is_finished(&target->stream);
}

/* Comments are not relayed, but a client that waits hears that there were some. */
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
			stream_on_event(target, &event);
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
		stream_complete(target);
	else
		target_fail_code(target, error == ERROR_NONE ? ERROR_UPSTREAM_TRUNCATED : error);
}
