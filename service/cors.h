/* SPDX-License-Identifier: MIT */
/*
 * Cross-origin requests of web pages (the fetch standard, "HTTP extensions"):
 * which origins may read answers, and what preflights are told. Cookies play no part
 * here, so credentials are never allowed.
 */
#ifndef SLUICE_SERVICE_CORS_H
#define SLUICE_SERVICE_CORS_H

#include "service/http/http_server.h"

/* Whether pages of that origin are listed. */
bool cors_allows(const struct config_cors *cors, struct span origin);

/* Gives the answer to come, whatever it is, the fields that its page needs. Nothing without allowed origins. */
void cors_add(const struct config_cors *cors, struct http_request *request);

/* When an OPTIONS request is a preflight from an allowed origin: what it may send. allow: the methods of its path. */
void cors_add_preflight(const struct config_cors *cors, struct http_request *request, const char *allow);

#endif
