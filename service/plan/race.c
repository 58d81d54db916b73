/* SPDX-License-Identifier: MIT */
/*
 * race: all children at once, and the first content wins.
 *
 * Streams: nothing of any child is relayed until one has content; the others
 * are cancelled at that moment, so that their backends stop. Errors: a child
 * that fails before content only leaves the race; when all failed the most
 * telling failure is told, with all of them as its causes. Usage: of the winner;
 * what losers told is counted in the metrics. Budget: none, every request pays
 * for all children. Timeouts: each call's own. The rest is contest.h's.
 */
#include "service/plan/contest.h"
#include "service/plan/kinds.h"

static void race_begin(struct contest *contest)
{
	for (struct contender *at = contest->first; at != NULL; at = at->next)
		contest_launch(at, contest->reason);
}

static bool race_has_more(const struct contest *contest)
{
	(void)contest;
	return false;
}

static void race_on_failed(struct contest *contest, const struct failure *failure)
{
	(void)contest;
	(void)failure;
}

static struct run *race_create_run(const struct plan *plan, struct run_context *context, struct run_sink *sink)
{
	static const struct contest_rules rules = {
	    .start = race_begin, .more = race_has_more, .on_failed = race_on_failed};
	struct contest *race = arena_zalloc(context->arena, 1, sizeof(*race));
	if (race == NULL)
		return NULL;
	contest_init(race, &rules, plan, context, sink);
	for (size_t i = 0; i < plan->child_count; i++) {
		if (contest_add(race, plan->children[i]) == NULL)
			return NULL;
	}
	return &race->run;
}

const struct plan_kind plan_kind_race = {
    .name = "race",
    .doc = "all children at once; the first content wins, the others are cancelled",
    .min_children = 2,
    .asks_all = true,
    .prepare = plan_take_widest,
    .create_run = race_create_run,
};
