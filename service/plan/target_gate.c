/* SPDX-License-Identifier: MIT */
/*
 * Whether and when a target may be called: first a place among its calls, for
 * which the run may wait in the queue, then the word of what is known of its
 * health. A refusal is a failure that another target may mend; no call was made
 * for it, and it says how long to wait.
 */
#include "schemas/retry_after.h"
#include "service/plan/target.h"

enum { GATE_SECOND_US = 1000000 };

static struct limit *gate_limit(const struct target_run *target)
{
	struct limit *const *limits = target->run.context->worker->limits;
	return limits == NULL ? NULL : limits[target->target->target_index];
}

/* Whole seconds for a Retry-After header, at least one; empty when the wait is not known. */
static struct span gate_seconds(const struct target_run *target, uint64_t wait_us)
{
	uint64_t seconds = (wait_us + GATE_SECOND_US - 1) / GATE_SECOND_US;
	if (seconds > RETRY_AFTER_MAX)
		seconds = RETRY_AFTER_MAX;
	return wait_us == 0 ? SPAN("") : arena_printf(target->run.context->arena, "%u", (unsigned)seconds);
}

static void gate_refuse(struct target_run *target, enum error_code code, struct span message, uint64_t wait_us)
{
	struct failure failure = failure_of(code);
	failure.refused = true;
	failure.message = message;
	failure.retry_after = gate_seconds(target, wait_us);
	target_fail_late(target, &failure);
}

static struct span gate_breaker_message(struct target_run *target, uint64_t now_us)
{
	struct health_report report;
	const char *name = target->target->target;
	health_report(target->run.context->worker->health, target->target->target_index, now_us, &report);
	return arena_printf(target->run.context->arena,
			    "Target %s takes no calls: its breaker is open, the last failure was %s; the next probe is "
			    "due in %.1f s.",
			    name, report.last == ERROR_NONE ? "not told" : error_row(report.last)->code,
			    (double)report.next_probe_us / GATE_SECOND_US);
}

static struct span gate_message(struct target_run *target, enum health_reason reason, uint64_t wait_us, uint64_t now_us)
{
	struct arena *arena = target->run.context->arena;
	const char *name = target->target->target;
	switch (reason) {
	case HEALTH_COOLING:
		return arena_printf(arena,
				    "Target %s takes no calls: its backend asked for a pause, which is over in %.1f s.",
				    name, (double)wait_us / GATE_SECOND_US);
	case HEALTH_DOWN:
		return arena_printf(arena, "Target %s takes no calls: its backend does not answer probes.", name);
	case HEALTH_BUDGET:
		return arena_printf(arena, "Target %s was not tried: the retry budget is spent.", name);
	default:
		return gate_breaker_message(target, now_us);
	}
}

static enum health_purpose gate_purpose(enum metrics_attempt reason)
{
	switch (reason) {
	case METRICS_ATTEMPT_RETRY:
	case METRICS_ATTEMPT_FALLBACK:
	case METRICS_ATTEMPT_RESUME:
		return HEALTH_EXTRA;
	case METRICS_ATTEMPT_HEDGE:
		return HEALTH_HEDGE;
	default:
		return HEALTH_FIRST;
	}
}

/* There is a place: what does its health say? */
static void gate_ask_health(struct target_run *target)
{
	const struct plan_worker *worker = target->run.context->worker;
	uint64_t now_us = target_now(target), wait_us = 0;
	enum health_reason reason = HEALTH_OK;
	if (worker->health != NULL)
		reason = health_enter(worker->health, &target->health, target->target->target_index,
				      gate_purpose(target->reason), now_us, &wait_us);
	if (reason == HEALTH_OK)
		target_begin(target);
	else
		gate_refuse(target, ERROR_UPSTREAM_UNAVAILABLE, gate_message(target, reason, wait_us, now_us), wait_us);
}

static void gate_no_place(struct target_run *target, enum error_code code)
{
	struct span message =
	    arena_printf(target->run.context->arena, "%s (target %s)", error_row(code)->text, target->target->target);
	gate_refuse(target, code, message, limit_estimate_us(gate_limit(target), target_now(target)));
}

static void on_wait_settled(struct limit_waiter *waiter, bool admitted)
{
	struct target_run *target = (struct target_run *)((char *)waiter - offsetof(struct target_run, waiter));
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

void target_gate_enter(struct target_run *target)
{
	const struct run_context *context = target->run.context;
	const char *barred = resume_bars(context->resumption, target->target);
	if (barred != NULL) {
		gate_bar(target, barred);
		return;
	}
	struct limit *limit = gate_limit(target);
	target->waiter = (struct limit_waiter){.on_settled = on_wait_settled,
					       .loop = context->worker->loop,
					       .client = context->client,
					       .deadline_us = context->deadline_us,
					       .metrics = context->worker->metrics,
					       .backend = target_backend_index(target)};
	switch (limit == NULL ? LIMIT_GO : limit_enter(limit, &target->waiter, target_now(target))) {
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

static bool gate_is_overload(enum error_code outcome)
{
	return outcome == ERROR_UPSTREAM_BUSY || outcome == ERROR_UPSTREAM_FIRST_CONTENT ||
	       outcome == ERROR_UPSTREAM_IDLE || outcome == ERROR_UPSTREAM_TOTAL;
}

void target_gate_leave(struct target_run *target, enum error_code outcome)
{
	uint64_t now_us = target_now(target);
	int64_t pause = outcome == ERROR_UPSTREAM_BUSY ? retry_after_seconds(target->retry_after, time(NULL)) : -1;
	if (target->state == TARGET_ST_QUEUED)
		limit_abandon(&target->waiter, now_us); /* harmless when its wait is over */
	health_leave(&target->health, outcome, pause > 0 ? (uint64_t)pause * GATE_SECOND_US : 0, now_us);
	if (target->placed)
		limit_leave(gate_limit(target), target->first_content_us, gate_is_overload(outcome), now_us);
	target->placed = false;
}
