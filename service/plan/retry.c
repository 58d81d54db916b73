/* SPDX-License-Identifier: MIT */
/*
 * retry: the same child again when it fails before commit; with several
 * children each in turn, round and round, so that another one is preferred.
 *
 * A failure that asking the same target again does not mend (its kind, or the
 * backend's x-should-retry: false) ends it: after a timeout, a fallback around it
 * moves on. options.on names the kinds instead.
 *
 * options.attempts bounds the tries, the first included. Before each further
 * one it waits: a random time up to 100 ms, 200 ms, 400 ms, … (full jitter, at
 * most 2 s). When there is one target only, it waits as long as the backend's
 * Retry-After says when that is at most 2 s. A longer one ends it: the failure is
 * passed on with its Retry-After, for a fallback around it or for the client. What
 * one target asks for is not asked of another: of several children the next one,
 * and a plan with other targets, are tried all the same.
 *
 * A child of several that takes no call is passed over at once, and that is no
 * try. When all refuse, it goes on if one says that this will be over within 2 s.
 *
 * Streams: early events wait while another try is possible. Errors: as fallback.
 * Usage: of the try that answered. Cancellation ends a wait, too. Budget:
 * repeats at a backend come out of its retry budget. Timeouts: each
 * call's own.
 */
#include "lib/container.h"
#include "lib/random.h"
#include "schemas/backend_retry_after.h"
#include "service/plan/contest.h"
#include "service/plan/kinds.h"

enum { RETRY_FIRST_WAIT_US = 100000, RETRY_LONGEST_WAIT_S = 2, RETRY_USUAL_ATTEMPTS = 2 };

struct retry_run {
	struct contest contest; /* first */
	unsigned tries;         /* so far, with those passed over */
	unsigned passed;        /* children that took no call, and were passed over */
	unsigned refusals;      /* in a row */
	struct timer timer;     /* of the wait */
};

static struct timers *retry_timers(const struct retry_run *retry)
{
	return &retry->contest.run.context->worker->reactor->timers;
}

static unsigned retry_attempts(const struct plan *plan)
{
	unsigned attempts = plan->source->options.attempts;
	return attempts == 0 ? RETRY_USUAL_ATTEMPTS : attempts;
}

static void retry_begin(struct contest *contest)
{
	contest_launch(contest->first, contest->reason);
}

static bool retry_has_more(const struct contest *contest)
{
	const struct retry_run *retry = (const struct retry_run *)contest;
	return retry->tries - retry->passed < retry_attempts(contest->run.plan);
}

static void on_wait_over(struct timer *timer)
{
	struct retry_run *retry = container_of(timer, struct retry_run, timer);
	struct contest *contest = &retry->contest;
	const struct plan *plan = contest->run.plan;
	const struct plan *child = plan->children[retry->tries++ % plan->child_count];
	contest->awaited = false;
	if (!contest_enter(contest, child, contest_reason(contest, CALL_RETRY)))
		contest_give_up(contest);
}

/* Full jitter: anything from 0 to the step of the try that comes. */
static uint64_t retry_jitter_us(const struct retry_run *retry)
{
	uint64_t longest = RETRY_LONGEST_WAIT_S * UINT64_C(1000000);
	uint64_t most = retry->tries > 5 ? longest : (uint64_t)RETRY_FIRST_WAIT_US << (retry->tries - 1);
	return random_u64() % (most + 1);
}

static bool has_one_target(const struct plan *plan)
{
	return plan->child_count == 0 || (plan->child_count == 1 && has_one_target(plan->children[0]));
}

/* Whether the next child may do better: the same target only when asking again helps. */
static bool retry_is_worth_it(const struct contest *contest, const struct failure *failure, int64_t told)
{
	bool same = has_one_target(contest->run.plan);
	bool again = contest->run.plan->source->options.on != 0 || failure->again;
	if (!retry_has_more(contest) || (same && !again))
		return false;
	if (failure->refused)
		return told >= 0 && told <= RETRY_LONGEST_WAIT_S;
	return !same || told <= RETRY_LONGEST_WAIT_S;
}

/* Another child stands ready for one that took no call, unless all of them were asked in a row. */
static bool retry_passes_over(struct retry_run *retry, const struct failure *failure)
{
	size_t children = retry->contest.run.plan->child_count;
	retry->refusals = failure->refused ? retry->refusals + 1 : 0;
	if (children < 2 || retry->refusals == 0 || retry->refusals % children == 0)
		return false;
	retry->passed++;
	return true;
}

static void retry_on_failed(struct contest *contest, const struct failure *failure)
{
	struct retry_run *retry = (struct retry_run *)contest;
	const struct plan *plan = contest->run.plan;
	int64_t told = backend_retry_after_seconds(failure->retry_after, time(NULL));
	uint64_t wait_us = retry_jitter_us(retry);
	if (retry_passes_over(retry, failure))
		wait_us =
		    retry->tries < plan->child_count ? 0 : wait_us; /* one that was not asked yet is asked at once */
	else if (!retry_is_worth_it(contest, failure, told))
		return;
	else if (told > 0 && (failure->refused || has_one_target(plan)) && (uint64_t)told * 1000000 > wait_us)
		wait_us = (uint64_t)told * 1000000;
	contest->awaited = timer_start(retry_timers(retry), &retry->timer, wait_us, on_wait_over);
}

static void retry_on_closed(struct contest *contest)
{
	struct retry_run *retry = (struct retry_run *)contest;
	timer_stop(retry_timers(retry), &retry->timer);
}

static struct run *retry_create_run(const struct plan *plan, struct run_context *context, struct run_sink *sink)
{
	static const struct contest_rules rules = {
	    .start = retry_begin, .more = retry_has_more, .on_failed = retry_on_failed, .on_closed = retry_on_closed};
	struct retry_run *retry = arena_zalloc(context->arena, 1, sizeof(*retry));
	if (retry == NULL)
		return NULL;
	contest_init(&retry->contest, &rules, plan, context, sink);
	retry->tries = 1;
	return contest_add(&retry->contest, plan->children[0]) == NULL ? NULL : &retry->contest.run;
}

const struct plan_kind plan_kind_retry = {
    .name = "retry",
    .doc = "the same child again when it fails before its first content was relayed",
    .min_children = 1,
    .prepare = plan_take_widest,
    .create_run = retry_create_run,
};
