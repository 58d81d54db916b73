/* SPDX-License-Identifier: MIT */
/* In which dialect a request is answered that is no exchange. */
#ifndef SLUICE_SERVICE_CLIENT_DIALECT_H
#define SLUICE_SERVICE_CLIENT_DIALECT_H

#include "schemas/dialect.h"
#include "service/http/http_server.h"

/* Returns the dialect of the operation at the request's path; where that has none, the one that its header fields tell;
 * else the default one. */
const struct dialect *client_dialect(const struct http_request *request);

#endif
