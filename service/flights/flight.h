/* SPDX-License-Identifier: MIT */
/*
 * A flight: one execution of a plan. It owns the arena in which the decoded
 * request, the runs and their leftovers live, and it stays until the last of
 * its calls is gone, which may be a moment after its answer ended.
 */
#ifndef SLUICE_SERVICE_FLIGHTS_FLIGHT_H
#define SLUICE_SERVICE_FLIGHTS_FLIGHT_H

#include "service/plan/plan.h"

struct decoded;
struct flight;

/* Whoever the answer is for. Nothing is called after the terminal event or flight_leave. */
struct flight_subscriber {
	void (*on_event)(struct flight_subscriber *subscriber, const struct event *event);
	/* A backend sent a comment within its stream. NULL = no interest. */
	void (*on_comment)(struct flight_subscriber *subscriber);
};

/*
 * A flight that is not started yet; its arena may be used. worker: borrows. party: who is charged for it in the ledger.
 * NULL: out of memory.
 */
struct flight *flight_create(const struct plan_worker *worker, size_t arena_limit, uint32_t party);

/* Bytes of arena for the request with that body, decoded, and for all that runs for it. */
size_t flight_arena_most(size_t body);

struct arena *flight_arena(struct flight *flight);

/* The flight holds the request that it is for until it is freed. Once at most. */
void flight_hold(struct flight *flight, struct decoded *decoded);

/* What the request says about the flight; spans must live until it ends (the arena will do). */
struct flight_options {
	const struct plan *plan;
	size_t model_index; /* in the configuration; the number of models = none of them */
	const struct openai_request *request;
	struct span request_id;
	struct span traceparent;
	uint64_t client;      /* whose request it is */
	uint64_t network;     /* where it comes from, for fairness in queues */
	uint32_t party;       /* who is charged for a shared flight in the ledger; one's own is told when it is made */
	uint64_t deadline_us; /* when the client gives up, on the worker's clock; 0 = it does not say */
	int64_t retries_before; /* how often the client says it has asked before; -1 = it does not say */
	struct run_tap *tap;    /* hears the leaves until the terminal event or flight_leave; NULL = nobody */
};

/* Runs the plan for the subscriber (borrowed). False when out of memory: no event follows. */
bool flight_start(struct flight *flight, const struct flight_options *options, struct flight_subscriber *subscriber);

/* Backpressure of the subscriber. */
void flight_pause(struct flight *flight, bool paused);

/* Calls started so far. */
unsigned flight_attempts(const struct flight *flight);

/*
 * The subscriber has no more interest: before the terminal event every call is aborted at once. The flight is
 * gone for the caller. Required exactly once for each flight created, started or not.
 */
void flight_leave(struct flight *flight);

#endif
