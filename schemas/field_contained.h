/* SPDX-License-Identifier: MIT */
/*
 * Whether a document stands for itself: whether all that it means is in it. The field tables say which members and
 * types of values refer to something elsewhere (a URL, a file, an earlier answer, a search); a member or a variant that
 * they do not name may do so, and counts as if it did.
 */
#ifndef SLUICE_SCHEMAS_FIELD_CONTAINED_H
#define SLUICE_SCHEMAS_FIELD_CONTAINED_H

#include "schemas/field.h"

/* Returns true when the object at node, validated by that table, refers to nothing outside of the document. */
bool field_is_contained(const struct json *json, const struct field_table *table, uint32_t node);

#endif
