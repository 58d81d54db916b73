/* SPDX-License-Identifier: MIT */
/* What clients ask for and Sluice does not serve, although its path is near one that it serves. */
#ifndef SLUICE_SERVICE_UNSERVED_H
#define SLUICE_SERVICE_UNSERVED_H

#include <stdbool.h>

#include "service/refuse.h"

/*
 * Fills in a refusal that names what is not supported, and what is served instead: the WebSocket upgrade of
 * GET /v1/responses (426, RFC 9110, section 15.5.22) and POST /v1/responses/compact. The texts are constants. Returns
 * false, with nothing filled in, for every other request.
 */
bool unserved_refuse(const struct http_request *request, struct refusal *refusal);

#endif
