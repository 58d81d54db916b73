/* SPDX-License-Identifier: MIT */
/* Arithmetic of amounts, which are never below 0. */
#ifndef SLUICE_SERVICE_QUOTAS_AMOUNTS_H
#define SLUICE_SERVICE_QUOTAS_AMOUNTS_H

#include <stdint.h>

static inline uint64_t least_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t most_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Returns a - b, or 0 when b is more. */
static inline uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

#endif
