/* SPDX-License-Identifier: MIT */
/*
 * The queue of the pool of helpers (offload.h): networks take turns, and so do the clients of each. Under the pool's
 * lock.
 */
#ifndef SLUICE_SERVICE_LOOP_OFFLOAD_QUEUE_H
#define SLUICE_SERVICE_LOOP_OFFLOAD_QUEUE_H

#include "service/loop/offload.h"

enum { OFFLOAD_BUCKETS = 1024 };

struct offload_queue {
	struct offload_party *buckets[OFFLOAD_BUCKETS];
	struct offload_party *head; /* of the ring of networks; NULL = nothing is queued */
	size_t jobs, bytes;         /* queued or at work */
	unsigned each;              /* helpers that one network may have */
};

/*
 * Queues a job. A full queue displaces jobs of those who have more queued, and calls refuse for each. False: the job
 * has no room either, or memory ran out.
 */
bool offload_queue_add(struct offload_queue *queue, struct offload_job *job, void (*refuse)(struct offload_job *job));

/* Takes the next job, of the network whose turn it is and that has not all helpers it may have. NULL: there is none. */
struct offload_job *offload_queue_next(struct offload_queue *queue);

/* The work of a job that was taken is done. Returns whether its network has more queued, for which a helper may be free
 * now. The queue does not know the job any more. */
bool offload_queue_end(struct offload_queue *queue, struct offload_job *job);

/* Removes a job that is queued. */
void offload_queue_remove(struct offload_queue *queue, struct offload_job *job);

#endif
