/* SPDX-License-Identifier: MIT */
/* The lanes of a queue: their ways, their hash and their memory. queue_lane.h holds the contract. */
#include "service/health/queue_lane.h"

#include <string.h>

/* The lane of a tenant's own requests, beside those of the tenants below it. */
static const struct queue_step own_step = {.name = 0, .weight = 1, .counts = true};
/* The lane of all whose requests have no tenant. */
static const struct queue_step networks_step = {.weight = 1, .counts = true, .fixed = true};

static void add_step(struct queue_way *way, struct queue_step step)
{
	way->steps[way->count++] = step;
}

struct queue_way queue_way_of(const struct queue_party *party)
{
	const struct queue_tenant *tenant = party->tenant;
	struct queue_way way = {.count = 0};
	if (tenant == NULL) {
		add_step(&way, networks_step);
		add_step(&way, (struct queue_step){.name = party->network, .weight = 1});
		add_step(&way, (struct queue_step){.name = party->client, .weight = 1});
		return way;
	}
	for (unsigned i = 0; i < tenant->count; i++)
		add_step(&way, (struct queue_step){.name = tenant->levels[i].name,
						   .weight = tenant->levels[i].weight,
						   .counts = true,
						   .text = tenant->levels[i].text});
	if (tenant->count < QUEUE_TENANT_LEVELS)
		add_step(&way, own_step);
	add_step(&way, (struct queue_step){.name = party->network, .weight = 1});
	return way;
}

static struct queue_bucket *bucket_of(const struct queue *queue, const struct queue_lane *parent, uint64_t name)
{
	uint64_t seed = parent->name + 1;
	uint64_t mixed = (name ^ seed * UINT64_C(0xbf58476d1ce4e5b9)) * UINT64_C(0x9e3779b97f4a7c15);
	return &queue->buckets[(mixed >> 32) & (queue->bucket_count - 1)];
}

struct queue_lane *queue_lane_find(const struct queue *queue, struct queue_lane *parent, const struct queue_step *step)
{
	struct queue_lane *lane;
	if (step->fixed)
		return queue->networks;
	LIST_FOREACH(lane, bucket_of(queue, parent, step->name), hash)
	if (lane->name == step->name && lane->parent == parent)
		return lane;
	return NULL;
}

/* Returns the lane's memory, and the parent's claim on it. */
static void lane_free(struct queue *queue, struct queue_lane *lane)
{
	LIST_REMOVE(lane, hash);
	lane->parent->children--;
	TAILQ_INSERT_HEAD(&queue->spare, lane, turn);
}

static void debtor_leave(struct queue *queue, struct queue_lane *lane)
{
	TAILQ_REMOVE(&queue->debtors, lane, turn);
	lane->remembered = false;
}

/* Forgets the debt that is remembered for longest. */
static void debtor_forget(struct queue *queue)
{
	struct queue_lane *lane = TAILQ_FIRST(&queue->debtors);
	struct queue_lane *parent = lane->parent;
	debtor_leave(queue, lane);
	lane_free(queue, lane);
	queue_lane_close(queue, parent);
}

/* Takes memory that was used before, if it can: what is untouched costs nothing. Debts go last. */
static struct queue_lane *lane_take(struct queue *queue)
{
	struct queue_lane *debtor = TAILQ_FIRST(&queue->debtors);
	bool none = TAILQ_EMPTY(&queue->spare);
	if (none && debtor != NULL && (queue->lanes_used == queue->lane_count || !queue_share_owes(queue, debtor)))
		debtor_forget(queue);
	struct queue_lane *lane = TAILQ_FIRST(&queue->spare);
	if (lane != NULL)
		TAILQ_REMOVE(&queue->spare, lane, turn);
	else if (queue->lanes_used < queue->lane_count)
		lane = &queue->lanes[queue->lanes_used++];
	return lane;
}

/* The parent's claim comes first, so that the parent is not closed when a debtor below it makes room. */
static struct queue_lane *lane_make(struct queue *queue, struct queue_lane *parent, const struct queue_step *step)
{
	parent->children++;
	struct queue_lane *lane = lane_take(queue);
	if (lane == NULL) {
		parent->children--;
		return NULL;
	}
	*lane =
	    (struct queue_lane){.name = step->name, .parent = parent, .weight = step->weight, .counts = step->counts};
	size_t len = step->text.len < QUEUE_NAME_SIZE ? step->text.len : QUEUE_NAME_SIZE - 1;
	if (len > 0)
		memcpy(lane->text, step->text.at, len);
	TAILQ_INIT(&lane->turns);
	TAILQ_INIT(&lane->entries);
	LIST_INSERT_HEAD(bucket_of(queue, parent, step->name), lane, hash);
	return lane;
}

static struct queue_lane *lane_open(struct queue *queue, struct queue_lane *parent, const struct queue_step *step)
{
	struct queue_lane *lane = queue_lane_find(queue, parent, step);
	if (lane == NULL)
		return lane_make(queue, parent, step);
	if (lane->remembered)
		debtor_leave(queue, lane);
	if (lane->weight != step->weight) /* another configuration's */
		queue_share_weigh(queue, lane, step->weight);
	return lane;
}

struct queue_lane *queue_lane_open(struct queue *queue, const struct queue_party *party)
{
	struct queue_way way = queue_way_of(party);
	struct queue_lane *lane = queue->root;
	for (size_t i = 0; i < way.count; i++) {
		struct queue_lane *below = lane_open(queue, lane, &way.steps[i]);
		if (below == NULL) {
			queue_lane_close(queue, lane);
			return NULL;
		}
		lane = below;
	}
	return lane;
}

void queue_lane_close(struct queue *queue, struct queue_lane *lane)
{
	while (lane != queue->root && lane != queue->networks && lane->length == 0 && lane->running == 0 &&
	       lane->children == 0) {
		struct queue_lane *parent = lane->parent;
		if (queue_share_owes(queue, lane)) {
			lane->remembered = true;
			TAILQ_INSERT_TAIL(&queue->debtors, lane, turn);
			return;
		}
		lane_free(queue, lane);
		lane = parent;
	}
}
