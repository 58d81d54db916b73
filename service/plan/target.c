/* SPDX-License-Identifier: MIT */
/*
 * target: the leaf of every plan, one call to one backend.
 *
 * Four timeouts hold: connect (the HTTP client's), first content (of a streamed
 * answer, from the start of the call), idle (between complete events, once
 * content has come, or between bytes of a whole answer), total. A whole answer
 * has no first-content limit: its head comes when all of it has been generated,
 * so only connect and total bound the wait for it. target_timeouts.c keeps the
 * middle two.
 *
 * The terminal event goes up exactly once. The transfer behind it may linger for
 * a moment so that its connection can be reused; the flight waits for that.
 */
#include "service/plan/target.h"

#include "lib/container.h"
#include "schemas/dialect.h"
#include "service/plan/kinds.h"
#include "service/quotas/bill.h"
#include "service/usage/recorder.h"

enum {
	TARGET_LINGER_US = 1000000,  /* how long a finished answer's transfer may take to end by itself */
	TARGET_WHOLE_MOST = 1 << 20, /* bytes of a whole answer that are kept, unless a stream was asked for */
	TARGET_TOKEN_BYTES = 4,      /* of an answer, about */
	TARGET_TEXT_BYTES = 8,       /* of the text of an event, for a token: few have more */
	TARGET_TOKEN_US = 10000      /* a fast backend makes a token in that time */
};

static struct target_run *target_of(struct run *run)
{
	return (struct target_run *)run;
}

void target_set_state(struct target_run *target, enum target_state state)
{
#define FROM(st) (1u << TARGET_ST_##st)
	static const unsigned allowed[TARGET_ST_COUNT] = {
	    [TARGET_ST_QUEUED] = FROM(NEW),
	    [TARGET_ST_HELD] = FROM(NEW) | FROM(QUEUED),
	    [TARGET_ST_WAITING] = FROM(NEW) | FROM(QUEUED) | FROM(HELD) | FROM(REFUSAL),
	    [TARGET_ST_STREAM] = FROM(WAITING) | FROM(WHOLE),
	    [TARGET_ST_WHOLE] = FROM(WAITING) | FROM(READ),
	    [TARGET_ST_READ] = FROM(WHOLE) | FROM(STREAM),
	    [TARGET_ST_REFUSAL] = FROM(WAITING),
	    [TARGET_ST_LINGER] = FROM(STREAM),
	    [TARGET_ST_ENDED] = FROM(NEW) | FROM(QUEUED) | FROM(HELD) | FROM(WAITING) | FROM(STREAM) | FROM(WHOLE) |
				FROM(READ) | FROM(REFUSAL) | FROM(LINGER),
	};
#undef FROM
	if ((allowed[state] & 1u << target->state) == 0)
		__builtin_trap();
	target->state = state;
}

static const struct config_backend *target_backend(const struct target_run *target)
{
	return target->target->backend;
}

/* Gives the buffers back, unless a callback further up the stack still reads them. */
static void target_release(struct target_run *target)
{
	if (target->busy != 0 || target->state != TARGET_ST_ENDED)
		return;
	buf_fini(&target->request);
	buf_fini(&target->answer);
	buf_fini(&target->translated);
	buf_fini(&target->own);
	sse_fini(&target->sse);
	decoder_destroy(target->decoder);
	target->decoder = NULL;
	target_collect_fini(target);
}

void target_enter(struct target_run *target)
{
	target->busy++;
}

void target_leave(struct target_run *target)
{
	target->busy--;
	target_release(target);
}

/* Returns whether the backend worked on the request, whatever became of the answer. */
static bool target_was_read(const struct target_run *target, enum error_code code)
{
	if (target->status != 0)
		return target->status < 300;
	return code != ERROR_NONE && target->call != NULL && http_call_is_sent(target->call);
}

/*
 * Returns the tokens of the answer as far as it came, about. An event is one, or more when its text is long. Of a whole
 * answer nothing comes before the end: who leaves until then pays for the time, as far as answers usually go.
 */
static uint64_t target_outputs(const struct target_run *target)
{
	const struct run_context *context = target->run.context;
	uint64_t by_text = target->content_bytes / TARGET_TEXT_BYTES;
	size_t answer = target->answer_sent + buf_len(&target->answer);
	if (target->contents > 0)
		return target->contents > by_text ? target->contents : by_text;
	if (answer > 0 || context->request->stream || context->request->endpoint == ENDPOINT_EMBEDDINGS)
		return answer / TARGET_TOKEN_BYTES;
	uint64_t by_time = (target_now(target) - target->started_us) / TARGET_TOKEN_US;
	uint64_t usual = bill_usual_outputs(context->bill, target->run.plan->model);
	return by_time < usual ? by_time : usual;
}

/* Charges the call. What the backend did not tell is taken from what came. */
static void target_charge(const struct target_run *target, enum error_code code)
{
	const struct run_context *context = target->run.context;
	struct bill_call call = {.model = target->run.plan->model,
				 .target = target->target,
				 .usage = target->usage,
				 .body = target_was_read(target, code) ? context->request->json.text.len : 0,
				 .outputs = target_outputs(target)};
	bill_charge(context->bill, &call);
	usage_record_call(context->worker->usage, context->request, &call);
}

/* What became of the call, as seen by whoever wanted its answer. Once for each call that was started. */
static void target_judge(struct target_run *target, enum error_code code, enum failure_kind kind)
{
	target_gate_leave(target, code, kind);
	if (!target->started)
		return;
	metrics_call_judged(target->run.context->worker->metrics, target_backend_index(target), code);
	if (target->run.context->bill != NULL || target->run.context->worker->usage != NULL)
		target_charge(target, code);
}

void target_drop_call(struct target_run *target)
{
	if (target->call == NULL)
		return;
	http_call_cancel(target->call);
	target_call_gone(target);
}

void target_end(struct target_run *target)
{
	target_set_state(target, TARGET_ST_ENDED);
	timer_stop(target_timers(target), &target->silence);
	timer_stop(target_timers(target), &target->total);
	timer_stop(target_timers(target), &target->hold);
	task_drop(target->run.context->worker->reactor, &target->late_failure);
	target_whole_cancel(target);
	target_writing_cancel(target);
	answer_slices_end(&target->slices);
	target_drop_call(target);
	target_release(target);
}

/* Lets the tap hear an event; with NULL, that there will be none. */
static void target_tell_tap(struct target_run *target, const struct event *event)
{
	struct run_tap *tap = target->run.context->shared->tap;
	if (tap == NULL || !target->tapped)
		return;
	target->tapped = event != NULL && event->kind != EVENT_END && event->kind != EVENT_ERROR;
	if (event == NULL)
		tap->ops->on_cancelled(tap, target->lane);
	else
		tap->ops->on_event(tap, target->lane, event);
}

/* The first piece of the answer has told what was dropped. */
static void target_forget_origin(struct target_run *target, enum event_kind kind)
{
	target->origin.bytes = (struct span){NULL, 0};
	if (kind == EVENT_CHUNK || kind == EVENT_BODY)
		target->origin.dropped = (struct span){NULL, 0};
}

void target_emit(struct target_run *target, struct event *event)
{
	event->target = target->target;
	event->dialect = target->run.context->request->dialect;
	if (event->kind == EVENT_BODY && usage_is_known(&event->usage)) /* those of streams were noted before */
		target->usage = event->usage;
	bool foreign = target_is_foreign(target);
	if (foreign)
		event->origin = &target->origin;
	target_tell_tap(target, event);
	target->run.sink->on_event(target->run.sink, &target->run, event);
	if (foreign)
		target_forget_origin(target, event->kind);
}

static void on_linger_over(struct timer *timer)
{
	struct target_run *target = container_of(timer, struct target_run, total);
	target_end(target);
}

void target_complete(struct target_run *target, struct span before)
{
	struct event event = {.kind = EVENT_END, .raw = before};
	target_enter(target);
	if (target_is_foreign(target))
		target_give_own(target);
	target_judge(target, ERROR_NONE, FAILURE_NONE);
	timer_stop(target_timers(target), &target->silence);
	if (target->call == NULL || !http_call_is_sent(target->call)) { /* the request may go with its client */
		target_end(target);
	} else {
		target_set_state(target, TARGET_ST_LINGER);
		http_call_resume(target->call);
		if (!timer_start(target_timers(target), &target->total, TARGET_LINGER_US, on_linger_over))
			target_end(target);
	}
	target_emit(target, &event);
	target_leave(target);
}

void target_fail(struct target_run *target, struct failure *failure)
{
	struct event event = {.kind = EVENT_ERROR, .failure = failure};
	failure->target = target->target;
	target_enter(target);
	if (target->started)
		target_gate_note(target, failure->kind);
	target_judge(target, failure->code, failure->kind);
	target_end(target);
	target_emit(target, &event);
	target_leave(target);
}

/* "The backend sent no content in time. (a/m, timeouts.first_content: 120 s)" */
static struct span failure_message(const struct target_run *target, enum error_code code)
{
	const struct config_timeouts *limits = &target_backend(target)->timeouts;
	struct arena *arena = target->run.context->arena;
	const char *name = target->target->target;
	const char *text = error_row(code)->text;
	switch (code) {
	case ERROR_UPSTREAM_CONNECT_TIMEOUT:
		return arena_printf(arena, "%s (%s; timeouts.connect: %g s)", text, name,
				    (double)limits->connect_us / 1e6);
	case ERROR_UPSTREAM_FIRST_CONTENT:
		return arena_printf(arena, "%s (%s; timeouts.first_content: %g s)", text, name,
				    (double)limits->first_content_us / 1e6);
	case ERROR_UPSTREAM_IDLE:
		return arena_printf(arena, "%s (%s; timeouts.idle: %g s)", text, name,
				    (double)target_idle_limit(target) / 1e6);
	case ERROR_UPSTREAM_TOTAL:
		return arena_printf(arena, "%s (%s; timeouts.total: %g s)", text, name, (double)limits->total_us / 1e6);
	case ERROR_UPSTREAM_TOO_LARGE:
		if (target->collection != NULL || target->state == TARGET_ST_WHOLE)
			return arena_printf(arena,
					    "The backend's answer is not of the form that was asked for, and too large "
					    "to be converted. (%s; limits.event: %zu bytes)",
					    name, target->run.context->worker->config->limits.event);
		return arena_printf(arena, "%s (%s; limits.event: %zu bytes; at most %d values)", text, name,
				    target->run.context->worker->config->limits.event, EVENT_VALUES);
	default:
		return arena_printf(arena, "%s (%s)", text, name);
	}
}

void target_fail_code(struct target_run *target, enum error_code code)
{
	struct failure failure = failure_of(code);
	if (code != ERROR_OVERLOADED)
		failure.message = failure_message(target, code);
	target_fail(target, &failure);
}

void target_content(struct target_run *target)
{
	uint64_t now = target_now(target);
	target->content_seen = true;
	if (target->call != NULL && http_call_is_sent(target->call))
		buf_fini(&target->request);
	target->first_content_us = now > target->started_us ? now - target->started_us : 1;
	health_first_content(&target->health, now);
	metrics_first_content(target->run.context->worker->metrics, target_backend_index(target),
			      now - target->started_us);
}

static void on_late_failure(struct task *task)
{
	struct target_run *target = container_of(task, struct target_run, late_failure);
	target_fail(target, &target->late);
}

void target_fail_late(struct target_run *target, const struct failure *failure)
{
	target->late = *failure;
	task_queue(target->run.context->worker->reactor, &target->late_failure);
}

static void target_count_attempt(const struct target_run *target)
{
	static const enum metrics_attempt labels[] = {[CALL_FIRST] = METRICS_ATTEMPT_FIRST,
						      [CALL_RETRY] = METRICS_ATTEMPT_RETRY,
						      [CALL_FALLBACK] = METRICS_ATTEMPT_FALLBACK,
						      [CALL_HEDGE] = METRICS_ATTEMPT_HEDGE,
						      [CALL_RESUME] = METRICS_ATTEMPT_RESUME};
	const struct run_context *context = target->run.context;
	context->shared->attempts++;
	context->shared->retries += call_follows_failure(target->reason);
	metrics_count(context->worker->metrics, METRIC_ATTEMPTS, context->model_index, labels[target->reason]);
}

void target_begin(struct target_run *target)
{
	target_set_state(target, TARGET_ST_WAITING);
	target_count_attempt(target);
	if (!target_prepare_apart(target))
		target_proceed(target);
}

void target_proceed(struct target_run *target)
{
	target->started_us = target_now(target);
	bool begun = target_call_start(target);
	begun &= target_timeouts_begin(target);
	if (target->paused)
		target_timeouts_pause(target, true);
	if (!begun) {
		struct failure failure = failure_of(ERROR_OVERLOADED);
		target_is_told_all(target, &failure); /* else that is why */
		target_fail_late(target, &failure);
	}
}

static void target_start(struct run *run)
{
	struct target_run *target = target_of(run);
	struct run_tap *tap = run->context->shared->tap;
	target->reason = run->context->reason;
	if (tap != NULL) {
		target->lane = tap->ops->on_started(tap, run->plan);
		target->tapped = true;
	}
	if (target_fits(target))
		target_gate_enter(target);
}

static void target_pause(struct run *run, bool paused)
{
	struct target_run *target = target_of(run);
	if (target->state == TARGET_ST_LINGER || target->paused == paused)
		return;
	target->paused = paused; /* also for the call that may come */
	answer_slices_pause(&target->slices, paused);
	if (target->call == NULL)
		return;
	target_timeouts_pause(target, paused);
	if (paused)
		http_call_pause(target->call);
	else
		http_call_resume(target->call);
}

static void target_cancel(struct run *run)
{
	struct target_run *target = target_of(run);
	if (target->state == TARGET_ST_ENDED)
		return;
	if (target->state != TARGET_ST_LINGER)
		target_judge(target, ERROR_CLIENT_CLOSED, FAILURE_CLIENT);
	target_end(target);
	target_tell_tap(target, NULL);
}

static const char *target_prepare(struct plan *plan, struct arena *arena)
{
	(void)arena;
	plan->width = 1;
	plan->dialect = dialect_find(plan->source->backend->dialect);
	return plan->dialect == NULL ? "its backend speaks no dialect that is known" : NULL;
}

/* Usage that the client did not ask for is asked for when the backend takes that. */
static bool target_asks_usage(const struct run_context *context, const struct config_plan *target)
{
	const struct health *health = context->worker->health;
	if (!context->request->stream || context->request->include_usage || !target->backend->stream_usage)
		return false;
	return health == NULL || !health_refuses(health, target->target_index, HEALTH_REWRITE_USAGE,
						 timers_now(&context->worker->reactor->timers));
}

static struct run *target_create_run(const struct plan *plan, struct run_context *context, struct run_sink *sink)
{
	static const struct run_ops ops = {target_start, target_pause, target_cancel};
	const struct config_limits *limits = &context->worker->config->limits;
	const struct request *request = context->request;
	struct target_run *target = arena_zalloc(context->arena, 1, sizeof(*target));
	if (target == NULL)
		return NULL;
	target->run = (struct run){.ops = &ops, .plan = plan, .context = context, .sink = sink};
	target->target = plan->source;
	target->usage = USAGE_UNKNOWN;
	target->asked_usage = target_is_foreign(target)
				  ? request->stream && !request->include_usage /* it always comes */
				  : target_asks_usage(context, plan->source);
	target->late_failure.run = on_late_failure;
	if (!target_reads(target, plan->dialect))
		return NULL;
	buf_init(&target->request, target_request_most(target));
	bool pieces = !request->stream && limits->event > TARGET_WHOLE_MOST && !target_is_foreign(target);
	buf_init(&target->answer, pieces ? TARGET_WHOLE_MOST : limits->event);
	sse_init(&target->sse, limits->event);
	buf_charge(&target->request, context->party);
	buf_charge(&target->answer, context->party);
	target_translation_begin(target);
	sse_charge(&target->sse, context->party);
	return &target->run;
}

const struct plan_kind plan_kind_target = {
    .name = NULL,
    .doc = "one call to that backend, asking for that model",
    .min_children = 0,
    .prepare = target_prepare,
    .create_run = target_create_run,
};
