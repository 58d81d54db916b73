/* SPDX-License-Identifier: MIT */
/*
 * hedge: a spare when the first child is slow (Dean and Barroso, The Tail at
 * Scale). The next child starts when nobody has content after options.after, or
 * when that is 0 after the model's live p95 of the time to first content (of its
 * streamed answers or of its whole ones, as the request asks; 500 ms while too few
 * are known); the one after it as much later. The first content wins.
 *
 * Spares come out of a budget: options.hedges percent of the requests, so that
 * when everything is slow nothing is made worse. A child that fails before
 * content, while nobody else runs, is followed by the next one at once: that is a
 * fallback, and comes out of the retry budget instead.
 *
 * Streams: nothing of any child is relayed before content while another may
 * still win; losers are cancelled at that moment. Errors: when all failed, the
 * most telling one with all as causes. Usage: of the winner; what losers told
 * is counted in the metrics. Timeouts: each call's own. Cancellation stops the
 * clock of the next spare. The rest is contest.h's.
 */
#include "lib/container.h"
#include "service/health/health.h"
#include "service/plan/contest.h"
#include "service/plan/kinds.h"

enum { HEDGE_USUAL_US = 500000 };

struct hedge_run {
	struct contest contest; /* first */
	size_t next;            /* index of the child that would start next */
	uint64_t after_us;
	bool counted;       /* among the model's requests that may be hedged */
	struct timer timer; /* until the next spare */
};

static const struct plan_worker *hedge_worker(const struct hedge_run *hedge)
{
	return hedge->contest.run.context->worker;
}

static struct timers *hedge_timers(const struct hedge_run *hedge)
{
	return &hedge_worker(hedge)->reactor->timers;
}

static bool hedge_has_more(const struct contest *contest)
{
	return ((const struct hedge_run *)contest)->next < contest->run.plan->child_count;
}

static bool hedge_is_within_budget(const struct hedge_run *hedge)
{
	struct health *health = hedge_worker(hedge)->health;
	const struct run *run = &hedge->contest.run;
	return health == NULL ||
	       health_hedge_take(health, run->context->model_index, run->plan->source->options.hedges);
}

static bool hedge_enter_next(struct hedge_run *hedge, enum call_reason reason)
{
	struct contest *contest = &hedge->contest;
	return contest_enter(contest, contest->run.plan->children[hedge->next++], reason);
}

static void on_slow(struct timer *timer)
{
	struct hedge_run *hedge = container_of(timer, struct hedge_run, timer);
	if (!hedge_has_more(&hedge->contest) || !hedge_is_within_budget(hedge))
		return;
	if (hedge_enter_next(hedge, CALL_HEDGE) && hedge_has_more(&hedge->contest))
		timer_start(hedge_timers(hedge), &hedge->timer, hedge->after_us, on_slow);
}

static uint64_t hedge_after_us(const struct hedge_run *hedge)
{
	struct health *health = hedge_worker(hedge)->health;
	const struct run *run = &hedge->contest.run;
	uint64_t after_us = run->plan->source->options.after_us;
	struct health_kind kind = run_kind(run->context);
	if (after_us == 0 && health != NULL)
		after_us = health_model_p95_us(health, run->context->model_index, &kind);
	return after_us == 0 ? HEDGE_USUAL_US : after_us;
}

static void hedge_begin(struct contest *contest)
{
	struct hedge_run *hedge = (struct hedge_run *)contest;
	struct health *health = hedge_worker(hedge)->health;
	if (health != NULL)
		health_hedge_request(health, contest->run.context->model_index);
	hedge->counted = true;
	hedge->after_us = hedge_after_us(hedge);
	contest_launch(contest->first, contest->reason);
	timer_start(hedge_timers(hedge), &hedge->timer, hedge->after_us, on_slow);
}

static void hedge_on_failed(struct contest *contest, const struct failure *failure)
{
	struct hedge_run *hedge = (struct hedge_run *)contest;
	(void)failure;
	if (contest->running > 0 || !hedge_has_more(contest))
		return;
	if (hedge_enter_next(hedge, contest_reason(contest, CALL_FALLBACK)))
		timer_start(hedge_timers(hedge), &hedge->timer, hedge->after_us, on_slow);
}

static void hedge_on_closed(struct contest *contest)
{
	struct hedge_run *hedge = (struct hedge_run *)contest;
	const struct run_context *context = contest->run.context;
	struct health *health = context->worker->health;
	timer_stop(hedge_timers(hedge), &hedge->timer);
	if (health != NULL && hedge->counted)
		health_hedge_settled(health, context->model_index);
	if (contest->winner != NULL && contest->winner->reason == CALL_HEDGE)
		metrics_count(context->worker->metrics, METRIC_HEDGES_WON, context->model_index);
}

static struct run *hedge_create_run(const struct plan *plan, struct run_context *context, struct run_sink *sink)
{
	static const struct contest_rules rules = {
	    .start = hedge_begin, .more = hedge_has_more, .on_failed = hedge_on_failed, .on_closed = hedge_on_closed};
	struct hedge_run *hedge = arena_zalloc(context->arena, 1, sizeof(*hedge));
	if (hedge == NULL)
		return NULL;
	contest_init(&hedge->contest, &rules, plan, context, sink);
	hedge->next = 1;
	return contest_add(&hedge->contest, plan->children[0]) == NULL ? NULL : &hedge->contest.run;
}

const struct plan_kind plan_kind_hedge = {
    .name = "hedge",
    .doc = "the next child as a spare when the one before is slow; the first content wins",
    .prefers = true,
    .min_children = 2,
    .prepare = plan_take_widest,
    .create_run = hedge_create_run,
};
