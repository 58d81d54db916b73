/* SPDX-License-Identifier: MIT */
/*
 * Whole answers of a target.
 *
 * A whole answer is kept until it is complete, so that a cut one can still be
 * replaced by another target's. One that outgrows the cap is passed up as it
 * comes from then on: it is committed, and a later cut shows as a cut. So do an
 * error in it, and JSON that never closes although HTTP says that all of it came.
 * A heavy one is read by a helper.
 */
#include <stdlib.h>

#include "lib/json_close.h"
#include "lib/step.h"
#include "schemas/dialect.h"
#include "service/loop/offload.h"
#include "service/plan/target.h"

enum { TARGET_REPLAY_MOST = 64 << 20 /* bytes of a stream that a whole answer amounts to */ };

/* Returns why an answer that passed in pieces is no good; ERROR_NONE when it is. */
static enum error_code watch_error(enum watch_step step)
{
	static const enum error_code errors[] = {[WATCH_FINE] = ERROR_NONE,
						 [WATCH_BROKEN] = ERROR_UPSTREAM_INVALID,
						 [WATCH_FAILED] = ERROR_UPSTREAM_ERROR,
						 [WATCH_CUT] = ERROR_UPSTREAM_TRUNCATED};
	return errors[step];
}

static enum error_code whole_end(const struct target_run *target)
{
	return watch_error(target->reads->watch_end(target->watch));
}

static void whole_read(struct target_run *target);

/* The beginning, which was kept, reports a failure: its reason is what an answer says that ends here. */
static void whole_read_cut(struct target_run *target)
{
	target_drop_call(target);
	target->answer_cut = true;
	if (json_close(&target->answer))
		whole_read(target);
	else
		target_fail_code(target, ERROR_UPSTREAM_ERROR);
}

static void whole_pass_up(struct target_run *target, struct span bytes)
{
	int64_t total = target->answer_total;
	struct event event = {.kind = EVENT_BODY, .data = bytes, .total = total, .usage = USAGE_UNKNOWN};
	enum watch_step step = target->reads->watch_add(target->watch, bytes);
	if (step == WATCH_FAILED && target->answer_sent == 0) {
		whole_read_cut(target);
		return;
	}
	enum error_code error = watch_error(step);
	if (error != ERROR_NONE) {
		target_fail_code(target, error);
		return;
	}
	/* A client that got as much as was announced takes it for all of it: a cut answer must fall short. */
	bool last = total >= 0 && target->answer_sent + bytes.len >= (uint64_t)total;
	error = last ? whole_end(target) : ERROR_NONE;
	if (error != ERROR_NONE) {
		target_fail_code(target, error);
		return;
	}
	if (!target->content_seen)
		target_content(target);
	target->answer_sent += bytes.len;
	target_emit(target, &event);
}

/* From here on the answer passes in pieces. False: out of memory, and the run failed. */
static bool whole_watch(struct target_run *target)
{
	const struct dialect *dialect = target->reads;
	target->watch = arena_alloc(target->run.context->arena, dialect->watch_size);
	if (target->watch == NULL)
		target_fail_code(target, ERROR_OVERLOADED);
	else
		dialect->watch_begin(target->watch, target->run.context->request->endpoint);
	return target->watch != NULL;
}

void target_whole_on_body(struct target_run *target, struct span bytes)
{
	if (target->answer_sent == 0 && buf_len(&target->answer) + bytes.len <= target->answer.ceiling) {
		if (!buf_append(&target->answer, bytes))
			target_fail_code(target, ERROR_OVERLOADED);
		else
			target_alive(target);
		return;
	}
	/* it cannot be replayed or translated before all of it is there */
	if (target->run.context->request->stream || target_is_foreign(target)) {
		target_fail_code(target, ERROR_UPSTREAM_TOO_LARGE);
		return;
	}
	if (target->answer_sent == 0) {
		if (!whole_watch(target))
			return;
		whole_pass_up(target, buf_span(&target->answer));
		buf_reset(&target->answer);
	}
	if (target->state != TARGET_ST_WHOLE)
		return; /* whoever got the first piece had enough */
	target_alive(target);
	whole_pass_up(target, bytes);
}

/* Returns the answer as others read it. */
static struct span whole_body(const struct target_run *target)
{
	return buf_span(target_is_foreign(target) ? &target->translated : &target->answer);
}

/* Goes on with the stream that the answer amounts to; empty: a helper has not written it. */
static void whole_replay(struct target_run *target, struct buf *stream)
{
	bool written = buf_len(stream) > 0;
	if (!written)
		written = target_replay_write(target->run.context->request->dialect,
					      target->run.context->request->endpoint, whole_body(target), stream);
	if (written)
		target_replay(target, stream);
	else
		target_fail_code(target, buf_failed(stream) ? ERROR_OVERLOADED : ERROR_UPSTREAM_INVALID);
}

/* The whole answer was read, well or not. stream: of a whole answer for a stream. */
static void whole_judge(struct target_run *target, bool good, bool exhausted, const struct answer_reading *answer,
			struct buf *stream)
{
	struct span body = whole_body(target);
	if (!good) {
		enum error_code error = target->answer_cut ? ERROR_UPSTREAM_ERROR : ERROR_UPSTREAM_INVALID;
		target_fail_code(target, exhausted ? ERROR_OVERLOADED : error);
		return;
	}
	if ((answer->carries & CARRIES_ERROR) != 0) {
		target_fail_inside(target, answer->error);
		return;
	}
	if (target->answer_cut) { /* the failure itself is cut */
		target_fail_code(target, ERROR_UPSTREAM_ERROR);
		return;
	}
	if ((answer->carries & CARRIES_NO_CHOICE) != 0) {
		target_fail_code(target, ERROR_UPSTREAM_INVALID);
		return;
	}
	if (target->run.context->request->stream) {
		whole_replay(target, stream);
		return;
	}
	target_content(target);
	struct event event = {.kind = EVENT_BODY, .data = body, .total = (int64_t)body.len, .usage = answer->usage};
	if (target_serves_own(target))
		target->origin.bytes = buf_span(&target->answer);
	target_emit(target, &event);
	if (target->state == TARGET_ST_WHOLE)
		target_complete(target, (struct span){NULL, 0});
}

/* ---- by a helper ---- */

struct target_reading {
	struct offload_job job;    /* first */
	struct target_run *target; /* the loop's */
	struct buf body;
	struct arena arena;
	const struct dialect *dialect; /* of the body */
	struct answer_translation translation;
	struct buf translated;
	bool replays; /* a stream was asked for */
	struct buf stream;
	struct answer_reading answer;
	bool good, exhausted;
};

static struct answer_translation whole_translation(const struct target_run *target, struct buf *out)
{
	const struct run_context *context = target->run.context;
	return (struct answer_translation){.to = context->request->dialect,
					   .endpoint = context->request->endpoint,
					   .created = context->created,
					   .party = context->party,
					   .out = out};
}

static void reading_free(struct target_reading *reading)
{
	buf_fini(&reading->body);
	buf_fini(&reading->translated);
	buf_fini(&reading->stream);
	arena_fini(&reading->arena);
	free(reading);
}

static void whole_on_work(struct offload_job *job)
{
	struct target_reading *reading = (struct target_reading *)job;
	const struct answer_translation *to = &reading->translation;
	bool foreign = reading->dialect != to->to;
	reading->good =
	    reading->dialect->answer_read(to->endpoint, buf_span(&reading->body), &reading->arena, &reading->answer);
	if (!reading->good || (reading->answer.carries & (CARRIES_ERROR | CARRIES_NO_CHOICE)) != 0)
		return;
	if (foreign)
		reading->good = target_translate_answer(to, &reading->answer, &reading->exhausted);
	if (reading->good && reading->replays)
		reading->good = target_replay_write(
		    to->to, to->endpoint, buf_span(foreign ? &reading->translated : &reading->body), &reading->stream);
}

static void whole_on_done(struct offload_job *job)
{
	struct target_reading *reading = (struct target_reading *)job;
	struct target_run *target = reading->target;
	bool exhausted =
	    job->refused || reading->exhausted || arena_failed(&reading->arena) || buf_failed(&reading->stream);
	target->reading = NULL;
	target->answer = buf_take(&reading->body);
	if (target_is_foreign(target))
		target->translated = buf_take(&reading->translated);
	target_set_state(target, TARGET_ST_WHOLE);
	target_enter(target);
	whole_judge(target, reading->good, exhausted, &reading->answer, &reading->stream);
	target_leave(target);
	reading_free(reading);
}

static void whole_on_discard(struct offload_job *job)
{
	reading_free((struct target_reading *)job);
}

/* False: it is no heavy one, or memory ran out. */
static bool whole_read_apart(struct target_run *target)
{
	struct run_context *context = target->run.context;
	struct span body = buf_span(&target->answer);
	struct target_reading *reading = NULL;
	if (context->worker->offload != NULL && offload_is_heavy(body))
		reading = calloc(1, sizeof(*reading));
	if (reading == NULL)
		return false;
	reading->target = target;
	reading->body = buf_take(&target->answer);
	arena_init(&reading->arena, 0); /* as large as the answer's nodes, which has its ceiling */
	reading->dialect = target->reads;
	arena_charge(&reading->arena, context->party);
	reading->translated = buf_take(&target->translated);
	reading->translation = whole_translation(target, &reading->translated);
	reading->replays = context->request->stream;
	buf_init(&reading->stream, TARGET_REPLAY_MOST);
	buf_charge(&reading->stream, context->party);
	reading->job = (struct offload_job){.work = whole_on_work,
					    .done = whole_on_done,
					    .discard = whole_on_discard,
					    .kind = OFFLOAD_ANSWER,
					    .owner = {context->network, context->client},
					    .bytes = body.len};
	target->reading = reading;
	target_set_state(target, TARGET_ST_READ);
	timer_stop(target_timers(target), &target->silence);
	offload_submit(context->worker->offload, &reading->job);
	return true;
}

void target_whole_cancel(struct target_run *target)
{
	struct target_reading *reading = target->reading;
	target->reading = NULL;
	if (reading != NULL)
		offload_cancel(&reading->job);
}

/* All of the answer is there. */
static void whole_read(struct target_run *target)
{
	struct run_context *context = target->run.context;
	struct arena *scratch = context->worker->scratch;
	struct answer_reading answer;
	if (whole_read_apart(target))
		return;
	arena_reset(scratch);
	struct step_mark before = step_enter("read");
	bool exhausted = false,
	     good = target->reads->answer_read(context->request->endpoint, buf_span(&target->answer), scratch, &answer);
	if (good && target_is_foreign(target) && (answer.carries & (CARRIES_ERROR | CARRIES_NO_CHOICE)) == 0) {
		const struct answer_translation translation = whole_translation(target, &target->translated);
		good = target_translate_answer(&translation, &answer, &exhausted);
	}
	step_leave(before);
	struct buf stream;
	buf_init(&stream, TARGET_REPLAY_MOST);
	buf_charge(&stream, context->party);
	whole_judge(target, good, exhausted || arena_failed(scratch), &answer, &stream);
	buf_fini(&stream);
}

void target_whole_on_end(struct target_run *target, enum error_code error)
{
	if (error == ERROR_NONE && target->answer_sent == 0) {
		whole_read(target);
		return;
	}
	if (error == ERROR_NONE)
		error = whole_end(target);
	if (error == ERROR_NONE)
		target_complete(target, (struct span){NULL, 0});
	else
		target_fail_code(target, error);
}
