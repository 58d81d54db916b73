/* SPDX-License-Identifier: MIT */
/* The cache of the process; cache.h holds the contract. */
#include "service/cache/cache.h"

#include <stdlib.h>

#include "lib/hash.h"

uint32_t cache_model(const struct cache *cache, size_t model)
{
	return cache->models->first[cache->models->numbers[model]];
}

static void on_yield(void *context, size_t bytes)
{
	const struct cache *cache = context;
	store_yield(cache->store, bytes);
}

struct cache *cache_create(const struct config *config)
{
	struct cache *cache = calloc(1, sizeof(*cache));
	if (cache == NULL)
		return NULL;
	cache->store = store_create(config->cache.size);
	cache->models = cache_models_create(config, NULL);
	cache->yields = (struct ledger_cache){on_yield, cache};
	if (cache->store != NULL && cache->models != NULL) {
		ledger_set_cache(&cache->yields);
		return cache;
	}
	cache_destroy(cache);
	return NULL;
}

void cache_destroy(struct cache *cache)
{
	if (cache == NULL)
		return;
	ledger_set_cache(NULL);
	store_destroy(cache->store);
	cache_models_destroy(cache->models);
	free(cache);
}

bool cache_rule_wants(const struct config_cache_rule *rule, const struct cache_entry *entry)
{
	return rule == NULL || rule->finish == CONFIG_CACHE_ANY || entry->endpoint == ENDPOINT_EMBEDDINGS ||
	       span_is(entry->finish, "stop");
}

bool cache_hit_of(struct store_value *value, const struct cache_wanted *wanted, struct cache_hit *hit)
{
	uint64_t age_us = wanted->now_us - value->stored_us;
	int64_t ttl_us = (int64_t)(value->fresh_until_us - wanted->now_us);
	if (wanted->rule != NULL)
		ttl_us = (int64_t)cache_fresh_us(wanted->rule, wanted->key) - (int64_t)age_us;
	*hit = (struct cache_hit){.value = value, .age_us = age_us, .ttl_us = ttl_us};
	return cache_entry_decode((struct span){value->bytes, value->len}, &hit->entry);
}

bool cache_find(struct cache *cache, const struct cache_wanted *wanted, struct cache_hit *hit)
{
	struct store_value *value = store_get(cache->store, wanted->key, wanted->now_us);
	if (value == NULL)
		return false;
	bool is_entry = cache_hit_of(value, wanted, hit);
	if (is_entry && cache_rule_wants(wanted->rule, &hit->entry))
		return true;
	cache_hit_drop(hit);
	if (!is_entry)
		store_purge(cache->store, &(struct store_filter){.key = wanted->key});
	return false;
}

void cache_hit_drop(struct cache_hit *hit)
{
	store_value_drop(hit->value);
	hit->value = NULL;
}

uint64_t cache_fresh_us(const struct config_cache_rule *rule, const struct cache_key *key)
{
	uint64_t tenth_us = rule->ttl_us / 10;
	return rule->ttl_us - tenth_us + hash_mix(HASH_START, cache_key_hash(key)) % (2 * tenth_us + 1);
}

enum cache_adopted cache_adopt(struct cache *cache, const struct cache_keeping *keeping,
			       const struct cache_lives *lives, struct span entry, uint64_t now_us,
			       struct cache_hit *hit)
{
	return cache_adopt_value(cache, keeping, lives, store_value_create(entry), now_us, hit);
}

enum cache_adopted cache_adopt_value(struct cache *cache, const struct cache_keeping *keeping,
				     const struct cache_lives *lives, struct store_value *value, uint64_t now_us,
				     struct cache_hit *hit)
{
	hit->value = NULL;
	if (value == NULL)
		return CACHE_NOT_ONE;
	uint64_t late_us = (uint64_t)(lives->fresh_us < 0 ? -lives->fresh_us : 0);
	value->stored_us = now_us - lives->age_us; /* may be before the clock began: only differences are looked at */
	value->fresh_until_us =
	    lives->fresh_us < 0 ? (now_us > late_us ? now_us - late_us : 0) : now_us + (uint64_t)lives->fresh_us;
	value->expires_us = now_us + lives->left_us;
	value->tags = keeping->tags;
	*hit = (struct cache_hit){.value = value, .age_us = lives->age_us, .ttl_us = lives->fresh_us};
	enum cache_adopted adopted = CACHE_NOT_ONE;
	if (cache_entry_decode((struct span){value->bytes, value->len}, &hit->entry)) {
		value->digest = hit->entry.digest;
		adopted = store_put(cache->store, &keeping->key, value, keeping->began.turn, keeping->taken)
			      ? CACHE_ADOPTED
			      : CACHE_PURGED;
	}
	if (adopted != CACHE_ADOPTED)
		cache_hit_drop(hit);
	return adopted;
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
