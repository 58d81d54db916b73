/* SPDX-License-Identifier: MIT */
/* Inside of service/http: what nghttp2 reads and sends, as the server's sessions hear of it. */
#ifndef SLUICE_SERVICE_HTTP_H2_FRAMES_H
#define SLUICE_SERVICE_HTTP_H2_FRAMES_H

#include "service/http/h2_session.h"

/* The callbacks and options that all sessions of a server share. False: out of memory. */
bool h2_setup(struct http_server *server);
void h2_teardown(struct http_server *server);

#endif
