/* SPDX-License-Identifier: MIT */
/* Four characters to three bytes; base64url.h holds the contract. */
#include "lib/base64url.h"

#include <stdint.h>

/* Returns the six bits of a character, or -1. */
static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool base64url_decode(struct span text, unsigned char *out, size_t room, size_t *len)
{
	uint32_t bits = 0;
	unsigned held = 0; /* bits that wait for their byte */
	*len = 0;
	if (text.len % 4 == 1 || base64url_size(text.len) > room)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		int value = value_of(text.at[i]);
		if (value < 0)
			return false;
		bits = bits << 6 | (unsigned)value;
		held += 6;
		if (held < 8)
			continue;
		held -= 8;
		out[(*len)++] = (unsigned char)(bits >> held);
		bits &= (1u << held) - 1;
	}
	return bits == 0;
}
