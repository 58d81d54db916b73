/* SPDX-License-Identifier: MIT */
/*
 * Whether a backend lives, by free probes: so many in a row change its state.
 * What real calls show outranks them: a real success brings it up, and for a
 * while no probe takes it down. Its owner locks.
 */
#ifndef SLUICE_SERVICE_HEALTH_LIVENESS_H
#define SLUICE_SERVICE_HEALTH_LIVENESS_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

enum { LIVENESS_TRUST_US = 5000000 /* a real success outranks probes for that long */ };

enum liveness_state { LIVENESS_UP, LIVENESS_DOWN };

struct liveness {
	enum liveness_state state;
	unsigned row; /* probes in a row that contradict the state */
	bool proven;  /* there was a real success, at proven_us */
	uint64_t proven_us;
	uint64_t recovered_us; /* when it came up last; 0 = it was never down */
};

/* A probe's result. True when the state changed. */
bool liveness_probed(struct liveness *liveness, const struct config_probe *options, bool alive, uint64_t now_us);

/* A real call succeeded. True when the state changed. */
bool liveness_proven(struct liveness *liveness, uint64_t now_us);

/* The share of its traffic that something gets that recovered at recovered_us (0 = never): from 0.1 to 1 over span. */
double liveness_share(uint64_t recovered_us, uint64_t span_us, uint64_t now_us);

#endif
