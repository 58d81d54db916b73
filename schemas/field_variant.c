/* SPDX-License-Identifier: MIT */
/* Variants of objects; field_variant.h holds the contract. */
#include "schemas/field_variant.h"

bool field_variety_of(const struct json *json, const struct field_table *table, uint32_t node,
		      struct field_variety *variety)
{
	*variety = (struct field_variety){.table = table};
	uint32_t value = table->by == NULL ? JSON_NONE : json_member(json, node, table->by);
	if (value == JSON_NONE)
		return table->by == NULL;
	for (size_t i = 0; i < table->variant_count; i++) {
		if (json_string_is(json, value, table->variants[i].value)) {
			variety->variant = table->variants[i].table;
			return true;
		}
	}
	for (size_t i = 0; table->plain != NULL && table->plain[i] != NULL; i++)
		if (json_string_is(json, value, table->plain[i]))
			return true;
	return false;
}

const struct field *field_variety_find(const struct json *json, const struct field_variety *variety, uint32_t key)
{
	const struct field *row = field_find(json, variety->table, key);
	return row == NULL && variety->variant != NULL ? field_find(json, variety->variant, key) : row;
}
