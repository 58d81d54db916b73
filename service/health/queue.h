/* SPDX-License-Identifier: MIT */
/*
 * Who is next: a bounded queue that is fair between clients. Each client has a
 * lane, first in first out; the lanes take turns. When the queue is full, the
 * client that holds most of it yields to one that holds less, so that a burst
 * fills the queue for itself only (longest queue drop).
 *
 *   lanes in turn:  B ─► C ─► A ─► (B again)      pop: b1, c1, a1, b2, a2, …
 *                   b1   c1   a1
 *                   b2        a2
 *
 * Pure: no locks, no clock, no memory after queue_init. Entries are embedded in
 * their owners.
 */
#ifndef SLUICE_SERVICE_HEALTH_QUEUE_H
#define SLUICE_SERVICE_HEALTH_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct queue_lane;

/* Zero-initialised means not queued. */
struct queue_entry {
	struct queue_lane *lane; /* NULL = not queued */
	TAILQ_ENTRY(queue_entry) link;
};

struct queue {
	size_t count;
	size_t capacity;
	struct queue_lane *lanes;                      /* as many as entries may wait */
	LIST_HEAD(queue_bucket, queue_lane) * buckets; /* of lanes in use, by client */
	size_t bucket_count;                           /* a power of two */
	TAILQ_HEAD(queue_turns, queue_lane) turns;     /* lanes in use; the first is served next */
	struct queue_turns spare;                      /* lanes without entries */
};

/* False: out of memory. */
bool queue_init(struct queue *queue, size_t capacity);
/* Entries that still wait are forgotten. */
void queue_fini(struct queue *queue);

/* The entry waits behind those of its client. False: the queue is full. */
bool queue_push(struct queue *queue, struct queue_entry *entry, uint64_t client);

/* Takes out who is next, and passes the turn on. NULL: nobody waits. */
struct queue_entry *queue_pop(struct queue *queue);

/* Takes an entry out of its place; harmless when it is not queued. */
void queue_remove(struct queue *queue, struct queue_entry *entry);

/*
 * Takes out the one who must yield to a newcomer of that client: the last of the longest lane, if that lane would still
 * be at least as long as the newcomer's. NULL: nobody must.
 */
struct queue_entry *queue_yield(struct queue *queue, uint64_t client);

#endif
