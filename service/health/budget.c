/* SPDX-License-Identifier: MIT */
/* How many extra calls may run beside the others. */
#include "service/health/budget.h"

#include <assert.h>

bool budget_allows(const struct budget *budget, const struct config_budget *options)
{
	uint64_t extra = (uint64_t)budget->extra + 1;
	uint64_t running = (uint64_t)budget->running + 1; /* this one included: all calls of 100 % are allowed */
	return extra <= options->least || extra * 100 <= running * options->percent;
}

void budget_enter(struct budget *budget, bool extra)
{
	budget->running++;
	budget->extra += extra;
}

void budget_leave(struct budget *budget, bool extra)
{
	assert(budget->running > 0 && budget->extra >= extra);
	budget->running--;
	budget->extra -= extra;
}
