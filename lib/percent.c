/* SPDX-License-Identifier: MIT */
/* Decoding of percent-encoded text; percent.h holds the contract. */
#include "lib/percent.h"

#include "lib/hex.h"

/* The byte that the triple at at stands for, or -1. */
static int triple(struct span in, size_t at)
{
	if (in.at[at] != '%' || in.len - at < 3)
		return -1;
	int high = hex_value(in.at[at + 1]);
	int low = hex_value(in.at[at + 2]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

struct span percent_decode(struct span in, bool form, char *out)
{
	size_t len = 0;
	for (size_t i = 0; i < in.len; i++) {
		int byte = triple(in, i);
		if (byte >= 0) {
			unsigned char octet = (unsigned char)byte;
			memcpy(&out[len++], &octet, 1);
			i += 2;
		} else {
			out[len++] = form && in.at[i] == '+' ? ' ' : in.at[i];
		}
	}
	return (struct span){out, len};
}
