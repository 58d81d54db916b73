/* SPDX-License-Identifier: MIT */
/*
 * Inside of service/http: the largest body that a request may have (limits.body). Both versions of HTTP ask here, for
 * the length that a head announces and for the bytes that come.
 */
#ifndef SLUICE_SERVICE_HTTP_BODY_LIMIT_H
#define SLUICE_SERVICE_HTTP_BODY_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/errors.h"

/*
 * Decides whether a body may have so many bytes more. most: limits.body; have: bytes so far, at most that many. Returns
 * ERROR_NONE, or BODY_TOO_LARGE, which is a 413.
 */
enum error_code body_limit_check(size_t most, size_t have, uint64_t more);

/* Returns whether a body of that length is worth refusing before it is read, when the head is reason enough: a short
 * one is read, so that the connection goes on. */
static inline bool body_is_long(uint64_t length)
{
	return length > 65536;
}

#endif
