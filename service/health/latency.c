/* SPDX-License-Identifier: MIT */
/* An exponentially weighted average of bounded samples; latency.h tells the rules. */
#include "service/health/latency.h"

#include <math.h>

static const double weight_least = 0.02; /* of a sample right behind another one */
static const double weight_most = 0.2;   /* of one that comes alone */

/* What is left of a value. A clock that is a little behind counts as none passed. */
static double left(const struct latency *latency, uint64_t now_us)
{
	return now_us <= latency->at_us ? 1 : exp(-(double)(now_us - latency->at_us) / LATENCY_TAU_US);
}

/* Of calls that come in quick succession each weighs less: they tell of the same moment. */
static double weight_of(const struct latency *latency, uint64_t now_us)
{
	double passed = now_us <= latency->at_us ? 0 : (double)(now_us - latency->at_us);
	double weight = 1 - exp(-passed / LATENCY_MEMORY_US);
	weight = weight < weight_least ? weight_least : weight;
	return weight > weight_most ? weight_most : weight;
}

static bool is_forgotten(const struct latency *latency, uint64_t now_us)
{
	return latency->value_us * left(latency, now_us) < LATENCY_FORGOTTEN_US;
}

void latency_observe(struct latency *latency, uint64_t took_us, uint64_t now_us)
{
	double took = (double)(took_us < LATENCY_LEAST_US ? LATENCY_LEAST_US : took_us);
	double value = latency->value_us;
	if (is_forgotten(latency, now_us))
		latency->samples = 0;
	if (latency->samples < LATENCY_SAMPLES) {
		/* the least of the first ones: which is slow by chance is not known yet */
		latency->value_us = latency->samples == 0 || took < value ? took : value;
		latency->samples++;
	} else {
		took = took > value * LATENCY_BOUND ? value * LATENCY_BOUND : took;
		latency->value_us = value + (took - value) * weight_of(latency, now_us);
	}
	if (now_us > latency->at_us)
		latency->at_us = now_us;
}

void latency_exceeds(struct latency *latency, uint64_t waited_us, uint64_t now_us)
{
	if (latency->samples < LATENCY_SAMPLES || (double)waited_us > latency->value_us)
		latency_observe(latency, waited_us, now_us);
}

uint64_t latency_value(const struct latency *latency, uint64_t now_us)
{
	if (latency->samples < LATENCY_SAMPLES || is_forgotten(latency, now_us))
		return 0;
	return (uint64_t)(latency->value_us * left(latency, now_us));
}
