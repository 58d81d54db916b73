/* SPDX-License-Identifier: MIT */
/* The best of a plan's leaves, as far as their health is known; see child_health.h. */
#include "service/plan/child_health.h"

#include "service/health/limit.h"

/* Calls that fail at once never run for long: as far as a target fails, it counts as being as busy as the other one. */
static double load(const struct health_view *view, const struct health_view *other)
{
	double more = other->running > view->running ? (double)other->running - (double)view->running : 0;
	return (double)view->running + more * view->failing;
}

static double cost(const struct health_view *view, const struct health_view *other, bool with_latency)
{
	double share = view->share * (1 - view->failing);
	share = share > 0.01 ? share : 0.01;
	return (load(view, other) + 1.0) * (with_latency ? (double)view->latency_us : 1.0) / share;
}

/* A smaller difference is as likely chance, and would decide every time between targets that are idle. */
static bool differ(uint64_t a, uint64_t b)
{
	return a != 0 && b != 0 && (a / 2 > b || b / 2 > a);
}

static uint64_t known_wait(const struct health_view *view)
{
	return view->wait_us == 0 ? UINT64_MAX : view->wait_us;
}

int child_health_compare(const struct health_view *a, const struct health_view *b)
{
	if ((a->reason == HEALTH_OK) != (b->reason == HEALTH_OK))
		return a->reason == HEALTH_OK ? -1 : 1;
	if (a->reason != HEALTH_OK) {
		uint64_t first = known_wait(a), second = known_wait(b);
		return (first > second) - (first < second);
	}
	if (child_health_fails(a) != child_health_fails(b))
		return child_health_fails(a) ? 1 : -1;
	if (a->full != b->full)
		return a->full ? 1 : -1;
	bool with_latency = differ(a->latency_us, b->latency_us);
	double first = cost(a, b, with_latency), second = cost(b, a, with_latency);
	return (first > second) - (first < second);
}

/* Returns whether the places of a target are taken. *waiting: calls that wait for one. */
static bool target_is_full(const struct plan *plan, const struct run_context *context, unsigned *waiting)
{
	struct limit *const *limits = context->worker->limits;
	struct limit_report report = {0};
	if (limits != NULL && limits[plan->source->target_index] != NULL)
		limit_report(limits[plan->source->target_index], &report);
	*waiting = report.waiting;
	return report.limit != 0 && (report.waiting > 0 || report.running >= report.limit);
}

bool child_health_is_full(const struct plan *plan, const struct run_context *context)
{
	unsigned waiting;
	if (plan->child_count == 0)
		return target_is_full(plan, context, &waiting);
	for (size_t i = 0; i < plan->child_count; i++)
		if (!child_health_is_full(plan->children[i], context))
			return false;
	return true;
}

void child_health_of(const struct plan *plan, const struct run_context *context, uint64_t now_us,
		     struct health_view *view)
{
	*view = (struct health_view){.target = HEALTH_NO_TARGET, .reason = HEALTH_OK, .share = 1};
	if (context->worker->health == NULL)
		return;
	if (plan->child_count == 0) {
		struct health_use use = {.target = plan->source->target_index,
					 .operation = context->request->endpoint,
					 .client = context->client,
					 .stream = context->request->stream};
		unsigned waiting;
		health_view(context->worker->health, &use, now_us, view);
		view->full = target_is_full(plan, context, &waiting);
		view->running += waiting;
		return;
	}
	for (size_t i = 0; i < plan->child_count; i++) {
		struct health_view child;
		child_health_of(plan->children[i], context, now_us, &child);
		if (i == 0 || child_health_compare(&child, view) < 0)
			*view = child;
	}
}
