/* SPDX-License-Identifier: MIT */
/* The rows for one object: those of its table, and those of the variant that its discriminating member names. */
#ifndef SLUICE_SCHEMAS_FIELD_VARIANT_H
#define SLUICE_SCHEMAS_FIELD_VARIANT_H

#include "schemas/field.h"

struct field_variety {
	const struct field_table *table;
	const struct field_table *variant; /* NULL = it has no more rows than its table */
};

/* Fills in the rows for the object at node. Returns false when its variant is none that the table knows. */
bool field_variety_of(const struct json *json, const struct field_table *table, uint32_t node,
		      struct field_variety *variety);

/* Returns the row of the member whose key is at node, or NULL. */
const struct field *field_variety_find(const struct json *json, const struct field_variety *variety, uint32_t key);

#endif
