/* SPDX-License-Identifier: MIT */
/* What the runs must know that go on where another one's answer broke off; resume.c makes it. */
#ifndef SLUICE_SERVICE_PLAN_RESUME_H
#define SLUICE_SERVICE_PLAN_RESUME_H

#include "config/config.h"
#include "lib/span.h"

struct health;

/* A target whose answer broke off: it is not asked again while there is another. */
struct run_broken {
	const struct config_plan *target;
	const struct run_broken *next;
};

struct run_resumption {
	const struct run_broken *broken; /* NULL = any target will do */
	struct span prefill;             /* the text to go on with; {NULL,0} = the request is answered anew */
	int64_t spent;                   /* tokens of it, at least */
};

/*
 * Returns why target may not go on, as the end of a sentence; NULL = it may. resumption: NULL = nothing broke off.
 * health: NULL = nothing is known.
 */
const char *resume_bars(const struct run_resumption *resumption, const struct health *health, uint64_t now_us,
			const struct config_plan *target);

#endif
