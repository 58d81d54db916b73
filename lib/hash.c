/* SPDX-License-Identifier: MIT */
/* XXH3 of libxxhash, compiled in; hash.h holds the contract. */
#include "lib/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash_bytes(uint64_t hash, struct span bytes)
{
	return bytes.len == 0 ? hash : XXH3_64bits_withSeed(bytes.at, bytes.len, hash);
}

void hash_checksum(uint64_t seed, struct span bytes, char checksum[HASH_CHECKSUM_SIZE])
{
	XXH128_canonical_t canonical;
	_Static_assert(sizeof(canonical) == HASH_CHECKSUM_SIZE, "XXH3's form of 128 bits");
	XXH128_canonicalFromHash(&canonical, XXH3_128bits_withSeed(bytes.at, bytes.len, seed));
	memcpy(checksum, &canonical, sizeof(canonical));
}
