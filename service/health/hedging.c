/* SPDX-License-Identifier: MIT */
/*
 * What the hedges of a model go by, for all workers: the p95 of the time to first content, by kind of request, and the
 * budget of spare calls (hedge_budget.h).
 */
#include "service/health/health.h"

#include <stdlib.h>

#include "service/health/health_cells.h"

enum { HEDGING_PERCENTILE = 95 };

static size_t kind_index(const struct health_kind *kind)
{
	enum { SMALL = 16 << 10, LARGE = 256 << 10 };
	size_t size = (kind->size >= SMALL) + (kind->size >= LARGE);
	return (kind->operation * 2 + kind->stream) * HEALTH_SIZES + size;
}

uint64_t health_model_p95_us(struct health *health, size_t model, const struct health_kind *kind)
{
	struct model_cell *cell = health_model(health, model);
	pthread_mutex_lock(&cell->base.lock);
	const struct quantile *times = cell->first_content[kind_index(kind)];
	uint64_t value = times == NULL ? 0 : quantile_value(times, HEDGING_PERCENTILE);
	pthread_mutex_unlock(&cell->base.lock);
	return value;
}

void health_model_content(struct health *health, size_t model, const struct health_kind *kind, uint64_t took_us,
			  uint64_t now_us)
{
	struct model_cell *cell = health_model(health, model);
	struct quantile **times = &cell->first_content[kind_index(kind)];
	pthread_mutex_lock(&cell->base.lock);
	if (*times == NULL)
		*times = calloc(1, sizeof(**times)); /* without memory nothing is learnt */
	if (*times != NULL)
		quantile_observe(*times, took_us, now_us);
	pthread_mutex_unlock(&cell->base.lock);
}

void health_hedge_request(struct health *health, size_t model)
{
	struct model_cell *cell = health_model(health, model);
	pthread_mutex_lock(&cell->base.lock);
	hedge_budget_earn(&cell->spares);
	pthread_mutex_unlock(&cell->base.lock);
}

void health_hedge_settled(struct health *health, size_t model)
{
	struct model_cell *cell = health_model(health, model);
	pthread_mutex_lock(&cell->base.lock);
	hedge_budget_settle(&cell->spares);
	pthread_mutex_unlock(&cell->base.lock);
}

bool health_hedge_take(struct health *health, size_t model, unsigned percent)
{
	struct model_cell *cell = health_model(health, model);
	pthread_mutex_lock(&cell->base.lock);
	bool taken = hedge_budget_take(&cell->spares, percent);
	pthread_mutex_unlock(&cell->base.lock);
	return taken;
}
