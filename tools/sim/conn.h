/* SPDX-License-Identifier: MIT */
/*
 * A client's connection: reads HTTP/1.1 requests, answers them in order, one
 * call at a time. Registered once with epoll, edge-triggered, so that a peer
 * that leaves is noticed in every state. Freed only when the loop turns.
 */
#ifndef SLUICE_TOOLS_SIM_CONN_H
#define SLUICE_TOOLS_SIM_CONN_H

#include "tools/sim/call.h"

enum conn_state {
	CONN_ST_HEAD,   /* reading a request head */
	CONN_ST_BODY,   /* reading its body */
	CONN_ST_ANSWER, /* a call is in progress; nothing is read */
	CONN_ST_IGNORE, /* fault accept_hang: nothing is ever read */
	CONN_ST_CLOSED  /* on the dead list */
};

enum conn_close { CONN_CLOSE_FIN, CONN_CLOSE_RST, CONN_CLOSE_PEER };

struct conn {
	struct source source;
	struct sim *sim;
	struct conn *next, **back; /* in sim->conns; next also in sim->dead */
	enum conn_state state;
	bool readable; /* the socket may have bytes */
	bool left;     /* the peer has closed its side */
	bool busy;     /* inside conn_advance */
	struct buf in;
	size_t head_len;   /* of the request being read, in CONN_ST_BODY */
	uint64_t body_len; /* of its body, unless chunked */
	bool chunked;
	struct http_chunks chunks;
	size_t request_len; /* bytes of in that belong to the present call */
	struct timer timer;
	struct wire wire;
	struct call call;
};

/* Takes fd over; closes it when there is no memory. control: it came by the control listener, accept_hang spares it. */
void conn_create(struct sim *sim, int fd, bool control);

/* Closes all connections but those that are inside a call to a control path, with a reset. */
void conn_drop_all(struct sim *sim);

/* Lets the connections whose call waits for the gate go on, in a turn of their own. */
void conn_wake_all(struct sim *sim);

/* Frees what was closed during the turn. */
void conn_bury(struct sim *sim);

/* Closes and frees all. */
void conn_teardown(struct sim *sim);

#endif
