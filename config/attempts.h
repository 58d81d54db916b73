/* SPDX-License-Identifier: MIT */
/* Retries inside each other multiply: how many attempts a plan may come to on one path. */
#ifndef SLUICE_CONFIG_ATTEMPTS_H
#define SLUICE_CONFIG_ATTEMPTS_H

#include "config/plan.h"

/* Adds a finding where the attempts of nested retries exceed the configuration's retries.attempts. path: the plan's. */
void attempts_check(const struct plan_reader *reader, const struct config_plan *plan, const char *path);

#endif
