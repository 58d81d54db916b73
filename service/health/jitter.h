/* SPDX-License-Identifier: MIT */
/* Random waits that repeat with their seed (xorshift64*). Not for secrets. */
#ifndef SLUICE_SERVICE_HEALTH_JITTER_H
#define SLUICE_SERVICE_HEALTH_JITTER_H

#include <stdint.h>

/* A first state that is never 0, and differs much for seeds that differ little (splitmix64). */
static inline uint64_t jitter_seed(uint64_t seed)
{
	uint64_t mixed = seed + 0x9e3779b97f4a7c15u;
	mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
	mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
	mixed ^= mixed >> 31;
	return mixed == 0 ? 1 : mixed;
}

static inline uint64_t jitter_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1du;
}

/* Uniform from half of full, rounded up, to full, both included. */
static inline uint64_t jitter_half_to_full(uint64_t *state, uint64_t full)
{
	return full - jitter_next(state) % (full / 2 + 1);
}

#endif
