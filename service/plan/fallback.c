/* SPDX-License-Identifier: MIT */
/*
 * fallback: the next child when one fails before commit. A child where a call
 * would wait for a place is left for later while one further on has a place.
 *
 * Streams: events before the first content are kept back while another child
 * could still take over; with the last child nothing is kept back. Errors: a
 * failure that another target could not mend (its kind, or what options.on leaves
 * out) ends it at once, and so does any failure after commit; when all failed the
 * most telling failure is told, with all of them as its causes. Calls to other
 * backends than those that failed need no budget (service/health/standby.h). Usage: of the child that answered.
 * Timeouts: each call's own; fallback adds none. The rest is contest.h's.
 */
#include "service/plan/child_health.h"
#include "service/plan/contest.h"
#include "service/plan/kinds.h"

struct fallback_run {
	struct contest contest; /* first */
	bool *tried;            /* by child */
	size_t tries;
};

/* A call to the child could start at once. */
static bool is_free(const struct contest *contest, size_t child)
{
	const struct run_context *context = contest->run.context;
	struct health_view view;
	child_health_of(contest->run.plan->children[child], context, timers_now(&context->worker->reactor->timers),
			&view);
	return view.reason == HEALTH_OK && !view.full;
}

/* The first child that was not tried; where it is full, the first one behind it that is free, if there is one. */
static size_t next_child(const struct fallback_run *fallback)
{
	const struct plan *plan = fallback->contest.run.plan;
	size_t next = 0;
	while (fallback->tried[next])
		next++;
	if (!child_health_is_full(plan->children[next], fallback->contest.run.context))
		return next;
	for (size_t i = next + 1; i < plan->child_count; i++)
		if (!fallback->tried[i] && is_free(&fallback->contest, i))
			return i;
	return next;
}

static const struct plan *take_next(struct fallback_run *fallback)
{
	size_t next = next_child(fallback);
	fallback->tried[next] = true;
	fallback->tries++;
	return fallback->contest.run.plan->children[next];
}

static void fallback_begin(struct contest *contest)
{
	contest_launch(contest->first, contest->reason);
}

static bool fallback_has_more(const struct contest *contest)
{
	return ((const struct fallback_run *)contest)->tries < contest->run.plan->child_count;
}

static void fallback_try_next(struct contest *contest, const struct failure *failure)
{
	struct fallback_run *fallback = (struct fallback_run *)contest;
	(void)failure;
	if (fallback_has_more(contest))
		contest_enter(contest, take_next(fallback), contest_reason(contest, CALL_FALLBACK));
}

static struct run *fallback_create_run(const struct plan *plan, struct run_context *context, struct run_sink *sink)
{
	static const struct contest_rules rules = {
	    .start = fallback_begin, .more = fallback_has_more, .on_failed = fallback_try_next};
	struct fallback_run *fallback = arena_zalloc(context->arena, 1, sizeof(*fallback));
	bool *tried = arena_zalloc(context->arena, plan->child_count, sizeof(*tried));
	if (fallback == NULL || tried == NULL)
		return NULL;
	contest_init(&fallback->contest, &rules, plan, context, sink);
	fallback->tried = tried;
	return contest_add(&fallback->contest, take_next(fallback)) == NULL ? NULL : &fallback->contest.run;
}

const struct plan_kind plan_kind_fallback = {
    .name = "fallback",
    .doc = "the next child when one fails before its first content was relayed",
    .prefers = true,
    .min_children = 1,
    .prepare = plan_take_widest,
    .create_run = fallback_create_run,
};
