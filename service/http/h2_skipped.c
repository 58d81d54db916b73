/* SPDX-License-Identifier: MIT */
/* A ring of ranges of skipped stream ids. */
#include "service/http/h2_skipped.h"

void h2_skipped_open(struct h2_skipped *skipped, int32_t id)
{
	int32_t expected = skipped->last == 0 ? 1 : skipped->last + 2;
	if (id > expected) {
		skipped->ranges[skipped->next].first = expected;
		skipped->ranges[skipped->next].last = id - 2;
		skipped->next = (skipped->next + 1) % H2_SKIPPED_RANGES;
	}
	if (id > skipped->last)
		skipped->last = id;
}

bool h2_skipped_has(const struct h2_skipped *skipped, int32_t id)
{
	for (size_t i = 0; i < H2_SKIPPED_RANGES; i++) {
		if (skipped->ranges[i].first != 0 && id >= skipped->ranges[i].first && id <= skipped->ranges[i].last)
			return true;
	}
	return false;
}
