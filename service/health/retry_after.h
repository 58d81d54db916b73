/* SPDX-License-Identifier: MIT */
/*
 * Retry-After of our own refusals: how long a client is asked to wait when a queue is full, a breaker is open or a
 * target pauses. What backends say is read by schemas/backend_retry_after.h.
 */
#ifndef SLUICE_SERVICE_HEALTH_RETRY_AFTER_H
#define SLUICE_SERVICE_HEALTH_RETRY_AFTER_H

#include <stddef.h>
#include <stdint.h>

#include "lib/arena.h"

/*
 * Returns the wait for a place, in microseconds: at least a second. interval_us: average between two calls that end;
 * before: requests that wait already.
 */
uint64_t retry_after_estimate_us(uint64_t interval_us, size_t before);

/* Returns the header's value in the arena: whole seconds, rounded up, at most an hour; empty when the wait is 0, not
 * known. */
struct span retry_after_write(uint64_t wait_us, struct arena *arena);

#endif
