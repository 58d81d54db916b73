/* SPDX-License-Identifier: MIT */
/* What worker.c (lives) and worker_messages.c (what others send to a worker) share; nobody else includes it. */
#ifndef SLUICE_SERVICE_WORKER_INTERNAL_H
#define SLUICE_SERVICE_WORKER_INTERNAL_H

#include <pthread.h>

#include "service/access/keeper.h"
#include "service/cache/fetch.h"
#include "service/connection_handover.h"
#include "service/routes.h"
#include "service/usage/keeper.h"
#include "service/worker.h"

struct key_sources;
struct lender;
struct shared_responses;
struct origin_table;
struct prober;

struct worker {
	const struct config *config;
	struct loop *loop;
	struct offload_port *offload; /* NULL = all is done in turns */
	struct http_client *client;
	struct origin_table *origins;
	struct arena arena;   /* plans */
	struct arena scratch; /* of the plans: see plan_worker */
	const struct plan **plans;
	struct redis *redis; /* NULL = there is none */
	struct cache_worker cache;
	struct shared_responses *shared_responses; /* the way to those in Redis; NULL = there is no Redis */
	struct lender *lender;                     /* of parts of limits; NULL = limits are this process' own */
	struct mailbox *mailbox;                   /* NULL = nothing is shared among replicas */
	struct exchange_worker exchange;
	struct routes routes;
	struct job_port keys;
	struct job_port usage;
	struct http_server *server;
	struct key_sources *key_sources; /* of one worker only; NULL = not this one's, or there are no issuers */
	struct prober *prober;           /* of one worker only; NULL = not this one's, or stopped */
	pthread_t thread;
	struct worker *const *others; /* all workers, itself included, once it has met them */
	size_t other_count;
	struct handover handover; /* count 0 = it keeps its connections */
	struct loop_message meet;
	struct loop_message drain;
	struct loop_message halt;
	struct timer drain_check;
	struct timer halt_due;
};

/* Of http_server_callbacks: passes a connection on to a worker that has more time for it. */
bool worker_passes_on(void *context, size_t listener, int fd);

#endif
