/* SPDX-License-Identifier: MIT */
/* The head of a request as it goes out (RFC 9112, section 3). Private to clients/http. */
#ifndef SLUICE_CLIENTS_HTTP_REQUEST_HEAD_H
#define SLUICE_CLIENTS_HTTP_REQUEST_HEAD_H

#include "clients/http/http_client.h"
#include "clients/http/origin.h"
#include "lib/buf.h"

/*
 * Appends the head, its empty line included. An extra field that would break the request is left out. False: out of
 * memory, or request->path does not make a URL.
 */
bool request_write_head(struct http_origin *origin, const struct http_call_request *request, struct buf *to);

#endif
