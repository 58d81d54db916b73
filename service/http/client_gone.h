/* SPDX-License-Identifier: MIT */
/*
 * Inside of service/http: finding out that an HTTP/1.1 client has left while
 * h2o, which reads nothing during a request, cannot see it.
 */
#ifndef SLUICE_SERVICE_HTTP_CLIENT_GONE_H
#define SLUICE_SERVICE_HTTP_CLIENT_GONE_H

#include "service/http/connection.h"

/* Watches the connection's socket from now on. False: out of memory or descriptors. */
bool client_gone_watch(struct http_connection *connection);
void client_gone_unwatch(struct http_connection *connection);
/* A request has begun on a connection whose peer had already sent FIN. May free the request. */
void client_gone_check(struct http_connection *connection);

#endif
