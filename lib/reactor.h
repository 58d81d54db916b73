/* SPDX-License-Identifier: MIT */
/*
 * What a client module needs of its worker's loop, without knowing the loop:
 * readiness of foreign descriptors, timers, and work put off to the end of the
 * present turn. Implemented by service/loop; tests may bring their own.
 *
 * Everything runs on the worker's thread.
 */
#ifndef SLUICE_LIB_REACTOR_H
#define SLUICE_LIB_REACTOR_H

#include "lib/timers.h"

enum {
	REACTOR_READ = 1,
	REACTOR_WRITE = 2,
	REACTOR_ERROR = 4 /* only reported: HUP or ERR */,
	REACTOR_PEER_CLOSED = 8 /* edge-triggered: RDHUP */
};

/* One watched descriptor, embedded in its owner. Zero-initialised means unwatched. */
struct watch {
	void (*on_ready)(struct watch *watch, unsigned events); /* events: REACTOR_* */
	int fd;
	unsigned interest; /* REACTOR_* asked for, 0 = registered but silent */
	unsigned slot;     /* the reactor's own: index + 1, 0 = unwatched */
};

/* Work for the end of the turn, embedded in its owner. Zero-initialised means not queued. */
struct task {
	void (*run)(struct task *task);
	struct task *next;
	struct task **back; /* NULL = not queued */
};

struct reactor;

struct reactor_ops {
	/* Watches fd. The watch must stay in place until unwatched. False: out of memory or descriptors. */
	bool (*watch)(struct reactor *reactor, struct watch *watch, int fd, unsigned interest);
	/* Changes the interest of a watch. */
	void (*rewatch)(struct reactor *reactor, struct watch *watch, unsigned interest);
	/* Stops watching, before the fd is closed. Events already fetched are dropped. */
	void (*unwatch)(struct reactor *reactor, struct watch *watch);
	/* The thread comes to rest behind a load: gives back the memory that only one needs. */
	void (*rest)(struct reactor *reactor);
};

struct reactor {
	const struct reactor_ops *ops;
	struct timers timers;
	struct task *tasks_head; /* run in order at the end of the turn, before the loop waits again */
	struct task **tasks_tail;
};

/* Sets the common part up. ops: borrows, must outlive the reactor. */
void reactor_init(struct reactor *reactor, const struct reactor_ops *ops, clock_us_fn clock, void *clock_context);
void reactor_fini(struct reactor *reactor);

/* Queues task once; queueing a queued task does nothing. */
void task_queue(struct reactor *reactor, struct task *task);
/* Takes it out again; harmless when it is not queued. */
void task_drop(struct reactor *reactor, struct task *task);
static inline bool task_is_queued(const struct task *task)
{
	return task->back != NULL;
}

/* Runs queued tasks until none is left, tasks that they queue included. */
void reactor_run_tasks(struct reactor *reactor);

#endif
