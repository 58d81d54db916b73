/* SPDX-License-Identifier: MIT */
/* The worker as its flights see it: what it lends to them. */
#ifndef SLUICE_SERVICE_FLIGHTS_FLIGHT_WORKER_H
#define SLUICE_SERVICE_FLIGHTS_FLIGHT_WORKER_H

#include "service/plan/plan.h"

struct cache_worker;
struct flight_table;
struct mailbox;

struct flight_worker {
	struct plan_worker plan;    /* lent to runs */
	struct cache_worker *cache; /* NULL = there is none, and no flight is shared */
	struct flight_table *table; /* of the process: the shared flights that are under way; NULL without a cache */
	struct mailbox *mailbox;    /* where other replicas ask for flights of this worker; NULL = there are none */
	size_t in_flight;           /* exchanges now, and shared flights that it leads */
};

#endif
