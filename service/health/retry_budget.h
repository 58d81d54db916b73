/* SPDX-License-Identifier: MIT */
/*
 * The retry budget of a backend: of the calls that run there, so many may repeat
 * one that failed there. Serves all requests; what one can take of it are its own
 * repeats. A repeat that fails keeps its place for a while: else a backend that
 * refuses within a millisecond would be asked again by everybody, one after the
 * other. Heals by time alone. Its owner locks.
 */
#ifndef SLUICE_SERVICE_HEALTH_RETRY_BUDGET_H
#define SLUICE_SERVICE_HEALTH_RETRY_BUDGET_H

#include <stdbool.h>

#include "config/config.h"

enum { RETRY_BUDGET_TAU_US = 1000000 /* after that long, 1/e of what ended is remembered */ };

struct retry_budget {
	unsigned running; /* calls, the extra ones included */
	unsigned extra;
	double ended;   /* calls of late, but for extra ones */
	double failed;  /* extra ones of late that failed */
	uint64_t at_us; /* when those were the values */
};

/* Is there room for one more extra call? alone: no other request runs, so that only what runs counts. */
bool retry_budget_allows(const struct retry_budget *budget, const struct config_budget *options, bool alone,
			 uint64_t now_us);

/* A call starts; an extra one must have been allowed. */
void retry_budget_enter(struct retry_budget *budget, bool extra);
/* That call leaves, and gives its place back, at once or, an extra one that failed, by and by. */
void retry_budget_leave(struct retry_budget *budget, bool extra, bool failed, uint64_t now_us);

#endif
