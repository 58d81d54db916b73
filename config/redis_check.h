/* SPDX-License-Identifier: MIT */
/* What no single key of the section redis can tell: keys that contradict each other. */
#ifndef SLUICE_CONFIG_REDIS_CHECK_H
#define SLUICE_CONFIG_REDIS_CHECK_H

#include "config/config.h"
#include "config/reader.h"

/* Adds findings, and says whether TLS is used. node: the section's, NULL when there is none. redis: what was read. */
void redis_check(const struct reader *reader, const struct tree_node *node, struct config_redis *redis);

#endif
