/* SPDX-License-Identifier: MIT */
/*
 * Time and timers: a monotonic clock and a binary heap of deadlines. One heap
 * per worker. The clock is a function, so that policy code runs in tests on a
 * fake one and never sleeps. Wall-clock time has no effect here.
 */
#ifndef SLUICE_LIB_TIMERS_H
#define SLUICE_LIB_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer;
typedef void (*timer_cb)(struct timer *timer);

/* Embedded in its owner; zero-initialised means stopped. */
struct timer {
	timer_cb on_due;
	uint64_t due_us;
	size_t slot; /* index in the heap + 1; 0 = stopped */
};

typedef uint64_t (*clock_us_fn)(void *context);

struct timers {
	clock_us_fn clock;
	void *clock_context;
	uint64_t now_us; /* the last reading of the clock: at most one per turn of the loop */
	bool stale;      /* the next timers_now() reads the clock again */
	struct timer **heap;
	size_t count;
	size_t capacity;
};

/* Microseconds of CLOCK_MONOTONIC. context: unused. */
uint64_t timers_monotonic(void *context);

/* clock: monotonic microseconds; NULL means timers_monotonic. */
void timers_init(struct timers *timers, clock_us_fn clock, void *context);
/* Frees the heap; timers still started are forgotten, not called. */
void timers_fini(struct timers *timers);

/* Reads the clock and remembers it for timers_now(). */
uint64_t timers_refresh(struct timers *timers);
/* The loop is about to wait: what timers_now() remembers is old from here on. */
static inline void timers_stale(struct timers *timers)
{
	timers->stale = true;
}
/* Monotonic microseconds, as of the present turn of the loop. */
static inline uint64_t timers_now(struct timers *timers)
{
	return timers->stale ? timers_refresh(timers) : timers->now_us;
}

/*
 * (Re)starts timer to call on_due delay_us from now. False, and stopped, when out
 * of memory: the caller must then treat the deadline as passed.
 */
bool timer_start(struct timers *timers, struct timer *timer, uint64_t delay_us, timer_cb on_due);
/* Stops it; harmless when stopped already. */
void timer_stop(struct timers *timers, struct timer *timer);
static inline bool timer_is_running(const struct timer *timer)
{
	return timer->slot != 0;
}

/* Calls every timer due at timers_now(), each stopped before its call. Timers started meanwhile with delay 0 wait. */
void timers_run(struct timers *timers);

/* Microseconds from timers_now() until the next deadline; UINT64_MAX when none. */
uint64_t timers_wait(struct timers *timers);

#endif
