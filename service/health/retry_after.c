/* SPDX-License-Identifier: MIT */
/* Retry-After of our own refusals; retry_after.h holds the contract. */
#include "service/health/retry_after.h"

#include "schemas/backend_retry_after.h"

enum {
	RETRY_AFTER_SECOND_US = 1000000,
	RETRY_AFTER_ESTIMATE_LEAST_US = 1000000,  /* Retry-After has whole seconds */
	RETRY_AFTER_ESTIMATE_MOST_US = 600000000, /* nobody plans further than that */
};

uint64_t retry_after_estimate_us(uint64_t interval_us, size_t before)
{
	if (interval_us >= RETRY_AFTER_ESTIMATE_MOST_US / (before + 1))
		return RETRY_AFTER_ESTIMATE_MOST_US;
	uint64_t wait_us = interval_us * (before + 1);
	return wait_us < RETRY_AFTER_ESTIMATE_LEAST_US ? RETRY_AFTER_ESTIMATE_LEAST_US : wait_us;
}

struct span retry_after_write(uint64_t wait_us, struct arena *arena)
{
	uint64_t seconds = (wait_us + RETRY_AFTER_SECOND_US - 1) / RETRY_AFTER_SECOND_US;
	if (seconds > RETRY_AFTER_MAX)
		seconds = RETRY_AFTER_MAX;
	return wait_us == 0 ? SPAN("") : arena_printf(arena, "%u", (unsigned)seconds);
}
