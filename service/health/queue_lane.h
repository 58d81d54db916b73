/* SPDX-License-Identifier: MIT */
/*
 * The lanes of a queue, as queue.c, queue_lane.c and queue_share.c share them. Nobody else includes this.
 *
 * Lanes of tenants, networks and clients are of the same kind: a tree in which each child that waits stands in the
 * turns of its parent. A lane lives while something in it waits or runs, is found by its hash, and recycled. A tenant's
 * lane that has had more than its share also lives until the others have caught up, unless its memory is needed.
 */
#ifndef SLUICE_SERVICE_HEALTH_QUEUE_LANE_H
#define SLUICE_SERVICE_HEALTH_QUEUE_LANE_H

#include "service/health/queue.h"

struct queue_lane {
	uint64_t name;
	unsigned weights_below;     /* of lanes in use; queue_report.c's own */
	char text[QUEUE_NAME_SIZE]; /* the name of a tenant's level; "" = it is none */
	struct queue_lane *parent;  /* NULL = the root */
	unsigned weight;            /* among the lanes beside it */
	bool counts;                /* its served work counts: a tenant's, or that of all without a tenant */
	bool fresh;                 /* has had no place since it waits */
	bool remembered;            /* nothing waits or runs; in the queue's debtors */
	size_t length;              /* entries that wait, below it too */
	size_t running;             /* calls, below it too */
	size_t children;            /* lanes directly below it */
	/* What it was served in the present contest of its parent: lifted + work_us / weight. */
	double lifted;
	uint64_t work_us;         /* time of its places */
	uint64_t counted_us;      /* until when */
	struct queue_calls calls; /* of it */
	unsigned contest;         /* the number of that contest; 0 = none so far */
	/* Of a parent: a contest begins with the first place that goes to one below who waited, and ends when nobody
	 * waits below. Work counts from when as many calls have ended as ran below when the contest began. */
	bool contested;
	size_t settling;   /* ends that are still to come until then */
	unsigned contests; /* another number once work counts anew */
	uint64_t contested_since_us;
	struct queue_turns turns;                       /* lanes below it in which some entry waits */
	TAILQ_HEAD(queue_entries, queue_entry) entries; /* of the lowest lanes */
	TAILQ_ENTRY(queue_lane) turn;                   /* in turns while something waits; in spare; in debtors */
	LIST_ENTRY(queue_lane) hash;                    /* in its bucket */
};

/* One step of the way from the root to a party's lane. */
struct queue_step {
	uint64_t name;
	unsigned weight;
	bool counts;
	bool fixed; /* the lane of all networks, which is always there */
	struct span text;
};

enum { QUEUE_STEPS = QUEUE_TENANT_LEVELS + 2 };

struct queue_way {
	struct queue_step steps[QUEUE_STEPS];
	size_t count;
};

/* Returns the way to a party's lane. */
struct queue_way queue_way_of(const struct queue_party *party);

/* Returns the lane of that step below the parent, or NULL. */
struct queue_lane *queue_lane_find(const struct queue *queue, struct queue_lane *parent, const struct queue_step *step);

/* Finds a party's lane or makes it, and those above. NULL: there is none left. */
struct queue_lane *queue_lane_open(struct queue *queue, const struct queue_party *party);

/* Gives the lane back when nothing waits or runs in it, then those above likewise. */
void queue_lane_close(struct queue *queue, struct queue_lane *lane);

/* Counts the lane's work until now. To be called before its running changes. */
void queue_share_count(const struct queue *queue, struct queue_lane *lane);

/* Learns how long calls take from one that has ended. */
void queue_share_learn(struct queue_calls *calls);
/* Likewise, of a lane's calls; the one that has ended still counts as running. */
void queue_share_learn_lane(const struct queue *queue, struct queue_lane *lane);

/* Gives the lane another weight from now on. */
void queue_share_weigh(const struct queue *queue, struct queue_lane *lane, unsigned weight);

/* Returns the lane below parent that is next, or NULL: nobody waits. */
struct queue_lane *queue_share_next(const struct queue *queue, struct queue_lane *parent);

/* Returns whether the lane was served more than one beside it that waits. */
bool queue_share_owes(const struct queue *queue, struct queue_lane *lane);

#endif
