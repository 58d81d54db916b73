/* SPDX-License-Identifier: MIT */
/*
 * A channel, an established connection of an origin: cleartext, with the descriptor that
 * curl connected, or TLS, with the attempt whose easy holds it. It serves one
 * call at a time and waits in its origin's pool between two. It stays watched
 * there, which saves two epoll_ctl per request; that it becomes ready while
 * nobody uses it means that the backend closed it or talks out of turn.
 * Private to clients/http.
 */
#ifndef SLUICE_CLIENTS_HTTP_CHANNEL_H
#define SLUICE_CLIENTS_HTTP_CHANNEL_H

#include <sys/queue.h>
#include <sys/uio.h>

#include "clients/http/client.h"
#include "lib/reactor.h"

struct http_attempt;

struct http_channel {
	struct watch watch;                  /* first */
	TAILQ_ENTRY(http_channel) link;      /* origin->used or origin->idle */
	TAILQ_ENTRY(http_channel) idle_link; /* client->idle, when nobody uses it */
	struct http_origin *origin;          /* borrows: it closes its connections before it goes */
	struct http_call *call;              /* NULL = nobody's */
	struct http_attempt *attempt;        /* holds the TLS; NULL = cleartext */
	uint64_t idle_since_us;
	bool retired; /* leads to an address of the past: not to be used once more */
};

/* Of an attempt that has connected; call: whose it is from now on. NULL: out of memory; the attempt stays as it was. */
struct http_channel *channel_create(struct http_attempt *attempt, struct http_call *call);
/* Closes it, whoever uses it. */
void channel_close(struct http_channel *channel);

/* Takes the warmest one of the origin for the call; NULL: there is none. */
struct http_channel *channel_borrow(struct http_origin *origin, struct http_call *call);
/* Its call needs it no more: back to the pool, or closed if it is retired or there are too many. */
void channel_give(struct http_channel *channel);

/* Asks for readiness: REACTOR_*, 0 = none. False: out of memory. */
bool channel_want(struct http_channel *channel, unsigned interest);
/* It was ready, or failed, while nobody wanted to know: nothing is told until it is wanted again. */
void channel_ignore(struct http_channel *channel);

enum channel_result {
	CHANNEL_OK,
	CHANNEL_LATER,  /* would block */
	CHANNEL_ENDED,  /* reading only: the peer has nothing more to say */
	CHANNEL_FAILED, /* *why is set: static, or valid until the connection is closed */
};
/* At most size bytes into bytes; *got > 0 when it is OK. */
enum channel_result channel_read(struct http_channel *channel, char *bytes, size_t size, size_t *got, const char **why);
/* Sends what the parts hold, or a beginning of it. Under TLS what was LATER must be tried again as it is. */
enum channel_result channel_write(struct http_channel *channel, const struct iovec *parts, int count, size_t *sent);

/* After a lookup: connections that lead elsewhere serve nobody any more. */
void channels_retire(struct http_origin *origin);
/* Closes the coldest count ones of the pool. */
void channels_close_idle(struct http_origin *origin, size_t count);

#endif
