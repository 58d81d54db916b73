/* SPDX-License-Identifier: MIT */
/*
 * Which operations a listener serves: those for clients the API, the admin
 * listener what operators need and what `public` may open to clients, too.
 */
#ifndef SLUICE_SERVICE_LISTENER_SURFACE_H
#define SLUICE_SERVICE_LISTENER_SURFACE_H

#include "config/config.h"
#include "schemas/operations.h"

struct http_request;

/* A listener, as one request sees it. */
struct surface {
	const struct config *config;
	bool admin; /* else a listener for clients */
	bool page;  /* the request is of the admin listener's own docs page, which tries the API out */
};

/* Returns the surface of the listener that the request came to. */
struct surface surface_of(const struct config *config, const struct http_request *request);

bool surface_serves(const struct surface *surface, enum operation operation);

#endif
