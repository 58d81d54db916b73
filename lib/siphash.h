/* SPDX-License-Identifier: MIT */
/* SipHash-2-4 with 128 bits: tags of short texts that nobody can make who does not know the secret. */
#ifndef SLUICE_LIB_SIPHASH_H
#define SLUICE_LIB_SIPHASH_H

#include "lib/span.h"

enum { SIPHASH_SECRET = 16, SIPHASH_TAG = 16 /* bytes */ };

/* Writes the tag of text under the secret. */
void siphash(const unsigned char secret[SIPHASH_SECRET], struct span text, unsigned char tag[SIPHASH_TAG]);

#endif
