/* SPDX-License-Identifier: MIT */
/*
 * The concurrency limits of a configuration's targets. A limit belongs to its target's name: a later configuration that
 * has the same name with the same options shares it, with the calls that run and those that wait.
 */
#ifndef SLUICE_SERVICE_HEALTH_LIMIT_TABLE_H
#define SLUICE_SERVICE_HEALTH_LIMIT_TABLE_H

#include "config/config.h"

struct limit;

struct limit_table {
	const struct config *config;
	struct limit **by_target; /* by index in the configuration; NULL = the target has no limit */
};

/* config: borrows, must outlive it. earlier: of an earlier configuration, or NULL. NULL: out of memory. */
struct limit_table *limit_table_create(const struct config *config, const struct limit_table *earlier);
/* As limit_drop() says of each. NULL is fine. */
void limit_table_destroy(struct limit_table *limits);

#endif
