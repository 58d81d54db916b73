/* SPDX-License-Identifier: MIT */
/* Inside of a client: what its calls, origins and connections share. Private to clients/http. */
#ifndef SLUICE_CLIENTS_HTTP_CLIENT_H
#define SLUICE_CLIENTS_HTTP_CLIENT_H

#include <curl/curl.h>
#include <sys/queue.h>

#include "clients/http/dns_lookup.h"
#include "clients/http/http_client.h"
#include "clients/http/sockets.h"

TAILQ_HEAD(call_list, http_call);
TAILQ_HEAD(origin_list, http_origin);
TAILQ_HEAD(channel_list, http_channel);
TAILQ_HEAD(attempt_list, http_attempt);

/* Counts what waits to be used again. */
struct pool {
	size_t count;
	size_t unused; /* the least of count in this period: that many nobody needed */
};

struct http_client {
	struct reactor *reactor; /* borrows */
	CURLM *multi;
	CURLSH *share; /* TLS sessions, so that a new connection resumes an old one's */
	struct sockets sockets;
	struct lookups *lookups;
	struct timer timer; /* curl's next deadline */
	struct timer rest;  /* gives back what is not needed; runs while there is something */
	size_t calls_this_period;
	size_t work_this_period;  /* done without a call */
	struct task task;         /* begins the queued calls, delivers to the ready ones */
	bool driving;             /* curl's deadlines are asked for afterwards, not listened to */
	size_t active;            /* calls that are not idle */
	char *read_buffer;        /* TRANSFER_READ bytes: what was read last, until the caller was told */
	struct channel_list idle; /* of all origins; the coldest first */
	size_t idle_count;
	unsigned max_idle;
	struct call_list queued;
	struct call_list running;     /* begun, or ended and not told yet */
	struct call_list ready;       /* have something to tell: by ready_link */
	struct http_call *delivering; /* whose callback is running; NULL = nobody's */
	struct origin_list origins;
};

/* Lets curl act on a ready descriptor (bits: CURL_CSELECT_*), then delivers. */
void client_drive_socket(struct http_client *client, int fd, int bits);
/* Runs the task at the end of the turn. */
void client_wake(struct http_client *client);
static inline void pool_put(struct pool *pool)
{
	pool->count++;
}

static inline void pool_take(struct pool *pool)
{
	if (pool->unused > --pool->count)
		pool->unused = pool->count;
}

/* A period ends. Returns how many nobody needed in it, or at rest, all. */
static inline size_t pool_rest(struct pool *pool, bool at_rest)
{
	size_t unused = at_rest ? pool->count : pool->unused;
	pool->unused = pool->count - unused;
	return unused;
}

#endif
