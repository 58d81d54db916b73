/* SPDX-License-Identifier: MIT */
/*
 * Inside of service/http: finding out that an HTTP/1.1 client has left while
 * h2o, which reads nothing during a request, cannot see it.
 */
#ifndef SLUICE_SERVICE_HTTP_H1_DISCONNECT_H
#define SLUICE_SERVICE_HTTP_H1_DISCONNECT_H

#include "service/http/connection.h"

/* Watches the connection's socket from now on. False: out of memory or descriptors. */
bool h1_disconnect_watch(struct http_connection *connection);
void h1_disconnect_unwatch(struct http_connection *connection);
/* A request has begun on a connection whose peer had already sent FIN. May free the request. */
void h1_disconnect_check(struct http_connection *connection);

#endif
