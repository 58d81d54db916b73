/* SPDX-License-Identifier: MIT */
/*
 * Networks and clients are lanes of the same kind: those of networks stand in the queue's turns, those of clients in
 * their network's. A lane lives while something in it waits or runs, is found by its hash, and recycled.
 */
#include "service/health/queue.h"

#include <stdlib.h>

enum { QUEUE_BUCKETS_MOST = 4096 };

struct queue_lane {
	uint64_t name;
	struct queue_lane *network;                     /* of a client; NULL = it is a network */
	size_t length;                                  /* entries that wait, below it too */
	size_t running;                                 /* calls, below it too */
	struct queue_turns turns;                       /* of a network: clients of which some entry waits */
	TAILQ_HEAD(queue_entries, queue_entry) entries; /* of a client */
	TAILQ_ENTRY(queue_lane) turn;                   /* in turns while something waits; in spare */
	LIST_ENTRY(queue_lane) hash;                    /* in its bucket */
};

bool queue_init(struct queue *queue, size_t capacity, size_t running)
{
	*queue = (struct queue){.capacity = capacity, .bucket_count = 1, .lane_count = 2 * (capacity + running)};
	TAILQ_INIT(&queue->turns);
	TAILQ_INIT(&queue->spare);
	while (queue->bucket_count < capacity + running && queue->bucket_count < QUEUE_BUCKETS_MOST)
		queue->bucket_count *= 2;
	queue->lanes = calloc(queue->lane_count == 0 ? 1 : queue->lane_count, sizeof(*queue->lanes));
	queue->buckets = calloc(queue->bucket_count, sizeof(*queue->buckets));
	if (queue->lanes != NULL && queue->buckets != NULL)
		return true;
	queue_fini(queue);
	return false;
}

void queue_fini(struct queue *queue)
{
	free(queue->lanes);
	free(queue->buckets);
	queue->lanes = NULL;
	queue->buckets = NULL;
}

static struct queue_bucket *bucket_of(const struct queue *queue, const struct queue_lane *network, uint64_t name)
{
	uint64_t seed = network == NULL ? 0 : network->name + 1;
	uint64_t mixed = (name ^ seed * UINT64_C(0xbf58476d1ce4e5b9)) * UINT64_C(0x9e3779b97f4a7c15);
	return &queue->buckets[(mixed >> 32) & (queue->bucket_count - 1)];
}

/* network: where the client is looked for; NULL: the network itself is. NULL when it has no lane. */
static struct queue_lane *lane_find(const struct queue *queue, const struct queue_lane *network, uint64_t name)
{
	struct queue_lane *lane;
	LIST_FOREACH(lane, bucket_of(queue, network, name), hash)
	if (lane->name == name && lane->network == network)
		return lane;
	return NULL;
}

static struct queue_lane *lane_take(struct queue *queue)
{
	struct queue_lane *lane = TAILQ_FIRST(&queue->spare);
	if (lane != NULL)
		TAILQ_REMOVE(&queue->spare, lane, turn);
	else if (queue->lanes_used < queue->lane_count)
		lane = &queue->lanes[queue->lanes_used++];
	return lane;
}

/* Finds the lane or makes it. NULL: there is none left. */
static struct queue_lane *lane_open(struct queue *queue, struct queue_lane *network, uint64_t name)
{
	struct queue_lane *lane = lane_find(queue, network, name);
	if (lane != NULL || (lane = lane_take(queue)) == NULL)
		return lane;
	*lane = (struct queue_lane){.name = name, .network = network};
	TAILQ_INIT(&lane->turns);
	TAILQ_INIT(&lane->entries);
	LIST_INSERT_HEAD(bucket_of(queue, network, name), lane, hash);
	return lane;
}

static void lane_close_unused(struct queue *queue, struct queue_lane *lane)
{
	if (lane->length > 0 || lane->running > 0)
		return;
	LIST_REMOVE(lane, hash);
	TAILQ_INSERT_HEAD(&queue->spare, lane, turn);
}

/* The lane of a party's client. NULL: there is none left. */
static struct queue_lane *party_lane(struct queue *queue, const struct queue_party *party)
{
	struct queue_lane *network = lane_open(queue, NULL, party->network);
	struct queue_lane *lane = network == NULL ? NULL : lane_open(queue, network, party->client);
	if (network != NULL && lane == NULL)
		lane_close_unused(queue, network);
	return lane;
}

static struct queue_turns *turns_of(struct queue *queue, struct queue_lane *lane)
{
	return lane->network == NULL ? &queue->turns : &lane->network->turns;
}

/* One more waits: the first of a lane brings it its turn, after all others. */
static void lane_wait(struct queue *queue, struct queue_lane *lane)
{
	if (lane->length++ == 0)
		TAILQ_INSERT_TAIL(turns_of(queue, lane), lane, turn);
}

static void lane_wait_no_more(struct queue *queue, struct queue_lane *lane)
{
	if (--lane->length == 0)
		TAILQ_REMOVE(turns_of(queue, lane), lane, turn);
}

bool queue_push(struct queue *queue, struct queue_entry *entry, const struct queue_party *party)
{
	struct queue_lane *lane = queue->count >= queue->capacity ? NULL : party_lane(queue, party);
	if (lane == NULL)
		return false;
	entry->lane = lane;
	TAILQ_INSERT_TAIL(&lane->entries, entry, link);
	lane_wait(queue, lane->network);
	lane_wait(queue, lane);
	queue->count++;
	return true;
}

static void take_out(struct queue *queue, struct queue_entry *entry)
{
	struct queue_lane *lane = entry->lane;
	TAILQ_REMOVE(&lane->entries, entry, link);
	entry->lane = NULL;
	queue->count--;
	lane_wait_no_more(queue, lane);
	lane_wait_no_more(queue, lane->network);
}

static void close_unused(struct queue *queue, struct queue_lane *lane)
{
	struct queue_lane *network = lane->network;
	lane_close_unused(queue, lane);
	lane_close_unused(queue, network);
}

void queue_remove(struct queue *queue, struct queue_entry *entry)
{
	struct queue_lane *lane = entry->lane;
	if (lane == NULL)
		return;
	take_out(queue, entry);
	close_unused(queue, lane);
}

/* The one that runs the fewest, and of several the one that has waited longest for its turn. NULL when there is none.
 */
static struct queue_lane *next_turn(struct queue_turns *turns)
{
	struct queue_lane *next = TAILQ_FIRST(turns), *lane;
	TAILQ_FOREACH(lane, turns, turn)
	if (lane->running < next->running)
		next = lane;
	return next;
}

static void pass_turn(struct queue_turns *turns, struct queue_lane *lane)
{
	TAILQ_REMOVE(turns, lane, turn);
	TAILQ_INSERT_TAIL(turns, lane, turn);
}

struct queue_entry *queue_pop(struct queue *queue, struct queue_lane **of)
{
	struct queue_lane *network = next_turn(&queue->turns);
	if (network == NULL)
		return NULL;
	struct queue_lane *lane = next_turn(&network->turns);
	struct queue_entry *entry = TAILQ_FIRST(&lane->entries);
	pass_turn(&queue->turns, network);
	pass_turn(&network->turns, lane);
	network->running++;
	lane->running++;
	take_out(queue, entry);
	*of = lane;
	return entry;
}

struct queue_lane *queue_begin(struct queue *queue, const struct queue_party *party)
{
	struct queue_lane *lane = party_lane(queue, party);
	if (lane == NULL)
		return NULL;
	lane->running++;
	lane->network->running++;
	return lane;
}

void queue_end(struct queue *queue, struct queue_lane *lane)
{
	if (lane == NULL)
		return;
	lane->running--;
	lane->network->running--;
	close_unused(queue, lane);
}

static struct queue_lane *longest(struct queue_turns *turns)
{
	struct queue_lane *longest = TAILQ_FIRST(turns), *lane;
	TAILQ_FOREACH(lane, turns, turn)
	if (lane->length > longest->length)
		longest = lane;
	return longest;
}

static size_t length_of(const struct queue_lane *lane)
{
	return lane == NULL ? 0 : lane->length;
}

struct queue_entry *queue_yield(struct queue *queue, const struct queue_party *party)
{
	struct queue_lane *own = lane_find(queue, NULL, party->network);
	struct queue_lane *network = longest(&queue->turns);
	if (network == NULL)
		return NULL;
	bool others = network->length >= length_of(own) + 2;
	if (!others && own == NULL)
		return NULL;
	struct queue_lane *lane = longest(others ? &network->turns : &own->turns);
	const struct queue_lane *same = others ? NULL : lane_find(queue, own, party->client);
	if (lane == NULL || (!others && lane->length < length_of(same) + 2))
		return NULL;
	struct queue_entry *entry = TAILQ_LAST(&lane->entries, queue_entries);
	queue_remove(queue, entry);
	return entry;
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
