/* SPDX-License-Identifier: MIT */
/* The cache of the process; cache.h holds the contract. */
#include "service/cache/cache.h"

#include <stdlib.h>

#include "lib/random.h"

enum { CACHE_OVERHEAD_MOST = 4096 };

struct cache *cache_create(const struct config *config)
{
	struct cache *cache = calloc(1, sizeof(*cache));
	if (cache == NULL)
		return NULL;
	cache->store = store_create(config->cache.size);
	cache->flights = flight_table_create();
	if (cache->store != NULL && cache->flights != NULL)
		return cache;
	cache_destroy(cache);
	return NULL;
}

void cache_destroy(struct cache *cache)
{
	if (cache == NULL)
		return;
	store_destroy(cache->store);
	flight_table_destroy(cache->flights);
	free(cache);
}

bool cache_find(struct cache *cache, const struct cache_key *key, uint64_t now_us, struct cache_hit *hit)
{
	struct store_value *value = store_get(cache->store, key, now_us);
	if (value == NULL)
		return false;
	*hit = (struct cache_hit){
	    .value = value, .age_us = now_us - value->stored_us, .ttl_us = (int64_t)(value->fresh_until_us - now_us)};
	if (cache_entry_decode((struct span){value->bytes, value->len}, &hit->entry))
		return true;
	cache_hit_drop(hit);
	store_purge(cache->store, &(struct store_filter){.key = key});
	return false;
}

void cache_hit_drop(struct cache_hit *hit)
{
	store_value_drop(hit->value);
	hit->value = NULL;
}

/* Somewhere between nine and eleven tenths, so that what was kept together does not end together. */
static uint64_t jittered(uint64_t time_us)
{
	return time_us - time_us / 10 + random_u64() % (time_us / 5 + 1);
}

bool cache_keep(struct cache *cache, const struct cache_keeping *keeping, const struct cache_entry *entry,
		uint64_t now_us)
{
	struct buf bytes;
	buf_init(&bytes, entry->body.len + CACHE_OVERHEAD_MOST);
	cache_entry_encode(entry, &bytes);
	struct store_value *value = buf_failed(&bytes) ? NULL : store_value_create(buf_span(&bytes));
	buf_fini(&bytes);
	if (value == NULL)
		return false;
	value->stored_us = now_us;
	value->fresh_until_us = now_us + jittered(keeping->rule->ttl_us);
	value->expires_us = value->fresh_until_us + keeping->rule->stale_us;
	value->tags = keeping->tags;
	store_put(cache->store, &keeping->key, value);
	store_value_drop(value);
	return true;
}

bool cache_read_metric(struct cache *cache, enum metric metric, double *value)
{
	struct store_totals totals = store_totals(cache->store);
	switch (metric) {
	case METRIC_CACHE_ENTRIES:
		*value = (double)totals.entries;
		return true;
	case METRIC_CACHE_BYTES:
		*value = (double)totals.bytes;
		return true;
	case METRIC_CACHE_EVICTIONS:
		*value = (double)totals.evictions;
		return true;
	case METRIC_CACHE_EXPIRED:
		*value = (double)totals.expired;
		return true;
	default:
		return false;
	}
}
