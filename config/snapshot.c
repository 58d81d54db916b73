/* SPDX-License-Identifier: MIT */
/* References of a configuration, and finding a model by its name. */
#include "config/snapshot.h"

#include <assert.h>
#include <stdlib.h>

#include "config/secrets.h"
#include "lib/glob.h"

enum { SNAPSHOT_BYTES_MAX = 256 << 20 };

struct snapshot *snapshot_create(void)
{
	struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
	if (snapshot == NULL)
		return NULL;
	arena_init(&snapshot->arena, SNAPSHOT_BYTES_MAX);
	atomic_init(&snapshot->references, 1);
	return snapshot;
}

static int compare_models(const void *a, const void *b)
{
	const struct config_model *left = *(const struct config_model *const *)a;
	const struct config_model *right = *(const struct config_model *const *)b;
	return strcmp(left->name, right->name);
}

bool snapshot_seal(struct snapshot *snapshot)
{
	const struct config *config = &snapshot->config;
	snapshot->by_name = arena_zalloc(&snapshot->arena, config->model_count, sizeof(struct config_model *));
	if (arena_failed(&snapshot->arena))
		return false;
	for (size_t i = 0; i < config->model_count; i++)
		snapshot->by_name[i] = &config->models[i];
	qsort(snapshot->by_name, config->model_count, sizeof(struct config_model *), compare_models);
	return true;
}

/* A reference count may change on something that is const for its readers. */
static struct snapshot *snapshot_of(const struct config *config)
{
	return (struct snapshot *)config;
}

const struct config *config_hold(const struct config *config)
{
	atomic_fetch_add_explicit(&snapshot_of(config)->references, 1, memory_order_relaxed);
	return config;
}

void config_drop(const struct config *config)
{
	if (config == NULL)
		return;
	struct snapshot *snapshot = snapshot_of(config);
	unsigned before = atomic_fetch_sub_explicit(&snapshot->references, 1, memory_order_acq_rel);
	assert(before != 0);
	if (before != 1)
		return;
	config_secrets_drop(snapshot->config.secrets);
	arena_fini(&snapshot->arena);
	free(snapshot);
}

/* Orders a name against a NUL-terminated one as strcmp would. */
static int compare_name(struct span name, const char *with)
{
	size_t len = strlen(with);
	int order = memcmp(name.at, with, name.len < len ? name.len : len);
	return order != 0 ? order : (name.len > len) - (name.len < len);
}

const struct config_model *config_find_model(const struct config *config, struct span name)
{
	const struct snapshot *snapshot = snapshot_of(config);
	size_t from = 0;
	size_t to = name.at == NULL ? 0 : config->model_count;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		int order = compare_name(name, snapshot->by_name[middle]->name);
		if (order == 0)
			return snapshot->by_name[middle];
		if (order < 0)
			to = middle;
		else
			from = middle + 1;
	}
	return NULL;
}

const struct config_key *config_find_key(const struct config *config, struct span id)
{
	size_t from = 0, to = config->key_count;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		int order = compare_name(id, config->keys_by_id[middle]->hash->id);
		if (order == 0)
			return config->keys_by_id[middle];
		if (order < 0)
			to = middle;
		else
			from = middle + 1;
	}
	return NULL;
}

bool config_patterns_match(const char *const *patterns, size_t count, struct span name)
{
	bool match = count == 0;
	for (size_t i = 0; !match && i < count; i++)
		match = glob_matches(span_of(patterns[i]), name);
	return match;
}

const struct config_price *config_find_price(const struct config *config, const char *target)
{
	for (size_t i = 0; i < config->price_count; i++)
		if (glob_matches(span_of(config->prices[i].target), span_of(target)))
			return &config->prices[i];
	return NULL;
}

unsigned config_tenant_weight(const struct config *config, struct span path)
{
	size_t from = 0, to = config->tenant_count;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		int order = compare_name(path, config->tenants[middle].path);
		if (order == 0)
			return config->tenants[middle].weight;
		if (order < 0)
			to = middle;
		else
			from = middle + 1;
	}
	return 1;
}

bool config_tenant_is_within(const char *tenant, struct span level)
{
	return strncmp(tenant, level.at, level.len) == 0 && (tenant[level.len] == '\0' || tenant[level.len] == '/');
}

bool config_key_may_use(const struct config_key *key, struct span model)
{
	return key == NULL || config_patterns_match(key->models, key->model_count, model);
}

const struct config_plan *config_find_target(const struct config_plan *plan, struct span name)
{
	if (plan->combinator == NULL)
		return span_is(name, plan->target) ? plan : NULL;
	const struct config_plan *found = NULL;
	for (size_t i = 0; found == NULL && i < plan->child_count; i++)
		found = config_find_target(plan->children[i], name);
	return found;
}
