/* SPDX-License-Identifier: MIT */
/*
 * The hedge budget of a model: requests earn credit, a spare call spends it.
 * Starts empty, so that spares never exceed their share of all requests. Of
 * requests that are over the credit for a few spares is kept; those under way
 * keep theirs, so that each of many slow ones can have its spare. Its owner locks.
 */
#ifndef SLUICE_SERVICE_HEALTH_HEDGE_BUDGET_H
#define SLUICE_SERVICE_HEALTH_HEDGE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

enum { HEDGE_BUDGET_BURST = 3 };

struct hedge_budget {
	uint32_t credit;   /* requests that no spare was paid with */
	uint32_t underway; /* requests that may still ask for one */
};

/* A request that could be hedged. */
void hedge_budget_earn(struct hedge_budget *spares);
/* It ended, or needs none any more. */
void hedge_budget_settle(struct hedge_budget *spares);

/* Spends the credit of one spare, if there is enough. percent: spares per 100 requests; 0 = none. */
bool hedge_budget_take(struct hedge_budget *spares, unsigned percent);

#endif
