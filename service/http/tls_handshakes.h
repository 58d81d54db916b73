/* SPDX-License-Identifier: MIT */
/*
 * Inside of service/http: TLS handshakes take turns. A signature of a large key takes milliseconds, so a burst of
 * ClientHellos signed as they arrive would hold up every other client of the worker. The bytes of a handshake stay in
 * the kernel until its turn has come; one step of one handshake is made in a turn of the loop, and behind a costly one
 * the others get as much time as it took.
 *
 *   bytes arrive ──► queue (fair between networks) ──► one per turn: h2o reads them, OpenSSL makes the step ─┐
 *        ▲                                                                                                   │
 *        └──────────────────── more is needed ◄──────────────────────────────────────────────────────────────┘
 */
#ifndef SLUICE_SERVICE_HTTP_TLS_HANDSHAKES_H
#define SLUICE_SERVICE_HTTP_TLS_HANDSHAKES_H

#include "service/http/connection.h"

/* False: out of memory. */
bool handshakes_init(struct http_server *server);
void handshakes_fini(struct http_server *server);

/*
 * Makes the handshake of a new connection as bytes arrive and turns come; then calls done, as h2o does, with the
 * connection watched by h1_disconnect.h. False: out of memory or descriptors.
 */
bool handshake_start(struct http_connection *connection, h2o_socket_cb done);
/* Gives up its place; harmless when it has none. Called when the connection closes, at the latest. */
void handshake_leave(struct http_connection *connection);

#endif
