/* SPDX-License-Identifier: MIT */
/*
 * The retry budget of a backend: of the calls that run there, so many may repeat
 * one that failed there. Serves all requests; what one can take of it are its own
 * repeats. Counts only what runs now, so nothing has to be paid back. Its owner locks.
 */
#ifndef SLUICE_SERVICE_HEALTH_BUDGET_H
#define SLUICE_SERVICE_HEALTH_BUDGET_H

#include <stdbool.h>

#include "config/config.h"

struct budget {
	unsigned running; /* calls, the extra ones included */
	unsigned extra;
};

/* Is there room for one more extra call? */
bool budget_allows(const struct budget *budget, const struct config_budget *options);

/* A call starts; an extra one must have been allowed. */
void budget_enter(struct budget *budget, bool extra);
/* That call leaves, and gives its place back. */
void budget_leave(struct budget *budget, bool extra);

#endif
