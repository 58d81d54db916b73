/* SPDX-License-Identifier: MIT */
/*
 * Whether and when a target may be called: first a place among its calls, for
 * which the run may wait in the queue, then the word of what is known of its
 * health. A refusal is a failure that another target may mend; no call was made
 * for it, and it says how long to wait.
 */
#include "lib/container.h"
#include "schemas/backend_retry_after.h"
#include "service/health/retry_after.h"
#include "service/plan/target.h"
#include "service/plan/tenant_shares.h"

enum {
	GATE_SECOND_US = 1000000,
	GATE_HOLD_FIRST_US = 2000, /* between two questions of a call that is held; grows by half each time */
	GATE_HOLD_MOST_US = 50000
};

static struct health_use gate_use(const struct target_run *target)
{
	const struct run_context *context = target->run.context;
	return (struct health_use){.target = target->target->target_index,
				   .operation = context->request->endpoint,
				   .client = context->client,
				   .stream = context->request->stream};
}

static struct limit *gate_limit(const struct target_run *target)
{
	struct limit *const *limits = target->run.context->worker->limits;
	return limits == NULL ? NULL : limits[target->target->target_index];
}

static void gate_refuse(struct target_run *target, enum error_code code, struct span message, uint64_t wait_us)
{
	struct failure failure = failure_of(code);
	failure.refused = true;
	failure.message = message;
	failure.retry_after = retry_after_write(wait_us, target->run.context->arena);
	target_fail_late(target, &failure);
}

static struct span gate_breaker_message(struct target_run *target, uint64_t now_us)
{
	struct health_report report;
	const char *name = target->target->target;
	health_report(target->run.context->worker->health, target->target->target_index, now_us, &report);
	return arena_printf(target->run.context->arena,
			    "%s is out of service after repeated failures (last: %s); next attempt in %.1f s.", name,
			    report.last == ERROR_NONE ? "unknown" : error_row(report.last)->code,
			    (double)report.next_probe_us / GATE_SECOND_US);
}

static struct span gate_message(struct target_run *target, enum health_reason reason, uint64_t wait_us, uint64_t now_us)
{
	struct arena *arena = target->run.context->arena;
	const char *name = target->target->target;
	switch (reason) {
	case HEALTH_COOLING:
		return arena_printf(arena, "%s asked for a pause (Retry-After), which is over in %.1f s.", name,
				    (double)wait_us / GATE_SECOND_US);
	case HEALTH_DOWN:
		return arena_printf(arena, "%s is out of service: its backend does not answer probes.", name);
	case HEALTH_BUDGET:
		return arena_printf(arena, "%s was not asked again: the retry budget is spent.", name);
	case HEALTH_FAILING:
		return arena_printf(arena, "%s was not tried: its last calls failed.", name);
	case HEALTH_UNPROVEN:
		return arena_printf(arena, "%s was not tried: no call that did has been answered yet.", name);
	default:
		return gate_breaker_message(target, now_us);
	}
}

/* How this request has fared with the target so far. */
static enum health_purpose gate_history(const struct target_run *target)
{
	const struct run_shared *shared = target->run.context->shared;
	for (const struct run_failed *at = shared->failed; at != NULL; at = at->next)
		if (at->backend && at->target->backend == target->target->backend)
			return HEALTH_REPEAT;
	return run_failures(shared, target->target) > 0 ? HEALTH_REPEAT : HEALTH_DIVERTED;
}

static enum health_purpose gate_purpose(const struct target_run *target)
{
	if (call_follows_failure(target->reason))
		return gate_history(target);
	return target->reason == CALL_HEDGE ? HEALTH_HEDGE : HEALTH_FIRST;
}

/* A failure that tells of the whole backend, not only of one of its models. */
static bool gate_is_of_backend(enum failure_kind kind)
{
	const struct failure_row *row = failure_row(kind);
	return row->breaker >= FAILURE_IS_FAILED || kind == FAILURE_OVERLOAD;
}

void target_gate_note(struct target_run *target, enum failure_kind kind)
{
	struct run_context *context = target->run.context;
	struct run_failed *failed = arena_alloc(context->arena, sizeof(*failed));
	context->shared->timed_out |= kind == FAILURE_TIMEOUT;
	if (failed == NULL)
		return;
	*failed = (struct run_failed){context->shared->failed, target->target, gate_is_of_backend(kind)};
	context->shared->failed = failed;
}

static void gate_settle(struct target_run *target, enum health_reason reason, uint64_t wait_us)
{
	uint64_t now_us = target_now(target);
	if (reason == HEALTH_OK)
		target_begin(target);
	else
		gate_refuse(target, ERROR_UPSTREAM_UNAVAILABLE, gate_message(target, reason, wait_us, now_us), wait_us);
}

static enum health_reason gate_enter_health(struct target_run *target, enum health_purpose purpose, uint64_t *wait_us)
{
	struct health_use use = gate_use(target);
	return health_enter(target->run.context->worker->health, &target->health, &use, purpose, target_now(target),
			    wait_us);
}

/*
 * The wait for others to try the target is over. Where backends were silent the next one may be, too: then nobody
 * follows those who try it. Where they failed at once, it is merely slow.
 */
static void gate_end_hold(struct target_run *target)
{
	uint64_t wait_us = 0;
	enum health_reason reason = HEALTH_UNPROVEN;
	if (target->run.context->shared->timed_out)
		health_give_up(target->run.context->worker->health, target->target->target_index);
	else
		reason = gate_enter_health(target, HEALTH_OVERDUE, &wait_us);
	gate_settle(target, reason, wait_us);
}

static void on_hold(struct timer *timer);

/* Asks again soon. */
static void gate_hold(struct target_run *target)
{
	uint64_t step_us = target->hold_step_us;
	target->hold_step_us = step_us + step_us / 2 < GATE_HOLD_MOST_US ? step_us + step_us / 2 : GATE_HOLD_MOST_US;
	if (target_now(target) >= target->hold_until_us ||
	    !timer_start(target_timers(target), &target->hold, step_us, on_hold))
		gate_end_hold(target);
}

static void on_hold(struct timer *timer)
{
	struct target_run *target = container_of(timer, struct target_run, hold);
	uint64_t wait_us = 0;
	enum health_reason reason = gate_enter_health(target, HEALTH_DIVERTED, &wait_us);
	if (reason == HEALTH_UNPROVEN)
		gate_hold(target);
	else
		gate_settle(target, reason, wait_us);
}

/* It waits for those who try the target as long as the request has taken so far, at least a second. */
static void gate_begin_hold(struct target_run *target)
{
	uint64_t now_us = target_now(target);
	uint64_t age_us = now_us - target->run.context->shared->started_us;
	target_set_state(target, TARGET_ST_HELD);
	target->hold_step_us = GATE_HOLD_FIRST_US;
	if (age_us < GATE_SECOND_US || target->placed) /* who waits at a place keeps others from it */
		age_us = GATE_SECOND_US;
	target->hold_until_us = now_us + age_us;
	if (target->run.context->deadline_us != 0 && target->hold_until_us > target->run.context->deadline_us)
		target->hold_until_us = target->run.context->deadline_us;
	gate_hold(target);
}

/* There is a place: what does its health say? */
static void gate_ask_health(struct target_run *target)
{
	uint64_t wait_us = 0;
	enum health_reason reason = HEALTH_OK;
	if (target->run.context->worker->health != NULL)
		reason = gate_enter_health(target, gate_purpose(target), &wait_us);
	if (reason == HEALTH_UNPROVEN)
		gate_begin_hold(target);
	else
		gate_settle(target, reason, wait_us);
}

static void gate_no_place(struct target_run *target, enum error_code code)
{
	struct span message =
	    arena_printf(target->run.context->arena, "%s (target %s)", error_row(code)->text, target->target->target);
	gate_refuse(target, code, message, limit_estimate_us(gate_limit(target), target_now(target)));
}

static void on_wait_settled(struct limit_waiter *waiter, bool admitted)
{
	struct target_run *target = container_of(waiter, struct target_run, waiter);
	target->placed = admitted;
	if (admitted)
		gate_ask_health(target);
	else
		gate_no_place(target, waiter->displaced ? ERROR_QUEUE_FULL : ERROR_QUEUE_TIMEOUT);
}

/* It may not go on with an answer that broke off: another one may at once. */
static void gate_bar(struct target_run *target, const char *why)
{
	struct failure failure = failure_of(ERROR_UPSTREAM_UNAVAILABLE);
	failure.refused = true;
	failure.should_retry = false;
	failure.retry_after = SPAN("0");
	failure.message = arena_printf(target->run.context->arena, "Target %s %s.", target->target->target, why);
	target_fail_late(target, &failure);
}

static enum limit_verdict gate_enter_limit(struct target_run *target, struct limit *limit)
{
	const struct run_context *context = target->run.context;
	struct queue_tenant tenant;
	bool has_tenant = tenant_shares_read(&tenant, context->worker->config, context->request->tenant);
	target->waiter = (struct limit_waiter){
	    .on_settled = on_wait_settled,
	    .loop = context->worker->loop,
	    .party = {.network = context->network, .client = context->client, .tenant = has_tenant ? &tenant : NULL},
	    .deadline_us = context->deadline_us,
	    .metrics = context->worker->metrics,
	    .backend = target_backend_index(target)};
	enum limit_verdict verdict = limit_enter(limit, &target->waiter, target_now(target));
	target->waiter.party.tenant = NULL;
	return verdict;
}

void target_gate_enter(struct target_run *target)
{
	const struct run_context *context = target->run.context;
	const char *barred =
	    resume_bars(context->resumption, context->worker->health, target_now(target), target->target);
	if (barred != NULL) {
		gate_bar(target, barred);
		return;
	}
	struct limit *limit = gate_limit(target);
	switch (limit == NULL ? LIMIT_GO : gate_enter_limit(target, limit)) {
	case LIMIT_GO:
		target->placed = limit != NULL;
		gate_ask_health(target);
		break;
	case LIMIT_QUEUED:
		target_set_state(target, TARGET_ST_QUEUED);
		break;
	case LIMIT_FULL:
		gate_no_place(target, ERROR_QUEUE_FULL);
		break;
	}
}

static bool gate_is_overload(enum failure_kind kind)
{
	return kind == FAILURE_RATE_LIMIT || kind == FAILURE_OVERLOAD || kind == FAILURE_TIMEOUT;
}

/* True when the request failed at this very target before, here or in an earlier try of its client. */
static bool gate_is_repeat(const struct target_run *target)
{
	const struct run_context *context = target->run.context;
	return run_failures(context->shared, target->target) > 1 || context->retries_before > 0;
}

/* How long the backend asks to be left alone; 0 = it does not. */
static uint64_t gate_pause_us(const struct target_run *target, enum failure_kind kind)
{
	bool heeded = kind == FAILURE_RATE_LIMIT || kind == FAILURE_OVERLOAD || kind == FAILURE_SERVER;
	int64_t pause = heeded ? backend_retry_after_seconds(target->retry_after, time(NULL)) : -1;
	return pause > 0 ? (uint64_t)pause * GATE_SECOND_US : 0;
}

void target_gate_leave(struct target_run *target, enum error_code code, enum failure_kind kind)
{
	uint64_t now_us = target_now(target);
	struct health_outcome outcome = {.code = code,
					 .kind = kind,
					 .status = target->status,
					 .repeat = gate_is_repeat(target),
					 .retry_after_us = gate_pause_us(target, kind)};
	if (target->state == TARGET_ST_QUEUED)
		limit_abandon(&target->waiter, now_us); /* harmless when its wait is over */
	health_leave(&target->health, &outcome, now_us);
	if (target->placed)
		limit_leave(gate_limit(target), target->waiter.place, target->first_content_us, gate_is_overload(kind),
			    now_us);
	target->placed = false;
}
