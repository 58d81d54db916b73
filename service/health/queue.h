/* SPDX-License-Identifier: MIT */
/*
 * Who is next, and until when one waits: a bounded queue that is fair between tenants by their weights, between
 * networks, and between the clients of each. Requests of one lane are served first in, first out.
 *
 *   tenants           teams             agents            networks    entries
 *   acme (3) ───────► search (2) ─────► bot (1) ────────► N ────────► a3 a4
 *   │                 own (1) ──────────────────────────► N ────────► b1
 *   other (1) ──────► own (1) ──────────────────────────► M ────────► c1 c2
 *
 * Tenants: a free place goes to the one that was served the least work by its weight (queue_share.c), at each level.
 * Networks within a tenant, or all networks where requests have no tenant, and the clients of each: to the one that
 * runs the fewest calls; those that run as many take turns. When the queue is full, the one that holds most of it by
 * its weight yields to one that holds less, at each level: a burst fills the queue for itself only (longest queue
 * drop).
 *
 * A client is what a request says of itself, and may change with each; a network
 * is where it comes from; a tenant is proven by a key or token. So nobody gets more by calling itself many names.
 *
 * Pure: no locks, no clock but what queue_advance() says, no memory after queue_init. Entries are embedded in
 * their owners.
 */
#ifndef SLUICE_SERVICE_HEALTH_QUEUE_H
#define SLUICE_SERVICE_HEALTH_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lib/span.h"

struct queue_lane;

enum { QUEUE_TENANT_LEVELS = 3, QUEUE_WEIGHT_MOST = 1000, QUEUE_NAME_SIZE = 65 };

/* A tenant's path: from the whole to the part. */
struct queue_tenant {
	struct queue_share {
		uint64_t name;    /* a hash; of this level alone */
		unsigned weight;  /* among those beside it, 1 to QUEUE_WEIGHT_MOST */
		struct span text; /* the name, for reports; borrowed; cut to QUEUE_NAME_SIZE - 1 bytes */
	} levels[QUEUE_TENANT_LEVELS];
	unsigned count;
};

/* Whose request it is: hashes. */
struct queue_party {
	uint64_t network;
	uint64_t client;                   /* of those without a tenant */
	const struct queue_tenant *tenant; /* borrowed by each call; NULL = none */
};

/* Zero-initialised means not queued. */
struct queue_entry {
	uint64_t due_us;         /* its deadline, queue_due_us(); its owner's */
	struct queue_lane *lane; /* its client's; NULL = not queued */
	TAILQ_ENTRY(queue_entry) link;
};

TAILQ_HEAD(queue_turns, queue_lane);

/* What is known of how long calls take. */
struct queue_calls {
	uint64_t held_us; /* time of places, of calls that ended lately or run */
	size_t ended;     /* calls */
};

struct queue {
	size_t count;
	size_t capacity;
	uint64_t now_us;
	struct queue_calls calls; /* of all lanes */
	struct queue_lane *root;
	struct queue_lane *networks; /* below the root: the lane of all that have no tenant */
	struct queue_lane *lanes;
	size_t lane_count;
	size_t lanes_used;                             /* ever; those behind are untouched memory */
	LIST_HEAD(queue_bucket, queue_lane) * buckets; /* of lanes in use */
	size_t bucket_count;                           /* a power of two */
	struct queue_turns spare;                      /* lanes that were used */
	struct queue_turns debtors;                    /* lanes without calls that were served more than others */
};

/* running: the most calls that run at once. False: out of memory. */
bool queue_init(struct queue *queue, size_t capacity, size_t running);
/* Entries that still wait are forgotten. */
void queue_fini(struct queue *queue);

/* Says what time it is; earlier times than the last one do nothing. Without it, no time passes and all calls are of the
 * same length. */
void queue_advance(struct queue *queue, uint64_t now_us);

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
/* A call that queue_pop() gave a place has not begun, and never will. */
void queue_decline(struct queue *queue, struct queue_lane *lane);

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
 * Takes out the one who must yield to a newcomer of that party: the newest of the longest lane, where that has more
 * by its weight than the newcomer's would have; else the same within the newcomer's own tenant, then within its own
 * network. NULL: nobody must.
 */
struct queue_entry *queue_yield(struct queue *queue, const struct queue_party *party);

/* A tenant of which some request waits or runs, for pages. */
struct queue_tenant_report {
	char path[QUEUE_TENANT_LEVELS * QUEUE_NAME_SIZE];
	unsigned weight;
	size_t running; /* calls, of the tenants below it too */
	size_t waiting; /* requests, likewise */
	double share;   /* of all places, while everybody who has some requests wants more */
};

/* Reports at most that many tenants, sorted by path. Returns how many. */
size_t queue_report_tenants(struct queue *queue, struct queue_tenant_report *reports, size_t most);

#endif
