/* SPDX-License-Identifier: MIT */
/*
 * One connection to one Redis server or sentinel: made without blocking, secured (TLS), greeted
 * (password, database, role), probed, and made again when it is lost. Every way
 * of losing it ends in one function, link_lost() in link.c.
 */
#ifndef SLUICE_CLIENTS_REDIS_LINK_H
#define SLUICE_CLIENTS_REDIS_LINK_H

#include <hiredis/async.h>
#include <sys/queue.h>

#include "clients/redis/reply_guard.h"
#include "lib/reactor.h"
#include "lib/secret.h"

enum redis_link_state {
	REDIS_LINK_ST_IDLE, /* waits before it tries (again), or for its owner */
	REDIS_LINK_ST_RESOLVING,
	REDIS_LINK_ST_CONNECTING,
	REDIS_LINK_ST_SECURING, /* TLS */
	REDIS_LINK_ST_GREETING,
	REDIS_LINK_ST_READY,
	REDIS_LINK_ST_CLOSING /* hiredis is about to let go of it */
};

enum {
	REDIS_LINK_COMMANDS_MAX = 4096,         /* in flight */
	REDIS_LINK_BYTES_MAX = 16 * 1024 * 1024 /* of commands in flight */
};

struct redis_link;

/* Who uses it. No function of it may free a link; redis_link_retire() is for that. */
struct redis_link_owner {
	void (*on_ready)(struct redis_link *link);
	/* It is idle. why: as of the log. */
	void (*on_lost)(struct redis_link *link, const char *why);
	/* It is time to connect, after redis_link_connect_later(); NULL: that is done. */
	void (*on_due)(struct redis_link *link);
};

struct redis_link_options {
	const struct redis_link_owner *owner;
	void *context;      /* the owner's */
	const char *socket; /* borrows; NULL: host and port */
	const char *host;   /* copied */
	unsigned port;
	const char *user;        /* borrows; NULL = none */
	struct secret *password; /* borrows; NULL = none. Each connection has the present text of it */
	unsigned database;
	bool master;      /* it must be one */
	bool node;        /* of a cluster */
	const char *name; /* the server's, for its state; NULL = it has none */
};

struct redis_link {
	LIST_ENTRY(redis_link) link; /* of the client */
	struct redis *redis;
	struct redis_link_options options;
	char host[256];
	struct redis_server *server; /* NULL = a sentinel */
	enum redis_link_state state;
	bool retired; /* is freed at the end of the turn */
	redisAsyncContext *context;
	struct ssl_st *tls; /* NULL = cleartext */
	char tls_why[192];  /* why TLS failed */
	struct redis_reply_guard gate;
	struct watch watch;
	struct task flush;
	bool flushing;
	struct timer timer;
	struct lookup *lookup;
	const char *why;        /* static; why it is closed, when we do */
	unsigned trials;        /* of connecting or probing since it was good */
	unsigned connects;      /* attempts */
	uint64_t good_since_us; /* 0 = it is not */
	uint64_t heard_us;      /* the last answer */
	uint64_t pinged_us;     /* a probe is under way since then; 0 = none */
	size_t unsent;          /* bytes that were to be written before the probe, when that was last looked at */
	bool probing;           /* the server is down, and asked from time to time */
	unsigned in_flight;
	size_t bytes_in_flight;
	TAILQ_HEAD(redis_parked, redis_slot) parked;
};

/* Idle. NULL when out of memory. */
struct redis_link *redis_link_create(struct redis *redis, const struct redis_link_options *options);
/* Begins to connect an idle one, now. It may be lost before this returns. */
void redis_link_connect(struct redis_link *link);
/* The same in a while, longer each time. */
void redis_link_connect_later(struct redis_link *link);
/* Somebody wants it, and other workers reach its server: if it waits to connect, it does not wait for long any more. */
void redis_link_hurry(struct redis_link *link);
/* Another address, for an idle one. */
void redis_link_move(struct redis_link *link, const char *host, unsigned port);
/* Gives it up. why: static. on_lost follows, at once or soon. */
void redis_link_close(struct redis_link *link, const char *why);
/* It is closed and freed at the end of the turn; its owner hears nothing more. What is in flight stays unanswered. */
void redis_link_retire(struct redis_link *link);
/* Closes and frees it here and now; not from inside a callback. */
void redis_link_destroy(struct redis_link *link);

static inline bool redis_link_is_ready(const struct redis_link *link)
{
	return link->state == REDIS_LINK_ST_READY;
}

/* For its parts: another state, which is counted when it is ready, or was. */
void redis_link_set_state(struct redis_link *link, enum redis_link_state state);

/* For its parts: the timer that fits its state, and a wait that grows as long as it is not good. */
void redis_link_set_timer(struct redis_link *link, uint64_t delay_us);
uint64_t redis_link_backoff_us(struct redis_link *link);
#endif
