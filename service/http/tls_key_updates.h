/* SPDX-License-Identifier: MIT */
/*
 * Inside of service/http: a connection may change its keys (KeyUpdate, RFC 8446 section 4.6.3) now and then. Each
 * change costs some 10 µs for 27 bytes and is no request, so that nothing else charges it.
 */
#ifndef SLUICE_SERVICE_HTTP_TLS_KEY_UPDATES_H
#define SLUICE_SERVICE_HTTP_TLS_KEY_UPDATES_H

#include "service/http/server.h"

enum { KEY_UPDATES_MOST = 64 /* of a connection: at 2^24 records each, for terabytes */ };

/* Has connections of a context end that change their keys more often. server: borrows. */
void key_updates_limit(SSL_CTX *ssl, struct http_server *server);

#endif
