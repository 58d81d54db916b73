/* SPDX-License-Identifier: MIT */
/* Open addressing on a 64-bit hash; equal hashes count as equal strings. */
#include "tools/sim/attempts.h"

#include "tools/sim/model.h"

void attempts_forget(struct attempts *attempts)
{
	memset(attempts, 0, sizeof *attempts);
}

uint64_t attempts_count(struct attempts *attempts, struct span model)
{
	uint64_t key = model_mix(model_hash(UINT64_C(0xcbf29ce484222325), model)) | 1;
	if (attempts->used == ATTEMPTS_MOST)
		attempts_forget(attempts);
	uint32_t at = (uint32_t)(key >> 32) % ATTEMPTS_SLOTS;
	while (attempts->slots[at].key != 0 && attempts->slots[at].key != key)
		at = (at + 1) % ATTEMPTS_SLOTS;
	attempts->used += attempts->slots[at].key == 0;
	attempts->slots[at].key = key;
	return ++attempts->slots[at].count;
}
