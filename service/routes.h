/* SPDX-License-Identifier: MIT */
/* The table of routes: which path and method is answered by what. */
#ifndef SLUICE_SERVICE_ROUTES_H
#define SLUICE_SERVICE_ROUTES_H

#include "service/access/access.h"
#include "service/access/failures.h"
#include "service/exchange/exchange.h"
#include "service/http/http_server.h"

struct job_port;

/* What the routes serve from; one per worker. */
struct routes {
	struct exchange_worker *exchange;
	struct access *access;            /* who asks */
	struct access_failures *failures; /* wrong keys by network; NULL = nobody is asked for keys */
	struct job_port *keys;            /* to the store of keys; NULL = there is none */
	struct job_port *usage;           /* to the record of use; NULL = there is none (tests) */
	bool draining;                    /* readiness is refused */
};

/* Answers a request, now or later. */
void routes_dispatch(struct routes *routes, struct http_request *request);

/* Returns whether routes_dispatch refuses a request for its head alone, whatever its body will be. */
bool routes_refuses(const struct routes *routes, const struct http_request *request);

#endif
