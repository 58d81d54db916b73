/* SPDX-License-Identifier: MIT */
/*
 * The concurrency limits of a configuration's targets. A limit belongs to its target's name: a later configuration that
 * has the same name with the same options shares it, with the calls that run and those that wait.
 */
#ifndef SLUICE_SERVICE_HEALTH_LIMITS_H
#define SLUICE_SERVICE_HEALTH_LIMITS_H

#include "config/config.h"

struct limit;

struct limits {
	const struct config *config;
	struct limit **by_target; /* by index in the configuration; NULL = the target has no limit */
};

/* config: borrows, must outlive it. earlier: of an earlier configuration, or NULL. NULL: out of memory. */
struct limits *limits_create(const struct config *config, const struct limits *earlier);
/* As limit_drop() says of each. NULL is fine. */
void limits_destroy(struct limits *limits);

#endif
