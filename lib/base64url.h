/* SPDX-License-Identifier: MIT */
/*
 * Base64 with the URL alphabet and without padding (RFC 4648, section 5; RFC 7515, section 2). Reading is strict: each
 * run of bytes has one text, so a changed text never stands for the same bytes.
 */
#ifndef SLUICE_LIB_BASE64URL_H
#define SLUICE_LIB_BASE64URL_H

#include "lib/span.h"

/* Bytes that a text of so many characters stands for. */
static inline size_t base64url_size(size_t characters)
{
	return characters / 4 * 3 + (characters % 4 == 0 ? 0 : characters % 4 - 1);
}

/*
 * Decodes text into out, which has room for `room` bytes, and sets *len. Returns false for a foreign character,
 * padding, a length that no bytes have, bits that are set after the last byte, or a text that needs more room.
 */
bool base64url_decode(struct span text, unsigned char *out, size_t room, size_t *len);

#endif
