/* SPDX-License-Identifier: MIT */
/* Credit of requests for spare calls. */
#include "service/health/spares.h"

void spares_earn(struct spares *spares)
{
	if (spares->credit < UINT32_MAX)
		spares->credit++;
}

bool spares_take(struct spares *spares, unsigned percent)
{
	if (percent == 0)
		return false;
	uint32_t price = percent >= 100 ? 1 : (100 + percent - 1) / percent;
	/* The price is known only here, and so is the most that may have been saved. */
	if (spares->credit > price * SPARES_BURST)
		spares->credit = price * SPARES_BURST;
	if (spares->credit < price)
		return false;
	spares->credit -= price;
	return true;
}
