/* SPDX-License-Identifier: MIT */
/*
 * Who is next, and until when one waits: a bounded queue that is fair between networks, and between the
 * clients of each. A client has a lane, first in first out. A free place goes to
 * the network that runs the fewest calls, and there to the client that runs the
 * fewest; those that run as many take turns. When the queue is full, the network
 * that holds most of it yields to one that holds less, and so do the clients of
 * one network: a burst fills the queue for itself only (longest queue drop).
 *
 *   networks          clients           entries
 *   N (2 run) ──────► A (2 run) ──────► a3 a4       next: c1, as M runs nothing;
 *   │                 B (0 run) ──────► b1          then those of M and N in turn
 *   M (0 run) ──────► C (0 run) ──────► c1 c2
 *
 * A client is what a request says of itself, and may change with each; a network
 * is where it comes from. So nobody gets more by calling itself many names.
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

/* Whose request it is: hashes. */
struct queue_party {
	uint64_t network;
	uint64_t client;
};

/* Zero-initialised means not queued. */
struct queue_entry {
	uint64_t due_us;         /* its deadline, queue_due_us(); its owner's */
	struct queue_lane *lane; /* its client's; NULL = not queued */
	TAILQ_ENTRY(queue_entry) link;
};

TAILQ_HEAD(queue_turns, queue_lane);

struct queue {
	size_t count;
	size_t capacity;
	struct queue_lane *lanes; /* of networks and of clients */
	size_t lane_count;
	size_t lanes_used;                             /* ever; those behind are untouched memory */
	LIST_HEAD(queue_bucket, queue_lane) * buckets; /* of lanes in use */
	size_t bucket_count;                           /* a power of two */
	struct queue_turns turns; /* networks of which some entry waits, longest without a turn first */
	struct queue_turns spare; /* lanes that were used */
};

/* running: the most calls that run at once. False: out of memory. */
bool queue_init(struct queue *queue, size_t capacity, size_t running);
/* Entries that still wait are forgotten. */
void queue_fini(struct queue *queue);

/* The entry waits behind those of its client. False: the queue is full. */
bool queue_push(struct queue *queue, struct queue_entry *entry, const struct queue_party *party);

/*
 * Takes out who is next: a call of its client runs from here on, until queue_end of *lane. NULL: nobody waits. The lane
 * lives as long as the call.
 */
struct queue_entry *queue_pop(struct queue *queue, struct queue_lane **lane);

/* A call of that party runs without having waited. NULL: more run than queue_init was told; nothing is to be ended. */
struct queue_lane *queue_begin(struct queue *queue, const struct queue_party *party);
/* A call of that lane has ended. NULL is harmless. */
void queue_end(struct queue *queue, struct queue_lane *lane);

/*
 * Returns when an entry that is queued at now_us must give up: after the queue's own wait, or at the deadline of the
 * request, whichever comes first. deadline_us: 0 = none.
 */
uint64_t queue_due_us(uint64_t wait_us, uint64_t deadline_us, uint64_t now_us);

/* Returns whether the entry's deadline is over: it gets no place any more. */
bool queue_is_late(const struct queue_entry *entry, uint64_t now_us);

/* Takes an entry out of its place; harmless when it is not queued. */
void queue_remove(struct queue *queue, struct queue_entry *entry);

/*
 * Takes out the one who must yield to a newcomer of that party: the last of the longest lane of the longest network, if
 * that network would still hold at least as much as the newcomer's; else the last of the longest lane of the newcomer's
 * own network, by the same rule. NULL: nobody must.
 */
struct queue_entry *queue_yield(struct queue *queue, const struct queue_party *party);

#endif
