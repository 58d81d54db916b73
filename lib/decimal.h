/* SPDX-License-Identifier: MIT */
/* Whole numbers as decimal text. Log lines and heads are full of them; printf costs ten times as much. */
#ifndef SLUICE_LIB_DECIMAL_H
#define SLUICE_LIB_DECIMAL_H

#include <stdint.h>

#include "lib/buf.h"

enum { DECIMAL_SIZE = 21 }; /* the longest one, with sign and without NUL: -9223372036854775808, 18446744073709551615 */

/* The digits of value, in out; nothing behind them. Two of them cost one division. */
static inline struct span decimal_write(char out[DECIMAL_SIZE], uint64_t value)
{
	static const char pairs[] = "00010203040506070809"
				    "10111213141516171819"
				    "20212223242526272829"
				    "30313233343536373839"
				    "40414243444546474849"
				    "50515253545556575859"
				    "60616263646566676869"
				    "70717273747576777879"
				    "80818283848586878889"
				    "90919293949596979899";
	size_t at = DECIMAL_SIZE;
	for (; value >= 10; value /= 100)
		memcpy(&out[at -= 2], &pairs[value % 100 * 2], 2);
	if (value > 0 || at == DECIMAL_SIZE)
		out[--at] = (char)('0' + value);
	return (struct span){&out[at], DECIMAL_SIZE - at};
}

/* Appends the number; the same failure as buf_append. */
static inline bool decimal_append(struct buf *buf, uint64_t value)
{
	char digits[DECIMAL_SIZE];
	return buf_append(buf, decimal_write(digits, value));
}

static inline bool decimal_append_signed(struct buf *buf, int64_t value)
{
	if (value >= 0)
		return decimal_append(buf, (uint64_t)value);
	return buf_append(buf, SPAN("-")) && decimal_append(buf, 0 - (uint64_t)value);
}

/* Exactly count digits, with zeros in front; the lowest ones of a larger value. */
static inline void decimal_fixed(char *out, size_t count, uint64_t value)
{
	for (; count > 0; value /= 10)
		out[--count] = (char)('0' + value % 10);
}

#endif
