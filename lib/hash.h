/* SPDX-License-Identifier: MIT */
/* Fast hashes of bytes (XXH3). They tell damage and spread keys; they keep no secret, and nobody is kept from
 * colliding. */
#ifndef SLUICE_LIB_HASH_H
#define SLUICE_LIB_HASH_H

#include <stdint.h>

#include "lib/span.h"

#define HASH_START UINT64_C(0xcbf29ce484222325)

enum { HASH_CHECKSUM_SIZE = 16 /* bytes */ };

/* Continues hash, from HASH_START, with bytes; without any it stays. */
uint64_t hash_bytes(uint64_t hash, struct span bytes);

/* 128 bits of bytes and of what the seed stands for. The same on every machine. */
void hash_checksum(uint64_t seed, struct span bytes, char checksum[HASH_CHECKSUM_SIZE]);

/* One hash of two, every bit of which depends on all of theirs (the finisher of SplitMix64). */
static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
	uint64_t x = a + b * UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

#endif
