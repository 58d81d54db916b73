/* SPDX-License-Identifier: MIT */
/* Calls by kind of store; key_store.h holds the contract. */
#include "service/access/key_store.h"

#include "config/config.h"

struct key_store *key_store_create(const struct key_store_options *options)
{
	return options->config->auth.store == CONFIG_STORE_REDIS ? key_store_redis_create(options)
								 : key_store_sqlite_create(options);
}

void key_store_destroy(struct key_store *store)
{
	if (store != NULL)
		store->ops->destroy(store);
}

bool key_store_read(struct key_store *store, uint64_t since, key_store_visit visit, void *context, uint64_t *version)
{
	store->why[0] = '\0';
	return store->ops->read(store, since, visit, context, version);
}

enum key_store_put key_store_put(struct key_store *store, const struct key_store_item *item, uint64_t *version)
{
	store->why[0] = '\0';
	return store->ops->put(store, item, version);
}

const char *key_store_why(const struct key_store *store)
{
	return store->why;
}
