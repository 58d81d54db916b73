/* SPDX-License-Identifier: MIT */
/*
 * Inside of service/http: who may stay when there are too many connections.
 * Serves all clients of a worker. A connection without a request yields to a
 * new one, the longest without first; those of one address have a limit of
 * their own, so that one client cannot fill the table. It heals as they close.
 * The connections of the admin listener are a crowd of their own, whose limit
 * no client can use up.
 */
#ifndef SLUICE_SERVICE_HTTP_CONNECTION_LIMIT_H
#define SLUICE_SERVICE_HTTP_CONNECTION_LIMIT_H

#include "service/http/connection.h"

void connection_limits_init(struct http_server *server);

/* Connections that the crowd may have. */
size_t connection_limit_most(const struct http_crowd *crowd);
/* True when one more may come in, perhaps in the place of another one. */
bool connection_limit_admits(const struct http_crowd *crowd);
/* Microseconds until a connection that has just come may yield; 0 = there is none. */
uint64_t connection_limit_patience_us(const struct http_crowd *crowd);
/* Makes room for one more: closes the connection that has been without a request for longest, if it must. */
void connection_limit_make_room(struct http_crowd *crowd);
/* Closes the connection that has been without a request for longest, if it may yield by now. False: there is none. */
bool connection_limit_yield(struct http_crowd *crowd);

/* Counts a new connection, and a client's address. Returns ERROR_NONE, or why that address may have no more. */
enum error_code connection_limit_enter(struct http_connection *connection);
void connection_limit_leave(struct http_connection *connection);

/* The connection has no request, or a part of a head at most; it is in the list until connection_limit_busy. */
void connection_limit_idle(struct http_connection *connection);
void connection_limit_busy(struct http_connection *connection);

#endif
