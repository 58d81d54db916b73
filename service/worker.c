/* SPDX-License-Identifier: MIT */
/* Set-up of a worker in the order of its dependencies, its thread, and the mirrored tear-down. */
#include "service/worker_internal.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/container.h"
#include "service/access/key_source.h"
#include "service/access/tokens.h"
#include "service/cache/remote.h"
#include "service/cache/repeats.h"
#include "service/flights/lease.h"
#include "service/health/probe.h"
#include "service/loop/offload.h"
#include "service/origin_table.h"
#include "service/quotas/lender.h"
#include "service/quotas/quotas.h"
#include "service/responses/shared_responses.h"
#include "service/usage/recorder.h"

enum {
	WORKER_PROBER = 0,                /* the worker that asks whether backends live */
	WORKER_KEYS = 0,                  /* the worker that fetches the keys of issuers */
	WORKER_PURGES = 0,                /* the worker that looks for purges of other replicas */
	WORKER_POOLED_CONNECTIONS = 1024, /* idle connections kept towards backends */
	WORKER_DRAIN_CHECK_US = 20000,
	WORKER_HALT_US = 1000000, /* for clients to take the last of what they are told */
};

static bool create_plans(struct worker *worker, struct buf *error)
{
	const struct config *config = worker->config;
	worker->plans = arena_zalloc(&worker->arena, config->model_count, sizeof(struct plan *));
	if (worker->plans == NULL)
		return false;
	bool good = true;
	for (size_t i = 0; i < config->model_count; i++) { /* all of them, so that one run tells everything */
		worker->plans[i] = plan_build(config, &config->models[i], &worker->arena, error);
		good = good && worker->plans[i] != NULL;
	}
	return good;
}

static void on_request(void *context, struct http_request *request)
{
	struct worker *worker = context;
	if (!http_request_is_admin(request))
		http_client_note_work(worker->client);
	routes_dispatch(&worker->routes, request);
}

static bool refuses(void *context, const struct http_request *request)
{
	const struct worker *worker = context;
	return routes_refuses(&worker->routes, request);
}

static bool create_prober(struct worker *worker)
{
	struct prober_options options = {.reactor = loop_reactor(worker->loop),
					 .config = worker->config,
					 .origins = worker->origins->by_backend,
					 .health = worker->exchange.flights.plan.health,
					 .metrics = worker->exchange.flights.plan.metrics};
	worker->prober = prober_create(&options);
	return worker->prober != NULL;
}

/* When the worker drains, or goes: nobody will ask for the backends any more. */
static void stop_prober(struct worker *worker)
{
	prober_destroy(worker->prober);
	worker->prober = NULL;
}

/* Who may ask: keys, and tokens of issuers. */
static bool create_access(struct worker *worker, const struct worker_options *options, struct buf *error)
{
	worker->routes.failures = options->failures;
	worker->routes.access = access_create(worker->config);
	if (worker->routes.access == NULL ||
	    (options->keeper != NULL && !access_use_store(worker->routes.access, keeper_feed(options->keeper))))
		return false;
	if (options->issuers == NULL)
		return true;
	struct tokens *tokens = tokens_create(worker->config, options->issuers);
	access_accept_tokens(worker->routes.access, tokens);
	if (tokens == NULL || options->index != WORKER_KEYS)
		return tokens != NULL;
	struct key_sources_options sources = {
	    .loop = worker->loop, .client = worker->client, .config = worker->config, .issuers = options->issuers};
	worker->key_sources = key_sources_create(&sources, error);
	return worker->key_sources != NULL;
}

/* Limits hold over all replicas that have the same Redis. */
static bool create_lender(struct worker *worker, struct quotas *quotas)
{
	struct lender_options options = {.quotas = quotas,
					 .redis = worker->redis,
					 .loop = worker->loop,
					 .prefix = worker->config->redis.prefix,
					 .budget_us = worker->config->redis.budget_us};
	if (quotas == NULL)
		return true;
	worker->lender = lender_create(&options);
	return worker->lender != NULL;
}

/* What the worker needs of the cache, and its way to what replicas share. */
static bool create_cache(struct worker *worker, const struct worker_options *options)
{
	struct metrics_cells *metrics = metrics_cells_of_process(options->index);
	worker->cache = (struct cache_worker){
	    .cache = options->cache, .reactor = loop_reactor(worker->loop), .offload = worker->offload};
	worker->cache.repeats = repeats_create();
	if (worker->cache.repeats == NULL)
		return false;
	if (options->redis == NULL)
		return true;
	worker->redis = redis_create(options->redis, worker->cache.reactor, metrics);
	if (worker->redis == NULL)
		return false;
	struct remote_options remote = {.worker = &worker->cache,
					.redis = worker->redis,
					.config = worker->config,
					.prefix = worker->config->redis.prefix,
					.budget_us = worker->config->redis.budget_us,
					.metrics = metrics,
					.watches = options->index == WORKER_PURGES};
	worker->cache.remote = remote_create(&remote);
	if (worker->cache.remote == NULL)
		return false;
	struct shared_responses_options responses = {.redis = worker->redis,
						     .reactor = worker->cache.reactor,
						     .store = options->responses,
						     .prefix = worker->config->redis.prefix,
						     .budget_us = worker->config->redis.budget_us};
	worker->shared_responses = shared_responses_create(&responses);
	if (worker->shared_responses == NULL)
		return false;
	lease_setup();
	worker->mailbox = mailbox_create(worker->cache.remote, remote.prefix);
	return worker->mailbox != NULL && create_lender(worker, options->quotas);
}

/* Who used what, and the way to whoever keeps it. */
static bool create_usage(struct worker *worker, const struct worker_options *options)
{
	struct plan_worker *plan = &worker->exchange.flights.plan;
	if (options->usage == NULL)
		return true;
	worker->usage = (struct job_port){.jobs = usage_keeper_jobs(options->usage), .loop = worker->loop};
	worker->routes.usage = &worker->usage;
	const struct prices *prices = options->quotas == NULL ? NULL : quotas_prices(options->quotas);
	plan->usage = usage_recorder_create(options->usage, worker->loop, prices);
	return plan->usage != NULL;
}

static bool create_parts(struct worker *worker, const struct worker_options *options, struct buf *error)
{
	worker->loop = loop_create();
	if (worker->loop == NULL)
		return false;
	loop_measure(worker->loop, metrics_cells_of_process(options->index));
	if (options->offload != NULL)
		worker->offload =
		    offload_port_create(options->offload, worker->loop, metrics_cells_of_process(options->index));
	worker->client = http_client_create(loop_reactor(worker->loop), WORKER_POOLED_CONNECTIONS);
	if (!create_cache(worker, options) || worker->client == NULL ||
	    (worker->offload == NULL && options->offload != NULL))
		return false;
	worker->origins =
	    origin_table_create(worker->config, worker->client, metrics_cells_of(options->index), NULL, error);
	if (!create_plans(worker, error) || worker->origins == NULL)
		return false;
	worker->exchange =
	    (struct exchange_worker){.flights = {.plan = {.reactor = loop_reactor(worker->loop),
							  .config = worker->config,
							  .origins = worker->origins->by_backend,
							  .loop = worker->loop,
							  .offload = worker->offload,
							  .health = options->health,
							  .limits = options->limits,
							  .metrics = metrics_cells_of(options->index),
							  .scratch = &worker->scratch},
						 .cache = &worker->cache,
						 .table = options->flights,
						 .mailbox = worker->mailbox},
				     .responses = options->responses,
				     .shared_responses = worker->shared_responses,
				     .quotas = options->quotas,
				     .quota_port = worker->lender == NULL ? NULL : lender_port(worker->lender),
				     .plans = worker->plans};
	worker->routes.exchange = &worker->exchange;
	if (!create_usage(worker, options))
		return false;
	if (!create_access(worker, options, error))
		return false;
	if (options->keeper != NULL) {
		worker->keys = (struct job_port){.jobs = keeper_jobs(options->keeper), .loop = worker->loop};
		worker->routes.keys = &worker->keys;
	}
	if (options->index == WORKER_PROBER && !create_prober(worker))
		return false;
	struct http_server_callbacks callbacks = {.on_request = on_request,
						  .refuses = refuses,
						  .passes_on = worker_passes_on,
						  .connections_most = options->connections_most,
						  .context = worker,
						  .metrics = metrics_cells_of_process(options->index)};
	worker->server = http_server_create(worker->loop, worker->config, &callbacks, error);
	return worker->server != NULL;
}

struct worker *worker_create(const struct worker_options *options, struct buf *error)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	if (worker == NULL)
		return NULL;
	arena_init(&worker->arena, 0);
	arena_init(&worker->scratch, 0); /* what is read into it is bounded by the caps on events and answers */
	worker->config = config_hold(options->config);
	if (create_parts(worker, options, error))
		return worker;
	if (buf_len(error) == 0)
		buf_append(error, SPAN("out of memory or descriptors\n"));
	worker_destroy(worker);
	return NULL;
}

bool worker_listen(struct worker *worker, struct http_listener_address *addresses, struct buf *error)
{
	return http_server_listen(worker->server, addresses, error);
}

static void *worker_main(void *context)
{
	struct worker *worker = context;
	loop_run(worker->loop);
	return NULL;
}

bool worker_start(struct worker *worker)
{
	for (size_t i = 0; i < worker->config->backend_count; i++)
		http_origin_resolve(worker->origins->by_backend[i]);
	return pthread_create(&worker->thread, NULL, worker_main, worker) == 0;
}

static void on_drain_check(struct timer *timer)
{
	struct worker *worker = container_of(timer, struct worker, drain_check);
	bool idle = worker->exchange.flights.in_flight == 0 && http_server_connections(worker->server) == 0 &&
		    http_client_active(worker->client) == 0 && lender_rests(worker->lender);
	if (idle || !timer_start(&loop_reactor(worker->loop)->timers, timer, WORKER_DRAIN_CHECK_US, on_drain_check))
		loop_stop(worker->loop);
}

static void on_drain(struct loop_message *message)
{
	struct worker *worker = container_of(message, struct worker, drain);
	worker->routes.draining = true;
	stop_prober(worker);
	key_sources_stop(worker->key_sources);
	http_server_drain(worker->server);
	on_drain_check(&worker->drain_check);
}

static void on_halt_due(struct timer *timer)
{
	struct worker *worker = container_of(timer, struct worker, halt_due);
	loop_stop(worker->loop);
}

/* What still runs is told why it ends; on_drain_check sees when all have heard it. */
static void on_halt(struct loop_message *message)
{
	struct worker *worker = container_of(message, struct worker, halt);
	exchange_end_all(&worker->exchange, ERROR_SHUTTING_DOWN);
	if (!timer_start(&loop_reactor(worker->loop)->timers, &worker->halt_due, WORKER_HALT_US, on_halt_due))
		loop_stop(worker->loop);
}

void worker_stop(struct worker *worker, bool now)
{
	struct loop_message *message = now ? &worker->halt : &worker->drain;
	message->run = now ? on_halt : on_drain;
	loop_post(worker->loop, message);
}

void worker_join(struct worker *worker)
{
	pthread_join(worker->thread, NULL);
}

/*
 * Answers that are complete may have transfers that linger, and leases that are given back; their own timers end them,
 * within a second. Helpers may still work for exchanges that have ended.
 */
static void worker_settle(struct worker *worker)
{
	reactor_run_tasks(loop_reactor(worker->loop));
	while (http_client_active(worker->client) > 0 || worker->exchange.flights.in_flight > 0 ||
	       offload_pending(worker->offload) > 0 || worker->keys.pending > 0 || worker->usage.pending > 0)
		loop_turn(worker->loop, WORKER_DRAIN_CHECK_US);
}

void worker_close(struct worker *worker)
{
	if (worker->server != NULL)
		http_server_destroy(worker->server);
	worker->server = NULL;
	stop_prober(worker);
	key_sources_stop(worker->key_sources);
	if (worker->loop == NULL)
		return;
	timer_stop(&loop_reactor(worker->loop)->timers, &worker->drain_check); /* it looks at the server */
	timer_stop(&loop_reactor(worker->loop)->timers, &worker->halt_due);
	loop_turn(worker->loop, 0);
}

void worker_destroy(struct worker *worker)
{
	worker_close(worker);
	if (worker->client != NULL)
		worker_settle(worker);
	lender_destroy(worker->lender);
	origin_table_destroy(worker->origins);
	key_sources_destroy(worker->key_sources);
	usage_recorder_destroy(worker->exchange.flights.plan.usage);
	access_destroy(worker->routes.access);
	mailbox_destroy(worker->mailbox);
	shared_responses_destroy(worker->shared_responses);
	remote_destroy(worker->cache.remote);
	repeats_destroy(worker->cache.repeats);
	redis_destroy(worker->redis);
	if (worker->client != NULL)
		http_client_destroy(worker->client);
	offload_port_destroy(worker->offload);
	if (worker->loop != NULL)
		loop_destroy(worker->loop);
	handover_fini(&worker->handover);
	arena_fini(&worker->scratch);
	arena_fini(&worker->arena);
	config_drop(worker->config);
	free(worker);
}
