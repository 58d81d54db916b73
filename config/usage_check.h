/* SPDX-License-Identifier: MIT */
/* Checks of the record of use that need several keys of the file. */
#ifndef SLUICE_CONFIG_USAGE_CHECK_H
#define SLUICE_CONFIG_USAGE_CHECK_H

#include "config/config.h"
#include "config/reader.h"

/* Adds a finding for each: a store in a file without a file, a file without such a store, the file of the store of
 * keys, a store in Redis without one. */
void usage_check(const struct reader *reader, const struct tree_node *root, const struct config *config);

#endif
