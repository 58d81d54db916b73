/* SPDX-License-Identifier: MIT */
/* Logarithmic histograms: a bucket is the highest bits of its times. */
#include "service/health/quantile.h"

enum { STEP_BITS = 4 };
_Static_assert(1 << STEP_BITS == QUANTILE_STEPS, "a step is told by that many bits");

/* Bucket 0 ends before 2^FIRST_BIT; then each doubling has its steps. */
static unsigned bucket_of(uint64_t took_us)
{
	if (took_us < 1u << QUANTILE_FIRST_BIT)
		return 0;
	if (took_us >= 1u << QUANTILE_LAST_BIT)
		return QUANTILE_BUCKETS - 1;
	unsigned bit = 63u - (unsigned)__builtin_clzll(took_us);
	unsigned step = (unsigned)(took_us >> (bit - STEP_BITS)) & (QUANTILE_STEPS - 1);
	return 1 + (bit - QUANTILE_FIRST_BIT) * QUANTILE_STEPS + step;
}

/* Where the bucket ends. */
static uint64_t end_of(unsigned bucket)
{
	unsigned bit = QUANTILE_FIRST_BIT + bucket / QUANTILE_STEPS;
	return (uint64_t)(QUANTILE_STEPS + bucket % QUANTILE_STEPS) << (bit - STEP_BITS);
}

void quantile_observe(struct quantile *quantile, uint64_t took_us, uint64_t now_us)
{
	struct quantile_part *part = &quantile->parts[quantile->young];
	if (part->samples >= QUANTILE_LEAST && now_us >= part->since_us + QUANTILE_SPAN_US) {
		quantile->young ^= 1;
		part = &quantile->parts[quantile->young];
		*part = (struct quantile_part){.since_us = now_us};
	}
	if (part->samples == 0)
		part->since_us = now_us;
	if (part->samples == UINT32_MAX)
		return;
	part->samples++;
	part->counts[bucket_of(took_us)]++;
}

uint64_t quantile_value(const struct quantile *quantile, unsigned percent)
{
	const struct quantile_part *parts = quantile->parts;
	uint64_t samples = (uint64_t)parts[0].samples + parts[1].samples;
	uint64_t rank = (samples * percent + 99) / 100;
	uint64_t below = 0;
	if (samples < QUANTILE_LEAST)
		return 0;
	for (unsigned i = 0; i < QUANTILE_BUCKETS; i++) {
		below += (uint64_t)parts[0].counts[i] + parts[1].counts[i];
		if (below >= rank)
			return end_of(i);
	}
	return end_of(QUANTILE_BUCKETS - 1);
}
