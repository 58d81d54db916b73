/* SPDX-License-Identifier: MIT */
/* Well-formed UTF-8 (RFC 3629): the one definition that the JSON reader and writer share. */
#ifndef SLUICE_LIB_UTF8_H
#define SLUICE_LIB_UTF8_H

#include <stdbool.h>
#include <stddef.h>

static inline bool utf8_is_tail(unsigned char byte)
{
	return (byte & 0xC0) == 0x80;
}

/*
 * The length, 1 to 4, of the sequence that starts at at; 0 when it is not
 * well-formed or cut off (overlong forms, surrogates and code points past
 * U+10FFFF included). left: bytes that may be read, at least 1.
 */
static inline size_t utf8_length(const unsigned char *at, size_t left)
{
	unsigned char first = at[0];
	if (first < 0x80)
		return 1;
	if (first < 0xC2 || first > 0xF4 || left < 2 || !utf8_is_tail(at[1]))
		return 0;
	if (first < 0xE0)
		return 2;
	if (left < 3 || !utf8_is_tail(at[2]))
		return 0;
	if (first < 0xF0)
		return (first == 0xE0 && at[1] < 0xA0) || (first == 0xED && at[1] > 0x9F) ? 0 : 3;
	if (left < 4 || !utf8_is_tail(at[3]))
		return 0;
	return (first == 0xF0 && at[1] < 0x90) || (first == 0xF4 && at[1] > 0x8F) ? 0 : 4;
}

#endif
