/* SPDX-License-Identifier: MIT */
/* The way from a tenant's path, as keys and tokens have it, to its shares of a target's places. */
#ifndef SLUICE_SERVICE_PLAN_TENANT_SHARES_H
#define SLUICE_SERVICE_PLAN_TENANT_SHARES_H

#include "config/config.h"
#include "service/health/queue.h"

/*
 * Reads the levels of a path such as "acme/search/crawler" and their weights in the configuration. Returns false when
 * the path is empty: the request has no tenant. path: borrowed for as long as shares is used. Levels beyond
 * QUEUE_TENANT_LEVELS belong to the last one.
 */
bool tenant_shares_read(struct queue_tenant *shares, const struct config *config, struct span path);

#endif
