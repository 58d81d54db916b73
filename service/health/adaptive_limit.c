/* SPDX-License-Identifier: MIT */
/*
 * The numbers are Gradient2's defaults, with two differences: its fixed head
 * room of 4 is much for a small limit; and where it gathers the samples of a
 * window before it makes a step, each sample makes its part of one here.
 */
#include "service/health/adaptive_limit.h"

#include <math.h>

enum {
	ADAPTIVE_START = 20,         /* the limit before anything is known */
	ADAPTIVE_SHORT_SAMPLES = 10, /* of the short average */
	ADAPTIVE_LONG_SAMPLES = 600, /* of the long one */
	ADAPTIVE_REST_US = 100000,   /* at least, between two shrinkings by overload */
};

static const double tolerance = 1.5;     /* slower than the long average by that much is no slowing down yet */
static const double steepest = 0.5;      /* shrinking that a sample may ask for */
static const double backoff = 0.9;       /* on overload */
static const double near = 0.8;          /* of the limit is in use: it may hold calls back */
static const double forget = 0.95;       /* of a long average that is more than twice the short one */
static const double forget_beyond = 2.0; /* the backend has become faster for good, or came out of a bad hour */

void adaptive_init(struct adaptive *adaptive, unsigned most)
{
	double largest = most < 1 ? 1 : most;
	*adaptive = (struct adaptive){.limit = fmin(ADAPTIVE_START, largest), .most = largest};
}

unsigned adaptive_limit(const struct adaptive *adaptive)
{
	return (unsigned)adaptive->limit;
}

/* An average of the last count samples or so; exact while there are fewer. */
static double average(double before, double sample, unsigned samples, unsigned count)
{
	return before + (sample - before) / (samples < count ? samples : count);
}

static void adaptive_set(struct adaptive *adaptive, double limit)
{
	adaptive->limit = fmax(1, fmin(limit, adaptive->most));
}

void adaptive_sample(struct adaptive *adaptive, uint64_t first_content_us, unsigned running)
{
	double sample = (double)first_content_us;
	if (adaptive->samples < ADAPTIVE_LONG_SAMPLES)
		adaptive->samples++;
	adaptive->short_us = average(adaptive->short_us, sample, adaptive->samples, ADAPTIVE_SHORT_SAMPLES);
	adaptive->long_us = average(adaptive->long_us, sample, adaptive->samples, ADAPTIVE_LONG_SAMPLES);
	if (adaptive->long_us > forget_beyond * adaptive->short_us)
		adaptive->long_us *= forget;
	if (adaptive->short_us <= 0 || running < near * adaptive_limit(adaptive))
		return;
	double gradient = fmax(steepest, fmin(1, tolerance * adaptive->long_us / adaptive->short_us));
	double wanted = adaptive->limit * gradient + sqrt(adaptive->limit);
	/* a round of calls makes the whole step: each of them a part */
	adaptive_set(adaptive, adaptive->limit + (wanted - adaptive->limit) / adaptive->limit);
}

void adaptive_overload(struct adaptive *adaptive, uint64_t now_us)
{
	if (now_us < adaptive->rests_until_us)
		return;
	adaptive_set(adaptive, adaptive->limit * backoff);
	uint64_t rest_us = (uint64_t)adaptive->short_us; /* calls that run now were let in under the old limit */
	adaptive->rests_until_us = now_us + (rest_us < ADAPTIVE_REST_US ? ADAPTIVE_REST_US : rest_us);
}
