/* SPDX-License-Identifier: MIT */
/* Single values: whether one fits its row, and where it goes in the typed struct. Used by the walker only. */
#ifndef SLUICE_SCHEMAS_FIELD_VALUE_H
#define SLUICE_SCHEMAS_FIELD_VALUE_H

#include "schemas/field.h"

/* The FIELD_* that the value at node is. wanted: those that matter, so that others need not be found out. */
unsigned field_types_of(const struct json *json, uint32_t node, unsigned wanted);

/* True when a value of the right type keeps the row's bounds. */
bool field_value_fits(const struct json *json, const struct field *field, uint32_t node, struct arena *arena);

/* Sets every member of a typed struct to its default. */
void field_store_defaults(const struct field_table *table, void *into);

/* Puts the value at node into the member of its row. A value of another type than the member's leaves the default. */
void field_store(const struct json *json, const struct field *field, uint32_t node, struct arena *arena, void *into);

#endif
