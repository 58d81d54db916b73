/* SPDX-License-Identifier: MIT */
/* The words of a finding: where a value is, what its rule allows, what was found. Used by the walker only. */
#ifndef SLUICE_SCHEMAS_FIELD_MESSAGE_H
#define SLUICE_SCHEMAS_FIELD_MESSAGE_H

#include "schemas/field.h"

/* A step of the path to a value; the steps lie on the walker's stack. */
struct field_place {
	const struct field_place *around; /* NULL: in the root */
	const char *name;                 /* a member's name, or NULL for an element */
	uint32_t index;                   /* of an element */
};

/* Such as tools[0].function.name; {NULL,0} for the root (place NULL) and on exhaustion. */
struct span field_path(struct arena *arena, const struct field_place *place);

/* Such as: n must be an integer between 1 and 128; got 0. {NULL,0} on exhaustion. */
struct span field_message(struct arena *arena, const struct json *json, const struct field *field,
			  const struct field_place *place, uint32_t node);

#endif
