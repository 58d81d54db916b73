/* SPDX-License-Identifier: MIT */
/* Credit of requests for spare calls. */
#include "service/health/hedge_budget.h"

void hedge_budget_earn(struct hedge_budget *spares)
{
	if (spares->credit < UINT32_MAX)
		spares->credit++;
	spares->underway++;
}

void hedge_budget_settle(struct hedge_budget *spares)
{
	spares->underway--;
}

bool hedge_budget_take(struct hedge_budget *spares, unsigned percent)
{
	if (percent == 0)
		return false;
	uint32_t price = percent >= 100 ? 1 : (100 + percent - 1) / percent;
	/* The price is known only here, and so is the most that may have been saved. */
	uint64_t most = (uint64_t)price * HEDGE_BUDGET_BURST + spares->underway;
	if (spares->credit > most)
		spares->credit = (uint32_t)most;
	if (spares->credit < price)
		return false;
	spares->credit -= price;
	return true;
}
