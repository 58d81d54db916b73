/* SPDX-License-Identifier: MIT */
/* Random numbers of a test that can be repeated: the seed is printed, and SLUICE_SEED sets it. Header only. */
#ifndef SLUICE_TESTS_UNIT_SEED_H
#define SLUICE_TESTS_UNIT_SEED_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct seed {
	uint64_t state; /* splitmix64 */
};

static inline struct seed seed_start(void)
{
	const char *given = getenv("SLUICE_SEED");
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	struct seed seed = {given != NULL ? strtoull(given, NULL, 10) : (uint64_t)now.tv_nsec};
	printf("SLUICE_SEED=%" PRIu64 "\n", seed.state);
	fflush(stdout);
	return seed;
}

static inline uint64_t seed_below(struct seed *seed, uint64_t bound)
{
	uint64_t z = seed->state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % bound;
}

#endif
