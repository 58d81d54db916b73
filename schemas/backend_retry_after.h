/* SPDX-License-Identifier: MIT */
/* The Retry-After header of a peer that may say anything (RFC 9110, section 10.2.3). */
#ifndef SLUICE_SCHEMAS_BACKEND_RETRY_AFTER_H
#define SLUICE_SCHEMAS_BACKEND_RETRY_AFTER_H

#include <stdint.h>
#include <time.h>

#include "lib/arena.h"

enum { RETRY_AFTER_MAX = 3600 };

/* Seconds to wait: value is a number of seconds (fractions are rounded up) or an HTTP date, seen at now; clamped to
 * 0…RETRY_AFTER_MAX. -1 when it is neither. */
int64_t backend_retry_after_seconds(struct span value, time_t now);

/* The same as text for a header, in the arena; empty when value is unusable. */
struct span backend_retry_after_clamp(struct span value, time_t now, struct arena *arena);

/* The same, but retry-after-ms (milliseconds, which OpenAI's SDKs prefer) goes first when it is usable. */
struct span backend_retry_after_read(struct span milliseconds, struct span value, time_t now, struct arena *arena);

#endif
