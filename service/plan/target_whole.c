/* SPDX-License-Identifier: MIT */
/*
 * Whole answers of a target, and the bodies of error statuses.
 *
 * A whole answer is kept until it is complete, so that a cut one can still be
 * replaced by another target's. One that outgrows the cap is passed up as it
 * comes from then on: it is committed, and a later cut shows as a cut.
 */
#include "service/plan/target.h"

#include "schemas/retry_after.h"

/* Bytes of an error body worth reading. */
enum { TARGET_REFUSAL_MAX = 65536 };

static void whole_pass_up(struct target_run *target, struct span bytes, int64_t total)
{
	struct event event = {.kind = EVENT_BODY, .data = bytes, .total = total, .usage = USAGE_UNKNOWN};
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
	target_alive(target);
	if (target->state == TARGET_ST_WHOLE)
		whole_pass_up(target, bytes, target->answer_total);
}

static void whole_on_error(struct target_run *target, const struct openai_answer *answer)
{
	struct failure failure = {.code = ERROR_UPSTREAM_ERROR,
				  .status = answer->error_status,
				  .retryable = answer->error_status == 0 || answer->error_status >= 500 ||
					       answer->error_status == 429,
				  .message = arena_copy(target->run.context->arena, answer->error)};
	target_fail(target, &failure);
}

static void whole_judge(struct target_run *target)
{
	struct run_context *context = target->run.context;
	struct openai_answer answer;
	struct span body = buf_span(&target->answer);
	arena_reset(&context->scratch);
	if (!openai_answer_read(context->request->endpoint, body, &context->scratch, &answer)) {
		target_fail_code(target, ERROR_UPSTREAM_INVALID);
		return;
	}
	if ((answer.carries & CARRIES_ERROR) != 0) {
		whole_on_error(target, &answer);
		return;
	}
	if (context->request->stream) {
		target_fail_code(target, ERROR_UPSTREAM_INVALID);
		return;
	}
	target_content(target);
	struct event event = {.kind = EVENT_BODY, .data = body, .total = (int64_t)body.len, .usage = answer.usage};
	target_emit(target, &event);
	if (target->state == TARGET_ST_WHOLE)
		target_complete(target);
}

void target_whole_on_end(struct target_run *target, enum error_code error)
{
	if (error != ERROR_NONE)
		target_fail_code(target, error);
	else if (target->answer_sent > 0)
		target_complete(target);
	else
		whole_judge(target);
}

void target_refusal_on_body(struct target_run *target, struct span bytes)
{
	if (buf_len(&target->answer) + bytes.len <= TARGET_REFUSAL_MAX)
		buf_append(&target->answer, bytes);
}

/* True when the body is the dialect's own error object, fit to be relayed as it is. */
static bool refusal_is_relayable(struct span body, struct arena *scratch, struct span *code)
{
	struct json json;
	struct json_error error;
	if (!json_parse_relaxed(&json, scratch, body, 32, &error))
		return false;
	uint32_t object = json_member(&json, 0, "error");
	if (object == JSON_NONE || json_type(&json, object) != JSON_OBJECT)
		return false;
	uint32_t member = json_member(&json, object, "code");
	if (member != JSON_NONE && json_type(&json, member) == JSON_STRING)
		*code = json_string(&json, member, scratch);
	return true;
}

/* What an error status means, and whether another target may do better. */
static struct failure refusal_failure(int status, struct span code)
{
	struct failure failure = {.code = ERROR_UPSTREAM_STATUS, .status = status, .retryable = true};
	if (status == 429 || status == 529) {
		failure.code = ERROR_UPSTREAM_BUSY;
		failure.status = 429;
	} else if (status == 401 || status == 403) {
		failure.status = 0; /* the gateway's own credentials: not the client's to mend */
	} else if (status < 500) {
		failure.code = ERROR_UPSTREAM_REJECTED;
		failure.retryable =
		    status == 404 || status == 408 || status == 409 || span_is(code, "context_length_exceeded");
	}
	return failure;
}

void target_refusal_on_end(struct target_run *target)
{
	struct run_context *context = target->run.context;
	struct span body = buf_span(&target->answer);
	struct span code = {NULL, 0};
	arena_reset(&context->scratch);
	bool relayable = refusal_is_relayable(body, &context->scratch, &code);
	struct failure failure = refusal_failure(target->status, code);
	struct span told = openai_error_message(body, &context->scratch);
	failure.message = told.at == NULL
			      ? arena_printf(context->arena, "The backend answered with status %d. (target %s)",
					     target->status, target->target->target)
			      : arena_printf(context->arena, "%.*s (status %d from target %s)", SPAN_ARG(told),
					     target->status, target->target->target);
	if (relayable && failure.status != 0)
		failure.body = body;
	else if (failure.code == ERROR_UPSTREAM_STATUS)
		failure.status = 0;
	failure.retry_after = retry_after_clamp(target->retry_after, time(NULL), context->arena);
	target_fail(target, &failure);
}
