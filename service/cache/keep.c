/* SPDX-License-Identifier: MIT */
/* Keeping answers, in memory and in what replicas share; fetch.h holds the contract. */
#include "service/cache/purge_watch.h"

enum { CACHE_OVERHEAD_MOST = 4096 };

static void share(struct remote *remote, const struct cache_keeping *keeping, const struct cache_lives *lives,
		  struct span entry)
{
	struct parcel parcel = {.fresh_us = (uint64_t)lives->fresh_us, .life_us = lives->left_us, .entry = entry};
	memcpy(parcel.seen, keeping->began.seen, sizeof(parcel.seen));
	remote_put(remote, &keeping->tags, &keeping->key, &parcel);
}

void cache_renew(struct cache_worker *worker, const struct cache_keeping *keeping, uint64_t digest)
{
	const struct store_filter filter = {.key = &keeping->key, .except = &digest, .began = keeping->began.turn};
	store_purge(worker->cache->store, &filter);
	if (worker->remote != NULL)
		purge_watch_announce(worker->remote, &filter, NULL, NULL);
}

enum cache_adopted cache_keep(struct cache_worker *worker, const struct cache_keeping *keeping,
			      const struct cache_entry *entry)
{
	struct buf bytes;
	struct cache_hit hit = {.value = NULL};
	struct cache_lives lives = {.age_us = 0, .fresh_us = (int64_t)cache_fresh_us(keeping->rule, &keeping->key)};
	lives.left_us = (uint64_t)lives.fresh_us + keeping->rule->stale_us;
	buf_init(&bytes, entry->body.len + CACHE_OVERHEAD_MOST);
	cache_entry_encode(entry, &bytes);
	enum cache_adopted adopted = buf_failed(&bytes) ? CACHE_NOT_ONE
							: cache_adopt(worker->cache, keeping, &lives, buf_span(&bytes),
								      timers_now(&worker->reactor->timers), &hit);
	if (adopted == CACHE_ADOPTED) {
		if (worker->remote != NULL)
			share(worker->remote, keeping, &lives, buf_span(&bytes));
		if (keeping->renews)
			cache_renew(worker, keeping, hit.entry.digest);
		cache_hit_drop(&hit);
	} else if (adopted == CACHE_PURGED && keeping->renews && worker->remote != NULL) {
		cache_renew(worker, keeping, 0); /* which of two replicas renewed last is not known: neither is kept */
	}
	buf_fini(&bytes);
	return adopted;
}
