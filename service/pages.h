/* SPDX-License-Identifier: MIT */
/*
 * What web pages may do. A browser sends requests of any page to any address, and
 * says of which origin they are; only reading the answer needs our consent. So
 * what spends or changes is refused to pages of other origins that are not
 * listed, and a listener on a loopback address is called by local names only.
 */
#ifndef SLUICE_SERVICE_PAGES_H
#define SLUICE_SERVICE_PAGES_H

#include "service/http/http_server.h"

/* Whether the path is one of the operator's, which pages of other origins have no part in. */
bool pages_are_kept_out(struct span path);

/* Returns ERROR_NONE, MISDIRECTED or FOREIGN_ORIGIN, by the request's head alone. */
enum error_code pages_check(const struct config *config, const struct http_request *request);

#endif
