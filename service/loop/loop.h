/* SPDX-License-Identifier: MIT */
/*
 * A worker's event loop: h2o's evloop with one nested epoll descriptor for all
 * foreign descriptors (curl's, Redis's, clients'), a heap of timers, and tasks for the
 * end of the turn. One per worker thread; only loop_post may be called from
 * other threads.
 *
 * A turn: h2o's sockets and the foreign descriptors that are ready → due timers
 * → tasks until none is left → wait again. turn.h measures it.
 */
#ifndef SLUICE_SERVICE_LOOP_LOOP_H
#define SLUICE_SERVICE_LOOP_LOOP_H

#include "lib/reactor.h"

struct loop;
struct metrics_cells;
struct st_h2o_evloop_t;

/* NULL: out of memory or descriptors. */
struct loop *loop_create(void);
void loop_destroy(struct loop *loop);

/* Runs turns until loop_stop. */
void loop_run(struct loop *loop);
/* One turn that waits at most max_wait_us; for tests. */
void loop_turn(struct loop *loop, uint64_t max_wait_us);
/* Ends loop_run after the present turn. */
void loop_stop(struct loop *loop);

/* Counts the length of turns there from now on. metrics: the worker's own; borrows. Before loop_run. */
void loop_measure(struct loop *loop, struct metrics_cells *metrics);

/* The client-side view of this loop. */
struct reactor *loop_reactor(struct loop *loop);
/* h2o's loop, for service/http only. */
struct st_h2o_evloop_t *loop_h2o(struct loop *loop);

/* A message from another thread, embedded in its owner. */
struct loop_message {
	void (*run)(struct loop_message *message);
	struct loop_message *next;
};
/* Thread-safe: runs message on the loop's thread soon. The message must stay until it ran. */
void loop_post(struct loop *loop, struct loop_message *message);

#endif
