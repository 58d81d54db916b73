/* SPDX-License-Identifier: MIT */
/* Chance that can be repeated: the seed is printed, and SLUICE_CHAOS_SEED sets it. Header only. */
#ifndef SLUICE_TESTS_HARNESS_DICE_H
#define SLUICE_TESTS_HARNESS_DICE_H

#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/scenario/harness/check.h"

struct dice {
	uint64_t state; /* splitmix64 */
};

static inline struct dice dice_take(void)
{
	const char *given = getenv("SLUICE_CHAOS_SEED");
	struct dice dice = {given != NULL ? strtoull(given, NULL, 10) : (uint64_t)getpid() * 1000003 + clock_us()};
	print_message("SLUICE_CHAOS_SEED=%llu\n", (unsigned long long)dice.state);
	return dice;
}

/* Below sides. */
static inline uint64_t dice_roll(struct dice *dice, uint64_t sides)
{
	dice->state += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t x = dice->state;
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return (x ^ x >> 31) % sides;
}

#endif
