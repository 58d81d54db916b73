/* SPDX-License-Identifier: MIT */
/*
 * The cells, for the files that share them; nobody else includes this:
 *
 *   health_cells.c   their lives
 *   refusal.c        whether a call may start, and why not
 *   retry_after.c    how long a refusal holds
 *   health.c         calls and probes, which change the cells
 *   hedging.c        what the hedges of a model go by
 *   health_report.c  what choosers, pages and metrics see
 *
 * A cell belongs to a name in the configuration: of a target, a backend or a model. A later configuration that has the
 * same name shares the cell with the earlier one, as long as both are in use; struct health is what one configuration
 * sees of them, by its own indexes.
 *
 * Locks: one of each cell. They nest in the order target, backend; nothing else is called while one is held.
 */
#ifndef SLUICE_SERVICE_HEALTH_HEALTH_CELLS_H
#define SLUICE_SERVICE_HEALTH_HEALTH_CELLS_H

#include <pthread.h>
#include <stdatomic.h>

#include "service/health/breaker.h"
#include "service/health/hedge_budget.h"
#include "service/health/latency.h"
#include "service/health/liveness.h"
#include "service/health/quantile.h"
#include "service/health/retry_budget.h"
#include "service/health/standby.h"
#include "service/health/success_rate.h"

/* What all cells begin with. */
struct health_cell {
	char *name;       /* in the configuration; "" = of plans that belong to no model */
	atomic_uint uses; /* by a struct health each */
	pthread_mutex_t lock;
};

/* One operation of a target: what fails at it says nothing of the others. */
struct operation_cell {
	struct breaker breaker;
	enum error_code last;      /* the failure that opened the breaker last */
	struct latency latency[2]; /* of whole answers, of streamed ones */
	struct standby standby;
	struct success_rate success;
};

struct target_cell {
	struct health_cell base; /* first */
	struct config_breaker options;
	struct operation_cell operations[HEALTH_OPERATIONS];
	unsigned running;
	uint64_t cooling_until_us;
	uint64_t cooling_client; /* who was asked for the pause */
	bool cooling_others;     /* another one was, too: it holds for all */
	uint64_t refused[HEALTH_REASON_COUNT];
};

struct backend_cell {
	struct health_cell base; /* first */
	struct liveness liveness;
	struct retry_budget budget; /* under the lock */
	_Atomic uint64_t refuses_until_us[HEALTH_REWRITES];
};

struct model_cell {
	struct health_cell base;                      /* first */
	struct quantile *first_content[HEALTH_KINDS]; /* by kind of request; NULL = none was answered yet */
	struct hedge_budget spares;
};

struct health {
	const struct config *config;
	/* by index in the configuration; of models one more, for plans that belong to none */
	struct health_cell **targets;  /* struct target_cell */
	struct health_cell **backends; /* struct backend_cell */
	struct health_cell **models;   /* struct model_cell */
	atomic_uint plans;             /* of this configuration, that run */
};

static inline struct target_cell *health_target(const struct health *health, size_t target)
{
	return (struct target_cell *)health->targets[target];
}

static inline struct backend_cell *health_backend(const struct health *health, size_t backend)
{
	return (struct backend_cell *)health->backends[backend];
}

static inline struct model_cell *health_model(const struct health *health, size_t model)
{
	return (struct model_cell *)health->models[model];
}

static inline size_t backend_index_of(const struct health *health, size_t target)
{
	return (size_t)(health->config->targets[target].backend - health->config->backends);
}

static inline struct backend_cell *backend_of(const struct health *health, size_t target)
{
	return health_backend(health, backend_index_of(health, target));
}

static inline uint64_t from_now(uint64_t until_us, uint64_t now_us)
{
	return until_us > now_us ? until_us - now_us : 0;
}

static inline struct operation_cell *operation_of(const struct health *health, const struct health_use *use)
{
	return &health_target(health, use->target)->operations[use->operation];
}

/* ---- refusal.c ---- */

/* Returns whether the backend's probes fail. */
bool health_is_down(struct backend_cell *backend);

/* Returns why no call may start, standby and retry budget aside; *wait_us as health_enter(). Under the target's lock.
 */
enum health_reason health_reason_of(const struct health *health, const struct health_use *use, uint64_t now_us,
				    uint64_t *wait_us);

/*
 * Decides whether a call may start; as health_enter(). HEALTH_OK: the call has a place in the retry budget of its
 * backend, and retry_budget_leave() must follow. Under the target's lock.
 */
enum health_reason health_ask(const struct health *health, const struct health_use *use, enum health_purpose purpose,
			      uint64_t now_us, uint64_t *wait_us);

#endif
