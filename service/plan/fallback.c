/* SPDX-License-Identifier: MIT */
/*
 * fallback: the next child when one fails before commit.
 *
 * Streams: events before the first content are kept back while another child
 * could still take over; with the last child nothing is kept back. Errors: a
 * failure that another target could not mend (its kind, or what options.on leaves
 * out) ends it at once, and so does any failure after commit; when all failed the
 * most telling failure is told, with all of them as its causes. Calls to other
 * backends than those that failed need no budget (service/health/standby.h). Usage: of the child that answered.
 * Timeouts: each call's own; fallback adds none. The rest is contest.h's.
 */
#include "service/plan/contest.h"
#include "service/plan/kinds.h"

struct fallback_run {
	struct contest contest; /* first */
	size_t next;            /* index of the child to try next */
};

static void fallback_begin(struct contest *contest)
{
	contest_launch(contest->first, contest->reason);
}

static bool fallback_has_more(const struct contest *contest)
{
	return ((const struct fallback_run *)contest)->next < contest->run.plan->child_count;
}

static void fallback_try_next(struct contest *contest, const struct failure *failure)
{
	struct fallback_run *fallback = (struct fallback_run *)contest;
	(void)failure;
	if (fallback_has_more(contest))
		contest_enter(contest, contest->run.plan->children[fallback->next++],
			      contest_reason(contest, METRICS_ATTEMPT_FALLBACK));
}

static struct run *fallback_create_run(const struct plan *plan, struct run_context *context, struct run_sink *sink)
{
	static const struct contest_rules rules = {
	    .start = fallback_begin, .more = fallback_has_more, .on_failed = fallback_try_next};
	struct fallback_run *fallback = arena_zalloc(context->arena, 1, sizeof(*fallback));
	if (fallback == NULL)
		return NULL;
	contest_init(&fallback->contest, &rules, plan, context, sink);
	fallback->next = 1;
	return contest_add(&fallback->contest, plan->children[0]) == NULL ? NULL : &fallback->contest.run;
}

const struct plan_kind plan_kind_fallback = {
    .name = "fallback",
    .doc = "the next child when one fails before its first content was relayed",
    .prefers = true,
    .min_children = 1,
    .prepare = plan_take_widest,
    .create_run = fallback_create_run,
};
