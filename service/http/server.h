/* SPDX-License-Identifier: MIT */
/* Inside of service/http: one worker's server, what its listeners and connections share. */
#ifndef SLUICE_SERVICE_HTTP_SERVER_H
#define SLUICE_SERVICE_HTTP_SERVER_H

#include <h2o.h>
#include <nghttp2/nghttp2.h>

#include "service/health/queue.h"
#include "service/http/http_server.h"

struct http_connection;
struct http_listener;
struct lingering;

enum http_server_state {
	HTTP_SERVER_ST_RUNNING,
	HTTP_SERVER_ST_DRAINING,  /* no new connections, every connection closes after its requests */
	HTTP_SERVER_ST_DESTROYING /* everything closes now */
};

enum { CROWD_ADDRESSES = 65536 };

enum { HTTP_CROWD_CLIENTS, HTTP_CROWD_ADMIN, HTTP_CROWDS };

/* The connections of listeners that share a limit: see connection_limit.h. */
struct http_crowd {
	struct http_server *server;
	size_t count;
	struct http_connection *yielding; /* those without a request, longest first */
	struct http_connection **yielding_tail;
	struct timer patience; /* the first of them may yield when it is due */
	bool pauses;           /* without descriptors: accepts nothing until listen_again is due */
};

/* Handshakes that wait for their turn: see tls_handshakes.h. */
struct handshakes {
	struct queue waiting;
	struct timer turn;                /* runs while somebody waits and no step is under way */
	uint64_t rest_until_us;           /* of the monotonic clock: no step before */
	struct http_connection *current;  /* whose step is made when h2o reads next; NULL = nobody's */
	struct http_connection *stepping; /* whose step is being made; NULL when it has ended, or the connection has */
};

enum { RESERVE_DESCRIPTORS = 4 };

struct http_server {
	struct loop *loop;
	struct reactor *reactor;
	const struct config *config;
	struct http_server_callbacks callbacks;
	enum http_server_state state;

	h2o_globalconf_t h2o_config;
	h2o_context_t h2o;
	h2o_accept_ctx_t h2o_accept;
	h2o_buffer_prototype_t large_input; /* what connections read into that brought a large request before */

	nghttp2_session_callbacks *h2_callbacks;
	nghttp2_option *h2_options;

	struct http_listener *listeners;
	size_t listener_count;
	struct timer listen_again;           /* accepting resumes when it is due */
	int spare_fd;                        /* given up to accept and refuse a client when descriptors run out */
	int refused_fd;                      /* that client, until its refusal was read; -1 = none */
	struct http_connection *connections; /* newest first */
	struct http_crowd crowds[HTTP_CROWDS];
	struct handshakes handshakes;
	int reserve[RESERVE_DESCRIPTORS]; /* spare_descriptors.h */
	size_t reserved;
	uint32_t addresses[CROWD_ADDRESSES]; /* clients' connections by hash of the peer's address */
	struct lingering *lingering;         /* closed by h2o, kept for a moment */
};

#endif
