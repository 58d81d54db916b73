/* SPDX-License-Identifier: MIT */
/* From the text of a scalar to its value, for the types that keys of clients have. False when it is something else. */
#ifndef SLUICE_CONFIG_KEY_VALUES_H
#define SLUICE_CONFIG_KEY_VALUES_H

#include <stdint.h>

#include "lib/arena.h"

/* "ID:HEX" (lib/api_key.h). *hash: a struct config_key_hash in the arena. */
bool key_value_hash(struct arena *arena, struct span text, const void **hash);
/* One to three names by slashes. *tenant: a copy in the arena. */
bool key_value_tenant(struct arena *arena, struct span text, const char **tenant);
/* 1 to 256 bytes. *pattern: a copy in the arena. */
bool key_value_pattern(struct arena *arena, struct span text, const char **pattern);
/* An address, or an address, a slash and a length behind which all bits are 0. *network: a struct config_network in the
 * arena. */
bool key_value_network(struct arena *arena, struct span text, const void **network);
/* "YYYY-MM-DD" or "YYYY-MM-DDTHH:MM:SSZ" from 1970 on (RFC 3339, in UTC). *seconds: since 1970, never 0. */
bool key_value_time(struct span text, uint64_t *seconds);

#endif
