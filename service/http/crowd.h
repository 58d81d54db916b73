/* SPDX-License-Identifier: MIT */
/*
 * Inside of service/http: who may stay when there are too many connections.
 * Serves all clients of a worker. A connection without a request yields to a
 * new one, the longest without first; those of one address have a limit of
 * their own, so that one client cannot fill the table. It heals as they close.
 */
#ifndef SLUICE_SERVICE_HTTP_CROWD_H
#define SLUICE_SERVICE_HTTP_CROWD_H

#include "service/http/connection.h"

/* Connections that the worker may have. */
size_t crowd_most(const struct http_server *server);
/* True when one more may come in, perhaps in the place of another one. */
bool crowd_admits(const struct http_server *server);
/* Microseconds until a connection that has just come may yield; 0 = there is none. */
uint64_t crowd_patience_us(const struct http_server *server);
/* Makes room for one more: closes the connection that has been without a request for longest, if it must. */
void crowd_make_room(struct http_server *server);

/* Counts a new connection's address. False: that address has its share already. */
bool crowd_enter(struct http_connection *connection);
void crowd_leave(struct http_connection *connection);

/* The connection has no request, or a part of a head at most; it is in the list until crowd_busy. */
void crowd_idle(struct http_connection *connection);
void crowd_busy(struct http_connection *connection);

#endif
