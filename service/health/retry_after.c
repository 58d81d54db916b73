/* SPDX-License-Identifier: MIT */
/* Retry-After of refusals by health and queues; retry_after.h holds the contract. */
#include "service/health/retry_after.h"

#include "lib/seconds.h"
#include "schemas/backend_retry_after.h"
#include "service/health/health_cells.h"

enum {
	RETRY_AFTER_PLACE_LEAST_US = 1000000,  /* Retry-After has whole seconds */
	RETRY_AFTER_PLACE_MOST_US = 600000000, /* nobody plans further than that */
};

uint64_t retry_after_refusal_us(enum health_reason reason, const struct target_cell *target,
				const struct breaker *breaker, uint64_t now_us)
{
	switch (reason) {
	case HEALTH_COOLING:
		return from_now(target->cooling_until_us, now_us);
	case HEALTH_OPEN:
		return breaker_wait_us(breaker, now_us);
	default:
		return 0;
	}
}

uint64_t retry_after_place_us(uint64_t interval_us, size_t before)
{
	if (interval_us >= RETRY_AFTER_PLACE_MOST_US / (before + 1))
		return RETRY_AFTER_PLACE_MOST_US;
	uint64_t wait_us = interval_us * (before + 1);
	return wait_us < RETRY_AFTER_PLACE_LEAST_US ? RETRY_AFTER_PLACE_LEAST_US : wait_us;
}

struct span retry_after_write(uint64_t wait_us, struct arena *arena)
{
	uint64_t seconds = seconds_rounded_up(wait_us);
	if (seconds > RETRY_AFTER_MAX)
		seconds = RETRY_AFTER_MAX;
	return wait_us == 0 ? SPAN("") : arena_printf(arena, "%u", (unsigned)seconds);
}
