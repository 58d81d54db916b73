/* SPDX-License-Identifier: MIT */
/* How many calls carried the same model string: a bounded hash table of counters that forgets all when it is full. */
#ifndef SLUICE_TOOLS_SIM_ATTEMPTS_H
#define SLUICE_TOOLS_SIM_ATTEMPTS_H

#include <stdint.h>

#include "lib/span.h"

enum { ATTEMPTS_SLOTS = 65536, ATTEMPTS_MOST = ATTEMPTS_SLOTS / 2 };

struct attempts {
	struct {
		uint64_t key; /* hash of the model string; 0 = free */
		uint64_t count;
	} slots[ATTEMPTS_SLOTS];
	uint32_t used;
};

/* Counts one more call with this model string and returns how many there were, this one included. */
uint64_t attempts_count(struct attempts *attempts, struct span model);

/* Forgets all. */
void attempts_forget(struct attempts *attempts);

#endif
