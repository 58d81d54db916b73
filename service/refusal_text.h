/* SPDX-License-Identifier: MIT */
/* The words of refusals by routing: a path that is not served, a method that it does not take, a size over its limit.
 */
#ifndef SLUICE_SERVICE_REFUSAL_TEXT_H
#define SLUICE_SERVICE_REFUSAL_TEXT_H

#include "config/config.h"
#include "lib/arena.h"
#include "lib/errors.h"
#include "service/listener_surface.h"

/*
 * Such as: POST /v1/threads is not served; this gateway serves POST /v1/chat/completions, … A path that the listener
 * serves with or without "/v1" or a trailing slash is suggested. In the arena.
 */
struct span refusal_text_path(struct span method, struct span path, const struct surface *surface, struct arena *arena);

/*
 * Such as: GET /metrics is served by the admin listener; list `metrics` in `public` to serve it here. operation: at
 * that path, which this listener does not serve. Never an address. In the arena.
 */
struct span refusal_text_elsewhere(struct span method, struct span path, enum operation operation,
				   const struct surface *surface, struct arena *arena);

/* Such as: GET is not allowed for /v1/chat/completions; allowed: POST, OPTIONS. In the arena. */
struct span refusal_text_method(struct span method, struct span path, const char *allow, struct arena *arena);

/*
 * Such as: The request body has 5.0 MB; the limit is 4 MiB (limits.body). size: of the body, 0 when it is not known.
 * {NULL,0} for errors that are not about a size. In the arena.
 */
struct span refusal_text_size(enum error_code error, size_t size, const struct config_limits *limits,
			      struct arena *arena);

#endif
