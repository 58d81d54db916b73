/* SPDX-License-Identifier: MIT */
/* Finds an admin listener whose address overlaps with that of a listener for clients. */
#ifndef SLUICE_CONFIG_ADMIN_CHECK_H
#define SLUICE_CONFIG_ADMIN_CHECK_H

#include "config/config.h"
#include "config/reader.h"

/* Adds a finding when the admin listener cannot be bound beside a listener of `listen`. */
void admin_check(const struct reader *reader, const struct config *config);

#endif
