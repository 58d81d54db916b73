/* SPDX-License-Identifier: MIT */
/*
 * How many wrong keys a network may show: a minute's worth at once, then one each time its share of the minute has
 * passed (GCRA). It serves all clients and is shared by all workers. Its size is fixed: where four networks share a
 * row, a fifth one takes the place of the one that has the least to wait, which thereby begins anew. Nobody can make
 * another network wait.
 */
#ifndef SLUICE_SERVICE_ACCESS_FAILURES_H
#define SLUICE_SERVICE_ACCESS_FAILURES_H

#include <stdint.h>

struct access_failures;

/* per_minute: at least 1. NULL: out of memory. */
struct access_failures *access_failures_create(unsigned per_minute);
/* NULL is harmless. */
void access_failures_destroy(struct access_failures *failures);

/*
 * Counts a wrong key of the network at that time (microseconds, monotonic). Returns 0, or when it is one too many,
 * which then does not count, the microseconds until the next one. Thread-safe.
 */
uint64_t access_failures_count(struct access_failures *failures, uint64_t network, uint64_t now_us);

#endif
