/* SPDX-License-Identifier: MIT */
/*
 * Refusals: error statuses of a backend with whatever body they have, and
 * errors told inside a 200. An error in the dialect's own form is relayed as it
 * is, as long as it concerns the client.
 */
#include "service/plan/target.h"

/* Bytes of an error body worth reading. */
enum { TARGET_REFUSAL_MAX = 65536 };

void target_refusal_on_body(struct target_run *target, struct span bytes)
{
	if (buf_len(&target->answer) + bytes.len > TARGET_REFUSAL_MAX || !buf_append(&target->answer, bytes))
		target_refusal_on_end(target);
	else
		target_alive(target);
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

/* What an error status means, whether another target may do better, and whether the client may. */
static struct failure refusal_failure(int status, struct span code)
{
	struct failure failure = {
	    .code = ERROR_UPSTREAM_STATUS, .status = status, .retryable = true, .should_retry = true};
	if (status == 429 || status == 529) {
		failure.code = ERROR_UPSTREAM_BUSY;
		failure.status = 429;
	} else if (status == 401 || status == 403) {
		failure.status = 0; /* the gateway's own credentials: not the client's to mend */
		failure.should_retry = false;
	} else if (status < 500) {
		failure.code = ERROR_UPSTREAM_REJECTED;
		failure.should_retry = status == 408 || status == 409;
		failure.retryable = failure.should_retry || status == 404 || span_is(code, "context_length_exceeded");
	}
	return failure;
}

void target_fail_inside(struct target_run *target, int status, struct span message)
{
	struct failure failure = failure_of(ERROR_UPSTREAM_ERROR);
	if (status != 0)
		failure = refusal_failure(status, SPAN(""));
	if (failure.code == ERROR_UPSTREAM_STATUS)
		failure.code = ERROR_UPSTREAM_ERROR;
	failure.message = arena_copy(target->run.context->arena, message);
	target_fail(target, &failure);
}

void target_refusal_on_end(struct target_run *target)
{
	struct run_context *context = target->run.context;
	struct span body = buf_span(&target->answer);
	struct span code = {NULL, 0};
	arena_reset(context->worker->scratch);
	bool relayable = refusal_is_relayable(body, context->worker->scratch, &code);
	struct failure failure = refusal_failure(target->status, code);
	struct span told = openai_error_message(body, context->worker->scratch);
	failure.message = told.at == NULL
			      ? arena_printf(context->arena, "The backend answered with status %d. (target %s)",
					     target->status, target->target->target)
			      : arena_printf(context->arena, "%.*s (status %d from target %s)", SPAN_ARG(told),
					     target->status, target->target->target);
	if (relayable && failure.status != 0)
		failure.body = body;
	else if (failure.code == ERROR_UPSTREAM_STATUS)
		failure.status = 0;
	failure.retry_after = target->retry_after;
	if (target->advice != TARGET_ADVICE_NONE)
		failure.retryable = failure.should_retry = target->advice == TARGET_ADVICE_RETRY;
	target_fail(target, &failure);
}
