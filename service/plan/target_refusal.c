/* SPDX-License-Identifier: MIT */
/*
 * Refusals: error statuses of a backend with whatever body they have, and
 * errors told inside a 200. The rules of schemas/failure_rules.def say of which
 * kind they are, and the kind (lib/failures.def) says what follows. Of the
 * backend's own words a client receives what the kind allows, without
 * credentials; the log has the rest.
 */
#include "lib/log.h"
#include "lib/redact.h"
#include "schemas/dialect.h"
#include "schemas/failure_rules.h"
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

/* What the gateway wrote into the request, as FAILURE_WHERE_*. */
static unsigned refusal_written(const struct target_run *target)
{
	const struct run_resumption *resumption = target->run.context->resumption;
	bool prefill = resumption != NULL && resumption->prefill.at != NULL;
	bool usage = target->asked_usage && !target_is_foreign(target);
	return (usage ? FAILURE_WHERE_WRITTEN_USAGE : 0) | (prefill ? FAILURE_WHERE_WRITTEN_PREFILL : 0);
}

/* The call may have been sent with the key before the present one. */
static struct span refusal_redact(const struct target_run *target, struct span text)
{
	struct arena *arena = target->run.context->arena;
	struct secret *key = target->target->backend->api_key;
	if (key == NULL)
		return redact(text, NULL, arena);
	const struct secret_text *present = secret_text_hold(key), *former = secret_text_hold_former(key);
	text = redact(text, present->at, arena);
	if (former != NULL && text.at != NULL)
		text = redact(text, former->at, arena);
	secret_text_drop(present);
	secret_text_drop(former);
	return text;
}

/* The status that the client receives; 0 = that of the error's row. */
static int refusal_status(enum failure_kind kind, int status)
{
	switch (kind) {
	case FAILURE_TIMEOUT:
		return 504;
	case FAILURE_REQUEST:
	case FAILURE_FILTER:
		return status >= 400 && status < 500 ? status : 400;
	case FAILURE_UNSUPPORTED:
		return status >= 400 ? status : 0;
	case FAILURE_SERVER:
		return status >= 500 ? status : 0;
	default:
		return 0;
	}
}

/* "The backend is overloaded. (HTTP 503 from a/m: no slot is free)" */
static struct span refusal_message(const struct target_run *target, enum failure_kind kind, int status,
				   struct span words)
{
	struct arena *arena = target->run.context->arena;
	const char *name = target->target->target;
	const char *text = failure_row(kind)->text;
	bool told = words.at != NULL && failure_row(kind)->words != FAILURE_WORDS_NONE;
	if (told && status != 0)
		return arena_printf(arena, "%.*s (HTTP %d from %s)", SPAN_ARG(words), status, name);
	if (told)
		return arena_printf(arena, "%.*s (from %s)", SPAN_ARG(words), name);
	return status != 0 ? arena_printf(arena, "%s (HTTP %d from %s)", text, status, name)
			   : arena_printf(arena, "%s (%s)", text, name);
}

/* What only the operator can mend is logged in the backend's words, which no client receives. */
static void refusal_log(const struct target_run *target, enum failure_kind kind, int status, struct span words)
{
	struct log_line line;
	if (failure_row(kind)->blame != BLAME_GATEWAY)
		return;
	log_begin(&line, LOG_WARN, "a backend refuses the gateway");
	log_str(&line, "request_id", target->run.context->request_id);
	log_str(&line, "target", span_of(target->target->target));
	log_str(&line, "kind", span_of(failure_row(kind)->name));
	log_int(&line, "status", status);
	log_str(&line, "words", words);
	log_end(&line);
}

void target_note_refused(const struct target_run *target, enum health_rewrite what)
{
	static const struct {
		const char *message;
		const char *hint;
	} words[] = {
	    [HEALTH_REWRITE_USAGE] = {"a backend refuses stream_options, and is asked without", "stream_usage: false"},
	    [HEALTH_REWRITE_PREFILL] = {"a backend refuses to continue an answer, and is not asked to",
					"prefill: false"},
	};
	const struct plan_worker *worker = target->run.context->worker;
	struct log_line line;
	if (worker->health == NULL ||
	    !health_note_refused(worker->health, target->target->target_index, what, target_now(target)))
		return;
	log_begin(&line, LOG_WARN, words[what].message);
	log_str(&line, "backend", span_of(target->target->backend->name));
	log_str(&line, "hint", span_of(words[what].hint));
	log_end(&line);
}

static struct failure refusal_failure(const struct target_run *target, enum failure_kind kind, int status,
				      const struct backend_error *error)
{
	struct failure failure = failure_make(kind, failure_row(kind)->error);
	struct span words = refusal_redact(target, error->message);
	failure.status = refusal_status(kind, status);
	failure.message = refusal_message(target, kind, status, words);
	failure.retry_after = target->retry_after;
	failure.should_retry &= failure_row(kind)->blame != BLAME_GATEWAY; /* only the operator can mend it */
	refusal_log(target, kind, status, words);
	return failure;
}

static enum failure_kind refusal_kind(const struct target_run *target, int status, const struct backend_error *error)
{
	struct failure_signs signs = {.where = error->choice ? FAILURE_WHERE_CHOICE : refusal_written(target),
				      .status = status,
				      .code = error->code,
				      .type = error->type,
				      .message = error->message};
	return failure_classify(&signs);
}

/* What was told inside a 200 did not refuse a request: the generation failed, unless it says another reason. */
void target_fail_inside(struct target_run *target, const struct backend_error *error)
{
	if (error == NULL) {
		target_fail_code(target, ERROR_OVERLOADED);
		return;
	}
	enum failure_kind kind = refusal_kind(target, error->status, error);
	struct failure failure = refusal_failure(target, kind, 0, error);
	if (failure.code == ERROR_UPSTREAM_STATUS)
		failure.code = ERROR_UPSTREAM_ERROR;
	target_fail(target, &failure);
}

/* The backend's own error object goes to the client as it is. */
static void refusal_relay(const struct target_run *target, struct failure *failure, const struct backend_error *error)
{
	bool whole = error->object && failure_row(failure->kind)->words == FAILURE_WORDS_BODY;
	if (whole && (failure->status != 0 || failure->kind != FAILURE_SERVER))
		failure->body = refusal_redact(target, buf_span(&target->answer));
	else if (failure->kind == FAILURE_SERVER || failure->kind == FAILURE_UNSUPPORTED)
		failure->status = 0;
}

void target_refusal_on_end(struct target_run *target)
{
	struct arena *scratch = target->run.context->worker->scratch;
	struct backend_error error;
	arena_reset(scratch);
	target->run.plan->dialect->error_read(buf_span(&target->answer), scratch, &error);
	enum failure_kind kind = refusal_kind(target, target->status, &error);
	if (kind == FAILURE_REWRITE && target->asked_usage) {
		target_ask_again(target);
		return;
	}
	if (kind == FAILURE_REWRITE)
		target_note_refused(target, HEALTH_REWRITE_PREFILL);
	struct failure failure = refusal_failure(target, kind, target->status, &error);
	refusal_relay(target, &failure, &error);
	if (target->advice != TARGET_ADVICE_NONE)
		failure.again = failure.should_retry = target->advice == TARGET_ADVICE_RETRY;
	target_fail(target, &failure);
}
