/* SPDX-License-Identifier: MIT */
/* What choosers, hedges, pages and metrics see of the cells. */
#include "service/health/health.h"

#include "service/health/health_cells.h"

enum { HEDGE_PERCENTILE = 95 };

const char *health_reason_name(enum health_reason reason)
{
	static const char *const names[HEALTH_REASON_COUNT] = {"ok", "open", "cooling", "down", "budget"};
	return names[reason];
}

const char *health_breaker_name(enum health_breaker breaker)
{
	static const char *const names[HEALTH_BREAKER_STATES] = {"closed", "open", "half_open"};
	return names[breaker];
}

bool health_is_down(struct backend_cell *backend)
{
	pthread_mutex_lock(&backend->lock);
	bool down = backend->liveness.state == LIVENESS_DOWN;
	pthread_mutex_unlock(&backend->lock);
	return down;
}

enum health_reason health_reason_of(const struct health *health, size_t target, uint64_t now_us, uint64_t *wait_us)
{
	const struct target_cell *cell = &health->targets[target];
	*wait_us = from_now(cell->cooling_until_us, now_us);
	if (health_is_down(backend_of(health, target))) {
		*wait_us = 0;
		return HEALTH_DOWN;
	}
	if (*wait_us != 0)
		return HEALTH_COOLING;
	return breaker_admits(&cell->breaker, now_us, wait_us) ? HEALTH_OK : HEALTH_OPEN;
}

/* ---- what a model knows ---- */

uint64_t health_model_p95_us(struct health *health, size_t model, bool streamed)
{
	struct model_cell *cell = &health->models[model];
	pthread_mutex_lock(&cell->lock);
	uint64_t value = quantile_value(&cell->first_content[streamed], HEDGE_PERCENTILE);
	pthread_mutex_unlock(&cell->lock);
	return value;
}

void health_model_content(struct health *health, size_t model, bool streamed, uint64_t took_us, uint64_t now_us)
{
	struct model_cell *cell = &health->models[model];
	pthread_mutex_lock(&cell->lock);
	quantile_observe(&cell->first_content[streamed], took_us, now_us);
	pthread_mutex_unlock(&cell->lock);
}

void health_hedge_request(struct health *health, size_t model)
{
	struct model_cell *cell = &health->models[model];
	pthread_mutex_lock(&cell->lock);
	spares_earn(&cell->spares);
	pthread_mutex_unlock(&cell->lock);
}

bool health_hedge_take(struct health *health, size_t model, unsigned percent)
{
	struct model_cell *cell = &health->models[model];
	pthread_mutex_lock(&cell->lock);
	bool taken = spares_take(&cell->spares, percent);
	pthread_mutex_unlock(&cell->lock);
	return taken;
}

/* ---- what choosers, pages and metrics see ---- */

/* Slow start, after whatever recovered last: the breaker, or the backend by its probes. */
static double share_of(const struct health *health, size_t target, uint64_t now_us)
{
	const struct config_backend *config = health->config->targets[target].backend;
	struct backend_cell *backend = backend_of(health, target);
	const struct breaker *breaker = &health->targets[target].breaker;
	uint64_t recovered_us = breaker->state == HEALTH_BREAKER_CLOSED ? breaker->closed_us : now_us;
	pthread_mutex_lock(&backend->lock);
	if (backend->liveness.recovered_us > recovered_us)
		recovered_us = backend->liveness.recovered_us;
	pthread_mutex_unlock(&backend->lock);
	return liveness_share(recovered_us, config->probe.slow_start_us, now_us);
}

/* Under the target's lock. */
static void view_locked(const struct health *health, size_t target, uint64_t now_us, struct health_view *view)
{
	const struct target_cell *cell = &health->targets[target];
	view->target = target;
	view->reason = health_reason_of(health, target, now_us, &view->wait_us);
	view->running = cell->running;
	view->latency_us = latency_value(&cell->latency, now_us);
	view->share = share_of(health, target, now_us);
}

void health_view(struct health *health, size_t target, uint64_t now_us, struct health_view *view)
{
	struct target_cell *cell = &health->targets[target];
	pthread_mutex_lock(&cell->lock);
	view_locked(health, target, now_us, view);
	pthread_mutex_unlock(&cell->lock);
}

unsigned health_extra(struct health *health, size_t backend)
{
	pthread_mutex_lock(&health->budget_lock);
	unsigned extra = health->backends[backend].budget.extra;
	pthread_mutex_unlock(&health->budget_lock);
	return extra;
}

static void report_breaker(const struct target_cell *cell, uint64_t now_us, struct health_report *report)
{
	const struct breaker *breaker = &cell->breaker;
	struct breaker_bucket window = breaker_window(breaker, now_us);
	bool open = breaker->state == HEALTH_BREAKER_OPEN;
	report->breaker = breaker->state;
	report->why = breaker_why_name(breaker->why);
	report->last = cell->last;
	report->next_probe_us = open ? from_now(breaker->until_us, now_us) : 0;
	report->opened = breaker_opened(breaker, now_us);
	report->outcomes = window.outcomes;
	report->failed = window.failed;
	report->cooling_us = from_now(cell->cooling_until_us, now_us);
}

void health_report(struct health *health, size_t target, uint64_t now_us, struct health_report *report)
{
	struct target_cell *cell = &health->targets[target];
	struct backend_cell *backend = backend_of(health, target);
	pthread_mutex_lock(&cell->lock);
	view_locked(health, target, now_us, &report->view);
	report_breaker(cell, now_us, report);
	pthread_mutex_unlock(&cell->lock);
	report->extra = health_extra(health, (size_t)(backend - health->backends));
	report->probed_down = health_is_down(backend);
}

uint64_t health_changes(struct health *health, size_t target, enum health_breaker breaker)
{
	struct target_cell *cell = &health->targets[target];
	pthread_mutex_lock(&cell->lock);
	uint64_t changes = cell->breaker.changes[breaker];
	pthread_mutex_unlock(&cell->lock);
	return changes;
}

uint64_t health_refused(struct health *health, size_t target, enum health_reason reason)
{
	struct target_cell *cell = &health->targets[target];
	pthread_mutex_lock(&cell->lock);
	uint64_t refused = cell->refused[reason];
	pthread_mutex_unlock(&cell->lock);
	return refused;
}
