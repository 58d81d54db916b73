/* SPDX-License-Identifier: MIT */
/* SipHash as its authors wrote it down (Aumasson and Bernstein, 2012), in its form of 128 bits. */
#include "lib/siphash.h"

#include <stdint.h>

#include "lib/little_endian.h"

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void sip_round(struct sip *sip)
{
	sip->v0 += sip->v1;
	sip->v2 += sip->v3;
	sip->v1 = rotate(sip->v1, 13) ^ sip->v0;
	sip->v3 = rotate(sip->v3, 16) ^ sip->v2;
	sip->v0 = rotate(sip->v0, 32);
	sip->v2 += sip->v1;
	sip->v0 += sip->v3;
	sip->v1 = rotate(sip->v1, 17) ^ sip->v2;
	sip->v3 = rotate(sip->v3, 21) ^ sip->v0;
	sip->v2 = rotate(sip->v2, 32);
}

static inline void sip_take(struct sip *sip, uint64_t word)
{
	sip->v3 ^= word;
	sip_round(sip);
	sip_round(sip);
	sip->v0 ^= word;
}

static uint64_t sip_end(struct sip *sip)
{
	for (int i = 0; i < 4; i++)
		sip_round(sip);
	return sip->v0 ^ sip->v1 ^ sip->v2 ^ sip->v3;
}

void siphash(const unsigned char secret[SIPHASH_SECRET], struct span text, unsigned char tag[SIPHASH_TAG])
{
	uint64_t k0 = little_endian_get((const char *)secret, 8), k1 = little_endian_get((const char *)secret + 8, 8);
	struct sip sip = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d ^ 0xee, k0 ^ 0x6c7967656e657261,
			  k1 ^ 0x7465646279746573};
	size_t whole = text.len / 8 * 8;
	for (size_t at = 0; at < whole; at += 8)
		sip_take(&sip, little_endian_get(text.at + at, 8));
	uint64_t rest = whole == text.len ? 0 : little_endian_get(text.at + whole, (unsigned)(text.len - whole));
	sip_take(&sip, rest | (uint64_t)text.len << 56);
	sip.v2 ^= 0xee;
	uint64_t low = sip_end(&sip);
	sip.v1 ^= 0xdd;
	uint64_t high = sip_end(&sip);
	little_endian_put((char *)tag, low, 8);
	little_endian_put((char *)tag + 8, high, 8);
}
