/* SPDX-License-Identifier: MIT */
/* Unpacking of gzip bodies by helper threads: a body of 32 KiB may hold 32 MiB, which take 100 ms. */
#ifndef SLUICE_SERVICE_UNPACKING_H
#define SLUICE_SERVICE_UNPACKING_H

#include "schemas/operations.h"
#include "service/http/http_server.h"

struct offload_port;

enum {
	UNPACKING_IN_TURN =
	    1024 /* bytes of a packed body that hold no turn: they are a thousand times as many at most */
};

/*
 * The request has its unpacked body, or error says why not: INVALID_VALUE (no whole gzip data), BODY_TOO_LARGE,
 * BODIES_FULL or OVERLOADED. It is attached to nobody.
 */
typedef void (*unpacking_done)(void *context, struct http_request *request, const struct operation_row *row,
			       enum error_code error);

/*
 * Has the body unpacked, to at most that many bytes; done comes in a later turn, unless the client goes before. False:
 * out of memory.
 */
bool unpacking_begin(struct offload_port *port, struct http_request *request, const struct operation_row *row,
		     size_t most, unpacking_done done, void *context);

#endif
