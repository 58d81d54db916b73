/* SPDX-License-Identifier: MIT */
/*
 * A worker's origins, one for each backend of a configuration. An origin belongs to its backend's name: a later
 * configuration that has the same name with the same options shares it, with its connections and the addresses of its
 * host. Everything is done on the worker's thread, or before that runs.
 */
#ifndef SLUICE_SERVICE_ORIGIN_TABLE_H
#define SLUICE_SERVICE_ORIGIN_TABLE_H

#include "config/config.h"
#include "lib/buf.h"

struct http_client;
struct http_origin;
struct metrics_cells;

struct origin_table {
	const struct config *config;
	struct http_origin **by_backend; /* by index in the configuration */
};

/*
 * config: borrows, must outlive the table. metrics: borrows, of that configuration's generation, where new origins
 * count; NULL = nothing is counted. earlier: of an earlier configuration of the same client, or NULL; either may be
 * destroyed first. Returns NULL when out of memory, or with a line of error for each backend that cannot be used.
 */
struct origin_table *origin_table_create(const struct config *config, struct http_client *client,
					 struct metrics_cells *metrics, const struct origin_table *earlier,
					 struct buf *error);
/* The configuration takes over: the origins that it shares with the earlier one count in those cells from here on, by
 * its indexes. */
void origin_table_take_over(const struct origin_table *origins, struct metrics_cells *metrics);
/* Calls that run keep their origins until they end. NULL is fine. */
void origin_table_destroy(struct origin_table *origins);

#endif
