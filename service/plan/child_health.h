/* SPDX-License-Identifier: MIT */
/* What a combinator that chooses among its children knows of each: the best of its leaves. */
#ifndef SLUICE_SERVICE_PLAN_CHILD_HEALTH_H
#define SLUICE_SERVICE_PLAN_CHILD_HEALTH_H

#include "service/health/health.h"
#include "service/plan/plan.h"

/*
 * Of a target its own view, with the calls that wait for a place there; of anything else that of its best leaf. Without
 * health every child is available.
 */
void child_health_of(const struct plan *plan, const struct run_context *context, uint64_t now_us,
		     struct health_view *view);

/*
 * Returns whether more calls to a target fail than not. Such a target takes no calls from others: its failures cost no
 * time, so by load, by latency and by places it would be the better one. It is tried again as its failures are
 * forgotten: each call that fails then adds at least 0.05 to a share of 0.5, of which 0.05 are forgotten in a second,
 * so about one call a second fails, however many there are.
 */
static inline bool child_health_fails(const struct health_view *view)
{
	return view->failing >= 0.5;
}

/*
 * Negative when a call to a had better go ahead of one to b: the available one; of two that are, the one that does not
 * mostly fail; then the one where the call need not wait for a place; else the one with less of (running + 1) × latency
 * / share / (1 - failing), where latencies count that are known and differ more than twofold; of two that are not
 * available, the one that is back sooner.
 */
int child_health_compare(const struct health_view *a, const struct health_view *b);

/* Returns whether a call would wait for a place wherever the plan sends it. */
bool child_health_is_full(const struct plan *plan, const struct run_context *context);

#endif
