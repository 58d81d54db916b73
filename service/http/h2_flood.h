/* SPDX-License-Identifier: MIT */
/*
 * Inside of service/http: floods of HTTP/2. Each function counts one of its kind, and returns 0, or -1 (nghttp2's
 * NGHTTP2_ERR_CALLBACK_FAILURE) when the connection ends for it with ENHANCE_YOUR_CALM.
 */
#ifndef SLUICE_SERVICE_HTTP_H2_FLOOD_H
#define SLUICE_SERVICE_HTTP_H2_FLOOD_H

#include "service/http/h2_session.h"

/* What a peer may do. */
enum {
	H2_RESETS_BURST = 200, /* RST_STREAM frames at once, sent or provoked, and heads that are too large */
	H2_RESETS_PER_SECOND = 100,
	H2_CONTROLS_BURST = 500, /* PING, SETTINGS, PRIORITY and empty DATA frames at once */
	H2_CONTROLS_PER_SECOND = 100
};

/* A PING, SETTINGS, PRIORITY or empty DATA frame. */
int h2_flood_control(struct h2_session *session);
/* A reset, sent or provoked by the peer, or a head that is too large. */
int h2_flood_reset(struct h2_session *session);
/* Bytes that a field of the present header block was decoded to. */
int h2_flood_header(struct h2_session *session, size_t decoded);

#endif
