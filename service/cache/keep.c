/* SPDX-License-Identifier: MIT */
/* Keeping answers, in memory and in what replicas share; fetch.h holds the contract. */
#include "lib/random.h"
#include "service/cache/remote.h"

enum { CACHE_OVERHEAD_MOST = 4096 };

/* Somewhere between nine and eleven tenths, so that what was kept together does not end together. */
static uint64_t jittered(uint64_t time_us)
{
	return time_us - time_us / 10 + random_u64() % (time_us / 5 + 1);
}

bool cache_keep(struct cache_worker *worker, const struct cache_keeping *keeping, const struct cache_entry *entry)
{
	struct buf bytes;
	struct cache_hit hit;
	struct cache_lives lives = {.age_us = 0, .fresh_us = (int64_t)jittered(keeping->rule->ttl_us)};
	lives.left_us = (uint64_t)lives.fresh_us + keeping->rule->stale_us;
	buf_init(&bytes, entry->body.len + CACHE_OVERHEAD_MOST);
	cache_entry_encode(entry, &bytes);
	bool kept = !buf_failed(&bytes) && cache_adopt(worker->cache, &keeping->key, &keeping->tags, &lives,
						       buf_span(&bytes), timers_now(&worker->reactor->timers), &hit);
	if (kept)
		cache_hit_drop(&hit);
	if (kept && worker->remote != NULL) {
		struct parcel parcel = {
		    .fresh_us = (uint64_t)lives.fresh_us, .life_us = lives.left_us, .entry = buf_span(&bytes)};
		remote_put(worker->remote, &keeping->tags, &keeping->key, &parcel);
	}
	buf_fini(&bytes);
	return kept;
}
