/* SPDX-License-Identifier: MIT */
/*
 * The prober: asks every backend that has a probe.path, by a GET that costs
 * nothing, whether it lives, and tells health. One per process, on one worker's
 * loop. Alive means a status of 2xx within the time; nothing else is read.
 *
 * A backend is asked again probe.every after the question before, give or take
 * a tenth, so that many gateways don't ask at once. It has as long to answer,
 * but at most five seconds.
 */
#ifndef SLUICE_SERVICE_HEALTH_PROBE_H
#define SLUICE_SERVICE_HEALTH_PROBE_H

#include "clients/http/http_client.h"
#include "config/config.h"

struct health;
struct metrics_cells;
struct prober;

struct prober_options {
	struct reactor *reactor; /* borrows all of these */
	const struct config *config;
	struct http_origin *const *origins; /* by backend */
	struct health *health;
	struct metrics_cells *metrics; /* of the loop's worker; NULL = nothing is counted */
};

/* Starts asking. NULL: out of memory. */
struct prober *prober_create(const struct prober_options *options);
/* Stops asking; what is under way is cancelled. NULL does nothing. */
void prober_destroy(struct prober *prober);

#endif
