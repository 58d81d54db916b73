/* SPDX-License-Identifier: MIT */
/* An average that forgets with calls and with time. */
#include "service/health/success_rate.h"

#include <math.h>

static const double weight = 0.1; /* of one call */

double success_rate_failing(const struct success_rate *success, uint64_t now_us)
{
	if (now_us <= success->at_us)
		return success->failing;
	return success->failing * exp(-(double)(now_us - success->at_us) / SUCCESS_RATE_TAU_US);
}

void success_rate_note(struct success_rate *success, bool good, uint64_t now_us)
{
	double failing = success_rate_failing(success, now_us);
	success->failing = failing + ((good ? 0 : 1) - failing) * weight;
	if (now_us > success->at_us)
		success->at_us = now_us;
}
