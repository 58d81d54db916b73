/* SPDX-License-Identifier: MIT */
/*
 * Inside of service/http: request bodies of HTTP/2 on their way in. A body gets
 * room before it gets credit: as much as its content-length, or in steps when it
 * has none. A stream without room may send its first window and no more.
 */
#ifndef SLUICE_SERVICE_HTTP_H2_UPLOAD_H
#define SLUICE_SERVICE_HTTP_H2_UPLOAD_H

#include "service/http/h2_stream.h"

/* The head is complete and a body follows. */
void h2_upload_start(struct h2_stream *stream);
/* Body bytes. */
void h2_upload_on_data(struct h2_stream *stream, struct span bytes);
/* No more of the body comes. It keeps the room that it needs, unless it is refused. */
void h2_upload_end(struct h2_stream *stream);
/* The body is not needed any more: gives its room back. */
void h2_upload_forget(struct h2_stream *stream);
/* Refuses bodies that make no progress or have waited too long for room, and gives room to others. */
void h2_upload_check(struct h2_session *session, uint64_t now_us);

#endif
