/* SPDX-License-Identifier: MIT */
/* What all stores of use have in common; store.h holds the contract. */
#include "service/usage/store.h"

void usage_store_destroy(struct usage_store *store)
{
	if (store != NULL)
		store->ops->destroy(store);
}

bool usage_store_add(struct usage_store *store, struct usage_table *table)
{
	return store->ops->add(store, table);
}

uint64_t usage_store_waiting(const struct usage_store *store)
{
	return store->waiting;
}

bool usage_store_expire(struct usage_store *store, uint32_t day)
{
	return store->ops->expire(store, day);
}

bool usage_store_find(struct usage_store *store, const struct usage_filter *filter, usage_visit visit, void *context,
		      bool *more)
{
	return store->ops->find(store, filter, visit, context, more);
}

uint64_t usage_store_rows(const struct usage_store *store)
{
	return store->rows;
}

const char *usage_store_why(const struct usage_store *store)
{
	return store->why;
}
