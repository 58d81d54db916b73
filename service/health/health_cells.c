/* SPDX-License-Identifier: MIT */
/* The lives of cells: made for a name, shared by all configurations that have it; health_cells.h has the cells. */
#include "service/health/health_cells.h"

#include <stdlib.h>
#include <string.h>

#include "service/health/health.h"

static struct health_cell *find_cell(struct health_cell *const *cells, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(cells[i]->name, name) == 0)
			return cells[i];
	return NULL;
}

static struct health_cell *create_cell(const char *name, size_t size)
{
	struct health_cell *cell = calloc(1, size);
	char *copy = strdup(name);
	if (cell == NULL || copy == NULL) {
		free(cell);
		free(copy);
		return NULL;
	}
	cell->name = copy;
	pthread_mutex_init(&cell->lock, NULL);
	return cell;
}

/* Returns the cell of that name: the earlier configuration's, or a new one of so many bytes; NULL: out of memory. */
static struct health_cell *use_cell(struct health_cell *const *earlier, size_t count, const char *name, size_t size)
{
	struct health_cell *cell = find_cell(earlier, count, name);
	if (cell == NULL)
		cell = create_cell(name, size);
	if (cell != NULL)
		atomic_fetch_add(&cell->uses, 1);
	return cell;
}

/* Returns whether that was the last use: then the caller frees what else is the cell's, and the cell. */
static bool leave_cell(struct health_cell *cell)
{
	if (cell == NULL || atomic_fetch_sub(&cell->uses, 1) > 1)
		return false;
	pthread_mutex_destroy(&cell->lock);
	free(cell->name);
	return true;
}

/* The cell goes by the options of the configuration that uses it last. */
static void configure_target(struct target_cell *cell, const struct config_target *config, uint64_t seed)
{
	pthread_mutex_lock(&cell->base.lock);
	cell->options = config->backend->breaker;
	for (size_t i = 0; i < HEALTH_OPERATIONS; i++) {
		struct breaker *breaker = &cell->operations[i].breaker;
		if (breaker->options == NULL)
			breaker_init(breaker, &cell->options, config->alone, seed + i);
		breaker->alone = config->alone;
	}
	pthread_mutex_unlock(&cell->base.lock);
}

static bool use_targets(struct health *health, const struct health *earlier, uint64_t seed)
{
	const struct config *config = health->config;
	for (size_t i = 0; i < config->target_count; i++) {
		health->targets[i] = use_cell(earlier == NULL ? NULL : earlier->targets,
					      earlier == NULL ? 0 : earlier->config->target_count,
					      config->targets[i].name, sizeof(struct target_cell));
		if (health->targets[i] == NULL)
			return false;
		configure_target(health_target(health, i), &config->targets[i], seed + i * HEALTH_OPERATIONS);
	}
	return true;
}

static bool use_backends(struct health *health, const struct health *earlier)
{
	const struct config *config = health->config;
	for (size_t i = 0; i < config->backend_count; i++) {
		health->backends[i] = use_cell(earlier == NULL ? NULL : earlier->backends,
					       earlier == NULL ? 0 : earlier->config->backend_count,
					       config->backends[i].name, sizeof(struct backend_cell));
		if (health->backends[i] == NULL)
			return false;
	}
	return true;
}

static bool use_models(struct health *health, const struct health *earlier)
{
	const struct config *config = health->config;
	for (size_t i = 0; i <= config->model_count; i++) {
		health->models[i] = use_cell(
		    earlier == NULL ? NULL : earlier->models, earlier == NULL ? 0 : earlier->config->model_count + 1,
		    i == config->model_count ? "" : config->models[i].name, sizeof(struct model_cell));
		if (health->models[i] == NULL)
			return false;
	}
	return true;
}

struct health *health_create(const struct config *config, uint64_t seed, const struct health *earlier)
{
	struct health *health = calloc(1, sizeof(*health));
	if (health == NULL)
		return NULL;
	health->config = config;
	health->targets = calloc(config->target_count + 1, sizeof(struct health_cell *));
	health->backends = calloc(config->backend_count + 1, sizeof(struct health_cell *));
	health->models = calloc(config->model_count + 1, sizeof(struct health_cell *));
	if (health->targets != NULL && health->backends != NULL && health->models != NULL &&
	    use_targets(health, earlier, seed) && use_backends(health, earlier) && use_models(health, earlier))
		return health;
	health_destroy(health);
	return NULL;
}

static void leave_model(struct health_cell *cell)
{
	struct model_cell *model = (struct model_cell *)cell;
	if (!leave_cell(cell))
		return;
	for (unsigned i = 0; i < HEALTH_KINDS; i++)
		free(model->first_content[i]);
	free(model);
}

void health_destroy(struct health *health)
{
	if (health == NULL)
		return;
	for (size_t i = 0; health->targets != NULL && i < health->config->target_count; i++)
		if (leave_cell(health->targets[i]))
			free(health->targets[i]);
	for (size_t i = 0; health->backends != NULL && i < health->config->backend_count; i++)
		if (leave_cell(health->backends[i]))
			free(health->backends[i]);
	for (size_t i = 0; health->models != NULL && i <= health->config->model_count; i++)
		leave_model(health->models[i]);
	free(health->targets);
	free(health->backends);
	free(health->models);
	free(health);
}
