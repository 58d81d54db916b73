/* SPDX-License-Identifier: MIT */
/*
 * Models in the cache. Entries, purges and tags name a model by a number, which belongs to the model's name: a later
 * configuration gives the same number to the same name, and no number twice. Never changed once it is created, so that
 * any thread may read it.
 */
#ifndef SLUICE_SERVICE_CACHE_MODELS_H
#define SLUICE_SERVICE_CACHE_MODELS_H

#include "config/config.h"

struct cache_models {
	uint32_t count;
	char **names;      /* by number */
	uint32_t *first;   /* by number: of the models that are the same plan (aliases), the first by name */
	uint32_t *numbers; /* by index in the configuration */
};

/* config: borrows during the call. earlier: of an earlier configuration, or NULL. NULL: out of memory. */
struct cache_models *cache_models_create(const struct config *config, const struct cache_models *earlier);
/* NULL is fine. */
void cache_models_destroy(struct cache_models *models);

/* Finds the number of a name. False when no configuration had it. */
bool cache_models_find(const struct cache_models *models, const char *name, uint32_t *number);

#endif
