/* SPDX-License-Identifier: MIT */
/*
 * The hot path reads atomics; changes of state take the mutex, compare, and log
 * what they changed, so that workers that learn the same thing at the same time
 * write one line. A state that comes and goes is held back: who retries waits
 * longer each time, until it was good for a while.
 */
#include "clients/redis/server.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

#include "clients/redis/tls.h"
#include "config/config.h"
#include "lib/log.h"
#include "lib/random.h"

enum {
	BACKOFF_MOST_US = 5 * 1000 * 1000,
	BACKOFF_DOUBLINGS = 6,
	GOOD_WHILE_US = 10 * 1000 * 1000 /* of taking writes, after which refusals are counted anew */
};

uint64_t redis_backoff_us(unsigned trials)
{
	uint64_t most = trials >= BACKOFF_DOUBLINGS ? BACKOFF_MOST_US : (uint64_t)REDIS_BACKOFF_FIRST_US << trials;
	return 1 + random_u64() % (most < BACKOFF_MOST_US ? most : BACKOFF_MOST_US);
}

struct redis_shared *redis_shared_create(const struct config_redis *config, struct buf *why)
{
	struct redis_shared *shared = calloc(1, sizeof(*shared));
	if (shared != NULL && config->tls.used)
		shared->tls = redis_tls_create(config, why);
	if (shared == NULL || (config->tls.used && shared->tls == NULL)) {
		free(shared);
		return NULL;
	}
	shared->config = config;
	pthread_mutex_init(&shared->mutex, NULL);
	LIST_INIT(&shared->servers);
	return shared;
}

void redis_shared_destroy(struct redis_shared *shared)
{
	if (shared == NULL)
		return;
	pthread_mutex_destroy(&shared->mutex);
	SSL_CTX_free(shared->tls);
	free(shared);
}

/* All servers that connections lead to are in one of two states. */
static bool all_are(struct redis_shared *shared, enum redis_server_state one, enum redis_server_state other)
{
	const struct redis_server *server;
	pthread_mutex_lock(&shared->mutex);
	bool all = !LIST_EMPTY(&shared->servers);
	LIST_FOREACH(server, &shared->servers, link)
	all = all && (redis_server_state(server) == one || redis_server_state(server) == other);
	pthread_mutex_unlock(&shared->mutex);
	return all;
}

bool redis_shared_read_metric(struct redis_shared *shared, enum metric metric, double *value)
{
	if (shared == NULL || (metric != METRIC_REDIS_UP && metric != METRIC_REDIS_WRITABLE))
		return false;
	*value = all_are(shared, REDIS_SERVER_ST_UP,
			 metric == METRIC_REDIS_UP ? REDIS_SERVER_ST_REFUSES_WRITES : REDIS_SERVER_ST_UP);
	return true;
}

void redis_server_name(char name[REDIS_SERVER_NAME_MAX], const char *host, unsigned port)
{
	snprintf(name, REDIS_SERVER_NAME_MAX, strchr(host, ':') == NULL ? "%s:%u" : "[%s]:%u", host, port);
}

/* With the mutex. */
static struct redis_server *find_server(const struct redis_shared *shared, const char *name)
{
	struct redis_server *server = LIST_FIRST(&shared->servers);
	while (server != NULL && strcmp(server->name, name) != 0)
		server = LIST_NEXT(server, link);
	return server;
}

/* With the mutex. NULL when out of memory. */
static struct redis_server *add_server(struct redis_shared *shared, const char *name)
{
	struct redis_server *server = calloc(1, sizeof(*server));
	if (server == NULL)
		return NULL;
	snprintf(server->name, sizeof(server->name), "%s", name);
	server->shared = shared;
	LIST_INSERT_HEAD(&shared->servers, server, link);
	return server;
}

struct redis_server *redis_server_hold(struct redis_shared *shared, const char *name)
{
	pthread_mutex_lock(&shared->mutex);
	struct redis_server *server = find_server(shared, name);
	if (server == NULL)
		server = add_server(shared, name);
	if (server != NULL)
		server->users++;
	pthread_mutex_unlock(&shared->mutex);
	return server;
}

void redis_server_drop(struct redis_server *server)
{
	struct redis_shared *shared = server->shared;
	pthread_mutex_lock(&shared->mutex);
	bool last = --server->users == 0;
	if (last)
		LIST_REMOVE(server, link);
	pthread_mutex_unlock(&shared->mutex);
	if (last)
		free(server);
}

/* With the mutex. False: it is in that state already. */
static bool server_set_state(struct redis_server *server, enum redis_server_state state, const char *why)
{
	static const char *const messages[] = {"", "redis is up", "redis refuses writes", "redis is down"};
	if (redis_server_state(server) == state)
		return false;
	atomic_store_explicit(&server->state, state, memory_order_relaxed);
	atomic_store_explicit(&server->silences, 0, memory_order_relaxed);
	struct log_line line;
	log_begin(&line, state == REDIS_SERVER_ST_UP ? LOG_INFO : LOG_WARN, messages[state]);
	log_str(&line, "server", span_of(server->name));
	log_str(&line, "reason", span_of(why));
	log_end(&line);
	return true;
}

static void change(struct redis_server *server, enum redis_server_state state, const char *why)
{
	pthread_mutex_lock(&server->shared->mutex);
	server_set_state(server, state, why);
	pthread_mutex_unlock(&server->shared->mutex);
}

bool redis_server_may_write(const struct redis_server *server, uint64_t now_us)
{
	enum redis_server_state state = redis_server_state(server);
	return state == REDIS_SERVER_ST_UP ||
	       (state == REDIS_SERVER_ST_REFUSES_WRITES &&
		atomic_load_explicit(&server->write_again_us, memory_order_relaxed) <= now_us);
}

bool redis_server_admits(struct redis_server *server, enum redis_access access, uint64_t now_us, bool *trial)
{
	enum redis_server_state state = redis_server_state(server);
	*trial = false;
	if (state != REDIS_SERVER_ST_REFUSES_WRITES)
		return state == REDIS_SERVER_ST_UP;
	if (access == REDIS_ACCESS_READ ||
	    (access == REDIS_ACCESS_FREE && atomic_load_explicit(&server->full, memory_order_relaxed)))
		return true;
	uint64_t due = atomic_load_explicit(&server->write_again_us, memory_order_relaxed);
	*trial = due <= now_us &&
		 atomic_compare_exchange_strong(&server->write_again_us, &due, now_us + REDIS_BACKOFF_FIRST_US);
	return *trial;
}

void redis_server_silent(struct redis_server *server)
{
	if (atomic_fetch_add_explicit(&server->silences, 1, memory_order_relaxed) + 1 >= REDIS_SILENCES_MAX)
		redis_server_is_down(server, "it did not answer in time");
}

void redis_server_answered(struct redis_server *server)
{
	redis_server_heard(server);
	if (!redis_server_is_up(server))
		change(server, REDIS_SERVER_ST_UP, "it answers");
}

void redis_server_took_write(struct redis_server *server, uint64_t now_us)
{
	if (redis_server_state(server) != REDIS_SERVER_ST_REFUSES_WRITES)
		return;
	pthread_mutex_lock(&server->shared->mutex);
	if (redis_server_state(server) == REDIS_SERVER_ST_REFUSES_WRITES) {
		server->took_writes_us = now_us;
		server_set_state(server, REDIS_SERVER_ST_UP, "it takes writes again");
	}
	pthread_mutex_unlock(&server->shared->mutex);
}

void redis_server_is_down(struct redis_server *server, const char *why)
{
	if (redis_server_state(server) != REDIS_SERVER_ST_DOWN)
		change(server, REDIS_SERVER_ST_DOWN, why);
}

void redis_server_refused_write(struct redis_server *server, const char *why, bool full, uint64_t now_us)
{
	pthread_mutex_lock(&server->shared->mutex);
	bool due =
	    atomic_load_explicit(&server->write_again_us, memory_order_relaxed) <= now_us + REDIS_BACKOFF_FIRST_US;
	if (redis_server_state(server) == REDIS_SERVER_ST_UP && now_us > server->took_writes_us + GOOD_WHILE_US)
		server->refusals = 0;
	atomic_store_explicit(&server->full, full, memory_order_relaxed);
	/* Those that were on their way together count once. */
	if (redis_server_state(server) == REDIS_SERVER_ST_UP || due) {
		atomic_store_explicit(&server->write_again_us, now_us + redis_backoff_us(server->refusals),
				      memory_order_relaxed);
		server->refusals++;
	}
	if (redis_server_state(server) != REDIS_SERVER_ST_DOWN)
		server_set_state(server, REDIS_SERVER_ST_REFUSES_WRITES, why);
	pthread_mutex_unlock(&server->shared->mutex);
}

void redis_warn_once(struct redis_shared *shared, enum redis_warning warning, const char *message)
{
	if ((atomic_fetch_or_explicit(&shared->warned, warning, memory_order_relaxed) & warning) != 0)
		return;
	struct log_line line;
	log_begin(&line, LOG_WARN, message);
	log_end(&line);
}
