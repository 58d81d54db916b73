/* SPDX-License-Identifier: MIT */
/*
 * Runs of a string that mean nothing special to JSON: printable ASCII but for
 * quote and backslash. Most bytes of every prompt and answer are in such runs,
 * so they are passed 16 at a time where the processor can (SSE2), else 8.
 */
#ifndef SLUICE_LIB_JSON_PLAIN_H
#define SLUICE_LIB_JSON_PLAIN_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>

enum { JSON_BLOCK = 64 };

/* A bit for each of 16 bytes that is not plain. */
static inline unsigned json_mask_16(const unsigned char *at)
{
	__m128i block;
	memcpy(&block, at, sizeof(block));
	/* signed: bytes from 0x80 on are less than a space as well */
	__m128i special = _mm_or_si128(
	    _mm_cmplt_epi8(block, _mm_set1_epi8(0x20)),
	    _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8('"')), _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'))));
	return (unsigned)_mm_movemask_epi8(special);
}

/* A bit for each of JSON_BLOCK bytes that is not plain. */
static inline uint64_t json_mask_block(const unsigned char *at)
{
	return (uint64_t)json_mask_16(at) | (uint64_t)json_mask_16(at + 16) << 16 |
	       (uint64_t)json_mask_16(at + 32) << 32 | (uint64_t)json_mask_16(at + 48) << 48;
}
#endif

static inline bool json_is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

#define JSON_PLAIN_EACH(b) (UINT64_C(0x0101010101010101) * (b))

/*
 * The top bit of each byte of word that is not plain. A borrow may set more
 * bits, but only above the first true one, and the first is all that is used.
 */
static inline uint64_t json_not_plain(uint64_t word)
{
	uint64_t control = word - JSON_PLAIN_EACH(0x20);
	uint64_t quote = (word ^ JSON_PLAIN_EACH('"')) - JSON_PLAIN_EACH(1);
	uint64_t backslash = (word ^ JSON_PLAIN_EACH('\\')) - JSON_PLAIN_EACH(1);
	return (control | quote | backslash | word) & JSON_PLAIN_EACH(0x80);
}

/* The first byte from at on that is not plain, or end. */
static inline const unsigned char *json_skip_plain(const unsigned char *at, const unsigned char *end)
{
#ifdef __SSE2__
	for (; end - at >= 16; at += 16) {
		unsigned mask = json_mask_16(at);
		if (mask != 0)
			return at + __builtin_ctz(mask);
	}
#endif
	for (; end - at >= 8; at += 8) {
		uint64_t word;
		memcpy(&word, at, sizeof(word));
		uint64_t mask = json_not_plain(htole64(word));
		if (mask != 0)
			return at + __builtin_ctzll(mask) / 8;
	}
	while (at < end && json_is_plain(*at))
		at++;
	return at;
}

#endif
