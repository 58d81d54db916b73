/* SPDX-License-Identifier: MIT */
/* The log lines of a service that is about to serve: where it listens, what it serves, where its docs page is. */
#ifndef SLUICE_SERVICE_READY_H
#define SLUICE_SERVICE_READY_H

#include "config/config.h"
#include "service/http/http_server.h"

/* Logs the advice about the configuration, one line each. */
void ready_log_advices(const struct config *config);

/* Logs models, backends, and the URLs of the API, the admin listener and the docs page. addresses: where the listeners
 * are, one each. */
void ready_log(const struct config *config, const struct http_listener_address *addresses);

#endif
