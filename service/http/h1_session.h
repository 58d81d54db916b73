/* SPDX-License-Identifier: MIT */
/*
 * Inside of service/http: one HTTP/1.1 connection on an h2o socket, request by
 * request. To h2o's request pipeline it looks like a connection.
 */
#ifndef SLUICE_SERVICE_HTTP_H1_SESSION_H
#define SLUICE_SERVICE_HTTP_H1_SESSION_H

#include "lib/bytes.h"
#include "service/http/connection.h"
#include "service/http/h1_chunks.h"

enum h1_session_state {
	H1_SESSION_ST_IDLE,     /* nothing of the next request is there */
	H1_SESSION_ST_HEAD,     /* a part of its head is */
	H1_SESSION_ST_BODY,     /* its head was read, its body comes */
	H1_SESSION_ST_ANSWERING /* the application has it; nothing is read */
};

enum {
	H1_IDLE_US = 60 * 1000000 /* between requests: closed without a word */
};

struct h1_session {
	h2o_conn_t super; /* first: made by h2o_create_connection */
	struct http_connection *connection;
	h2o_socket_t *sock;
	enum h1_session_state state;
	bool unread;           /* a part of the request was not read: the connection ends with its answer */
	bool chunked;          /* the body is */
	size_t scanned;        /* bytes of the input that hold no end of a head */
	size_t content_length; /* bytes of a body that is not chunked; they stay in the socket's input until the end */
	struct h1_chunks chunks;
	struct buf body;       /* of a chunked one */
	size_t body_seen;      /* bytes of it when the deadline was set */
	size_t room;           /* bytes taken of body_memory.h */
	size_t charged;        /* bytes of the ledger for a small body, which takes no room */
	uint64_t since_us;     /* start of the present state */
	struct timer deadline; /* comes round: a request that arrives at once costs no timer */

	/* the response */
	bool head_written;
	h2o_send_state_t end;
	h2o_ostream_t final;
	h2o_req_t req;
};

/* Takes the connection's socket, with what was already read from it. */
void h1_session_start(struct http_connection *connection);
/* Closes it at once; a request in progress gets on_gone. */
void h1_session_close(struct h1_session *session);
/* Moves the body of the dispatched request, which stays where it is, to bytes with one holder. NULL: out of memory. */
struct bytes *h1_session_take_body(struct h1_session *session);
/* Closes it when no request is under way. */
void h1_session_drain(struct h1_session *session);

/* h1_response.c: the response goes out. Sets the session's output stream. */
void h1_response_init(struct h1_session *session);
/* The response is out: the next request, or the end of the connection. */
void h1_session_on_answered(struct h1_session *session);

#endif
