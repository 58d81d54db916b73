/* SPDX-License-Identifier: MIT */
/*
 * Inside of service/http: descriptors kept for connections to the admin
 * listener, so that operators get in while clients and backends have all others.
 * Each is spent on one connection and taken back when a connection closes.
 */
#ifndef SLUICE_SERVICE_HTTP_SPARE_DESCRIPTORS_H
#define SLUICE_SERVICE_HTTP_SPARE_DESCRIPTORS_H

#include "service/http/server.h"

/* Takes as many descriptors as are missing and can be had. Nothing without an admin listener. */
void reserve_fill(struct http_server *server);
/* Accepts a connection, in place of a descriptor of the reserve if there is no other. As accept4. */
int reserve_accept(struct http_server *server, int listening_fd);
void reserve_close(struct http_server *server);

#endif
