/* SPDX-License-Identifier: MIT */
/* The memory of shared flights: whoever uses one holds it; shared_internal.h holds the contract. */
#include "service/exchange/decoded.h"
#include "service/exchange/shared_internal.h"

void shared_release(struct shared *shared)
{
	if (atomic_fetch_sub_explicit(&shared->users, 1, memory_order_acq_rel) != 1)
		return;
	shared_log_fini(&shared->log);
	shared_batch_close(shared);
	free(shared->spare);
	free(shared->held);
	pthread_mutex_destroy(&shared->lock);
	free(shared);
}

void shared_hold(struct shared *shared)
{
	atomic_fetch_add_explicit(&shared->users, 1, memory_order_relaxed);
}

/* Aliases whose rules differ have flights of their own: a flight may be given what its leader's rule finds good. */
static uint64_t hash_rule(const struct config_cache_rule *rule)
{
	return hash_mix(hash_mix(hash_mix(HASH_START, rule->ttl_us), rule->stale_us), rule->finish);
}

struct shared *shared_create(struct exchange_worker *worker, const struct shared_request *request)
{
	struct shared *shared = calloc(1, sizeof(*shared));
	struct record *spare = calloc(1, sizeof(*spare));
	if (shared == NULL || spare == NULL) {
		free(shared);
		free(spare);
		return NULL;
	}
	*shared = (struct shared){
	    .place = {.key = request->key},
	    .cache = worker->cache->cache,
	    .keeping = request->keeping,
	    .plan = request->options.plan,
	    .fresh = request->fresh,
	    .convertible = request->convertible,
	    .as_streamed = request->as_streamed,
	    .by_bytes = request->by_bytes,
	    .spare = spare,
	    .party = request->options.party,
	    .joinable = true,
	    .worker = worker,
	};
	if (request->decoded != NULL)
		memcpy(shared->asked, request->decoded->checksum, sizeof(shared->asked));
	else
		hash_checksum(HASH_START, request->body, shared->asked);
	for (size_t i = 0; i < HASH_CHECKSUM_SIZE && request->by_bytes; i++)
		shared->place.key.bytes[i] ^= (uint8_t)shared->asked[i];
	uint64_t rule = hash_rule(request->keeping.rule);
	for (size_t i = 0; i < sizeof(rule); i++)
		shared->place.key.bytes[i] ^= (uint8_t)(rule >> 8 * i);
	shared->keeping.began = purge_log_mark(store_purges(shared->cache->store));
	atomic_init(&shared->users, 1);
	pthread_mutex_init(&shared->lock, NULL);
	shared_log_init(&shared->log, shared->party);
	return shared;
}
