/* SPDX-License-Identifier: MIT */
/*
 * Measures the turns of one loop: from the moment its events were fetched until it waits again. Serves all clients of
 * the worker: while one turn runs, nobody else of that worker is served.
 */
#ifndef SLUICE_SERVICE_LOOP_TURN_H
#define SLUICE_SERVICE_LOOP_TURN_H

#include "schemas/metrics.h"

enum {
	TURN_LONG_US = 50000,     /* a turn of that length is warned of */
	TURN_QUIET_US = 10000000, /* between two warnings of one loop */
};

struct turn {
	struct metrics_cells *metrics; /* NULL = nothing is counted */
	uint64_t quiet_until_us;       /* monotonic; 0 = no warning yet */
	uint64_t unreported;           /* long turns since the last warning */
};

/*
 * Counts a turn that ends now. at_ms: wall-clock milliseconds, rounded down, at some moment of it; passed_ms: what had
 * passed until then since its events were fetched. h2o keeps no finer time: up to a millisecond of the turn is missed.
 */
void turn_end(struct turn *turn, uint64_t at_ms, uint64_t passed_ms);

/* The same with its length; turn_end() is for all but tests. now_us: monotonic. */
void turn_note(struct turn *turn, uint64_t took_us, uint64_t now_us);

#endif
