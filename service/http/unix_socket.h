/* SPDX-License-Identifier: MIT */
/* Inside of service/http: listening at a path, as the admin listener may. */
#ifndef SLUICE_SERVICE_HTTP_UNIX_SOCKET_H
#define SLUICE_SERVICE_HTTP_UNIX_SOCKET_H

#include "service/http/http_server.h"

/*
 * Listens at path; fills address. The file is for its owner alone, and a socket that a process left behind there gives
 * way to it. Workers after the first one get a duplicate of the descriptor in address. -1 with errno: EADDRINUSE when
 * somebody listens there, EEXIST when the file is no socket.
 */
int unix_socket_open(const char *path, struct http_listener_address *address);

#endif
