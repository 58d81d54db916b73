/* SPDX-License-Identifier: MIT */
/*
 * A live quantile of times: histograms of the last minutes on a logarithmic
 * scale, 16 buckets for each doubling, from 1 ms to 17 minutes.
 *
 * Error: the value told is the upper end of the bucket that holds the exact one,
 * so it is never below it, and above it by less than 1/16 (times under 1.024 ms
 * count as 1.024 ms, those of more than 2^30 µs as that).
 *
 * Two histograms take turns: when the younger one is QUANTILE_SPAN_US old and has
 * QUANTILE_LEAST samples, it becomes the older one and the older one is forgotten.
 * So it knows the last 2 to 4 minutes, or as much as it takes for enough samples.
 * Its owner locks.
 */
#ifndef SLUICE_SERVICE_HEALTH_QUANTILE_H
#define SLUICE_SERVICE_HEALTH_QUANTILE_H

#include <stdint.h>

enum {
	QUANTILE_FIRST_BIT = 10, /* of the least time */
	QUANTILE_LAST_BIT = 30,
	QUANTILE_STEPS = 16, /* of each doubling */
	QUANTILE_BUCKETS = (QUANTILE_LAST_BIT - QUANTILE_FIRST_BIT) * QUANTILE_STEPS + 1,
	QUANTILE_SPAN_US = 120000000,
	QUANTILE_LEAST = 40,
};

struct quantile_part {
	uint64_t since_us;
	uint32_t samples;
	uint32_t counts[QUANTILE_BUCKETS]; /* the first: less than the least time */
};

struct quantile {
	struct quantile_part parts[2];
	unsigned young; /* which of them */
};

void quantile_observe(struct quantile *quantile, uint64_t took_us, uint64_t now_us);

/* The value that percent of the samples do not exceed, microseconds; 0 = too few samples. */
uint64_t quantile_value(const struct quantile *quantile, unsigned percent);

#endif
