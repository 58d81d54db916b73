/* SPDX-License-Identifier: MIT */
/* Inside of service/http: TLS settings of a listener. */
#ifndef SLUICE_SERVICE_HTTP_TLS_H
#define SLUICE_SERVICE_HTTP_TLS_H

#include "service/http/server.h"

/*
 * A server context with the listener's certificate chain and key: TLS 1.2 or later, ALPN h2 and http/1.1. NULL with
 * a line "FILE:LINE: listen[INDEX].tls.…: …" appended to error.
 */
SSL_CTX *tls_create(const struct config *config, size_t index, struct buf *error);

#endif
