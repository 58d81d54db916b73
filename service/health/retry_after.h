/* SPDX-License-Identifier: MIT */
/*
 * The wait that a refusal of ours by health or a queue asks for, and the header field Retry-After that says so. Waits
 * for other reasons: limits of keys and models in exchange/limiting.c, too many wrong keys in authorize.c, and the
 * fixed second of a 503 in refuse.c. What backends say is read by schemas/backend_retry_after.h.
 */
#ifndef SLUICE_SERVICE_HEALTH_RETRY_AFTER_H
#define SLUICE_SERVICE_HEALTH_RETRY_AFTER_H

#include <stddef.h>
#include <stdint.h>

#include "lib/arena.h"
#include "service/health/health.h"

struct breaker;
struct target_cell;

/*
 * Returns how long health refuses calls for that reason from now on, in microseconds: until the pause is over that the
 * backend asked for, or as breaker_wait_us(); 0 = not known, of every other reason. Under the target's lock.
 */
uint64_t retry_after_refusal_us(enum health_reason reason, const struct target_cell *target,
				const struct breaker *breaker, uint64_t now_us);

/*
 * Returns the wait for a place in a queue, in microseconds: at least a second. interval_us: average between two calls
 * that end; before: requests that wait already.
 */
uint64_t retry_after_place_us(uint64_t interval_us, size_t before);

/* Returns the field's value in the arena: whole seconds, rounded up, at most an hour; empty when the wait is 0, not
 * known. */
struct span retry_after_write(uint64_t wait_us, struct arena *arena);

#endif
