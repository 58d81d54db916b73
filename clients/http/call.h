/* SPDX-License-Identifier: MIT */
/*
 * Inside of a call: one request and its answer over one connection. Private to
 * clients/http.
 *
 * What was read is taken apart completely before the caller is told of it, so
 * a call that ended has given its connection back by then. call_deliver is the
 * only place where the caller's callbacks run.
 *
 *   IDLE → RESOLVING → QUEUED → CONNECTING → SENT → BODY → ENDED → GONE → IDLE
 *
 * With a pooled connection there is no CONNECTING. A failure leads to ENDED and
 * a cancellation to GONE from anywhere.
 */
#ifndef SLUICE_CLIENTS_HTTP_CALL_H
#define SLUICE_CLIENTS_HTTP_CALL_H

#include <curl/curl.h>
#include <sys/queue.h>

#include "clients/http/framing.h"
#include "clients/http/http_client.h"
#include "clients/http/response_head.h"
#include "lib/buf.h"

struct http_attempt;
struct http_channel;

enum call_state {
	CALL_ST_IDLE,       /* in its origin's pool */
	CALL_ST_RESOLVING,  /* waits for its origin's addresses */
	CALL_ST_QUEUED,     /* begins at the end of the turn */
	CALL_ST_CONNECTING, /* has an attempt; nothing was sent */
	CALL_ST_SENT,       /* has a channel; the request is on its way, or was */
	CALL_ST_BODY,       /* the head is complete */
	CALL_ST_ENDED,      /* has neither; the caller may not know yet */
	CALL_ST_GONE,       /* the caller was told the end, or cancelled it; nothing more is said */
	CALL_ST_COUNT
};

struct http_call {
	TAILQ_ENTRY(http_call) link;       /* in the list of its state */
	TAILQ_ENTRY(http_call) ready_link; /* in client->ready, if is_ready */
	enum call_state state;
	bool is_ready;
	bool head_due;              /* on_head is still to be called */
	bool paused;                /* asked by the caller: no on_body */
	bool stalled;               /* nothing is read: the call is paused and something came */
	bool fresh;                 /* asked by the caller: no pooled connection */
	bool reused;                /* its connection had served another call */
	bool answered;              /* a byte of the answer came */
	bool deaf;                  /* the peer reads no more of the request */
	bool reset;                 /* it told so by a reset: what ends then was cut */
	struct http_origin *origin; /* holds while not idle */
	const struct http_call_ops *ops;
	void *context;
	struct http_attempt *attempt; /* of CALL_ST_CONNECTING */
	struct http_channel *channel; /* of CALL_ST_SENT and CALL_ST_BODY */
	struct timer timer;           /* the wait for addresses, or for the next turn to read on */
	struct buf out;               /* bytes to send before the rest of the body */
	struct span body, tail;       /* that rest */
	struct head head;
	struct framing framing;
	struct buf inbox;         /* body bytes that the caller has not seen */
	enum error_code error;    /* noted, or the result once ended */
	const char *error_detail; /* static or words; NULL = none */
	char *words;              /* owned; NULL = none */
};

/* An idle call; NULL: out of memory. */
struct http_call *call_create(struct http_origin *origin);
void call_destroy(struct http_call *call);

/* The one place that changes call->state; moves the call to the list of the state. */
void call_set_state(struct http_call *call, enum call_state state);

/* Takes a queued call's first step: a channel, or an attempt. */
void call_begin(struct http_call *call);
/* Its attempt has come to an end: there is a connection if the code says so. */
void call_attempted(struct http_call *call, CURLcode code);
/* Notes a failure from inside a callback of curl; the call ends when curl has returned. call: NULL does nothing. */
void call_fail(struct http_call *call, enum error_code error, const char *detail);
/* Ends it; the caller is told at the end of the turn, if not before. detail: static, or call->words. */
void call_end(struct http_call *call, enum error_code error, const char *detail);
/* Tells the caller what there is to tell, body being new. False: it has ended, or is gone. */
bool call_deliver(struct http_call *call, struct span body);

#endif
