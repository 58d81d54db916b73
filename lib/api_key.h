/* SPDX-License-Identifier: MIT */
/*
 * The keys that clients show: "sk-sluice-", then an id, a secret and a checksum, all of letters and digits. The id
 * finds the key and may be logged; the checksum (CRC-32 of what stands before it) refuses a typo without a look-up, and
 * lets scanners tell a leaked key from similar text.
 */
#ifndef SLUICE_LIB_API_KEY_H
#define SLUICE_LIB_API_KEY_H

#include <stdbool.h>

#include "lib/span.h"

#define API_KEY_PREFIX "sk-sluice-"

enum {
	API_KEY_ID = 8,      /* characters: 62^8 ids */
	API_KEY_SECRET = 30, /* 178 bits */
	API_KEY_CHECK = 6,
	API_KEY_LENGTH = sizeof(API_KEY_PREFIX) - 1 + API_KEY_ID + API_KEY_SECRET + API_KEY_CHECK
};

/* Returns whether text has the form of a key and its checksum fits; *id is then its id, within text. */
bool api_key_parse(struct span text, struct span *id);

/* Returns whether text begins as a key and is as long; *id is then where its id would be. It may be no key all the
 * same: enough for one that was parsed before. */
bool api_key_glance(struct span text, struct span *id);

/* Returns whether text could be the id of a key. */
bool api_key_is_id(struct span text);

/* Makes a new key of the kernel's random bytes, with a NUL. False: the kernel has none. */
bool api_key_make(char key[API_KEY_LENGTH + 1]);

/* As api_key_make, with that id (api_key_is_id()) and a new secret. */
bool api_key_make_as(struct span id, char key[API_KEY_LENGTH + 1]);

/* Writes the checksum of text, API_KEY_CHECK characters without a NUL. */
void api_key_checksum(struct span text, char check[API_KEY_CHECK]);

#endif
