/* SPDX-License-Identifier: MIT */
/* Unsigned numbers as little-endian bytes, wherever they stand. */
#ifndef SLUICE_LIB_LITTLE_ENDIAN_H
#define SLUICE_LIB_LITTLE_ENDIAN_H

#include <stdint.h>

/* Writes the lowest bytes (1 to 8) of number. */
static inline void little_endian_put(char *at, uint64_t number, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		at[i] = (char)(unsigned char)(number >> (8 * i));
}

static inline uint64_t little_endian_get(const char *at, unsigned bytes)
{
	uint64_t number = 0;
	for (unsigned i = 0; i < bytes; i++)
		number |= (uint64_t)(unsigned char)at[i] << (8 * i);
	return number;
}

#endif
