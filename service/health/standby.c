/* SPDX-License-Identifier: MIT */
/* Scouts, and what they find. */
#include "service/health/standby.h"

static bool is_within(uint64_t then_us, uint64_t span_us, uint64_t now_us)
{
	return now_us < then_us + span_us;
}

static unsigned scouts_most(const struct config_budget *budget)
{
	return budget->least == 0 ? 1 : budget->least;
}

static bool is_failing(const struct standby *standby, unsigned plans, uint64_t now_us)
{
	if (!is_within(standby->failed_us, STANDBY_FORGET_US, now_us))
		return false;
	if (standby->failures < STANDBY_FAILURES || (standby->scouts == 0 && plans <= 1))
		return false;
	unsigned doublings = standby->failures - STANDBY_FAILURES;
	uint64_t pause_us = (uint64_t)STANDBY_PAUSE_US
			    << (doublings < STANDBY_DOUBLINGS ? doublings : STANDBY_DOUBLINGS);
	return standby->scouts > 0 || is_within(standby->failed_us, pause_us, now_us);
}

enum standby_answer standby_ask(const struct standby *standby, const struct config_budget *budget, uint64_t client,
				unsigned plans, uint64_t now_us)
{
	unsigned most = scouts_most(budget);
	if (budget->percent >= 100) /* the operator lifts the bound */
		return STANDBY_GO;
	if (!blame_spares(&standby->blame, client) && is_failing(standby, plans, now_us))
		return STANDBY_FAILS;
	if (standby->proven && is_within(standby->content_us, STANDBY_PROVEN_US, now_us))
		return STANDBY_GO;
	return standby->scouts < most ? STANDBY_GO : STANDBY_WAIT;
}

void standby_content(struct standby *standby, bool scout, uint64_t now_us)
{
	standby->scouts -= scout;
	standby->proven = true;
	standby->content_us = now_us;
	standby->failures = 0;
	standby->blame = (struct blame){0};
}

void standby_failed(struct standby *standby, uint64_t client, uint64_t now_us)
{
	if (!is_within(standby->failed_us, STANDBY_FORGET_US, now_us)) {
		standby->failures = 0;
		standby->blame = (struct blame){0};
	}
	blame_note(&standby->blame, client);
	standby->failed_us = now_us;
	if (++standby->failures >= STANDBY_FAILURES)
		standby->proven = false;
}
