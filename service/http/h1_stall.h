/* SPDX-License-Identifier: MIT */
/*
 * Inside of service/http: HTTP/1.1 clients that stop reading the end of a
 * response. The application is done with it and h2o has no write timeout.
 */
#ifndef SLUICE_SERVICE_HTTP_H1_STALL_H
#define SLUICE_SERVICE_HTTP_H1_STALL_H

#include "service/http/connection.h"

/* The last bytes of the present response go to the kernel; stopped when the request ends. */
void h1_stall_watch(struct http_connection *connection);

#endif
