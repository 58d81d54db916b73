/* SPDX-License-Identifier: MIT */
/* Inside of service/http: binding a listener to its address, a TCP port or a unix socket. */
#ifndef SLUICE_SERVICE_HTTP_LISTENER_BIND_H
#define SLUICE_SERVICE_HTTP_LISTENER_BIND_H

#include "service/http/listener.h"

/* The admin listener is behind those for clients. */
static inline bool listener_is_admin(const struct config *config, size_t index)
{
	return index >= config->listener_count;
}

/* Binds one listener, and notes its address for the other workers. Does not accept yet. False with error text. */
bool listener_bind(struct http_server *server, size_t index, struct http_listener_address *address, struct buf *error);

#endif
