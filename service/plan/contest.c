/* SPDX-License-Identifier: MIT */
/* Several contenders, one answer; see contest.h. */
#include "service/plan/contest.h"

static struct contest *contest_of(struct run *run)
{
	return (struct contest *)run;
}

/* The contest is open no more. */
static void contest_close(struct contest *contest, enum contest_state state)
{
	bool open = contest->state == CONTEST_ST_OPEN;
	contest->state = state;
	if (open && contest->rules->on_closed != NULL)
		contest->rules->on_closed(contest);
}

static void contender_is_out(struct contender *contender)
{
	contender->running = false;
	contender->contest->running--;
}

/* Ends all who run, but for the winner of a contest that goes on. */
static void contest_dismiss(struct contest *contest)
{
	for (struct contender *at = contest->first; at != NULL; at = at->next) {
		bool wins = contest->state == CONTEST_ST_WON && at == contest->winner;
		if (!at->running || wins)
			continue;
		contender_is_out(at);
		at->run->ops->cancel(at->run);
		run_count_lost(contest->run.context, &at->usage);
	}
}

static void contest_emit(struct contest *contest, const struct event *event)
{
	if (event->kind == EVENT_END || event->kind == EVENT_ERROR) {
		contest_close(contest, CONTEST_ST_ENDED);
		if (contest->winner != NULL)
			contender_is_out(contest->winner); /* its transfer may linger: nobody cancels it any more */
	}
	contest->run.sink->on_event(contest->run.sink, &contest->run, event);
}

/* What was kept back of it goes up. */
static void contender_let_through(struct contender *contender)
{
	struct contest *contest = contender->contest;
	const struct event *event;
	contender->usage = USAGE_UNKNOWN; /* it is told from here on, not lost */
	while (contest->state != CONTEST_ST_ENDED && (event = held_events_take(&contender->early)) != NULL)
		contest_emit(contest, event);
}

static bool contest_may_change(const struct contest *contest)
{
	return contest->running > 1 || contest->awaited || contest->rules->more(contest);
}

static void contest_decide(struct contender *winner)
{
	struct contest *contest = winner->contest;
	contest->winner = winner;
	contest_close(contest, CONTEST_ST_WON);
	contest_dismiss(contest);
	contender_let_through(winner);
}

void contest_give_up(struct contest *contest)
{
	struct failure failure = causes_failure(&contest->causes);
	struct event event = {.kind = EVENT_ERROR, .failure = &failure};
	contest_emit(contest, &event);
}

/* The last one who runs has nobody to wait for. */
static void contest_let_last_through(struct contest *contest)
{
	struct contender *at = contest->first;
	while (at != NULL && !at->running)
		at = at->next;
	if (at != NULL)
		contender_let_through(at);
}

/* Whether another contender may help: the plan says on what, else the kind of failure does. */
static bool contest_goes_on(const struct contest *contest, const struct failure *failure)
{
	failure_set on = contest->run.plan->source->options.on;
	if (on == 0 || failure->refused)
		return failure->retryable;
	return failure_set_has(on, failure->kind);
}

static void contender_failed(struct contender *contender, const struct failure *failure)
{
	struct contest *contest = contender->contest;
	contender_is_out(contender);
	run_count_lost(contest->run.context, &contender->usage);
	causes_add(&contest->causes, contender->run, failure);
	if (contest_goes_on(contest, failure))
		contest->rules->on_failed(contest, failure);
	if (contest->running == 0 && !contest->awaited)
		contest_give_up(contest);
	else if (!contest_may_change(contest))
		contest_let_last_through(contest);
}

static void contender_note_usage(struct contender *contender, const struct event *event)
{
	if (event->kind == EVENT_USAGE || event->kind == EVENT_BODY ||
	    (event->kind == EVENT_CHUNK && (event->carries & CARRIES_USAGE) != 0))
		contender->usage = event->usage;
}

static void contest_on_open_event(struct contender *contender, const struct event *event)
{
	struct contest *contest = contender->contest;
	bool early = held_events_may_hold(event);
	contender_note_usage(contender, event);
	if (early && contest_may_change(contest) &&
	    held_events_keep(&contender->early, contest->run.context->arena, event))
		return;
	if (early && !contest_may_change(contest))
		contender_let_through(contender); /* it may still fail, and then its failure is one of several */
	else
		contest_decide(contender);
	if (contest->state != CONTEST_ST_ENDED)
		contest_emit(contest, event);
}

static void contest_on_event(struct run_sink *sink, struct run *run, const struct event *event)
{
	struct contender *contender = (struct contender *)sink;
	struct contest *contest = contender->contest;
	(void)run;
	if (!contender->running || contest->state == CONTEST_ST_ENDED)
		return;
	if (contest->state == CONTEST_ST_WON)
		contest_emit(contest, event);
	else if (event->kind == EVENT_ERROR)
		contender_failed(contender, event->failure);
	else
		contest_on_open_event(contender, event);
}

static void contest_start(struct run *run)
{
	struct contest *contest = contest_of(run);
	contest->reason = run->context->reason;
	contest->rules->start(contest);
}

static void contest_pause(struct run *run, bool paused)
{
	struct contest *contest = contest_of(run);
	contest->paused = paused;
	for (struct contender *at = contest->first; at != NULL; at = at->next) {
		if (at->running)
			at->run->ops->pause(at->run, paused);
	}
}

static void contest_cancel(struct run *run)
{
	struct contest *contest = contest_of(run);
	contest_close(contest, CONTEST_ST_ENDED);
	contest_dismiss(contest);
}

void contest_init(struct contest *contest, const struct contest_rules *rules, const struct plan *plan,
		  struct run_context *context, struct run_sink *sink)
{
	static const struct run_ops ops = {contest_start, contest_pause, contest_cancel};
	contest->run = (struct run){.ops = &ops, .plan = plan, .context = context, .sink = sink};
	contest->rules = rules;
}

struct contender *contest_add(struct contest *contest, const struct plan *plan)
{
	struct contender *contender = arena_zalloc(contest->run.context->arena, 1, sizeof(*contender));
	if (contender == NULL)
		return NULL;
	contender->sink.on_event = contest_on_event;
	contender->contest = contest;
	contender->usage = USAGE_UNKNOWN;
	contender->run = plan_create_run(plan, contest->run.context, &contender->sink);
	if (contender->run == NULL)
		return NULL;
	if (contest->first == NULL)
		contest->first = contender;
	else
		contest->last->next = contender;
	contest->last = contender;
	return contender;
}

void contest_launch(struct contender *contender, enum call_reason reason)
{
	struct contest *contest = contender->contest;
	struct run_context *context = contest->run.context;
	enum call_reason before = context->reason;
	contender->running = true;
	contender->reason = reason;
	contest->running++;
	context->reason = reason;
	contender->run->ops->start(contender->run);
	context->reason = before;
	if (contest->paused)
		contender->run->ops->pause(contender->run, true);
}

bool contest_enter(struct contest *contest, const struct plan *plan, enum call_reason reason)
{
	struct contender *contender = contest_add(contest, plan);
	if (contender == NULL)
		return false;
	contest_launch(contender, reason);
	return true;
}

enum call_reason contest_reason(const struct contest *contest, enum call_reason reason)
{
	return contest->causes.called ? reason : contest->reason;
}
