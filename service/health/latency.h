/* SPDX-License-Identifier: MIT */
/*
 * A latency as balance sees it: an average of which no single call moves much. A
 * sample counts for four times the average at most, and weighs a fifth when it
 * comes alone and less behind another one; so a target that became slow is known
 * after some calls, and one long answer, or a client that gave up, costs it
 * little. The first three calls make a value known, which is the least of theirs.
 * It fades with time, so that a target that nobody asked for long is tried again.
 * Calls that were given up count, too: otherwise the spares of a hedge would hide
 * which target is slow.
 *
 * Serves all who choose among targets; its owner locks.
 */
#ifndef SLUICE_SERVICE_HEALTH_LATENCY_H
#define SLUICE_SERVICE_HEALTH_LATENCY_H

#include <stdbool.h>
#include <stdint.h>

enum {
	LATENCY_SAMPLES = 3,         /* make it known */
	LATENCY_BOUND = 4,           /* times the value: what a sample counts for at most */
	LATENCY_MEMORY_US = 1000000, /* calls within less than that share their weight */
	LATENCY_TAU_US = 10000000,   /* without calls for that long, 1/e is left */
	LATENCY_FORGOTTEN_US = 50,   /* when no more is left */
	LATENCY_LEAST_US = 1000,     /* less is taken for that: loops' clocks see no less, and 0 means not known */
};

struct latency {
	double value_us;
	uint64_t at_us; /* when that was the value */
	unsigned samples;
};

void latency_observe(struct latency *latency, uint64_t took_us, uint64_t now_us);

/*
 * Nobody waited any longer than waited_us: the call would have taken more than that. Raises a value that is known, and
 * never lowers it.
 */
void latency_exceeds(struct latency *latency, uint64_t waited_us, uint64_t now_us);

/* Microseconds; 0 = not known, or forgotten. */
uint64_t latency_value(const struct latency *latency, uint64_t now_us);

#endif
