/* SPDX-License-Identifier: MIT */
/*
 * Answers of the other form than was asked for, as some servers give them: a
 * stream for a whole answer is gathered until it is complete, and a whole answer
 * for a stream is read as the events that it amounts to.
 */
#include <stdlib.h>

#include "lib/container.h"
#include "schemas/dialect.h"
#include "service/answer/collection.h"
#include "service/loop/offload.h"
#include "service/plan/answer_slices.h"
#include "service/plan/target.h"

/* ---- a stream for a whole answer ---- */

enum { COLLECTED_IN_TURN = 256 << 10 /* bytes of chunks; more are put together by a helper */ };

struct target_collection {
	struct offload_job job; /* first */
	struct target_run *target;
	bool submitted;
	struct collection events;
	const struct dialect *dialect;
	enum endpoint endpoint;
	struct usage usage;
	struct buf answer;
	bool written;
	bool exhausted; /* it is not, for lack of memory */
};

static void collection_free(struct target_collection *collection)
{
	collection_fini(&collection->events);
	buf_fini(&collection->answer);
	free(collection);
}

bool target_collect_begin(struct target_run *target)
{
	struct target_collection *collection = calloc(1, sizeof(*collection));
	size_t most = target->run.context->worker->config->limits.event;
	if (collection == NULL)
		return false;
	collection_init(&collection->events, most, target->run.context->party);
	buf_init(&collection->answer, most * 6);
	buf_charge(&collection->answer, target->run.context->party);
	collection->usage = USAGE_UNKNOWN;
	collection->target = target;
	collection->dialect = target->run.context->request->dialect;
	collection->endpoint = target->run.context->request->endpoint;
	target->collection = collection;
	return true;
}

void target_collect_fini(struct target_run *target)
{
	struct target_collection *collection = target->collection;
	target->collection = NULL;
	if (collection == NULL)
		return;
	if (collection->submitted)
		offload_cancel(&collection->job);
	else
		collection_free(collection);
}

/* Returns why the chunks could not be put together. A failure to write them is one of memory. */
static enum error_code collection_error(const struct target_collection *collection)
{
	const struct assembly *assembly = &collection->events.assembly;
	if (assembly->too_large)
		return ERROR_UPSTREAM_TOO_LARGE;
	return assembly->exhausted || collection->exhausted ? ERROR_OVERLOADED : ERROR_UPSTREAM_INVALID;
}

void target_collect(struct target_run *target, struct event *event)
{
	struct target_collection *collection = target->collection;
	if ((event->carries & CARRIES_USAGE) != 0)
		collection->usage = event->usage;
	if ((event->carries & CARRIES_NO_CHOICE) != 0)
		return;
	event->dialect = collection->dialect;
	collection_add(&collection->events, event, target->run.context->worker->scratch);
	if (collection->events.identity.created < 0)
		collection->events.identity.created = target->run.context->created;
	if (collection->events.assembly.failed)
		target_fail_code(target, collection_error(collection));
}

/* Thread-safe. */
static void collect_write(struct target_collection *collection)
{
	collection->written =
	    collection->dialect->answer_write(&collection->events.assembly, collection->endpoint,
					      &collection->events.identity, &collection->usage, &collection->answer) &&
	    !buf_failed(&collection->answer);
	collection->exhausted = buf_failed(&collection->answer);
}

static void on_collect_work(struct offload_job *job)
{
	collect_write((struct target_collection *)job);
}

static struct target_run *telling_target(struct answer_slices *slices)
{
	return container_of(slices, struct target_run, slices);
}

static void on_body_slice(struct answer_slices *slices, struct event *event)
{
	target_emit(telling_target(slices), event);
}

static void on_body_told(struct answer_slices *slices)
{
	target_complete(telling_target(slices), (struct span){NULL, 0});
}

/* Passes a large answer up, a part at a time. answer: is taken. */
static void tell_apart(struct target_run *target, struct buf *answer, const struct usage *usage)
{
	buf_fini(&target->answer);
	target->answer = buf_take(answer);
	answer_slices_begin(&target->slices, target->run.context->worker->reactor, buf_span(&target->answer), usage);
}

static void on_collect_done(struct offload_job *job)
{
	struct target_collection *collection = (struct target_collection *)job;
	struct target_run *target = collection->target;
	collection->submitted = false;
	if (job->refused || !collection->written) {
		target_fail_code(target, job->refused ? ERROR_OVERLOADED : collection_error(collection));
		return;
	}
	target_set_state(target, TARGET_ST_WHOLE);
	target->slices.emit = on_body_slice;
	target->slices.on_told = on_body_told;
	tell_apart(target, &collection->answer, &collection->usage);
}

static void on_collect_discard(struct offload_job *job)
{
	collection_free((struct target_collection *)job);
}

/* False: it is no heavy one. */
static bool collect_apart(struct target_run *target)
{
	struct run_context *context = target->run.context;
	struct target_collection *collection = target->collection;
	if (context->worker->offload == NULL || collection->events.bytes <= COLLECTED_IN_TURN)
		return false;
	target_drop_call(target);
	timer_stop(target_timers(target), &target->silence);
	target_set_state(target, TARGET_ST_READ);
	collection->submitted = true;
	collection->job = (struct offload_job){.work = on_collect_work,
					       .done = on_collect_done,
					       .discard = on_collect_discard,
					       .kind = OFFLOAD_ANSWER,
					       .owner = {context->network, context->client},
					       .bytes = collection->events.bytes * 2};
	offload_submit(context->worker->offload, &collection->job);
	return true;
}

void target_collect_end(struct target_run *target)
{
	struct target_collection *collection = target->collection;
	if (collect_apart(target))
		return;
	collect_write(collection);
	if (!collection->written) {
		target_fail_code(target, collection_error(collection));
		return;
	}
	struct span body = buf_span(&collection->answer);
	struct event event = {.kind = EVENT_BODY, .data = body, .total = (int64_t)body.len, .usage = collection->usage};
	target_emit(target, &event);
	if (target->state == TARGET_ST_STREAM)
		target_complete(target, (struct span){NULL, 0});
}

/* ---- a whole answer for a stream ---- */

bool target_replay_write(const struct dialect *dialect, enum endpoint endpoint, struct span body, struct buf *out)
{
	struct answer_replay replay = {.endpoint = endpoint, .body = body, .created = -1, .include_usage = true};
	return dialect->replay_stream(&replay, out, NULL);
}

static void on_stream_slice(struct answer_slices *slices, struct event *event)
{
	struct target_run *target = telling_target(slices);
	target_enter(target);
	target_take(target, event->data);
	target_leave(target);
}

static void on_stream_told(struct answer_slices *slices)
{
	target_stream_on_end(telling_target(slices), ERROR_NONE);
}

void target_replay(struct target_run *target, struct buf *stream)
{
	struct usage unknown = USAGE_UNKNOWN;
	target->asked_usage |= !target->run.context->request->include_usage; /* the stream has it for our books */
	timer_stop(target_timers(target), &target->silence);
	if (target_is_foreign(target) && !target_reads(target, target->run.context->request->dialect)) {
		target_fail_code(target, ERROR_OVERLOADED);
		return;
	}
	target->slices.emit = on_stream_slice;
	target->slices.on_told = on_stream_told;
	target_set_state(target, TARGET_ST_STREAM);
	tell_apart(target, stream, &unknown);
}
