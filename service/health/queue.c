/* SPDX-License-Identifier: MIT */
/* Entries in lanes: who waits, who runs, who yields. queue_lane.c has the lanes' memory, queue_share.c who is next. */
#include "service/health/queue_lane.h"

#include <stdlib.h>

enum {
	QUEUE_BUCKETS_MOST = 4096,
	QUEUE_LEVELS_MOST = 4, /* lanes that a request may need for itself */
	QUEUE_FIXED_LANES = 2
};

static void lane_init(struct queue_lane *lane, struct queue_lane *parent)
{
	*lane = (struct queue_lane){.parent = parent, .weight = 1, .counts = parent != NULL};
	TAILQ_INIT(&lane->turns);
	TAILQ_INIT(&lane->entries);
}

bool queue_init(struct queue *queue, size_t capacity, size_t running)
{
	*queue = (struct queue){
	    .capacity = capacity, .bucket_count = 1, .lane_count = QUEUE_LEVELS_MOST * (capacity + running)};
	TAILQ_INIT(&queue->spare);
	TAILQ_INIT(&queue->debtors);
	while (queue->bucket_count < capacity + running && queue->bucket_count < QUEUE_BUCKETS_MOST)
		queue->bucket_count *= 2;
	queue->lanes = calloc(queue->lane_count + QUEUE_FIXED_LANES, sizeof(*queue->lanes));
	queue->buckets = calloc(queue->bucket_count, sizeof(*queue->buckets));
	if (queue->lanes == NULL || queue->buckets == NULL) {
		queue_fini(queue);
		return false;
	}
	queue->root = &queue->lanes[queue->lane_count];
	queue->networks = queue->root + 1;
	lane_init(queue->root, NULL);
	lane_init(queue->networks, queue->root);
	return true;
}

void queue_fini(struct queue *queue)
{
	free(queue->lanes);
	free(queue->buckets);
	queue->lanes = NULL;
	queue->buckets = NULL;
}

void queue_advance(struct queue *queue, uint64_t now_us)
{
	if (now_us <= queue->now_us)
		return;
	queue->calls.held_us += queue->now_us == 0 ? 0 : queue->root->running * (now_us - queue->now_us);
	queue->now_us = now_us;
}

/* One more waits: the first of a lane brings it its turn, after all others. */
static void lane_wait(struct queue_lane *lane)
{
	for (; lane->parent != NULL; lane = lane->parent) {
		if (lane->length++ > 0)
			continue;
		lane->fresh = true;
		TAILQ_INSERT_TAIL(&lane->parent->turns, lane, turn);
	}
	lane->length++;
}

/* One less waits: the last of a lane ends the contest below it. */
static void lane_wait_no_more(struct queue_lane *lane)
{
	for (; lane != NULL; lane = lane->parent) {
		if (--lane->length > 0)
			continue;
		if (lane->parent != NULL)
			TAILQ_REMOVE(&lane->parent->turns, lane, turn);
		lane->contested = false;
	}
}

bool queue_push(struct queue *queue, struct queue_entry *entry, const struct queue_party *party)
{
	struct queue_lane *lane = queue->count >= queue->capacity ? NULL : queue_lane_open(queue, party);
	if (lane == NULL)
		return false;
	entry->lane = lane;
	TAILQ_INSERT_TAIL(&lane->entries, entry, link);
	lane_wait(lane);
	queue->count++;
	return true;
}

static void take_out(struct queue *queue, struct queue_entry *entry)
{
	struct queue_lane *lane = entry->lane;
	TAILQ_REMOVE(&lane->entries, entry, link);
	entry->lane = NULL;
	queue->count--;
	lane_wait_no_more(lane);
}

void queue_remove(struct queue *queue, struct queue_entry *entry)
{
	struct queue_lane *lane = entry->lane;
	if (lane == NULL)
		return;
	take_out(queue, entry);
	queue_lane_close(queue, lane);
}

/* change: 1 or -1 calls in the lane and those above. */
static void lane_run(const struct queue *queue, struct queue_lane *lane, int change)
{
	for (; lane->parent != NULL; lane = lane->parent) {
		queue_share_count(queue, lane);
		lane->running += (size_t)change;
	}
	lane->running += (size_t)change;
}

struct queue_entry *queue_pop(struct queue *queue, struct queue_lane **of)
{
	struct queue_lane *lane = queue->root, *next;
	while ((next = queue_share_next(queue, lane)) != NULL) {
		TAILQ_REMOVE(&lane->turns, next, turn); /* its turn has come */
		TAILQ_INSERT_TAIL(&lane->turns, next, turn);
		lane = next;
	}
	if (lane == queue->root)
		return NULL;
	struct queue_entry *entry = TAILQ_FIRST(&lane->entries);
	lane_run(queue, lane, 1);
	take_out(queue, entry);
	*of = lane;
	return entry;
}

struct queue_lane *queue_begin(struct queue *queue, const struct queue_party *party)
{
	struct queue_lane *lane = queue_lane_open(queue, party);
	if (lane != NULL)
		lane_run(queue, lane, 1);
	return lane;
}

void queue_end(struct queue *queue, struct queue_lane *lane)
{
	if (lane == NULL)
		return;
	queue_share_learn(&queue->calls);
	for (struct queue_lane *at = lane; at->parent != NULL; at = at->parent)
		queue_share_learn_lane(queue, at);
	queue_decline(queue, lane);
}

void queue_decline(struct queue *queue, struct queue_lane *lane)
{
	if (lane == NULL)
		return;
	lane_run(queue, lane, -1);
	queue_lane_close(queue, lane);
}

/* The lane below parent in which the most wait by its weight. NULL: nobody waits. */
static struct queue_lane *longest(const struct queue_lane *parent)
{
	struct queue_lane *longest = TAILQ_FIRST(&parent->turns), *lane;
	TAILQ_FOREACH(lane, &parent->turns, turn)
	if (lane->length * longest->weight > longest->length * lane->weight)
		longest = lane;
	return longest;
}

static struct queue_entry *take_newest(struct queue *queue, struct queue_lane *lane)
{
	struct queue_lane *below;
	while ((below = longest(lane)) != NULL)
		lane = below;
	struct queue_entry *entry = TAILQ_LAST(&lane->entries, queue_entries);
	queue_remove(queue, entry);
	return entry;
}

struct queue_entry *queue_yield(struct queue *queue, const struct queue_party *party)
{
	struct queue_way way = queue_way_of(party);
	struct queue_lane *parent = queue->root;
	for (size_t i = 0; i < way.count && parent != NULL; i++) {
		struct queue_lane *own = queue_lane_find(queue, parent, &way.steps[i]);
		struct queue_lane *most = longest(parent);
		size_t own_length = own == NULL ? 0 : own->length;
		if (most == NULL)
			return NULL;
		if (most->length * way.steps[i].weight > (own_length + 1) * most->weight)
			return take_newest(queue, most);
		parent = own;
	}
	return NULL;
}

uint64_t queue_due_us(uint64_t wait_us, uint64_t deadline_us, uint64_t now_us)
{
	uint64_t due_us = now_us + wait_us;
	return deadline_us != 0 && deadline_us < due_us ? deadline_us : due_us;
}

bool queue_is_late(const struct queue_entry *entry, uint64_t now_us)
{
	return entry->due_us <= now_us;
}
