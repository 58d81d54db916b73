/* SPDX-License-Identifier: MIT */
/* Whole seconds, as header fields such as Retry-After have them (RFC 9110, section 10.2.3). */
#ifndef SLUICE_LIB_SECONDS_H
#define SLUICE_LIB_SECONDS_H

#include <stdint.h>

/* Returns microseconds as whole seconds, rounded up, so that whoever waits that long is never too early. */
static inline uint64_t seconds_rounded_up(uint64_t microseconds)
{
	enum { SECONDS_MICROSECONDS = 1000000 };
	return microseconds / SECONDS_MICROSECONDS + (microseconds % SECONDS_MICROSECONDS != 0);
}

#endif
