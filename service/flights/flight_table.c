/* SPDX-License-Identifier: MIT */
/* A hash table of places in shards, each with its lock; flight_table.h holds the contract. */
#include "service/flights/flight_table.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

enum { TABLE_SHARDS = 64, TABLE_BUCKETS = 64 /* of a shard */ };

struct shard {
	pthread_mutex_t lock;
	struct flight_place *buckets[TABLE_BUCKETS];
};

struct flight_table {
	struct shard shards[TABLE_SHARDS];
};

struct flight_table *flight_table_create(void)
{
	struct flight_table *table = calloc(1, sizeof(*table));
	for (size_t i = 0; table != NULL && i < TABLE_SHARDS; i++)
		pthread_mutex_init(&table->shards[i].lock, NULL);
	return table;
}

void flight_table_destroy(struct flight_table *table)
{
	if (table == NULL)
		return;
	for (size_t i = 0; i < TABLE_SHARDS; i++) {
		for (size_t j = 0; j < TABLE_BUCKETS; j++)
			assert(table->shards[i].buckets[j] == NULL);
		pthread_mutex_destroy(&table->shards[i].lock);
	}
	free(table);
}

static struct shard *table_shard(struct flight_table *table, const struct cache_key *key)
{
	return &table->shards[cache_key_hash(key) % TABLE_SHARDS];
}

/* The link that leads to the place with that key, or to the end of its chain. */
static struct flight_place **table_link(struct shard *shard, const struct cache_key *key)
{
	struct flight_place **link = &shard->buckets[cache_key_hash(key) / TABLE_SHARDS % TABLE_BUCKETS];
	while (*link != NULL && !cache_key_equal(&(*link)->key, key))
		link = &(*link)->next;
	return link;
}

bool flight_table_enter(struct flight_table *table, struct flight_place *mine,
			bool (*join)(struct flight_place *place, void *context), void *context)
{
	struct shard *shard = table_shard(table, &mine->key);
	pthread_mutex_lock(&shard->lock);
	struct flight_place **link = table_link(shard, &mine->key);
	bool joined = *link != NULL && join(*link, context);
	if (!joined) {
		mine->next = *link == NULL ? NULL : (*link)->next;
		*link = mine;
	}
	pthread_mutex_unlock(&shard->lock);
	return !joined;
}

bool flight_table_join(struct flight_table *table, const struct cache_key *key,
		       bool (*join)(struct flight_place *place, void *context), void *context)
{
	struct shard *shard = table_shard(table, key);
	pthread_mutex_lock(&shard->lock);
	struct flight_place **link = table_link(shard, key);
	bool joined = *link != NULL && join(*link, context);
	pthread_mutex_unlock(&shard->lock);
	return joined;
}

void flight_table_leave(struct flight_table *table, struct flight_place *place)
{
	struct shard *shard = table_shard(table, &place->key);
	pthread_mutex_lock(&shard->lock);
	struct flight_place **link = table_link(shard, &place->key);
	if (*link == place)
		*link = place->next;
	pthread_mutex_unlock(&shard->lock);
}
