/* SPDX-License-Identifier: MIT */
/* Hexadecimal digits: read in either case, written in lower case. */
#ifndef SLUICE_LIB_HEX_H
#define SLUICE_LIB_HEX_H

#include <stdint.h>

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

/* Appends the number in lower case, with zeros in front of it up to so many digits, at most HEX_SIZE; the same failure
 * as buf_append. */
static inline bool hex_append(struct buf *buf, uint64_t value, size_t digits)
{
	char out[HEX_SIZE];
	size_t at = HEX_SIZE;
	do
		out[--at] = "0123456789abcdef"[value & 15];
	while ((value >>= 4) != 0 || HEX_SIZE - at < digits);
	return buf_append(buf, (struct span){&out[at], HEX_SIZE - at});
}

#endif
