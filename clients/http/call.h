/* SPDX-License-Identifier: MIT */
/*
 * Inside of a call: one curl easy and what surrounds it. Private to
 * clients/http.
 *
 * curl's callbacks only note what happened here (head lines, body bytes,
 * failures); the caller is told after curl has returned. So the caller's
 * callbacks never run inside curl, and a cancelled call is taken away from curl
 * at once.
 *
 *   IDLE → RESOLVING → QUEUED → CONNECTING → SENT → BODY → ENDED → GONE → IDLE
 *
 * A failure leads to ENDED and a cancellation to GONE from anywhere.
 */
#ifndef SLUICE_CLIENTS_HTTP_CALL_H
#define SLUICE_CLIENTS_HTTP_CALL_H

#include <curl/curl.h>
#include <sys/queue.h>

#include "clients/http/head.h"
#include "clients/http/http_client.h"
#include "lib/buf.h"

struct http_path;
struct socket_entry;

enum { CALL_MAX_CONNECTING = 2 /* curl tries one address of each family at a time */ };

enum call_state {
	CALL_ST_IDLE,       /* in its origin's pool */
	CALL_ST_RESOLVING,  /* waits for its origin's addresses */
	CALL_ST_QUEUED,     /* given to curl at the end of the turn */
	CALL_ST_CONNECTING, /* given to curl; nothing was sent */
	CALL_ST_SENT,       /* the request is on its way, or was */
	CALL_ST_BODY,       /* the head is complete */
	CALL_ST_ENDED,      /* taken back from curl; the caller may not know yet */
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
	bool stalled;               /* curl was told to hold its bytes back and to stop reading */
	bool opened;                /* a socket was opened for it */
	bool reused;                /* its connection had served another call */
	struct http_origin *origin; /* holds while not idle */
	const struct http_call_ops *ops;
	void *context;
	struct socket_entry *connecting[CALL_MAX_CONNECTING]; /* NULL = none */
	struct timer timer;                                   /* the wait for addresses */
	struct head head;
	struct buf inbox;         /* body bytes that the caller has not seen */
	enum error_code error;    /* of our own making, or the result once ended */
	const char *error_detail; /* static or error_text; NULL = none of our own */
	char error_text[CURL_ERROR_SIZE];
	/* the easy, and what it was last set to */
	CURL *easy;
	const struct http_path *path;
	struct curl_slist *headers_set;                /* NULL = unknown */
	struct curl_slist extra[HTTP_CALL_EXTRA_MOST]; /* this call's own fields, then the origin's list */
	struct buf extra_lines;                        /* their text */
	unsigned addresses_set;                        /* the origin's generation */
};

/* An idle call with its easy; NULL: out of memory. */
struct http_call *call_create(struct http_origin *origin);
void call_destroy(struct http_call *call);

/* The one place that changes call->state; moves the call to the list of the state. */
void call_set_state(struct http_call *call, enum call_state state);

/* Notes a failure from inside a callback of curl; the call ends when curl has returned. call: NULL does nothing. */
void call_fail(struct http_call *call, enum error_code error, const char *detail);
/* curl's result: takes the easy back; the caller is told by call_deliver. */
void call_end(struct http_call *call, CURLcode code);
/* Ends a call that curl has no result for. detail: static. */
void call_end_early(struct http_call *call, enum error_code error, const char *detail);
/* Tells the caller what there is to tell. */
void call_deliver(struct http_call *call);
/* Puts it on client->ready. */
void call_make_ready(struct http_call *call);

#endif
