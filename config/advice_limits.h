/* SPDX-License-Identifier: MIT */
/* Advice about limits of use; advice.c gives it with the other advice. */
#ifndef SLUICE_CONFIG_ADVICE_LIMITS_H
#define SLUICE_CONFIG_ADVICE_LIMITS_H

#include "config/config.h"
#include "config/findings.h"

/* Adds advice about quotas and tenants that are for no model or key, and limits of what costs nothing. config: read as
 * far as it is good. */
void advice_give_limits(const struct config *config, struct findings *findings);

#endif
