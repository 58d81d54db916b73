/* SPDX-License-Identifier: MIT */
/* Patterns of names: "*" stands for any characters, also for none; all others for themselves. */
#ifndef SLUICE_LIB_GLOB_H
#define SLUICE_LIB_GLOB_H

#include <stdbool.h>

#include "lib/span.h"

/* Returns whether text is what the pattern says, from its first byte to its last. At most pattern × text steps. */
bool glob_matches(struct span pattern, struct span text);

#endif
