/* SPDX-License-Identifier: MIT */
/*
 * Inside of service/http: one HTTP/2 connection, an nghttp2 server session on
 * an h2o socket. To h2o's request pipeline it looks like a connection.
 */
#ifndef SLUICE_SERVICE_HTTP_H2_SESSION_H
#define SLUICE_SERVICE_HTTP_H2_SESSION_H

#include "service/http/connection.h"
#include "service/http/h2_skipped.h"

struct h2_stream;

enum h2_session_state {
	H2_SESSION_ST_OPEN,
	H2_SESSION_ST_DRAINING, /* GOAWAY announced: running streams finish */
	H2_SESSION_ST_ENDING,   /* the peer broke the rules: nothing more is read, GOAWAY is on its way */
	H2_SESSION_ST_LINGERING /* everything said; waiting for the peer to close */
};

/* A leaky bucket of what a peer may do for nothing. */
struct h2_allowance {
	uint64_t at_us; /* when it would be empty */
};

struct h2_session {
	h2o_conn_t super; /* first: made by h2o_create_connection */
	struct http_connection *connection;
	h2o_socket_t *sock;
	nghttp2_session *nghttp2;
	enum h2_session_state state;
	struct task flush;
	struct buf out; /* one write, until the socket has taken it */
	struct h2_stream *streams;
	struct h2_stream *ready; /* complete requests, oldest first */
	struct h2_stream **ready_tail;
	struct h2_allowance resets;
	struct h2_allowance controls;
	struct h2_skipped skipped;
	size_t head_bytes;   /* decoded of the present header block */
	bool provoked;       /* resets that the peer provoked have used up its allowance */
	size_t room;         /* bytes of room for bodies that its streams hold; see body_memory.h */
	size_t waiting;      /* streams that wait for room */
	bool room_freed;     /* since it was last handed on */
	struct timer tick;   /* idleness, deadlines and stalls; comes round, faster while there are streams */
	bool brisk;          /* it does */
	uint64_t active_us;  /* last time a frame of a request came */
	uint64_t written_us; /* last time the socket took a write */
	size_t dropped;      /* bytes that came and were not looked at, since lingering began */
};

/* What a peer may do; more of the kind ends the connection with ENHANCE_YOUR_CALM. */
enum {
	H2_FIRST_WINDOW = 65535,    /* bytes of a body that a client may send before there is room for the body */
	H2_STREAM_WINDOW = 1 << 20, /* bytes that it may send ahead when there is */
	H2_CONNECTION_WINDOW = 4 << 20,
	H2_STREAM_COST = 16 << 10, /* bytes that a stream is charged in the ledger, whatever becomes of its request */
	H2_ACKS_WAITING = 1000     /* answers to PING and SETTINGS that the peer does not read */
};

enum {
	H2_IDLE_US = 120 * 1000000,      /* without a stream: GOAWAY */
	H2_LINGER_US = 1000000,          /* for the peer to take our last bytes, and to close */
	H2_LINGER_BYTES = 8 << 20,       /* that it may have sent by then; twice its credit */
	H2_DRAIN_US = 500000,            /* between announcing and meaning GOAWAY */
	H2_WRITE_BYTES = 128 * 1024,     /* about the size of one write */
	H2_WRITE_BYTES_TIGHT = 8 * 1024, /* the same for a client that holds all the memory that it may have */
};

static inline struct timers *h2_timers(const struct h2_session *session)
{
	return &session->connection->server->reactor->timers;
}

static inline uint64_t h2_now(const struct h2_session *session)
{
	return timers_now(h2_timers(session));
}

static inline const struct config_limits *h2_limits(const struct h2_session *session)
{
	return &session->connection->server->config->limits;
}

/* Takes the connection's socket, with what was already read from it. */
void h2_session_start(struct http_connection *connection);
/* Closes it at once. */
void h2_session_close(struct h2_session *session);
/* GOAWAY now, close after the last stream. */
void h2_session_drain(struct h2_session *session);
/* There is something for nghttp2 to send: at the end of the turn. */
void h2_session_want_flush(struct h2_session *session);

/* Ends it with GOAWAY; nothing more is read. */
void h2_session_end(struct h2_session *session, uint32_t code);
/* Gives complete requests to the application. */
void h2_session_dispatch(struct h2_session *session);

/* h2_timeouts.c: starts looking after the session; there is a stream to look after. */
void h2_timeouts_start(struct h2_session *session);
void h2_timeouts_watch_streams(struct h2_session *session);

#endif
