/* SPDX-License-Identifier: MIT */
/*
 * Inside of service/http: lingering close (RFC 9112 section 9.6). Closing a
 * socket with unread input sends RST, which destroys the answer on its way to
 * a client that is still uploading.
 */
#ifndef SLUICE_SERVICE_HTTP_LINGERING_CLOSE_H
#define SLUICE_SERVICE_HTTP_LINGERING_CLOSE_H

#include "service/http/connection.h"

/* h2o is about to close this connection: keeps the socket for a moment longer and drops what the client sends. */
void linger_start(struct http_connection *connection);
/* Closes all sockets that are kept. */
void linger_close_all(struct http_server *server);

#endif
