/* SPDX-License-Identifier: MIT */
/*
 * Jobs for a thread that has a loop of its own, such as one that has a store to itself: workers submit them, the thread
 * runs one after the other, and each ends on the loop of its worker.
 *
 *   jobs_submit() ─► jobs_take() on the thread ─► jobs_end() ─► done() on the worker's loop
 *
 * No worker ever waits. All clients share the bound; every job ends.
 */
#ifndef SLUICE_SERVICE_LOOP_JOBS_H
#define SLUICE_SERVICE_LOOP_JOBS_H

#include <stdatomic.h>

#include "service/loop/loop.h"

struct job;

struct jobs {
	struct loop *loop; /* the thread's; borrowed */
	size_t most;       /* that wait */
	atomic_size_t pending;
	struct job *first, **last; /* to run; the thread's own */
};

/* A worker's way to the jobs, of that worker's thread only. */
struct job_port {
	struct jobs *jobs;
	struct loop *loop; /* the worker's */
	size_t pending;    /* its jobs that have not ended */
};

/* Embedded in its owner. */
struct job {
	void (*done)(struct job *job); /* on the loop of the port, once; takes the job back */
	/* its own */
	struct job_port *port;
	struct loop_message message;
	struct job *next;
};

/* loop: borrows. */
void jobs_init(struct jobs *jobs, struct loop *loop, size_t most);

/* Has the job run; done is called in a later turn. On the worker's thread. False: too many wait, and nothing is done.
 */
bool jobs_submit(struct job_port *port, struct job *job);

/* Returns the next job to run, or NULL. On the thread of the jobs, like jobs_end(). */
struct job *jobs_take(struct jobs *jobs);

/* Ends a job that was taken. */
void jobs_end(struct job *job);

#endif
