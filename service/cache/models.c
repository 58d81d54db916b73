/* SPDX-License-Identifier: MIT */
/* Numbers for the names of models, and which of them are aliases; models.h holds the contract. */
#include "service/cache/models.h"

#include <stdlib.h>
#include <string.h>

#include "service/cache/key.h"

enum { MODELS_PLANS_MOST = 16 << 20 };

/* Each model's plan in words, with its revision, one after the other. False when out of memory. */
static bool write_plans(const struct config *config, struct buf *texts, size_t *ends)
{
	for (size_t i = 0; i < config->model_count; i++) {
		const struct config_model *model = &config->models[i];
		buf_append(texts, span_of(model->cache.revision));
		buf_append(texts, (struct span){"", 1});
		cache_key_write_plan(model->plan, texts);
		ends[i] = buf_len(texts);
	}
	return !buf_failed(texts);
}

static struct span plan_text(const struct buf *texts, const size_t *ends, size_t i)
{
	size_t start = i == 0 ? 0 : ends[i - 1];
	return (struct span){buf_span(texts).at + start, ends[i] - start};
}

/* Each model of the configuration goes by the first by name that has the same plan. */
static bool find_aliases(const struct config *config, struct cache_models *models)
{
	struct buf texts;
	size_t *ends = calloc(config->model_count + 1, sizeof(*ends));
	buf_init(&texts, MODELS_PLANS_MOST);
	bool written = ends != NULL && write_plans(config, &texts, ends);
	for (size_t i = 0; i < config->model_count && written; i++) {
		size_t first = i;
		for (size_t j = 0; j < config->model_count; j++)
			if (strcmp(config->models[j].name, config->models[first].name) < 0 &&
			    span_equal(plan_text(&texts, ends, j), plan_text(&texts, ends, i)))
				first = j;
		models->first[models->numbers[i]] = models->numbers[first];
	}
	buf_fini(&texts);
	free(ends);
	return written;
}

/* Gives the name the next number. False when out of memory. */
static bool add_name(struct cache_models *models, const char *name)
{
	char *copy = strdup(name);
	if (copy == NULL)
		return false;
	models->first[models->count] = models->count;
	models->names[models->count++] = copy;
	return true;
}

bool cache_models_find(const struct cache_models *models, const char *name, uint32_t *number)
{
	for (*number = 0; *number < models->count; ++*number)
		if (strcmp(models->names[*number], name) == 0)
			return true;
	return false;
}

static bool number_models(const struct config *config, struct cache_models *models)
{
	for (size_t i = 0; i < config->model_count; i++)
		if (!cache_models_find(models, config->models[i].name, &models->numbers[i]) &&
		    !add_name(models, config->models[i].name))
			return false;
	return true;
}

struct cache_models *cache_models_create(const struct config *config, const struct cache_models *earlier)
{
	struct cache_models *models = calloc(1, sizeof(*models));
	if (models == NULL)
		return NULL;
	size_t known = earlier == NULL ? 0 : earlier->count, most = known + config->model_count + 1;
	models->names = calloc(most, sizeof(char *));
	models->first = calloc(most, sizeof(*models->first));
	models->numbers = calloc(config->model_count + 1, sizeof(*models->numbers));
	bool done = models->names != NULL && models->first != NULL && models->numbers != NULL;
	for (size_t i = 0; done && i < known; i++)
		done = add_name(models, earlier->names[i]);
	if (done && number_models(config, models) && find_aliases(config, models))
		return models;
	cache_models_destroy(models);
	return NULL;
}

void cache_models_destroy(struct cache_models *models)
{
	if (models == NULL)
		return;
	for (uint32_t i = 0; i < models->count; i++)
		free(models->names[i]);
	free(models->names);
	free(models->first);
	free(models->numbers);
	free(models);
}
