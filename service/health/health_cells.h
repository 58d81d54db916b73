/* SPDX-License-Identifier: MIT */
/*
 * What health.c (calls and probes) and health_report.c (what others see) share;
 * nobody else includes it. Locks: one of each target, each backend and each
 * model. They nest in the order target, backend; nothing else is called while
 * one is held.
 */
#ifndef SLUICE_SERVICE_HEALTH_HEALTH_CELLS_H
#define SLUICE_SERVICE_HEALTH_HEALTH_CELLS_H

#include <pthread.h>
#include <stdatomic.h>

#include "service/health/breaker.h"
#include "service/health/budget.h"
#include "service/health/latency.h"
#include "service/health/liveness.h"
#include "service/health/quantile.h"
#include "service/health/spares.h"
#include "service/health/standby.h"
#include "service/health/success.h"

/* One operation of a target: what fails at it says nothing of the others. */
struct operation_cell {
	struct breaker breaker;
	enum error_code last;      /* the failure that opened the breaker last */
	struct latency latency[2]; /* of whole answers, of streamed ones */
	struct standby standby;
	struct success success;
};

struct target_cell {
	pthread_mutex_t lock;
	struct operation_cell operations[HEALTH_OPERATIONS];
	unsigned running;
	uint64_t cooling_until_us;
	uint64_t cooling_client; /* who was asked for the pause */
	bool cooling_others;     /* another one was, too: it holds for all */
	uint64_t refused[HEALTH_REASON_COUNT];
};

struct backend_cell {
	pthread_mutex_t lock;
	struct liveness liveness;
	struct budget budget; /* under the lock */
	_Atomic uint64_t refuses_until_us[HEALTH_REWRITES];
};

struct model_cell {
	pthread_mutex_t lock;
	struct quantile *first_content[HEALTH_KINDS]; /* by kind of request; NULL = none was answered yet */
	struct spares spares;
};

struct health {
	const struct config *config;
	struct target_cell *targets;
	struct backend_cell *backends;
	struct model_cell *models;
	atomic_uint plans; /* that run */
};

static inline struct backend_cell *backend_of(const struct health *health, size_t target)
{
	return &health->backends[health->config->targets[target].backend - health->config->backends];
}

static inline uint64_t from_now(uint64_t until_us, uint64_t now_us)
{
	return until_us > now_us ? until_us - now_us : 0;
}

/* Do the backend's probes fail? */
bool health_is_down(struct backend_cell *backend);

static inline struct operation_cell *operation_of(const struct health *health, const struct health_use *use)
{
	return &health->targets[use->target].operations[use->operation];
}

/* Why no call may start, budget and scouts aside. Under the target's lock. */
enum health_reason health_reason_of(const struct health *health, const struct health_use *use, uint64_t now_us,
				    uint64_t *wait_us);

#endif
