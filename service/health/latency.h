/* SPDX-License-Identifier: MIT */
/*
 * The peak-EWMA of a latency: it rises at once to a slower sample, and decays
 * with time towards faster ones, and towards nothing when there are none, so
 * that a target that nobody asked for long is tried again. Calls that were given
 * up count, too: otherwise the spares of a hedge would hide which target is slow.
 * Its owner locks.
 */
#ifndef SLUICE_SERVICE_HEALTH_LATENCY_H
#define SLUICE_SERVICE_HEALTH_LATENCY_H

#include <stdint.h>

enum {
	LATENCY_TAU_US = 10000000, /* after that long 1/e is left */
	LATENCY_LEAST_US = 1000,   /* less is taken for that: loops' clocks see no less, and 0 means not known */
};

struct latency {
	double value_us;
	uint64_t at_us; /* when that was the value */
};

void latency_observe(struct latency *latency, uint64_t took_us, uint64_t now_us);

/* Nobody waited any longer than waited_us: it would have taken more than that. Raises the value, and never lowers it.
 */
void latency_exceeds(struct latency *latency, uint64_t waited_us, uint64_t now_us);

/* Microseconds; 0 = not known, or forgotten. */
uint64_t latency_value(const struct latency *latency, uint64_t now_us);

#endif
