/* SPDX-License-Identifier: MIT */
/* Giving kept answers, as a stream or whole. */
#ifndef SLUICE_SERVICE_EXCHANGE_CACHING_GIVE_H
#define SLUICE_SERVICE_EXCHANGE_CACHING_GIVE_H

#include "lib/metrics.h"
#include "service/cache/cache.h"

struct exchange;

/*
 * Gives what is kept, with an id and a time of its own, or says that the client has it already. hit: is given back.
 * Returns whether the exchange is over; else it ends by itself.
 */
bool caching_give(struct exchange *exchange, const struct cache_hit *hit, enum metrics_cache how);

#endif
