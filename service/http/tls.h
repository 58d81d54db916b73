/* SPDX-License-Identifier: MIT */
/* Inside of service/http: TLS settings of a listener. */
#ifndef SLUICE_SERVICE_HTTP_TLS_H
#define SLUICE_SERVICE_HTTP_TLS_H

#include "service/http/server.h"

/*
 * A server context with the listener's certificates and keys, chosen by the name that the client asks for: TLS 1.2 or
 * later, ALPN h2 and http/1.1. It keeps the subject of a client's certificate in the connection whose step is being
 * made. Thread-safe. NULL with a line "FILE:LINE: listen[INDEX].tls.…: …" appended to error. server: borrows, must
 * outlive it.
 */
SSL_CTX *tls_create(struct http_server *server, size_t index, struct buf *error);
/* Gives the contexts up. They stay as long as connections use them. NULL is harmless. */
void tls_destroy(SSL_CTX *ssl);

#endif
