/* SPDX-License-Identifier: MIT */
/*
 * Weighted shares among the lanes of one level; docs/decisions/0038 has the reasons.
 *
 * Work is the time that calls hold places. A free place goes to the lane with the least work by weight, where each call
 * that runs counts as one more call of the lane's average length: what is left of it is not known, and so places that
 * become free at once do not all go to one lane. Lanes of networks and clients have no work: those with the fewest
 * calls are next. Of equal lanes, the one that has waited longest for its turn is.
 */
#include "service/health/queue_lane.h"

enum { CALLS_REMEMBERED = 64 };

static void lift(struct queue_lane *lane, double to)
{
	lane->lifted = to;
	lane->work_us = 0;
}

void queue_share_count(const struct queue *queue, struct queue_lane *lane)
{
	const struct queue_lane *parent = lane->parent;
	if (!lane->counts || !parent->contested)
		return;
	if (lane->contest != parent->contests) {
		lane->contest = parent->contests;
		lift(lane, 0);
		lane->counted_us = parent->contested_since_us;
	}
	uint64_t time_us = parent->settling > 0 ? 0 : lane->running * (queue->now_us - lane->counted_us);
	lane->work_us += time_us;
	lane->calls.held_us += time_us;
	lane->counted_us = queue->now_us;
}

/* The time that calls held places, divided among them: those that run count, too, so that long ones are noticed before
 * they end. */
static double average_of(const struct queue_calls *calls, size_t running)
{
	return (double)calls->held_us / (double)(calls->ended + running);
}

void queue_share_learn(struct queue_calls *calls)
{
	if (++calls->ended < CALLS_REMEMBERED)
		return;
	calls->ended /= 2;
	calls->held_us /= 2;
}

/* What was served before is forgotten. */
static void count_from_now(const struct queue *queue, struct queue_lane *parent)
{
	parent->contests++;
	parent->contested_since_us = queue->now_us;
}

void queue_share_learn_lane(const struct queue *queue, struct queue_lane *lane)
{
	struct queue_lane *parent = lane->parent;
	if (!lane->counts || !parent->contested)
		return;
	if (parent->settling > 0) {
		if (--parent->settling == 0)
			count_from_now(queue, parent);
		return;
	}
	queue_share_count(queue, lane);
	queue_share_learn(&lane->calls);
}

/* Returns how long the lane's calls take; of all calls, where it has not had any for a while. */
static double call_us(const struct queue *queue, const struct queue_lane *lane)
{
	double average = lane->calls.held_us > 0 ? average_of(&lane->calls, lane->running)
						 : average_of(&queue->calls, queue->root->running);
	return average > 1 ? average : 1;
}

/* Returns the work by weight. */
static double served(const struct queue_lane *lane)
{
	return lane->lifted + (double)lane->work_us / lane->weight;
}

/* Returns the work by weight once another call has ended for each one that runs. */
static double served_soon(const struct queue *queue, const struct queue_lane *lane)
{
	if (lane->running == 0)
		return served(lane);
	return lane->lifted + ((double)lane->work_us + (double)lane->running * call_us(queue, lane)) / lane->weight;
}

void queue_share_weigh(const struct queue *queue, struct queue_lane *lane, unsigned weight)
{
	queue_share_count(queue, lane);
	lift(lane, served(lane));
	lane->weight = weight;
}

/* Finds the least work of the lanes that wait, of fresh ones or of others. False: there is no such lane. */
static bool least_served(const struct queue_lane *parent, bool fresh, double *least)
{
	const struct queue_lane *lane;
	bool found = false;
	for (lane = TAILQ_FIRST(&parent->turns); lane != NULL; lane = TAILQ_NEXT(lane, turn)) {
		if (lane->fresh != fresh || (found && served(lane) >= *least))
			continue;
		*least = served(lane);
		found = true;
	}
	return found;
}

/* Lanes that begin to wait join at the least work of the others: their absence earns them nothing, and what ran while
 * they waited for their first place is not held against others. */
static void lift_fresh(struct queue_lane *parent)
{
	struct queue_lane *lane;
	double least = 0;
	if (!least_served(parent, false, &least))
		return;
	for (lane = TAILQ_FIRST(&parent->turns); lane != NULL; lane = TAILQ_NEXT(lane, turn))
		if (lane->fresh && served(lane) < least)
			lift(lane, least);
}

static void count_all(const struct queue *queue, struct queue_lane *parent)
{
	struct queue_lane *lane;
	for (lane = TAILQ_FIRST(&parent->turns); lane != NULL; lane = TAILQ_NEXT(lane, turn))
		queue_share_count(queue, lane);
}

struct queue_lane *queue_share_next(const struct queue *queue, struct queue_lane *parent)
{
	struct queue_lane *next = TAILQ_FIRST(&parent->turns), *lane;
	if (next == NULL)
		return NULL;
	if (next->counts && !parent->contested) {
		parent->contested = true;
		parent->settling = parent->running;
		count_from_now(queue, parent);
	}
	if (next->counts && TAILQ_NEXT(next, turn) != NULL) {
		count_all(queue, parent);
		lift_fresh(parent);
	}
	double least = served_soon(queue, next);
	for (lane = TAILQ_FIRST(&parent->turns); lane != NULL; lane = TAILQ_NEXT(lane, turn)) {
		double would_be = served_soon(queue, lane);
		if (would_be >= least)
			continue;
		least = would_be;
		next = lane;
	}
	next->fresh = false;
	return next;
}

bool queue_share_owes(const struct queue *queue, struct queue_lane *lane)
{
	double least = 0;
	if (!lane->counts || !lane->parent->contested)
		return false;
	queue_share_count(queue, lane);
	count_all(queue, lane->parent);
	return (least_served(lane->parent, false, &least) || least_served(lane->parent, true, &least)) &&
	       served(lane) > least;
}
