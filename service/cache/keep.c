/* SPDX-License-Identifier: MIT */
/* Keeping answers, in memory and in what replicas share; fetch.h holds the contract. */
#include "lib/random.h"
#include "service/cache/replica_purges.h"

enum { CACHE_OVERHEAD_MOST = 4096 };

static struct parcel parcel_of(const struct cache_keeping *keeping, const struct cache_packed *packed)
{
	struct parcel parcel = {.fresh_us = (uint64_t)packed->lives.fresh_us,
				.life_us = packed->lives.left_us,
				.entry = buf_span(&packed->entry)};
	memcpy(parcel.seen, keeping->began.seen, sizeof(parcel.seen));
	return parcel;
}

static void share(struct remote *remote, const struct cache_keeping *keeping, const struct cache_packed *packed)
{
	struct parcel parcel = parcel_of(keeping, packed);
	if (buf_len(&packed->parcel) > 0)
		remote_put_packed(remote, &keeping->tags, &keeping->key, parcel.life_us, buf_span(&packed->parcel));
	else
		remote_put(remote, &keeping->tags, &keeping->key, &parcel);
}

/* One that spares nothing has a digest that no answer has: by it the log tells this renewal from others. */
void cache_renew(struct cache_worker *worker, const struct cache_keeping *keeping, uint64_t digest)
{
	if (digest == 0)
		digest = random_u64() | 1;
	const struct store_filter filter = {.key = &keeping->key, .except = &digest, .began = keeping->began.turn};
	store_purge(worker->cache->store, &filter);
	if (worker->remote != NULL)
		replica_purges_announce(worker->remote, &filter, NULL, NULL);
}

void cache_pack(const struct cache_keeping *keeping, const struct cache_entry *entry, bool shares,
		struct cache_packed *packed)
{
	int64_t fresh_us = (int64_t)cache_fresh_us(keeping->rule, &keeping->key);
	packed->lives = (struct cache_lives){
	    .age_us = 0, .fresh_us = fresh_us, .left_us = (uint64_t)fresh_us + keeping->rule->stale_us};
	buf_init(&packed->entry, entry->body.len + CACHE_OVERHEAD_MOST);
	buf_init(&packed->parcel, entry->body.len + 2 * (size_t)CACHE_OVERHEAD_MOST);
	cache_entry_encode(entry, &packed->entry);
	if (!shares || buf_failed(&packed->entry))
		return;
	struct parcel parcel = parcel_of(keeping, packed);
	parcel_encode(&parcel, &keeping->key, &packed->parcel);
}

void cache_packed_fini(struct cache_packed *packed)
{
	buf_fini(&packed->entry);
	buf_fini(&packed->parcel);
}

enum cache_adopted cache_keep_packed(struct cache_worker *worker, const struct cache_keeping *keeping,
				     const struct cache_packed *packed)
{
	struct cache_hit hit = {.value = NULL};
	enum cache_adopted adopted = buf_failed(&packed->entry)
					 ? CACHE_NOT_ONE
					 : cache_adopt(worker->cache, keeping, &packed->lives, buf_span(&packed->entry),
						       timers_now(&worker->reactor->timers), &hit);
	if (adopted == CACHE_ADOPTED) {
		if (worker->remote != NULL)
			share(worker->remote, keeping, packed);
		if (keeping->renews)
			cache_renew(worker, keeping, hit.entry.digest);
		cache_hit_drop(&hit);
	} else if (adopted == CACHE_PURGED && keeping->renews && worker->remote != NULL) {
		cache_renew(worker, keeping, 0); /* which of two replicas renewed last is not known: neither is kept */
	}
	return adopted;
}

enum cache_adopted cache_keep(struct cache_worker *worker, const struct cache_keeping *keeping,
			      const struct cache_entry *entry)
{
	struct cache_packed packed;
	cache_pack(keeping, entry, false, &packed);
	enum cache_adopted adopted = cache_keep_packed(worker, keeping, &packed);
	cache_packed_fini(&packed);
	return adopted;
}
