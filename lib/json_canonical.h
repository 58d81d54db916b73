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

/* What becomes of an object's members; key: the node of a member's key. */
struct json_members {
	bool (*skip)(const struct json *json, uint32_t key, const void *context);  /* it is left out; NULL = none is */
	void (*write)(const struct json *json, uint32_t key, const void *context); /* writes its value */
	const void *context;
};

/* Appends the object at node as json_write_canonical does, but for the values of its members, and for those left out.
 */
void json_write_canonical_members(const struct json *json, uint32_t node, const struct json_members *members,
				  struct arena *scratch, struct buf *out);

/*
 * Appends the value at node with its members in their own order and its numbers as they are spelled: without white
 * space, and in one way of escaping.
 */
void json_write_ordered(const struct json *json, uint32_t node, struct arena *scratch, struct buf *out);

/* Appends the value at node. scratch: for keys and strings. Failures are the buffer's and the arena's sticky ones. */
void json_write_canonical(const struct json *json, uint32_t node, struct arena *scratch, struct buf *out);

#endif
