/* SPDX-License-Identifier: MIT */
/* From the text of a scalar to its value, for the types that quotas and prices have. False when it is something else.
 */
#ifndef SLUICE_CONFIG_QUOTA_VALUES_H
#define SLUICE_CONFIG_QUOTA_VALUES_H

#include "config/quota.h"
#include "lib/arena.h"

/* A number from 1 to 10^15, a slash and second, minute, hour, day or month. *rate: a struct config_rate in the arena.
 */
bool quota_value_rate(struct arena *arena, struct span text, const void **rate);
/* As a rate, of dollars. */
bool quota_value_spending(struct arena *arena, struct span text, const void **rate);
/* Dollars, up to a million, with at most nine digits behind a point. *parts: billionths of a dollar. */
bool quota_value_money(struct span text, uint64_t *parts);

#endif
