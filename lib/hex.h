/* SPDX-License-Identifier: MIT */
/* Hexadecimal digits: read in either case, written in lower case. */
#ifndef SLUICE_LIB_HEX_H
#define SLUICE_LIB_HEX_H

#include <stdint.h>
#include <string.h>

#include "lib/buf.h"

enum { HEX_SIZE = 16 }; /* the digits of the largest number */

/* The value of a digit, or -1. */
static inline int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The number that digits say, at most HEX_SIZE of them. False when it is none. */
static inline bool hex_read(struct span digits, uint64_t *number)
{
	*number = 0;
	for (size_t i = 0; i < digits.len; i++) {
		int value = hex_value(digits.at[i]);
		if (value < 0)
			return false;
		*number = *number << 4 | (unsigned)value;
	}
	return digits.len > 0 && digits.len <= HEX_SIZE;
}

enum { HEX_EIGHT = 8 };

/* Writes the eight digits of a number: its nibbles are spread over eight bytes, and all become digits at once. */
static inline void hex_write_eight(char out[HEX_EIGHT], uint32_t value)
{
	uint64_t x = value;
	x = (x << 16 | x) & 0x0000ffff0000ffff;
	x = (x << 8 | x) & 0x00ff00ff00ff00ff;
	x = (x << 4 | x) & 0x0f0f0f0f0f0f0f0f;
	uint64_t letters = ((x + 0x0606060606060606) >> 4 & 0x0101010101010101) * ('a' - '0' - 10);
	x = __builtin_bswap64(x + 0x3030303030303030 + letters); /* the first digit is the highest */
	memcpy(out, &x, HEX_EIGHT);
}

/* Appends the number in lower case, with zeros in front of it up to so many digits, at most HEX_SIZE; the same failure
 * as buf_append. */
static inline bool hex_append(struct buf *buf, uint64_t value, size_t digits)
{
	char out[HEX_SIZE];
	size_t needed = value == 0 ? 1 : HEX_SIZE - (size_t)__builtin_clzll(value) / 4;
	size_t len = needed > digits ? needed : digits;
	hex_write_eight(out, (uint32_t)(value >> 32));
	hex_write_eight(out + HEX_EIGHT, (uint32_t)value);
	return buf_append(buf, (struct span){out + HEX_SIZE - len, len});
}

#endif
