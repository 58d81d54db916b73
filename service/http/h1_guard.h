/* SPDX-License-Identifier: MIT */
/*
 * Inside of service/http: the strict second look at an HTTP/1.1 request head.
 * h2o's parser accepts what request smuggling is made of and hides the framing
 * fields afterwards, so the raw bytes are scanned again and refused.
 */
#ifndef SLUICE_SERVICE_HTTP_H1_GUARD_H
#define SLUICE_SERVICE_HTTP_H1_GUARD_H

#include "lib/errors.h"

/*
 * input: raw bytes that begin with the head (more may follow); limit: bytes a head may have. ERROR_NONE, or
 * MALFORMED_HTTP, HEADERS_TOO_LARGE, EXPECTATION_FAILED. RFC 9112 sections 2.2, 3.2, 5.1, 5.2, 6.3.
 */
enum error_code h1_guard_check(struct span input, size_t limit);

#endif
