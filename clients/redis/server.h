/* SPDX-License-Identifier: MIT */
/*
 * What the process knows of each Redis server, shared by all workers: whether
 * it answers, and whether it takes writes. A server's state changes in one place
 * only, which writes the one log line of that change.
 *
 *   UNKNOWN ──answered──▸ UP ◂──a write was taken── REFUSES_WRITES
 *      │                  │ └──OOM, READONLY, …─────────▸┘ │
 *      └────▸ DOWN ◂──────┴── silent, lost, LOADING, … ────┘     DOWN ──answered──▸ UP
 */
#ifndef SLUICE_CLIENTS_REDIS_SERVER_H
#define SLUICE_CLIENTS_REDIS_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "clients/redis/protocol.h"
#include "clients/redis/redis.h"

enum redis_server_state {
	REDIS_SERVER_ST_UNKNOWN, /* nobody has heard of it yet */
	REDIS_SERVER_ST_UP,
	REDIS_SERVER_ST_REFUSES_WRITES, /* but answers reads */
	REDIS_SERVER_ST_DOWN
};

enum {
	REDIS_SILENCES_MAX = 3, /* timeouts in a row that tell that it is down */
	REDIS_SERVER_NAME_MAX = 280,
	REDIS_BACKOFF_FIRST_US = 100 * 1000
};

struct redis_server {
	LIST_ENTRY(redis_server) link;
	struct redis_shared *shared;
	unsigned users; /* connections of workers that lead there */
	_Atomic enum redis_server_state state;
	atomic_uint silences;            /* timeouts since the last answer */
	_Atomic uint64_t write_again_us; /* REFUSES_WRITES: one write may try then */
	atomic_bool full;                /* REFUSES_WRITES: only because of its memory */
	/* under the mutex */
	unsigned refusals;       /* of writes, without a long good time between them */
	uint64_t took_writes_us; /* since then */
	char name[REDIS_SERVER_NAME_MAX];
};

struct redis_shared {
	const struct config_redis *config;
	struct ssl_ctx_st *tls; /* NULL = cleartext */
	pthread_mutex_t mutex;
	LIST_HEAD(redis_server_list, redis_server) servers;
	atomic_uint warned; /* bits of enum redis_warning */
};

/* Things that are said once. */
enum redis_warning { REDIS_WARN_NOPERM = 1, REDIS_WARN_CLUSTER = 2 };

/* "host:port", with brackets around an IPv6 address. */
void redis_server_name(char name[REDIS_SERVER_NAME_MAX], const char *host, unsigned port);
/* The server of that name, for one more user. NULL when out of memory. */
struct redis_server *redis_server_hold(struct redis_shared *shared, const char *name);
void redis_server_drop(struct redis_server *server);

static inline enum redis_server_state redis_server_state(const struct redis_server *server)
{
	return atomic_load_explicit(&server->state, memory_order_relaxed);
}

static inline bool redis_server_is_up(const struct redis_server *server)
{
	enum redis_server_state state = redis_server_state(server);
	return state == REDIS_SERVER_ST_UP || state == REDIS_SERVER_ST_REFUSES_WRITES;
}

/*
 * May a command of that access be sent now? While writes are refused, one may try from time to time, and asking takes
 * that chance: *trial.
 */
bool redis_server_admits(struct redis_server *server, enum redis_access access, uint64_t now_us, bool *trial);
/* The same, without taking anything. */
bool redis_server_may_write(const struct redis_server *server, uint64_t now_us);

/* An answer came in time. */
static inline void redis_server_heard(struct redis_server *server)
{
	if (atomic_load_explicit(&server->silences, memory_order_relaxed) != 0)
		atomic_store_explicit(&server->silences, 0, memory_order_relaxed);
}

/* An answer did not come in time. */
void redis_server_silent(struct redis_server *server);
/* It answers: a connection was made, or a probe came back in time. */
void redis_server_answered(struct redis_server *server);
/* It took a write that was a trial. */
void redis_server_took_write(struct redis_server *server, uint64_t now_us);
/* It does not serve. why: for the log. */
void redis_server_is_down(struct redis_server *server, const char *why);
/* It serves reads only. full: and what takes no memory. */
void redis_server_refused_write(struct redis_server *server, const char *why, bool full, uint64_t now_us);

/* A log line, once for the life of the process. */
void redis_warn_once(struct redis_shared *shared, enum redis_warning warning, const char *message);

/* A wait with full jitter: anything up to 100 ms · 2^trials, at most 5 s; never 0. */
uint64_t redis_backoff_us(unsigned trials);

#endif
