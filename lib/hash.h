/* SPDX-License-Identifier: MIT */
/* A fast hash of bytes (FNV-1a, 64 bits, with a finisher). Not for tables that a peer could attack, nor for secrets. */
#ifndef SLUICE_LIB_HASH_H
#define SLUICE_LIB_HASH_H

#include <stdint.h>

#include "lib/span.h"

#define HASH_START UINT64_C(0xcbf29ce484222325)

/* Continues hash, from HASH_START, with bytes. */
static inline uint64_t hash_bytes(uint64_t hash, struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		hash = (hash ^ (unsigned char)bytes.at[i]) * UINT64_C(0x100000001b3);
	return hash;
}

/* One hash of two, every bit of which depends on all of theirs (the finisher of SplitMix64). */
static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
	uint64_t x = a + b * UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* Continues hash with bytes, eight at a time: another hash than that of hash_bytes, for long texts. */
static inline uint64_t hash_words(uint64_t hash, struct span bytes)
{
	uint64_t word = 0;
	size_t at = 0;
	for (; at + sizeof(word) <= bytes.len; at += sizeof(word)) {
		memcpy(&word, bytes.at + at, sizeof(word));
		hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29;
	}
	word = 0;
	if (at < bytes.len)
		memcpy(&word, bytes.at + at, bytes.len - at);
	return hash_mix(hash ^ word, bytes.len);
}

#endif
