/* SPDX-License-Identifier: MIT */
/* All field tables, found by following the table of operations. */
#ifndef SLUICE_TESTS_UNIT_TABLES_H
#define SLUICE_TESTS_UNIT_TABLES_H

#include <stdlib.h>

#include "schemas/answer_fields.h"
#include "schemas/operations.h"

enum { TABLES_MOST = 256 };

struct tables {
	const struct field_table *list[TABLES_MOST];
	size_t count;
};

static void tables_add(struct tables *tables, const struct field_table *table);

static inline void tables_add_of(struct tables *tables, const struct field *rule)
{
	for (; rule != NULL; rule = rule->element) {
		tables_add(tables, rule->of);
		if (rule->values != NULL)
			tables_add(tables, rule->values->of);
	}
}

/* Adds a table and those it leads to, each once. */
static void tables_add(struct tables *tables, const struct field_table *table)
{
	if (table == NULL)
		return;
	for (size_t i = 0; i < tables->count; i++)
		if (tables->list[i] == table)
			return;
	if (tables->count == TABLES_MOST)
		abort();
	tables->list[tables->count++] = table;
	for (size_t i = 0; i < table->count; i++)
		tables_add_of(tables, &table->fields[i]);
	for (size_t i = 0; i < table->variant_count; i++)
		tables_add(tables, table->variants[i].table);
}

/* Those that are schemas of the OpenAPI document: of bodies, answers and errors. */
static inline struct tables tables_of_schemas(void)
{
	struct tables tables = {.count = 0};
	for (enum operation operation = 0; operation < OPERATION_COUNT; operation++) {
		tables_add(&tables, operation_row(operation)->body);
		tables_add(&tables, operation_row(operation)->answer);
		tables_add(&tables, operation_row(operation)->other);
		tables_add(&tables, operation_row(operation)->event);
	}
	tables_add(&tables, &error_answer_fields);
	tables_add(&tables, &backend_error_fields);
	tables_add(&tables, &problem_fields);
	return tables;
}

/* Those, and the ones of queries. */
static inline struct tables tables_of_operations(void)
{
	struct tables tables = tables_of_schemas();
	for (enum operation operation = 0; operation < OPERATION_COUNT; operation++)
		tables_add(&tables, operation_row(operation)->query);
	return tables;
}

#endif
