/* SPDX-License-Identifier: MIT */
/*
 * balance: one child for each request, chosen by options.by:
 *
 *   p2c       the better of two at random: less of (running + 1) × average
 *             time to first content / slow-start share / share of good calls
 *   weighted  in turn, as often as options.weights say (smooth weighted round robin)
 *   prefix    requests that begin alike go to the same child, whose KV cache
 *             then holds the beginning (struct dialect says what is hashed);
 *             a child that runs more than 1.25 times the average is passed over
 *
 * Targets that failed this request are chosen only when no other is left, targets
 * most of whose calls fail (p2c) only when all others' do, and targets whose places
 * are taken only when all others' are, too: calls that wait there count as running.
 * Children that take no calls at present are not chosen; of a child that is no
 * target its best leaf counts. When fewer than half take calls, health is not
 * looked at, as the others could not carry the load (panic): breakers still
 * hold, but every child has its chance. A child that refuses before any call was
 * made (its breaker, its queue) hands on to the next choice; any other failure is
 * the request's, so put a fallback or a retry around it.
 *
 * Streams, usage, cancellation: the chosen child's. Timeouts: each call's own.
 * Errors: when all refused, the refusal that is over first, with all as causes.
 * Choices are counted by target, of a child that is no target by its best leaf.
 * What runs where is known of all workers; the turns of weighted are each
 * worker's own, so that they need no lock.
 */
#include "service/plan/balance.h"

#include "lib/hash.h"
#include "lib/random.h"
#include "schemas/dialect.h"
#include "service/plan/child_health.h"
#include "service/plan/contest.h"
#include "service/plan/kinds.h"

size_t balance_keep_working(struct balance_candidate *candidates, size_t count)
{
	size_t working = 0, kept = 0;
	for (size_t i = 0; i < count; i++)
		working += !child_health_fails(&candidates[i].view);
	for (size_t i = 0; i < count; i++)
		if (working == 0 || !child_health_fails(&candidates[i].view))
			candidates[kept++] = candidates[i];
	return kept;
}

size_t balance_by_p2c(const struct balance_candidate *candidates, size_t count, uint64_t random)
{
	size_t first = (size_t)(random % count);
	if (count == 1)
		return first;
	size_t second = (size_t)((random >> 32) % (count - 1));
	second += second >= first;
	int order = child_health_compare(&candidates[first].view, &candidates[second].view);
	return order <= 0 ? first : second;
}

size_t balance_by_weight(const struct balance_candidate *candidates, size_t count, const unsigned *weights,
			 double *credits)
{
	double total = 0;
	size_t best = 0;
	for (size_t i = 0; i < count; i++) {
		size_t child = candidates[i].child;
		double weight = (weights == NULL ? 1 : weights[child]) * candidates[i].view.share *
				(1 - candidates[i].view.failing);
		credits[child] += weight;
		total += weight;
		if (credits[child] > credits[candidates[best].child])
			best = i;
	}
	credits[candidates[best].child] -= total;
	return best;
}

/* Calls that one child may run: a quarter more than its part of all, this one included. */
static bool has_room(const struct balance_candidate *candidate, unsigned running, size_t count)
{
	return (candidate->view.running + 1.0) * 4 * (double)count < (running + 1.0) * 5 + 4 * (double)count;
}

size_t balance_by_prefix(struct balance_candidate *candidates, size_t count, uint64_t prefix, const uint64_t *names)
{
	unsigned running = 0;
	size_t best = count;
	uint64_t highest = 0;
	for (size_t i = 0; i < count; i++)
		running += candidates[i].view.running;
	for (size_t i = 0; i < count; i++) {
		uint64_t score = hash_mix(prefix, names[candidates[i].child]);
		if (!has_room(&candidates[i], running, count) || (best < count && score <= highest))
			continue;
		best = i;
		highest = score;
	}
	for (size_t i = 0; i < count; i++)
		candidates[i].full = i != best && hash_mix(prefix, names[candidates[i].child]) > highest;
	return best < count ? best : 0; /* never: not all can run more than the average */
}

/* What a node remembers. By child. */
struct balance_state {
	double *credits; /* weighted */
	uint64_t *names; /* prefix: hashes of the children's targets */
};

struct balance_run {
	struct contest contest; /* first */
	bool *tried;            /* by child */
};

static uint64_t names_hash(const struct plan *plan, uint64_t hash)
{
	if (plan->source->target != NULL)
		hash = hash_bytes(hash, span_of(plan->source->target));
	for (size_t i = 0; i < plan->child_count; i++)
		hash = names_hash(plan->children[i], hash);
	return hash;
}

static const char *balance_prepare(struct plan *plan, struct arena *arena)
{
	struct balance_state *state = arena_zalloc(arena, 1, sizeof(*state));
	plan->state = state;
	plan_take_widest(plan, arena);
	if (state == NULL)
		return NULL;
	state->credits = arena_zalloc(arena, plan->child_count, sizeof(*state->credits));
	state->names = arena_zalloc(arena, plan->child_count, sizeof(*state->names));
	for (size_t i = 0; state->names != NULL && i < plan->child_count; i++)
		state->names[i] = names_hash(plan->children[i], HASH_START);
	return NULL;
}

static struct metrics_cells *balance_metrics(const struct balance_run *balance)
{
	return balance->contest.run.context->worker->metrics;
}

/* Returns the metrics' label of the target whose view a candidate has. */
static uint32_t balance_label(const struct balance_candidate *candidate)
{
	return candidate->view.target == HEALTH_NO_TARGET ? METRICS_UNKNOWN : (uint32_t)candidate->view.target;
}

static void balance_skip(const struct balance_run *balance, const struct balance_candidate *candidate,
			 enum metrics_skip reason)
{
	metrics_count(balance_metrics(balance), METRIC_BALANCE_SKIPS, balance_label(candidate), reason);
}

/* Of the candidates those that are available. Returns how many. */
static size_t balance_keep_available(const struct balance_run *balance, struct balance_candidate *candidates,
				     size_t count)
{
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		if (candidates[i].view.reason == HEALTH_OK)
			candidates[kept++] = candidates[i];
		else
			balance_skip(balance, &candidates[i], METRICS_SKIP_UNHEALTHY);
	}
	return kept;
}

static bool has_failed(const struct run_shared *shared, const struct plan *plan)
{
	return plan->child_count == 0 && run_failures(shared, plan->source) > 0;
}

/* Of the candidates those that have not failed this request, unless all have. Returns how many. */
static size_t balance_keep_fresh(const struct balance_run *balance, struct balance_candidate *candidates, size_t count)
{
	const struct plan *plan = balance->contest.run.plan;
	const struct run_shared *shared = balance->contest.run.context->shared;
	size_t fresh = 0, kept = 0;
	for (size_t i = 0; i < count; i++)
		fresh += !has_failed(shared, plan->children[candidates[i].child]);
	for (size_t i = 0; i < count; i++)
		if (fresh == 0 || !has_failed(shared, plan->children[candidates[i].child]))
			candidates[kept++] = candidates[i];
	return kept;
}

/* Of the candidates those where a call need not wait for a place, unless it must everywhere. Returns how many. */
static size_t balance_keep_free(const struct balance_run *balance, struct balance_candidate *candidates, size_t count)
{
	size_t vacant = 0, kept = 0;
	for (size_t i = 0; i < count; i++)
		vacant += !candidates[i].view.full;
	if (vacant == 0 || vacant == count)
		return count;
	for (size_t i = 0; i < count; i++) {
		if (!candidates[i].view.full)
			candidates[kept++] = candidates[i];
		else
			balance_skip(balance, &candidates[i], METRICS_SKIP_LOAD);
	}
	return kept;
}

/* Those that may be chosen: not tried yet, and available unless too few are (panic). Returns how many. */
static size_t balance_candidates(const struct balance_run *balance, struct balance_candidate *candidates, bool *panic)
{
	const struct plan *plan = balance->contest.run.plan;
	const struct run_context *context = balance->contest.run.context;
	uint64_t now_us = timers_now(&context->worker->reactor->timers);
	size_t untried = 0, available = 0, usable = 0;
	for (size_t i = 0; i < plan->child_count; i++) {
		struct balance_candidate *candidate = &candidates[untried];
		candidate->child = i;
		child_health_of(plan->children[i], context, now_us, &candidate->view);
		available += candidate->view.reason == HEALTH_OK;
		usable += candidate->view.reason == HEALTH_OK && !balance->tried[i];
		untried += !balance->tried[i];
	}
	*panic = available * 2 < plan->child_count || usable == 0;
	size_t count = *panic ? untried : balance_keep_available(balance, candidates, untried);
	count = balance_keep_fresh(balance, candidates, count);
	if (*panic)
		return count;
	if (plan->source->options.by == CONFIG_BALANCE_P2C)
		count = balance_keep_working(candidates, count);
	return balance_keep_free(balance, candidates, count);
}

static size_t balance_choose(const struct balance_run *balance, struct balance_candidate *candidates, size_t count)
{
	const struct plan *plan = balance->contest.run.plan;
	const struct config_plan_options *options = &plan->source->options;
	const struct balance_state *state = plan->state;
	switch (options->by) {
	case CONFIG_BALANCE_WEIGHTED:
		return balance_by_weight(candidates, count, options->weights, state->credits);
	case CONFIG_BALANCE_PREFIX:
		return balance_by_prefix(
		    candidates, count,
		    balance->contest.run.context->request->dialect->prefix(balance->contest.run.context->request),
		    state->names);
	default:
		return balance_by_p2c(candidates, count, random_u64());
	}
}

static void balance_count(const struct balance_run *balance, const struct balance_candidate *candidates, size_t count,
			  const struct balance_candidate *choice, bool panic)
{
	for (size_t i = 0; i < count; i++) {
		if (candidates[i].full)
			balance_skip(balance, &candidates[i], METRICS_SKIP_LOAD);
	}
	metrics_count(balance_metrics(balance), METRIC_BALANCE_CHOICES, balance_label(choice),
		      panic ? METRICS_BALANCE_PANIC : METRICS_BALANCE_HEALTHY);
}

/* Adds the next choice; NULL when all were tried, or out of memory. */
static struct contender *balance_next(struct balance_run *balance)
{
	const struct plan *plan = balance->contest.run.plan;
	struct balance_candidate *candidates =
	    arena_zalloc(balance->contest.run.context->arena, plan->child_count + 1, sizeof(*candidates));
	bool panic;
	size_t count = candidates == NULL ? 0 : balance_candidates(balance, candidates, &panic);
	if (count == 0)
		return NULL;
	const struct balance_candidate *choice = &candidates[balance_choose(balance, candidates, count)];
	balance_count(balance, candidates, count, choice, panic);
	balance->tried[choice->child] = true;
	return contest_add(&balance->contest, plan->children[choice->child]);
}

static void balance_begin(struct contest *contest)
{
	contest_launch(contest->first, contest->reason);
}

/* Only a refusal brings another choice, and a refusal has no early events. */
static bool balance_has_more(const struct contest *contest)
{
	(void)contest;
	return false;
}

static void balance_on_failed(struct contest *contest, const struct failure *failure)
{
	struct contender *next = failure->refused ? balance_next((struct balance_run *)contest) : NULL;
	if (next != NULL)
		contest_launch(next, contest->reason);
}

static struct run *balance_create_run(const struct plan *plan, struct run_context *context, struct run_sink *sink)
{
	static const struct contest_rules rules = {
	    .start = balance_begin, .more = balance_has_more, .on_failed = balance_on_failed};
	struct balance_run *balance = arena_zalloc(context->arena, 1, sizeof(*balance));
	bool *tried = arena_zalloc(context->arena, plan->child_count, sizeof(*tried));
	if (balance == NULL || tried == NULL)
		return NULL;
	contest_init(&balance->contest, &rules, plan, context, sink);
	balance->tried = tried;
	return balance_next(balance) == NULL ? NULL : &balance->contest.run;
}

const struct plan_kind plan_kind_balance = {
    .name = "balance",
    .doc = "one child for each request: the less busy of two, by weights, or by how the request begins",
    .min_children = 1,
    .prepare = balance_prepare,
    .create_run = balance_create_run,
};
