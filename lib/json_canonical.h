/* SPDX-License-Identifier: MIT */
/*
 * JSON in one form for all documents that mean the same (RFC 8785): no white
 * space, members in the order of their keys' UTF-16 code units, one way of
 * escaping. Numbers are equal by value: 1, 1.0 and 1e0 are all written 1; an
 * integer beyond 2^53, which a double would change, keeps its own digits.
 */
#ifndef SLUICE_LIB_JSON_CANONICAL_H
#define SLUICE_LIB_JSON_CANONICAL_H

#include "lib/buf.h"
#include "lib/json.h"

/* Whether a member is left out; key: its node. */
typedef bool json_canonical_skip(const struct json *json, uint32_t key, const void *context);

/* As json_write_canonical, of an object without those of its own members that skip names. */
void json_write_canonical_object(const struct json *json, uint32_t node, json_canonical_skip *skip, const void *context,
				 struct arena *scratch, struct buf *out);

/* Appends the value at node. scratch: for keys and strings. Failures are the buffer's and the arena's sticky ones. */
void json_write_canonical(const struct json *json, uint32_t node, struct arena *scratch, struct buf *out);

#endif
