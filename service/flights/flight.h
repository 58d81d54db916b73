/* SPDX-License-Identifier: MIT */
/*
 * A flight: one execution of a plan. It holds the request that it runs for, in whose arena its runs live, and it stays
 * until the last of its calls is gone, which may be a moment after its answer ended.
 */
#ifndef SLUICE_SERVICE_FLIGHTS_FLIGHT_H
#define SLUICE_SERVICE_FLIGHTS_FLIGHT_H

#include "service/plan/plan.h"

struct bill;
struct flight;
struct request;

/* Returns a flight that is not started yet. worker: borrows. request: holds; its body must stay as long. bill: holds;
 * who is charged for its calls, NULL = nobody. NULL: out of memory. */
struct flight *flight_create(const struct plan_worker *worker, struct request *request, struct bill *bill);

/* What a flight is started with; spans live as long as the request. */
struct flight_options {
	const struct plan *plan;
	size_t model_index; /* in the configuration; the number of models = none of them */
	struct span request_id;
	struct span traceparent;
	uint64_t deadline_us;   /* when the client gives up, on the worker's clock; 0 = it does not say */
	int64_t retries_before; /* how often the client says it has asked before; -1 = it does not say */
	struct bill *bill;      /* who is charged, for shared_lead(): borrowed until that returns; NULL = nobody */
	struct run_tap *tap;    /* hears the leaves until the terminal event or flight_leave; NULL = nobody */
};

/* Runs the plan for the sink (borrowed). False when out of memory: no event follows. */
bool flight_start(struct flight *flight, const struct flight_options *options, struct run_sink *sink);

/* Backpressure of the sink. */
void flight_pause(struct flight *flight, bool paused);

/* Calls started so far. */
unsigned flight_attempts(const struct flight *flight);

/*
 * The sink has no more interest: before the terminal event every call is aborted at once. The flight is
 * gone for the caller. Required exactly once for each flight created, started or not.
 */
void flight_leave(struct flight *flight);

#endif
