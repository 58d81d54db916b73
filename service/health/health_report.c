/* SPDX-License-Identifier: MIT */
/* What choosers, pages and metrics see of the cells. Decides nothing: refusal.c does. */
#include "service/health/health.h"

#include "service/health/health_cells.h"

const char *health_breaker_name(enum health_breaker breaker)
{
	static const char *const names[HEALTH_BREAKER_STATES] = {"closed", "open", "half_open"};
	return names[breaker];
}

const char *health_operation_name(unsigned operation)
{
	static const char *const names[HEALTH_OPERATIONS] = {"chat", "completions", "embeddings"};
	return names[operation];
}

/* Slow start, after whatever recovered last: the breaker, or the backend by its probes. */
static double share_of(const struct health *health, const struct health_use *use, uint64_t now_us)
{
	const struct config_backend *config = health->config->targets[use->target].backend;
	struct backend_cell *backend = backend_of(health, use->target);
	const struct breaker *breaker = &operation_of(health, use)->breaker;
	uint64_t recovered_us = breaker->state == HEALTH_BREAKER_CLOSED ? breaker->closed_us : now_us;
	pthread_mutex_lock(&backend->base.lock);
	if (backend->liveness.recovered_us > recovered_us)
		recovered_us = backend->liveness.recovered_us;
	pthread_mutex_unlock(&backend->base.lock);
	return liveness_share(recovered_us, config->probe.slow_start_us, now_us);
}

/* Under the target's lock. */
static void view_locked(const struct health *health, const struct health_use *use, uint64_t now_us,
			struct health_view *view)
{
	view->target = use->target;
	view->full = false;
	view->reason = health_reason_of(health, use, now_us, &view->wait_us);
	view->running = health_target(health, use->target)->running;
	view->latency_us = latency_value(&operation_of(health, use)->latency[use->stream], now_us);
	view->share = share_of(health, use, now_us);
	view->failing = success_rate_failing(&operation_of(health, use)->success, now_us);
}

void health_view(struct health *health, const struct health_use *use, uint64_t now_us, struct health_view *view)
{
	struct target_cell *cell = health_target(health, use->target);
	pthread_mutex_lock(&cell->base.lock);
	view_locked(health, use, now_us, view);
	pthread_mutex_unlock(&cell->base.lock);
}

unsigned health_extra(struct health *health, size_t backend)
{
	struct backend_cell *cell = health_backend(health, backend);
	pthread_mutex_lock(&cell->base.lock);
	unsigned extra = cell->budget.extra;
	pthread_mutex_unlock(&cell->base.lock);
	return extra;
}

static void report_breaker(const struct operation_cell *cell, uint64_t now_us, struct health_report *report)
{
	const struct breaker *breaker = &cell->breaker;
	struct breaker_bucket window = breaker_window(breaker, now_us);
	bool open = breaker->state == HEALTH_BREAKER_OPEN;
	report->breaker = breaker->state;
	report->why = breaker_why_name(breaker->why);
	report->last = cell->last;
	report->next_probe_us = open ? from_now(breaker->until_us, now_us) : 0;
	report->opened = breaker->opened;
	report->outcomes = window.outcomes;
	report->failed = window.failed;
}

/* How little a breaker lets through. */
static unsigned closeness(const struct breaker *breaker)
{
	switch (breaker->state) {
	case HEALTH_BREAKER_OPEN:
		return 2;
	case HEALTH_BREAKER_HALF_OPEN:
		return 1;
	default:
		return 0;
	}
}

/* The operation to report of a target: that whose breaker lets the least through, else that with latency to tell. */
static struct health_use worst_use(const struct target_cell *cell, size_t target, uint64_t now_us)
{
	struct health_use use = {.target = target, .client = cell->cooling_client};
	uint64_t most = 0;
	for (unsigned i = 0; i < HEALTH_OPERATIONS; i++) {
		const struct operation_cell *operation = &cell->operations[i];
		bool closed = operation->breaker.state == HEALTH_BREAKER_CLOSED;
		for (unsigned stream = 0; stream < 2; stream++) {
			uint64_t latency = latency_value(&operation->latency[stream], now_us);
			uint64_t worth = ((uint64_t)closeness(&operation->breaker) << 62) | (latency >> 2);
			if (worth <= most)
				continue;
			most = worth;
			use.operation = i;
			use.client = closed ? cell->cooling_client : operation->breaker.opened_by.client;
			use.stream = stream != 0;
		}
	}
	return use;
}

void health_report(struct health *health, size_t target, uint64_t now_us, struct health_report *report)
{
	struct target_cell *cell = health_target(health, target);
	struct backend_cell *backend = backend_of(health, target);
	pthread_mutex_lock(&cell->base.lock);
	struct health_use use = worst_use(cell, target, now_us);
	report->operation = use.operation;
	view_locked(health, &use, now_us, &report->view);
	report_breaker(&cell->operations[use.operation], now_us, report);
	report->cooling_us = from_now(cell->cooling_until_us, now_us);
	pthread_mutex_unlock(&cell->base.lock);
	report->extra = health_extra(health, backend_index_of(health, target));
	report->probed_down = health_is_down(backend);
}

uint64_t health_changes(struct health *health, size_t target, enum health_breaker breaker)
{
	struct target_cell *cell = health_target(health, target);
	uint64_t changes = 0;
	pthread_mutex_lock(&cell->base.lock);
	for (unsigned i = 0; i < HEALTH_OPERATIONS; i++)
		changes += cell->operations[i].breaker.changes[breaker];
	pthread_mutex_unlock(&cell->base.lock);
	return changes;
}

uint64_t health_refused(struct health *health, size_t target, enum health_reason reason)
{
	struct target_cell *cell = health_target(health, target);
	pthread_mutex_lock(&cell->base.lock);
	uint64_t refused = cell->refused[reason];
	pthread_mutex_unlock(&cell->base.lock);
	return refused;
}
