/* SPDX-License-Identifier: MIT */
/*
 * What comes back for a target's request: the head says in which state the body is read, the body's content coding is
 * removed, and the end of the transfer ends the answer, or has the request sent once more.
 */
#include "service/plan/target.h"

#include "lib/media_type.h"
#include "schemas/backend_retry_after.h"

static bool is_event_stream(const struct http_head *head)
{
	return media_type_is(head->content_type, "text/event-stream");
}

static bool has_coding(const struct http_head *head)
{
	return head->content_encoding.len != 0 && !span_is(head->content_encoding, "identity");
}

/* Returns whether the body may be read. A status of failure says what it says, whatever the coding of its body. */
static enum error_code judge_head(const struct http_head *head)
{
	if (head->status >= 300 && head->status < 400)
		return ERROR_UPSTREAM_REDIRECT;
	if (head->status >= 400)
		return ERROR_NONE;
	if (has_coding(head) && !decoder_knows(head->content_encoding))
		return ERROR_UPSTREAM_ENCODING;
	return head->status != 200 ? ERROR_UPSTREAM_INVALID : ERROR_NONE;
}

/* A stream is read as one even when a whole answer was asked for; another type, for a stream, is read whole. */
static bool is_stream(const struct target_run *target, const struct http_head *head)
{
	return is_event_stream(head) || (target->run.context->request->stream && head->content_type.len == 0);
}

/* The state in which the body is read. */
static void target_open_body(struct target_run *target, const struct http_head *head)
{
	bool stream = head->status < 400 && is_stream(target, head);
	if (has_coding(head))
		target->decoder = decoder_create(head->content_encoding);
	target->answer_total = has_coding(head) ? -1 : head->content_length;
	if (head->status >= 400)
		target_set_state(target, TARGET_ST_REFUSAL);
	else
		target_set_state(target, stream ? TARGET_ST_STREAM : TARGET_ST_WHOLE);
	if (target->state != TARGET_ST_STREAM)
		target_alive(target);
	bool memory = head->status >= 400 || !has_coding(head) || target->decoder != NULL;
	if (stream && !target->run.context->request->stream)
		memory &= target_collect_begin(target);
	if (!memory)
		target_fail_code(target, ERROR_OVERLOADED);
}

static void answer_on_head(void *context, const struct http_head *head)
{
	struct target_run *target = context;
	enum error_code error = judge_head(head);
	target->status = head->status;
	target->retry_after =
	    backend_retry_after_read(head->retry_after_ms, head->retry_after, time(NULL), target->run.context->arena);
	if (span_is(head->x_should_retry, "true"))
		target->advice = TARGET_ADVICE_RETRY;
	else if (span_is(head->x_should_retry, "false"))
		target->advice = TARGET_ADVICE_STOP;
	if (error != ERROR_NONE) {
		target_fail_code(target, error);
		return;
	}
	if (head->status < 400 && target->usage_refused)
		target_note_refused(target, HEALTH_REWRITE_USAGE);
	target_open_body(target, head);
}

void target_take(struct target_run *target, struct span bytes)
{
	if (target->state == TARGET_ST_STREAM)
		target_stream_on_body(target, bytes);
	else if (target->state == TARGET_ST_WHOLE)
		target_whole_on_body(target, bytes);
	else if (target->state == TARGET_ST_REFUSAL)
		target_refusal_on_body(target, bytes);
}

static bool takes_body(const struct target_run *target)
{
	return target->state == TARGET_ST_STREAM || target->state == TARGET_ST_WHOLE ||
	       target->state == TARGET_ST_REFUSAL;
}

static bool take_decoded(void *context, struct span bytes)
{
	target_take(context, bytes);
	return takes_body(context);
}

static void target_decode(struct target_run *target, struct span bytes)
{
	enum decoder_result result = decoder_feed(target->decoder, bytes, take_decoded, target);
	if (result == DECODER_OK || result == DECODER_STOPPED)
		return;
	if (target->state == TARGET_ST_REFUSAL)
		target_refusal_on_end(target); /* the status alone tells enough */
	else
		target_fail_code(target, result == DECODER_NO_MEMORY ? ERROR_OVERLOADED : ERROR_UPSTREAM_ENCODING);
}

static void answer_on_body(void *context, struct span bytes)
{
	struct target_run *target = context;
	target_enter(target);
	if (target->decoder == NULL)
		target_take(target, bytes);
	else if (takes_body(target))
		target_decode(target, bytes);
	target_leave(target);
}

/*
 * The connection it took from the pool was dead already: the request goes out
 * once more, as HTTP clients may do by themselves (RFC 9112, section 9.3.1). It is
 * the same attempt, within its timeouts, and counted.
 */
static bool target_resend(struct target_run *target)
{
	if (target->resent)
		return false;
	target->resent = true;
	metrics_count(target->run.context->worker->metrics, METRIC_RESENDS, target_backend_index(target));
	return target_call_start(target);
}

void target_ask_again(struct target_run *target)
{
	target->asked_usage = false;
	target->usage_refused = true;
	target_drop_call(target);
	timer_stop(target_timers(target), &target->silence);
	target->idle = false;
	target->silence_left_us = 0;
	buf_reset(&target->answer);
	decoder_destroy(target->decoder);
	target->decoder = NULL;
	target_set_state(target, TARGET_ST_WAITING);
	if (!target_call_start(target) || (target->run.context->request->stream && !target_timeouts_begin(target))) {
		struct failure failure = failure_of(ERROR_OVERLOADED);
		target_fail_late(target, &failure);
	} else if (target->paused) {
		target_timeouts_pause(target, true);
	}
}

/* A body whose coding has not ended is cut, however well HTTP says that it ended. */
static enum error_code end_of_body(const struct target_run *target, enum error_code error)
{
	bool cut = target->decoder != NULL && !decoder_is_done(target->decoder);
	return error == ERROR_NONE && cut ? ERROR_UPSTREAM_TRUNCATED : error;
}

static void answer_on_done(void *context, const struct http_call_result *result)
{
	struct target_run *target = context;
	target_enter(target);
	target_call_gone(target);
	if (result->stale && target->state == TARGET_ST_WAITING && target_resend(target)) {
		target_leave(target);
		return;
	}
	switch (target->state) {
	case TARGET_ST_STREAM:
		target_stream_on_end(target, end_of_body(target, result->error));
		break;
	case TARGET_ST_WHOLE:
		target_whole_on_end(target, end_of_body(target, result->error));
		break;
	case TARGET_ST_REFUSAL:
		target_refusal_on_end(target);
		break;
	case TARGET_ST_LINGER:
		target_end(target);
		break;
	default:
		target_fail_code(target, result->error == ERROR_NONE ? ERROR_UPSTREAM_INVALID : result->error);
	}
	target_leave(target);
}

static void answer_on_tight(void *context)
{
	const struct target_run *target = context;
	struct run_shared *shared = target->run.context->shared;
	if (shared->on_tight != NULL)
		shared->on_tight(shared);
}

const struct http_call_ops target_call_ops = {answer_on_head, answer_on_body, answer_on_done, answer_on_tight};
