/* SPDX-License-Identifier: MIT */
/* Peak-EWMA, as in Finagle's balancer. */
#include "service/health/latency.h"

#include <math.h>

/* What is left of a weight. A clock that is a little behind counts as none passed. */
static double left(const struct latency *latency, uint64_t now_us)
{
	return now_us <= latency->at_us ? 1 : exp(-(double)(now_us - latency->at_us) / LATENCY_TAU_US);
}

void latency_observe(struct latency *latency, uint64_t took_us, uint64_t now_us)
{
	double took = (double)(took_us < LATENCY_LEAST_US ? LATENCY_LEAST_US : took_us);
	double weight = left(latency, now_us);
	if (took >= latency->value_us * weight)
		latency->value_us = took;
	else
		latency->value_us = latency->value_us * weight + took * (1 - weight);
	if (now_us > latency->at_us)
		latency->at_us = now_us;
}

void latency_exceeds(struct latency *latency, uint64_t waited_us, uint64_t now_us)
{
	if (waited_us > latency_value(latency, now_us))
		latency_observe(latency, waited_us, now_us);
}

uint64_t latency_value(const struct latency *latency, uint64_t now_us)
{
	return (uint64_t)(latency->value_us * left(latency, now_us));
}
