/* SPDX-License-Identifier: MIT */
/*
 * The control thread: it starts the workers, sleeps until a signal, and stops
 * them. The first SIGTERM or SIGINT drains, the second one (or the end of the
 * drain time) stops at once.
 */
#include "service/app.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "clients/http/http_client.h"
#include "clients/redis/redis.h"
#include "config/secrets.h"
#include "lib/ledger.h"
#include "lib/log.h"
#include "lib/memory.h"
#include "lib/memory_limit.h"
#include "lib/process.h"
#include "lib/random.h"
#include "schemas/metrics.h"
#include "schemas/openapi.h"
#include "service/access/failures.h"
#include "service/access/issuers.h"
#include "service/access/keeper.h"
#include "service/access/key_metrics.h"
#include "service/cache/cache.h"
#include "service/responses/response_store.h"
#include "service/certificate_renewal.h"
#include "service/exchange/report.h"
#include "service/flights/flight_table.h"
#include "service/health/health_metrics.h"
#include "service/health/limit_table.h"
#include "service/quotas/quotas.h"
#include "service/loop/offload.h"
#include "service/ready.h"
#include "service/secret_renewal.h"
#include "service/usage/keeper.h"
#include "service/worker.h"

enum {
	APP_OWN_DESCRIPTORS = 64 /* listeners, loops, files, Redis */
};

struct app {
	const struct config *config;
	struct health *health; /* shared by the workers */
	struct cache *cache;
	struct response_store *responses;
	struct flight_table *flights;     /* shared flights under way */
	struct offload *offload;          /* NULL = no helper threads */
	struct redis_shared *redis;       /* NULL = there is none */
	struct limit_table *limits;       /* of targets */
	struct quotas *quotas;            /* how much clients have used */
	struct issuers *issuers;          /* of tokens; NULL = there are none */
	struct access_failures *failures; /* wrong keys by network; NULL = nobody is asked for keys */
	struct keeper *keeper;            /* of the store's keys; NULL = there is none */
	struct usage_keeper *usage;       /* who used what */
	struct worker **workers;
	unsigned worker_count;
	struct http_listener_address *addresses;
	atomic_bool joined; /* no worker runs any more */
	bool serves;        /* else the configuration is only checked */
	struct renewal_watch renewal;
};

static unsigned count_workers(const struct config *config)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	if (config->workers != 0)
		return config->workers;
	return cores < 1 ? 1 : (unsigned)cores;
}

/* As many descriptors as the system allows: every stream needs two. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Half of the descriptors are for what admitted requests need: connections to backends, above all. */
static size_t count_connections(unsigned workers)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
		return 0;
	size_t all = (size_t)limit.rlim_cur;
	size_t most = (all > 2 * APP_OWN_DESCRIPTORS ? all - APP_OWN_DESCRIPTORS : all / 2) / 2 / workers;
	return most == 0 ? 1 : most;
}

static bool setup_metrics(const struct config *config, unsigned workers)
{
	const char **models = calloc(config->model_count, sizeof(char *));
	const char **backends = calloc(config->backend_count, sizeof(char *));
	const char **targets = calloc(config->target_count + 1, sizeof(char *));
	bool done = models != NULL && backends != NULL && targets != NULL;
	for (size_t i = 0; done && i < config->model_count; i++)
		models[i] = config->models[i].name;
	for (size_t i = 0; done && i < config->backend_count; i++)
		backends[i] = config->backends[i].name;
	for (size_t i = 0; done && i < config->target_count; i++)
		targets[i] = config->targets[i].name;
	struct metrics_names names = {.models = models,
				      .model_count = config->model_count,
				      .backends = backends,
				      .backend_count = config->backend_count,
				      .endpoints = report_endpoints,
				      .endpoint_count = REPORT_ENDPOINTS,
				      .targets = targets,
				      .target_count = config->target_count};
	health_metrics_names(&names);
	done = done && metrics_setup(workers, &names);
	free(models);
	free(backends);
	free(targets);
	return done;
}

static bool read_memory(enum metric metric, double *value)
{
	switch (metric) {
	case METRIC_MEMORY_HELD:
		*value = (double)ledger_taken();
		return true;
	case METRIC_MEMORY_LIMIT:
		*value = (double)ledger_ceiling();
		return true;
	case METRIC_MEMORY_REFUSED:
		*value = (double)ledger_refusals();
		return true;
	default:
		return false;
	}
}

/* The other half is for what is charged to nobody: libraries, holes of the heap, and sockets' buffers in the kernel. */
static size_t memory_ceiling(const struct config *config)
{
	return config->limits.memory != 0 ? config->limits.memory : memory_limit() / 2;
}

static bool read_store(const struct app *app, enum metric metric, double *value)
{
	if (app->keeper == NULL || (metric != METRIC_KEY_STORE_UP && metric != METRIC_KEY_STORE_KEYS))
		return false;
	*value = metric == METRIC_KEY_STORE_UP ? keeper_is_up(app->keeper) : (double)keeper_count(app->keeper);
	return true;
}

static bool read_usage(const struct app *app, enum metric metric, double *value)
{
	if (app->usage == NULL)
		return false;
	switch (metric) {
	case METRIC_USAGE_ROWS:
		*value = (double)usage_keeper_rows(app->usage);
		return true;
	case METRIC_USAGE_LOST:
		*value = (double)usage_keeper_lost(app->usage);
		return true;
	case METRIC_USAGE_UP:
		*value = usage_keeper_is_up(app->usage);
		return true;
	default:
		return false;
	}
}

static bool read_metric(void *context, unsigned metric, const uint32_t values[3], double *value)
{
	struct app *app = context;
	struct metrics_reader health = health_metrics_reader(app->health);
	return read_memory(metric, value) || read_store(app, metric, value) || read_usage(app, metric, value) ||
	       cache_read_metric(app->cache, metric, value) ||
	       (app->redis != NULL && redis_shared_read_metric(app->redis, metric, value)) ||
	       health.read(health.context, metric, values, value);
}

/* Workers connect at once, so that a checked configuration has none. False: out of memory, or with errors. */
static bool create_redis(struct app *app, struct buf *errors)
{
	const struct config_redis *redis = &app->config->redis;
	if (!config_redis_is_used(redis))
		return true;
	struct buf why;
	buf_init(&why, 4096);
	struct redis_shared *shared = redis_shared_create(redis, &why);
	if (shared == NULL && buf_len(&why) > 0)
		buf_printf(errors, "%s:%u: %.*s\n", app->config->file, redis->tls.line, SPAN_ARG(buf_span(&why)));
	buf_fini(&why);
	if (app->serves)
		app->redis = shared;
	else
		redis_shared_destroy(shared);
	return shared != NULL;
}

/* Half of the cores may help the loops, at least two threads and at most eight. Not to check a configuration. */
static bool create_offload(struct app *app)
{
	enum { LEAST = 2, MOST = 8 };
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned half = cores < 2 * LEAST ? LEAST : (unsigned)cores / 2;
	if (app->serves)
		app->offload = offload_create(half > MOST ? MOST : half);
	return !app->serves || app->offload != NULL;
}

/* Not to check a configuration: the store need not answer. */
static bool create_keeper(struct app *app)
{
	if (!app->serves || !config_auth_has_store(app->config))
		return true;
	app->keeper = keeper_create(app->config, app->redis);
	return app->keeper != NULL;
}

/* Not to check a configuration, as above. */
static bool create_usage(struct app *app)
{
	if (app->serves)
		app->usage = usage_keeper_create(app->config, app->redis);
	return !app->serves || app->usage != NULL;
}

static bool create_workers(struct app *app, struct buf *errors)
{
	app->worker_count = count_workers(app->config);
	app->workers = calloc(app->worker_count, sizeof(struct worker *));
	app->addresses = calloc(config_listener_total(app->config), sizeof(*app->addresses));
	if (app->workers == NULL || app->addresses == NULL || !setup_metrics(app->config, app->worker_count))
		return false;
	key_metrics_setup(app->config->metrics_keys);
	app->health = health_create(app->config, random_u64(), NULL);
	app->cache = cache_create(app->config);
	app->responses = response_store_create();
	app->flights = flight_table_create();
	app->limits = limit_table_create(app->config, NULL);
	if (app->health == NULL || app->cache == NULL || app->responses == NULL || app->flights == NULL ||
	    app->limits == NULL || !create_offload(app) || !create_redis(app, errors))
		return false;
	app->quotas = quotas_create(app->config);
	if (app->quotas == NULL)
		return false;
	if (config_auth_is_on(app->config) &&
	    (app->failures = access_failures_create(app->config->auth.failures)) == NULL)
		return false;
	if (app->config->auth.issuer_count > 0 && (app->issuers = issuers_create(app->config, errors)) == NULL)
		return false;
	if (!create_keeper(app) || !create_usage(app))
		return false;
	metrics_set_reader((struct metrics_reader){read_metric, app});
	for (unsigned i = 0; i < app->worker_count; i++) {
		struct worker_options options = {.config = app->config,
						 .health = app->health,
						 .quotas = app->quotas,
						 .cache = app->cache,
						 .responses = app->responses,
						 .flights = app->flights,
						 .offload = app->offload,
						 .redis = app->redis,
						 .limits = app->limits->by_target,
						 .issuers = app->issuers,
						 .failures = app->failures,
						 .keeper = app->keeper,
						 .usage = app->usage,
						 .connections_most = count_connections(app->worker_count),
						 .index = i};
		app->workers[i] = worker_create(&options, errors);
		if (app->workers[i] == NULL)
			return false;
	}
	return true;
}

static void destroy_workers(struct app *app)
{
	for (int round = 0; round < 2; round++) /* what one closes, another one may have to hear of */
		for (unsigned i = 0; app->workers != NULL && i < app->worker_count; i++)
			if (app->workers[i] != NULL)
				worker_close(app->workers[i]);
	for (unsigned i = 0; app->workers != NULL && i < app->worker_count; i++) {
		if (app->workers[i] != NULL)
			worker_destroy(app->workers[i]);
	}
	free(app->workers);
	for (size_t i = 0; app->addresses != NULL && i < config_listener_total(app->config); i++)
		http_listener_address_remove(&app->addresses[i]);
	free(app->addresses);
	keeper_destroy(app->keeper);
	usage_keeper_destroy(app->usage);
	offload_destroy(app->offload);
	metrics_teardown();
	health_destroy(app->health);
	flight_table_destroy(app->flights);
	cache_destroy(app->cache);
	response_store_destroy(app->responses);
	if (app->redis != NULL)
		redis_shared_destroy(app->redis);
	limit_table_destroy(app->limits);
	access_failures_destroy(app->failures);
	quotas_destroy(app->quotas);
	issuers_destroy(app->issuers);
	openapi_release();
}

static bool listen_and_start(struct app *app, struct buf *errors)
{
	for (unsigned i = 0; i < app->worker_count; i++) {
		if (!worker_listen(app->workers[i], app->addresses, errors))
			return false;
	}
	for (unsigned i = 0; i < app->worker_count; i++) {
		if (!worker_start(app->workers[i])) {
			buf_append(errors, SPAN("a worker thread could not be started\n"));
			exit(1); /* threads already run: nothing can be unwound safely */
		}
	}
	for (unsigned i = 0; i < app->worker_count && app->worker_count > 1; i++)
		worker_meet(app->workers[i], app->workers, app->worker_count);
	return true;
}

static void tell_ready(const struct app *app)
{
	for (size_t i = 0; i < config_listener_total(app->config); i++) {
		const struct config_listener *listener = config_listener_at(app->config, i);
		struct log_line line;
		log_begin(&line, LOG_INFO, "listening");
		log_str(&line, "address", span_of(app->addresses[i].text));
		log_str(&line, "listener", listener == &app->config->admin ? SPAN("admin") : SPAN("public"));
		log_str(&line, "tls", listener->tls_certificate == NULL ? SPAN("no") : SPAN("yes"));
		log_int(&line, "workers", app->worker_count);
		log_end(&line);
	}
	ready_log(app->config, app->addresses);
}

static void *join_all(void *context)
{
	struct app *app = context;
	for (unsigned i = 0; i < app->worker_count; i++)
		worker_join(app->workers[i]);
	atomic_store(&app->joined, true);
	kill(getpid(), SIGUSR1); /* wakes the control thread */
	return NULL;
}

static void stop_all(struct app *app, bool now)
{
	struct log_line line;
	log_begin(&line, LOG_INFO, now ? "stopping" : "draining");
	log_end(&line);
	for (unsigned i = 0; i < app->worker_count; i++)
		worker_stop(app->workers[i], now);
}

static bool is_stop(int signal)
{
	return signal == SIGTERM || signal == SIGINT;
}

/* Until every worker has ended, or another signal asks for an end, or the time is over. */
static void wait_for_drain(const struct app *app, const sigset_t *signals)
{
	uint64_t deadline_us = timers_monotonic(NULL) + app->config->drain_us;
	while (!atomic_load(&app->joined)) {
		uint64_t at_us = timers_monotonic(NULL);
		uint64_t left_us = deadline_us > at_us ? deadline_us - at_us : 0;
		struct timespec left = {.tv_sec = (time_t)(left_us / 1000000),
					.tv_nsec = (long)(left_us % 1000000) * 1000};
		if (left_us == 0 || is_stop(sigtimedwait(signals, NULL, &left)))
			return;
	}
}

/* Renews certificates and secrets meanwhile. */
static void wait_for_stop(struct app *app, const sigset_t *signals)
{
	uint64_t watch_us = app->config->tls_watch_us;
	bool watches = app->renewal.used && watch_us > 0;
	struct timespec period = {.tv_sec = (time_t)(watch_us / 1000000), .tv_nsec = (long)(watch_us % 1000000) * 1000};
	int signal = 0;
	while (!is_stop(signal)) {
		signal = watches ? sigtimedwait(signals, NULL, &period) : sigwaitinfo(signals, NULL);
		if (signal == SIGHUP || (signal < 0 && errno == EAGAIN))
			renewal_check(&app->renewal, signal == SIGHUP);
		if (signal == SIGHUP)
			secret_renewal_run(app->config);
	}
}

static void wait_for_end(struct app *app, const sigset_t *signals)
{
	pthread_t joiner;
	wait_for_stop(app, signals);
	stop_all(app, false);
	if (pthread_create(&joiner, NULL, join_all, app) != 0)
		exit(1);
	wait_for_drain(app, signals);
	if (!atomic_load(&app->joined))
		stop_all(app, true);
	pthread_join(joiner, NULL);
}

static void report(const struct buf *errors)
{
	struct span text = buf_span(errors);
	fprintf(stderr, "%.*s", SPAN_ARG(text));
}

int app_run(const struct config *config)
{
	struct app app = {.config = config, .serves = true};
	struct buf errors;
	sigset_t signals;
	int status = 1;
	buf_init(&errors, 65536);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGUSR1);
	renewal_init(&app.renewal, config);
	if (app.renewal.used ||
	    config_secrets_may_change(config)) /* else it ends the process, as when its terminal goes */
		sigaddset(&signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &signals, NULL); /* inherited by the workers: only this thread takes them */
	signal(SIGPIPE, SIG_IGN);
	raise_descriptor_limit();
	if (!config->core_dumps)
		process_refuse_dumps();
	memory_setup();
	ledger_set_ceiling(memory_ceiling(config));
	if (http_client_global_setup() && create_workers(&app, &errors) && listen_and_start(&app, &errors)) {
		app.renewal.workers = app.workers;
		app.renewal.worker_count = app.worker_count;
		tell_ready(&app);
		memory_rest(); /* from what the start needed */
		wait_for_end(&app, &signals);
		status = 0;
	}
	report(&errors);
	destroy_workers(&app);
	http_client_global_teardown();
	buf_fini(&errors);
	return status;
}

bool app_check(const struct config *config, struct buf *errors)
{
	struct app app = {.config = config};
	bool usable = http_client_global_setup() && create_workers(&app, errors);
	destroy_workers(&app);
	http_client_global_teardown();
	return usable;
}
