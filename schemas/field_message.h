/* SPDX-License-Identifier: MIT */
/* The words of a finding: where a value is, what its rule allows, what was found. Used by the walker and by queries. */
#ifndef SLUICE_SCHEMAS_FIELD_MESSAGE_H
#define SLUICE_SCHEMAS_FIELD_MESSAGE_H

#include "schemas/field.h"

/* A step of the path to a value; the steps lie on the walker's stack. */
struct field_place {
	const struct field_place *around; /* NULL: in the root */
	struct span name;                 /* a member's name, or {NULL,0} for an element */
	uint32_t index;                   /* of an element */
};

/* Spans are texts in the arena, {NULL,0} on exhaustion. */

/* Such as tools[0].function.name; {NULL,0} for the root (place NULL). */
struct span field_path(struct arena *arena, const struct field_place *place);

/* Such as ["body","tools",0,"function","name"]. */
struct span field_location(struct arena *arena, const char *where, const struct field_place *place);

/* The value at node as JSON text; a long one as a string of how it begins. */
struct span field_input(struct arena *arena, const struct json *json, uint32_t node);

/* Such as: n must be an integer between 1 and 128; got 0. */
struct span field_message(struct arena *arena, const struct json *json, const struct field *field,
			  const struct field_place *place, uint32_t node);

/* Such as: messages[0].role is required. */
struct span field_missing_message(struct arena *arena, const struct field_place *place);

/* Such as: targets does not go with plan; give one of them. */
struct span field_excluded_message(struct arena *arena, const struct field_place *place, struct span other);

/* Such as: limti is not known here; did you mean "limit"? near: {NULL,0} = nothing is near. */
struct span field_unknown_message(struct arena *arena, const struct field_place *place, struct span near);

/* Appends the documentation of a row, and what its strict rule allows. */
void field_write_doc(struct buf *out, const struct field *field);

#endif
