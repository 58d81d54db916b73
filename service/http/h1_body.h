/* SPDX-License-Identifier: MIT */
/* Inside of service/http: the memory of an HTTP/1.1 request's body, from its head until the answer is over. */
#ifndef SLUICE_SERVICE_HTTP_H1_BODY_H
#define SLUICE_SERVICE_HTTP_H1_BODY_H

#include "service/http/h1_session.h"

/* Makes sure that there is room for that many bytes of the body. Returns ERROR_NONE, BODIES_FULL or MEMORY_FULL. */
enum error_code h1_body_take_room(struct h1_session *session, size_t bytes);
/* Gives back the room beyond the bytes that are needed. */
void h1_body_fit_room(struct h1_session *session, size_t need);

#endif
