/* SPDX-License-Identifier: MIT */
/* What names an answer: a SHA-256 of all that could change it; key.h computes it. */
#ifndef SLUICE_SERVICE_CACHE_CACHE_KEY_H
#define SLUICE_SERVICE_CACHE_CACHE_KEY_H

#include <stdint.h>
#include <string.h>

enum { CACHE_KEY_SIZE = 32 };

struct cache_key {
	uint8_t bytes[CACHE_KEY_SIZE];
};

static inline int cache_key_equal(const struct cache_key *a, const struct cache_key *b)
{
	return memcmp(a->bytes, b->bytes, CACHE_KEY_SIZE) == 0;
}

/* Its first eight bytes, which are as good a hash as any. */
static inline uint64_t cache_key_hash(const struct cache_key *key)
{
	uint64_t hash;
	memcpy(&hash, key->bytes, sizeof(hash));
	return hash;
}

#endif
