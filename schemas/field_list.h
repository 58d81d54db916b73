/* SPDX-License-Identifier: MIT */
/* Field tables in the order in which a reference page mentions them, each once. */
#ifndef SLUICE_SCHEMAS_FIELD_LIST_H
#define SLUICE_SCHEMAS_FIELD_LIST_H

#include "schemas/field.h"

enum { FIELD_LIST_MOST = 256 };

struct field_list {
	const struct field_table *list[FIELD_LIST_MOST];
	size_t count;
};

/* Adds the table unless the list has it. NULL is harmless. */
static inline void field_list_add(struct field_list *tables, const struct field_table *table)
{
	for (size_t i = 0; i < tables->count; i++)
		if (tables->list[i] == table)
			return;
	if (table != NULL && tables->count < FIELD_LIST_MOST)
		tables->list[tables->count++] = table;
}

#endif
