/* SPDX-License-Identifier: MIT */
/*
 * The product's own validation as a program, for agreement.mjs. Each line of its input is a schema's name, a space
 * and a document; each line of its output is 1 when the document is accepted, else 0.
 */
#include <stdio.h>
#include <stdlib.h>

#include "schemas/operations.h"

/* The table of request bodies with that name. */
static const struct field_table *find_table(struct span name)
{
	for (enum operation operation = 0; operation < OPERATION_COUNT; operation++) {
		const struct field_table *table = operation_row(operation)->body;
		if (table != NULL && span_is(name, table->name))
			return table;
	}
	return NULL;
}

static bool accepts(const struct field_table *table, struct span text)
{
	struct arena arena;
	struct json json;
	struct json_error error;
	struct findings findings = {.count = 0};
	arena_init(&arena, 0);
	bool good =
	    json_parse(&json, &arena, text, 64, &error) && field_read(&json, table, "body", &arena, NULL, &findings);
	arena_fini(&arena);
	return good;
}

int main(void)
{
	char *line = NULL;
	size_t capacity = 0;
	for (ssize_t size = getline(&line, &capacity, stdin); size > 0; size = getline(&line, &capacity, stdin)) {
		struct span name = {line, strcspn(line, " ")};
		const struct field_table *table = find_table(name);
		if (table == NULL)
			return 1;
		puts(accepts(table, (struct span){line + name.len + 1, (size_t)size - name.len - 1}) ? "1" : "0");
	}
	free(line);
	return 0;
}
