/* SPDX-License-Identifier: MIT */
/* What operators say about keys, as JSON bodies (schemas/admin_fields.def), into records. */
#ifndef SLUICE_SERVICE_ACCESS_KEY_EDIT_H
#define SLUICE_SERVICE_ACCESS_KEY_EDIT_H

#include "schemas/finding.h"
#include "service/access/key_record.h"

enum { KEY_EDIT_BODY_MAX = 64 << 10 /* bytes of a body; a larger one is refused */ };

/* A body, and what it is read with. Texts of records are in the arena, or in the body. */
struct key_edit {
	struct span body;
	const struct json_limits *limits;
	struct arena *arena;
	struct findings *findings; /* filled when a call returns false */
};

/* Reads a KeyCreateRequest into a record, all else of which is left as it is. False with findings. */
bool key_edit_create(const struct key_edit *edit, struct key_record *record);

/* Reads a KeyChangeRequest into a record: what it does not name stays, what is null is reset. False with findings. */
bool key_edit_change(const struct key_edit *edit, struct key_record *record);

/* Reads a KeyRotateRequest; no body at all is an empty one. *overlap_s: seconds. False with findings. */
bool key_edit_rotate(const struct key_edit *edit, uint64_t *overlap_s);

#endif
