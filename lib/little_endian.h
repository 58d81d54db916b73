/* SPDX-License-Identifier: MIT */
/* Unsigned numbers as little-endian bytes, wherever they stand. */
#ifndef SLUICE_LIB_LITTLE_ENDIAN_H
#define SLUICE_LIB_LITTLE_ENDIAN_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

/* Writes the lowest bytes (1 to 8) of number. */
static inline void little_endian_put(char *at, uint64_t number, unsigned bytes)
{
	uint64_t ordered = htole64(number);
	memcpy(at, &ordered, bytes);
}

static inline uint64_t little_endian_get(const char *at, unsigned bytes)
{
	uint64_t ordered = 0;
	memcpy(&ordered, at, bytes);
	return le64toh(ordered);
}

#endif
