/* SPDX-License-Identifier: MIT */
/*
 * The in-process store; store.h holds the contract. In each shard, and there for
 * each tenant, a value waits in a small queue; when it leaves that unread it is
 * forgotten but for a trace of its key (the ghosts), else it moves to the main
 * queue, as does one that comes back while its ghost is known. In the main queue
 * each use since the last turn buys another one. A large value needs more uses for
 * the same place: it stands where many small ones could.
 */
#include "service/cache/store.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "lib/ledger.h"
#include "service/cache/store_tenants.h"

enum {
	STORE_SHARDS = 16,
	STORE_BUCKETS = 1024, /* of a shard */
	STORE_GHOSTS = 4096,  /* of a shard */
	STORE_USES_MOST = 3,
	STORE_SMALL_SHARE = 10, /* one part in so many of a tenant's bytes is the small queue's */
	STORE_LARGE = 64 << 10, /* bytes of a value that needs two uses to stay */
	STORE_HUGE = 512 << 10, /* three */
};

struct shard {
	pthread_mutex_t lock;
	struct store_entry *buckets[STORE_BUCKETS];
	uint32_t ghosts[STORE_GHOSTS];
	struct store_tenants tenants;
	uint64_t entries, evictions, expired;
};

struct store {
	struct purge_log *purges;
	struct shard shards[STORE_SHARDS];
};

struct store *store_create(size_t bytes)
{
	struct store *store = calloc(1, sizeof(*store));
	for (size_t i = 0; store != NULL && i < STORE_SHARDS; i++) {
		pthread_mutex_init(&store->shards[i].lock, NULL);
		store->shards[i].tenants.most = bytes / STORE_SHARDS;
	}
	if (store == NULL || (store->purges = purge_log_create()) != NULL)
		return store;
	store_destroy(store);
	return NULL;
}

struct store_value *store_value_create(struct span bytes)
{
	struct store_value *value = malloc(sizeof(*value) + bytes.len);
	if (value == NULL)
		return NULL;
	*value = (struct store_value){.len = bytes.len};
	atomic_init(&value->users, 1);
	if (bytes.len > 0)
		memcpy(value->bytes, bytes.at, bytes.len);
	return value;
}

static size_t value_bytes(const struct store_value *value)
{
	return sizeof(*value) + value->len;
}

void store_value_hold(struct store_value *value)
{
	atomic_fetch_add_explicit(&value->users, 1, memory_order_relaxed);
}

void store_value_drop(struct store_value *value)
{
	if (value == NULL || atomic_fetch_sub_explicit(&value->users, 1, memory_order_acq_rel) != 1)
		return;
	if (value->evicted)
		ledger_evicted_remove(value_bytes(value));
	free(value);
}

/*
 * The store gives up its use. No reader can come any more, as the shard is locked: a value without one is freed here.
 */
static void value_leave(struct store_value *value)
{
	value->evicted = atomic_load_explicit(&value->users, memory_order_acquire) > 1;
	if (value->evicted)
		ledger_evicted_add(value_bytes(value));
	store_value_drop(value);
}

static struct shard *shard_of(struct store *store, const struct cache_key *key)
{
	return &store->shards[cache_key_hash(key) % STORE_SHARDS];
}

static struct store_entry **link_of(struct shard *shard, const struct cache_key *key)
{
	struct store_entry **link = &shard->buckets[cache_key_hash(key) / STORE_SHARDS % STORE_BUCKETS];
	while (*link != NULL && !cache_key_equal(&(*link)->key, key))
		link = &(*link)->next;
	return link;
}

/* link: where it hangs in its bucket. */
static void shard_remove(struct shard *shard, struct store_entry **link)
{
	struct store_entry *entry = *link;
	*link = entry->next;
	store_tenants_remove(&shard->tenants, entry);
	shard->entries--;
	value_leave(entry->value);
	free(entry);
}

/* The ghost of a key: where it is kept, and what. Never 0. */
static uint32_t *ghost_of(struct shard *shard, const struct cache_key *key, uint32_t *trace)
{
	uint64_t hash = cache_key_hash(key);
	memcpy(trace, key->bytes + sizeof(hash), sizeof(*trace));
	*trace |= 1;
	return &shard->ghosts[hash / STORE_SHARDS / STORE_BUCKETS % STORE_GHOSTS];
}

static void shard_evict(struct shard *shard, struct store_entry *entry)
{
	uint32_t trace = 0;
	uint32_t *ghost = ghost_of(shard, &entry->key, &trace);
	if (!entry->main)
		*ghost = trace;
	shard->evictions++;
	struct store_entry **link = link_of(shard, &entry->key);
	assert(*link == entry);
	shard_remove(shard, link);
}

/* How often a value must be used to get into the main queue. */
static unsigned uses_needed(const struct store_entry *entry)
{
	size_t bytes = store_entry_bytes(entry);
	return 1 + (bytes > STORE_LARGE) + (bytes > STORE_HUGE);
}

/* One step towards fewer bytes. */
static void shard_shrink(struct shard *shard)
{
	struct store_tenant *tenant = store_tenants_victim(&shard->tenants);
	struct store_queue *queue = &tenant->small;
	bool small = queue->oldest != NULL && (queue->bytes * STORE_SMALL_SHARE > queue->bytes + tenant->main.bytes ||
					       tenant->main.oldest == NULL);
	struct store_entry *entry = small ? tenant->small.oldest : tenant->main.oldest;
	if (small && entry->uses >= uses_needed(entry)) {
		store_tenants_move_to_main(entry);
	} else if (!small && entry->uses > 0) {
		unsigned char left = (unsigned char)(entry->uses - 1);
		store_tenants_move_to_main(entry);
		entry->uses = left;
	} else {
		shard_evict(shard, entry);
	}
}

struct store_value *store_get(struct store *store, const struct cache_key *key, uint64_t now_us)
{
	struct shard *shard = shard_of(store, key);
	struct store_value *value = NULL;
	pthread_mutex_lock(&shard->lock);
	struct store_entry **link = link_of(shard, key);
	if (*link != NULL && now_us >= (*link)->value->expires_us) {
		shard->expired++;
		shard_remove(shard, link);
	} else if (*link != NULL) {
		struct store_entry *entry = *link;
		value = entry->value;
		store_value_hold(value);
		entry->uses = (uint8_t)(entry->uses < STORE_USES_MOST ? entry->uses + 1 : STORE_USES_MOST);
		store_tenants_hit(&shard->tenants, entry);
	}
	pthread_mutex_unlock(&shard->lock);
	return value;
}

/* Bytes that the shard may have at present. */
static size_t shard_most(const struct shard *shard)
{
	size_t left = ledger_cache_most() / STORE_SHARDS;
	return left < shard->tenants.most ? left : shard->tenants.most;
}

static void shard_shrink_to(struct shard *shard, size_t most)
{
	while (shard->tenants.bytes > most)
		shard_shrink(shard);
}

/* False: out of memory, and the entry is nowhere. */
static bool shard_put(struct shard *shard, struct store_entry *entry)
{
	uint32_t trace = 0;
	struct store_entry **link = link_of(shard, &entry->key);
	if (*link != NULL)
		shard_remove(shard, link);
	uint32_t *ghost = ghost_of(shard, &entry->key, &trace);
	entry->main = *ghost == trace;
	if (!store_tenants_add(&shard->tenants, entry))
		return false;
	link = link_of(shard, &entry->key);
	entry->next = *link;
	*link = entry;
	shard->entries++;
	shard_shrink_to(shard, shard_most(shard));
	return true;
}

struct purge_log *store_purges(const struct store *store)
{
	return store->purges;
}

/*
 * A purge is noted before any shard is gone through: one that is noted behind the look into the log finds the value in
 * the shard.
 */
bool store_put(struct store *store, const struct cache_key *key, struct store_value *value, uint64_t turn, bool taken)
{
	const struct purge_subject subject = {key, &value->tags, value->digest, taken};
	struct shard *shard = shard_of(store, key);
	struct store_entry *entry = calloc(1, sizeof(*entry));
	if (entry == NULL)
		return true;
	entry->key = *key;
	entry->value = value;
	store_value_hold(value);
	pthread_mutex_lock(&shard->lock);
	bool forbidden = purge_log_forbids_keeping(store->purges, turn, &subject);
	bool put = !forbidden && shard_put(shard, entry);
	pthread_mutex_unlock(&shard->lock);
	if (!put) {
		store_value_drop(value);
		free(entry);
	}
	return !forbidden;
}

static bool is_meant(const struct store_entry *entry, const struct store_filter *filter)
{
	const struct purge_subject subject = {
	    .key = &entry->key, .tags = &entry->value->tags, .digest = entry->value->digest};
	return purge_meets(filter, &subject);
}

static size_t shard_purge(struct shard *shard, const struct store_filter *filter)
{
	size_t purged = 0;
	for (size_t i = 0; i < STORE_BUCKETS; i++) {
		for (struct store_entry **link = &shard->buckets[i]; *link != NULL;) {
			if (is_meant(*link, filter)) {
				shard_remove(shard, link);
				purged++;
			} else {
				link = &(*link)->next;
			}
		}
	}
	return purged;
}

/* The one value of a key. */
static size_t shard_purge_key(struct shard *shard, const struct store_filter *filter)
{
	struct store_entry **link = link_of(shard, filter->key);
	bool meant = *link != NULL && is_meant(*link, filter);
	if (meant)
		shard_remove(shard, link);
	return meant;
}

size_t store_remove(struct store *store, const struct store_filter *filter)
{
	size_t purged = 0;
	for (size_t i = 0; i < STORE_SHARDS; i++) {
		struct shard *shard = &store->shards[i];
		if (filter->key != NULL && shard != shard_of(store, filter->key))
			continue;
		pthread_mutex_lock(&shard->lock);
		purged += filter->key != NULL ? shard_purge_key(shard, filter) : shard_purge(shard, filter);
		pthread_mutex_unlock(&shard->lock);
	}
	return purged;
}

size_t store_purge(struct store *store, const struct store_filter *filter)
{
	purge_log_note(store->purges, filter);
	return store_remove(store, filter);
}

void store_yield(struct store *store, size_t bytes)
{
	size_t share = bytes / STORE_SHARDS + 1;
	for (size_t i = 0; i < STORE_SHARDS; i++) {
		struct shard *shard = &store->shards[i];
		pthread_mutex_lock(&shard->lock);
		shard_shrink_to(shard, shard->tenants.bytes > share ? shard->tenants.bytes - share : 0);
		pthread_mutex_unlock(&shard->lock);
	}
}

struct store_totals store_totals(struct store *store)
{
	struct store_totals totals = {.entries = 0};
	for (size_t i = 0; i < STORE_SHARDS; i++) {
		struct shard *shard = &store->shards[i];
		pthread_mutex_lock(&shard->lock);
		totals.entries += shard->entries;
		totals.bytes += shard->tenants.bytes;
		totals.evictions += shard->evictions;
		totals.expired += shard->expired;
		pthread_mutex_unlock(&shard->lock);
	}
	return totals;
}

void store_destroy(struct store *store)
{
	static const struct store_filter everything = {.key = NULL};
	if (store == NULL)
		return;
	store_remove(store, &everything);
	purge_log_destroy(store->purges);
	for (size_t i = 0; i < STORE_SHARDS; i++)
		pthread_mutex_destroy(&store->shards[i].lock);
	free(store);
}
