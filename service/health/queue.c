/* SPDX-License-Identifier: MIT */
/* Lanes are found by their client in a small hash table, and recycled: there are as many as entries may wait. */
#include "service/health/queue.h"

#include <stdlib.h>

struct queue_lane {
	uint64_t client;
	size_t length;
	TAILQ_HEAD(queue_entries, queue_entry) entries; /* not empty while in use */
	TAILQ_ENTRY(queue_lane) turn;                   /* in turns or spare */
	LIST_ENTRY(queue_lane) hash;                    /* in its bucket */
};

bool queue_init(struct queue *queue, size_t capacity)
{
	*queue = (struct queue){.capacity = capacity, .bucket_count = 1};
	TAILQ_INIT(&queue->turns);
	TAILQ_INIT(&queue->spare);
	while (queue->bucket_count < capacity)
		queue->bucket_count *= 2;
	queue->lanes = calloc(capacity == 0 ? 1 : capacity, sizeof(*queue->lanes));
	queue->buckets = calloc(queue->bucket_count, sizeof(*queue->buckets));
	if (queue->lanes == NULL || queue->buckets == NULL) {
		queue_fini(queue);
		return false;
	}
	for (size_t i = 0; i < capacity; i++)
		TAILQ_INSERT_TAIL(&queue->spare, &queue->lanes[i], turn);
	return true;
}

void queue_fini(struct queue *queue)
{
	free(queue->lanes);
	free(queue->buckets);
	queue->lanes = NULL;
	queue->buckets = NULL;
}

static struct queue_bucket *bucket_of(const struct queue *queue, uint64_t client)
{
	uint64_t mixed = client * UINT64_C(0x9e3779b97f4a7c15); /* callers may pass small numbers */
	return &queue->buckets[(mixed >> 32) & (queue->bucket_count - 1)];
}

static struct queue_lane *lane_find(const struct queue *queue, uint64_t client)
{
	struct queue_lane *lane;
	LIST_FOREACH(lane, bucket_of(queue, client), hash)
	if (lane->client == client)
		return lane;
	return NULL;
}

/* There is a spare one whenever the queue is not full. It gets its turn after all others. */
static struct queue_lane *lane_open(struct queue *queue, uint64_t client)
{
	struct queue_lane *lane = TAILQ_FIRST(&queue->spare);
	TAILQ_REMOVE(&queue->spare, lane, turn);
	lane->client = client;
	lane->length = 0;
	TAILQ_INIT(&lane->entries);
	TAILQ_INSERT_TAIL(&queue->turns, lane, turn);
	LIST_INSERT_HEAD(bucket_of(queue, client), lane, hash);
	return lane;
}

static void lane_close(struct queue *queue, struct queue_lane *lane)
{
	LIST_REMOVE(lane, hash);
	TAILQ_REMOVE(&queue->turns, lane, turn);
	TAILQ_INSERT_HEAD(&queue->spare, lane, turn);
}

bool queue_push(struct queue *queue, struct queue_entry *entry, uint64_t client)
{
	if (queue->count >= queue->capacity)
		return false;
	struct queue_lane *lane = lane_find(queue, client);
	if (lane == NULL)
		lane = lane_open(queue, client);
	entry->lane = lane;
	TAILQ_INSERT_TAIL(&lane->entries, entry, link);
	lane->length++;
	queue->count++;
	return true;
}

void queue_remove(struct queue *queue, struct queue_entry *entry)
{
	struct queue_lane *lane = entry->lane;
	if (lane == NULL)
		return;
	TAILQ_REMOVE(&lane->entries, entry, link);
	entry->lane = NULL;
	queue->count--;
	if (--lane->length == 0)
		lane_close(queue, lane);
}

struct queue_entry *queue_pop(struct queue *queue)
{
	struct queue_lane *lane = TAILQ_FIRST(&queue->turns);
	if (lane == NULL)
		return NULL;
	struct queue_entry *entry = TAILQ_FIRST(&lane->entries);
	TAILQ_REMOVE(&queue->turns, lane, turn);
	TAILQ_INSERT_TAIL(&queue->turns, lane, turn);
	queue_remove(queue, entry);
	return entry;
}

struct queue_entry *queue_yield(struct queue *queue, uint64_t client)
{
	const struct queue_lane *own = lane_find(queue, client);
	struct queue_lane *longest = TAILQ_FIRST(&queue->turns);
	struct queue_lane *lane;
	TAILQ_FOREACH(lane, &queue->turns, turn)
	if (lane->length > longest->length)
		longest = lane;
	if (longest == NULL || longest->length < (own == NULL ? 0 : own->length) + 2)
		return NULL;
	struct queue_entry *entry = TAILQ_LAST(&longest->entries, queue_entries);
	queue_remove(queue, entry);
	return entry;
}
