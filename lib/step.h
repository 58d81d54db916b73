/* SPDX-License-Identifier: MIT */
/*
 * Names what a worker's thread is doing, so that a turn of its loop that took too long can say where the time went.
 * Costs two readings of the clock for each step; mark only what takes tens of microseconds.
 *
 *   struct step_mark before = step_enter("decode");
 *   …
 *   step_leave(before);
 *
 * Steps nest: the time of an inner step is not the outer step's. Everything is the calling thread's own.
 */
#ifndef SLUICE_LIB_STEP_H
#define SLUICE_LIB_STEP_H

#include "lib/timers.h"

/* The step around another one. */
struct step_mark {
	const char *name; /* NULL = none */
	uint64_t spent_us;
};

/* Begins a step. name: a constant word. Returns what step_leave() needs. */
struct step_mark step_enter(const char *name);
void step_leave(struct step_mark before);

/* Names what this turn does outside of steps, where no code of ours runs around it. name: a constant word. */
void step_hint(const char *name);

/* What took longest in a turn. */
struct step_longest {
	const char *name;
	uint64_t took_us;
};

/* Returns the longest step since the last call and forgets all. took_us: of the whole turn. */
struct step_longest step_take_longest(uint64_t took_us);

/* Forgets all steps of the turn that ends. */
void step_forget(void);

/* Has all threads take the time from another clock; for tests, before threads. NULL = the monotonic one. */
void step_set_clock(clock_us_fn clock);

#endif
