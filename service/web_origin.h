/* SPDX-License-Identifier: MIT */
/*
 * What web pages may do. A browser sends requests of any page to any address, and
 * says of which origin they are; only reading the answer needs our consent. So
 * what spends or changes is refused to pages of other origins that are not
 * listed, and a listener on a loopback address is called by local names only.
 */
#ifndef SLUICE_SERVICE_WEB_ORIGIN_H
#define SLUICE_SERVICE_WEB_ORIGIN_H

#include "service/http/http_server.h"

/* Whether the request is for operators, by its listener or its path: pages of other origins have no part in it. */
bool web_origin_is_kept_out(const struct http_request *request);

/* Whether a page of the very service that is asked sent the request, as its browser tells by Origin or Referer. */
bool web_origin_is_own(const struct http_request *request);

/* Returns ERROR_NONE, MISDIRECTED or FOREIGN_ORIGIN, by the request's head alone. */
enum error_code web_origin_check(const struct config *config, const struct http_request *request);

#endif
