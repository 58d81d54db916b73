/* SPDX-License-Identifier: MIT */
/*
 * The share of a target's calls that fail, so that one that fails quickly does not look like a fast one to a balance.
 * Serves every request that chooses; one call moves it by a tenth. Heals by calls that are good, and by time. Its owner
 * locks.
 */
#ifndef SLUICE_SERVICE_HEALTH_SUCCESS_RATE_H
#define SLUICE_SERVICE_HEALTH_SUCCESS_RATE_H

#include <stdbool.h>
#include <stdint.h>

enum { SUCCESS_RATE_TAU_US = 10000000 /* after that long without a call, 1/e of the failures is remembered */ };

struct success_rate {
	double failing; /* from 0 to 1 */
	uint64_t at_us; /* when that was the value */
};

/* A call ended well, or failed in a way that is no fault of its request. */
void success_rate_note(struct success_rate *success, bool good, uint64_t now_us);

/* Returns the share that fails, from 0 to 1. */
double success_rate_failing(const struct success_rate *success, uint64_t now_us);

#endif
