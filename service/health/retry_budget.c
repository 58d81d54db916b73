/* SPDX-License-Identifier: MIT */
/* How many extra calls may run beside the others. */
#include "service/health/retry_budget.h"

#include <assert.h>
#include <math.h>

/* How much is remembered of what ended. */
static double memory(const struct retry_budget *budget, uint64_t now_us)
{
	return now_us > budget->at_us ? exp(-(double)(now_us - budget->at_us) / RETRY_BUDGET_TAU_US) : 1;
}

bool retry_budget_allows(const struct retry_budget *budget, const struct config_budget *options, bool alone,
			 uint64_t now_us)
{
	double left = alone ? 0 : memory(budget, now_us);
	double extra = budget->extra + 1.0 + budget->failed * left;
	double calls = budget->running + 1.0 + budget->ended * left; /* this one included */
	if (options->percent >= 100)
		return true;
	return extra <= options->least || extra * 100 <= calls * options->percent;
}

void retry_budget_enter(struct retry_budget *budget, bool extra)
{
	budget->running++;
	budget->extra += extra;
}

void retry_budget_leave(struct retry_budget *budget, bool extra, bool failed, uint64_t now_us)
{
	double left = memory(budget, now_us);
	assert(budget->running > 0 && budget->extra >= extra);
	budget->running--;
	budget->extra -= extra;
	budget->ended = budget->ended * left + !extra;
	budget->failed = budget->failed * left + (extra && failed);
	if (now_us > budget->at_us)
		budget->at_us = now_us;
}
