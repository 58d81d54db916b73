/* SPDX-License-Identifier: MIT */
/*
 * Inside of service/http: room for request bodies that are still coming, one
 * account for all workers of the process. Whoever has room can receive its whole
 * body; whoever has none waits, by flow control. Serves all clients of the
 * process; one connection takes at most body_room_of_connection(). It heals
 * as bodies become complete, stall or go.
 */
#ifndef SLUICE_SERVICE_HTTP_BODY_ROOM_H
#define SLUICE_SERVICE_HTTP_BODY_ROOM_H

#include "config/config.h"

enum {
	BODY_ROOM_STEP = 1 << 20, /* bytes of room at once for a body of unknown length */
	BODY_ROOM_PROGRESS = 4096 /* bytes of a body that are progress, each limits.body_stall */
};

/* Takes room for bytes. False: there is not enough. */
bool body_room_take(const struct config_limits *limits, size_t bytes);
void body_room_give(size_t bytes);

/* Bytes of room that one connection may hold at once. */
size_t body_room_of_connection(const struct config_limits *limits);

#endif
