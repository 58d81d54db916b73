/* SPDX-License-Identifier: MIT */
/*
 * Whole answers of a target.
 *
 * A whole answer is kept until it is complete, so that a cut one can still be
 * replaced by another target's. One that outgrows the cap is passed up as it
 * comes from then on: it is committed, and a later cut shows as a cut. So does
 * JSON that never closes, although HTTP says that all of it came.
 */
#include "lib/step.h"
#include "service/plan/target.h"

static void whole_pass_up(struct target_run *target, struct span bytes, int64_t total)
{
	struct event event = {.kind = EVENT_BODY, .data = bytes, .total = total, .usage = USAGE_UNKNOWN};
	if (!json_scan_add(&target->scan, bytes)) {
		target_fail_code(target, ERROR_UPSTREAM_INVALID);
		return;
	}
	if (!target->content_seen)
		target_content(target);
	target->answer_sent += bytes.len;
	target_emit(target, &event);
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
	if (target->run.context->request->stream) { /* not events, and too long to be an error's text */
		target_fail_code(target, ERROR_UPSTREAM_INVALID);
		return;
	}
	if (target->answer_sent == 0) {
		whole_pass_up(target, buf_span(&target->answer), target->answer_total);
		buf_reset(&target->answer);
	}
	if (target->state != TARGET_ST_WHOLE)
		return; /* whoever got the first piece had enough */
	target_alive(target);
	whole_pass_up(target, bytes, target->answer_total);
}

static void whole_judge(struct target_run *target)
{
	struct run_context *context = target->run.context;
	struct openai_answer answer;
	struct span body = buf_span(&target->answer);
	arena_reset(context->worker->scratch);
	struct step_mark before = step_enter("read");
	bool good = openai_answer_read(context->request->endpoint, body, context->worker->scratch, &answer);
	step_leave(before);
	if (!good) {
		target_fail_code(target,
				 arena_failed(context->worker->scratch) ? ERROR_OVERLOADED : ERROR_UPSTREAM_INVALID);
		return;
	}
	if ((answer.carries & CARRIES_ERROR) != 0) {
		target_fail_inside(target, answer.error);
		return;
	}
	if ((answer.carries & CARRIES_NO_CHOICE) != 0) {
		target_fail_code(target, ERROR_UPSTREAM_INVALID);
		return;
	}
	target_content(target);
	if (context->request->stream) {
		target_replay(target, body, &answer);
		return;
	}
	struct event event = {.kind = EVENT_BODY, .data = body, .total = (int64_t)body.len, .usage = answer.usage};
	target_emit(target, &event);
	if (target->state == TARGET_ST_WHOLE)
		target_complete(target);
}

void target_whole_on_end(struct target_run *target, enum error_code error)
{
	if (error != ERROR_NONE)
		target_fail_code(target, error);
	else if (target->answer_sent == 0)
		whole_judge(target);
	else if (json_scan_is_whole(&target->scan))
		target_complete(target);
	else
		target_fail_code(target, ERROR_UPSTREAM_TRUNCATED);
}
