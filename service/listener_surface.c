/* SPDX-License-Identifier: MIT */
/* Operations by listener; listener_surface.h holds the contract. */
#include "service/listener_surface.h"

#include "service/http/http_server.h"
#include "service/web_origin.h"

struct surface surface_of(const struct config *config, const struct http_request *request)
{
	bool admin = http_request_is_admin(request);
	return (struct surface){.config = config, .admin = admin, .page = admin && web_origin_is_own(request)};
}

/* The docs page shows the document, and comes with it. */
static unsigned opened_by(enum operation_surface surface)
{
	switch (surface) {
	case OPERATION_OF_METRICS:
		return 1u << CONFIG_PUBLIC_METRICS;
	case OPERATION_OF_DOCS:
		return 1u << CONFIG_PUBLIC_DOCS;
	case OPERATION_OF_OPENAPI:
		return 1u << CONFIG_PUBLIC_OPENAPI | 1u << CONFIG_PUBLIC_DOCS;
	case OPERATION_OF_ADMIN:
		return 1u << CONFIG_PUBLIC_ADMIN;
	case OPERATION_OF_CLIENTS:
	case OPERATION_OF_ALL:
		break;
	}
	return 0;
}

bool surface_serves(const struct surface *surface, enum operation operation)
{
	enum operation_surface of = operation_row(operation)->surface;
	if (of == OPERATION_OF_ALL)
		return true;
	if (of == OPERATION_OF_CLIENTS)
		return !surface->admin || surface->page;
	return surface->admin || (surface->config->public_set & opened_by(of)) != 0;
}
