/* SPDX-License-Identifier: MIT */
/* Giving answers that are there as a whole, as streams or whole. The exchange is over when any of these returns. */
#ifndef SLUICE_SERVICE_EXCHANGE_CACHING_GIVE_H
#define SLUICE_SERVICE_EXCHANGE_CACHING_GIVE_H

#include "lib/metrics.h"
#include "schemas/openai_replay.h"
#include "service/cache/cache.h"

struct exchange;

/* What is kept, with an id and a time of its own; or that the client has it already. hit: is given back. */
void caching_give(struct exchange *exchange, const struct cache_hit *hit, enum metrics_cache how);

void caching_give_stream(struct exchange *exchange, const struct openai_replay *replay);
void caching_give_whole(struct exchange *exchange, const struct openai_replay *replay);

#endif
