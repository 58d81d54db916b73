/* SPDX-License-Identifier: MIT */
/*
 * A concurrency limit that follows the time to first content, after Netflix'
 * Gradient2: as long as calls answer as fast as they do in the long run, the
 * limit grows by the square root of itself with each round of calls; when they
 * slow down, it shrinks in proportion; when the backend says that it is overloaded, by a tenth. It stays
 * where it is while it is not what holds calls back. A backend that slows down
 * so gradually that the long average follows is not found out before it says
 * that it is overloaded: that is what the configured most is for.
 *
 * Pure: time is passed in, microseconds on the monotonic clock.
 */
#ifndef SLUICE_SERVICE_HEALTH_ADAPTIVE_LIMIT_H
#define SLUICE_SERVICE_HEALTH_ADAPTIVE_LIMIT_H

#include <stdint.h>

struct adaptive {
	double limit; /* from 1 to most */
	double most;
	double short_us; /* average of the last few times to first content; 0 = none yet */
	double long_us;  /* average of many */
	unsigned samples;
	uint64_t rests_until_us; /* until then a further overload is the same one */
};

/* most: the largest limit, at least 1. */
void adaptive_init(struct adaptive *adaptive, unsigned most);

/* Calls allowed at once. */
unsigned adaptive_limit(const struct adaptive *adaptive);

/* A call ended that had its first content after that long. running: calls at once, this one included. */
void adaptive_sample(struct adaptive *adaptive, uint64_t first_content_us, unsigned running);

/* The backend said that it is overloaded, or timed out. Calls that fail together shrink the limit once. */
void adaptive_overload(struct adaptive *adaptive, uint64_t now_us);

#endif
