/* SPDX-License-Identifier: MIT */
/* Hexadecimal digits, of either case. */
#ifndef SLUICE_LIB_HEX_H
#define SLUICE_LIB_HEX_H

/* The value of a digit, or -1. */
static inline int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif
