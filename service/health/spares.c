/* SPDX-License-Identifier: MIT */
/* Credit of requests for spare calls. */
#include "service/health/spares.h"

void spares_earn(struct spares *spares)
{
	if (spares->credit < UINT32_MAX)
		spares->credit++;
	spares->underway++;
}

void spares_settle(struct spares *spares)
{
	spares->underway--;
}

bool spares_take(struct spares *spares, unsigned percent)
{
	if (percent == 0)
		return false;
	uint32_t price = percent >= 100 ? 1 : (100 + percent - 1) / percent;
	/* The price is known only here, and so is the most that may have been saved. */
	uint64_t most = (uint64_t)price * SPARES_BURST + spares->underway;
	if (spares->credit > most)
		spares->credit = (uint32_t)most;
	if (spares->credit < price)
		return false;
	spares->credit -= price;
	return true;
}
