/* SPDX-License-Identifier: MIT */
/*
 * New connections go to the worker with less to do: the kernel deals them out
 * evenly, whatever each worker is busy with. The accepting worker keeps a
 * connection unless another one was much less busy in the last tenth of a second,
 * by the processor time of their threads.
 *
 * Serves all clients of the process. Each worker looks and counts for itself.
 */
#ifndef SLUICE_SERVICE_CONNECTION_HANDOVER_H
#define SLUICE_SERVICE_CONNECTION_HANDOVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum {
	HANDOVER_LOOK_US = 100000, /* between two looks at the workers */
	HANDOVER_LEAST = 250,      /* per mille of a processor that the other one must be less busy */
	HANDOVER_CONNECTION = 20   /* that a connection counts for until the next look */
};

/* What a worker knows of all, itself included. */
struct handover {
	size_t count;
	size_t own;
	clockid_t *clocks; /* of the threads of each */
	uint64_t *cpu_us;  /* of each, at the last look */
	unsigned *busy;    /* per mille of a processor */
	uint64_t looked_us;
};

/* False: out of memory. */
bool handover_init(struct handover *handover, size_t count, size_t own);
/* Tells which thread a worker is. It may end before the handover does, but must run now. */
void handover_meet(struct handover *handover, size_t worker, pthread_t thread);
void handover_fini(struct handover *handover);

/* Returns who should have the next connection, and counts it there. now_us: monotonic. */
size_t handover_choose(struct handover *handover, uint64_t now_us);

/* The choice alone: by how busy each is. */
size_t handover_pick(const unsigned *busy, size_t count, size_t own);

#endif
