/* SPDX-License-Identifier: MIT */
/*
 * The gateway under callgrind, in lockstep: it only ever runs because of one
 * thing that was done to it, and nothing more is done before all its threads
 * sleep. So the same steps cost the same instructions, however busy the machine
 * is. The backend is played by hand, on one connection after the other.
 */
#ifndef SLUICE_TESTS_BENCH_LOCKSTEP_H
#define SLUICE_TESTS_BENCH_LOCKSTEP_H

#include <stdint.h>

#include "tests/scenario/harness/h1.h"
#include "tests/scenario/harness/proc.h"

struct lockstep {
	struct proc *proc;
	int port;
	int listener; /* plays the backend */
	int backend;  /* its connection; -1 = none yet */
	struct h1 marker;
	struct bytes request;  /* the last one the backend read */
	const char *directory; /* of the profiles */
	unsigned dumps;
	uint64_t marker_cost; /* instructions of one marker */
};

/* Starts SLUICE_BIN with one worker under callgrind; profiles are left in the directory. more: further lines of its
 * configuration. Ended at tear-down. */
void lockstep_start(struct lockstep *lockstep, const char *directory, const char *more);

/* Returns when every thread of the gateway sleeps. */
void lockstep_settle(struct lockstep *lockstep);

/* Reads one whole request at the backend, in pieces that the gateway had time to make; settles. */
void lockstep_backend_read(struct lockstep *lockstep);

/* Writes to the gateway from the backend in one piece; settles. */
void lockstep_backend_write(struct lockstep *lockstep, const char *bytes, size_t len);

/* Starts to count. */
void lockstep_count(struct lockstep *lockstep);

/* Ends the count, and starts the next one. Returns the instructions of the one that ended. */
uint64_t lockstep_counted(struct lockstep *lockstep);

/* Keeps the profile of the count that ended last as DIRECTORY/NAME.callgrind. */
void lockstep_keep(const struct lockstep *lockstep, const char *name);

void lockstep_close(struct lockstep *lockstep);

#endif
