/* SPDX-License-Identifier: MIT */
/* The reference page of operations: each with its parameters, its errors and its objects, then all objects once. */
#include "schemas/reference.h"

#include "schemas/answer_fields.h"
#include "schemas/field_list.h"
#include "schemas/field_message.h"
#include "schemas/operations.h"

static void write_link(struct buf *out, struct field_list *tables, const struct field_table *table)
{
	field_list_add(tables, table);
	buf_append(out, SPAN("["));
	buf_append(out, span_of(table->name));
	buf_append(out, SPAN("](#"));
	for (const char *c = table->name; *c != '\0'; c++)
		buf_printf(out, "%c", *c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
	buf_append(out, SPAN(")"));
}

/* ---- rows ---- */

static void write_types(struct buf *out, struct field_list *tables, const struct field *field);

static void write_type(struct buf *out, struct field_list *tables, const struct field *field, unsigned type)
{
	static const struct {
		unsigned type;
		const char *name;
	} names[] = {{FIELD_BOOLEAN, "boolean"}, {FIELD_INTEGER, "integer"}, {FIELD_NUMBER, "number"},
		     {FIELD_STRING, "string"},   {FIELD_ARRAY, "array"},     {FIELD_OBJECT, "object"}};
	if (type == FIELD_OBJECT && field->of != NULL) {
		write_link(out, tables, field->of);
		return;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (type == names[i].type)
			buf_append(out, span_of(names[i].name));
	if (type == FIELD_ARRAY && field->element != NULL) {
		buf_append(out, SPAN(" of ("));
		write_types(out, tables, field->element);
		buf_append(out, SPAN(")"));
	} else if (type == FIELD_OBJECT && field->values != NULL) {
		buf_append(out, SPAN(" of ("));
		write_types(out, tables, field->values);
		buf_append(out, SPAN(")"));
	}
}

static void write_types(struct buf *out, struct field_list *tables, const struct field *field)
{
	bool first = true;
	if (field->types == 0)
		buf_append(out, SPAN("must not be there"));
	for (unsigned type = FIELD_BOOLEAN; type <= FIELD_OBJECT; type <<= 1) {
		if ((field->types & type) == 0)
			continue;
		buf_append(out, first ? SPAN("") : SPAN(", "));
		first = false;
		write_type(out, tables, field, type);
	}
	if (field->nullable)
		buf_append(out, SPAN(", null"));
}

static void write_required(struct buf *out, const struct field *field)
{
	if (!field->required)
		buf_append(out, SPAN("no"));
	else if (field->unless == NULL)
		buf_append(out, SPAN("yes"));
	else
		buf_printf(out, "unless `%s`", field->unless);
}

static void write_bounds(struct buf *out, const struct field *field)
{
	const struct {
		const char *what;
		size_t least, most;
	} sizes[] = {{"characters", field->min_length, field->max_length},
		     {"elements", field->min_items, field->max_items}};
	if (field->min != field->max)
		buf_printf(out, "%.15g to %.15g ", field->min, field->max);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (sizes[i].least > 0)
			buf_printf(out, "at least %zu %s ", sizes[i].least, sizes[i].what);
		if (sizes[i].most > 0)
			buf_printf(out, "at most %zu %s ", sizes[i].most, sizes[i].what);
	}
	if (field->pattern != NULL)
		buf_printf(out, "`%s` ", field->pattern);
	if (field->off)
		buf_append(out, SPAN("`false`"));
	for (const char *const *choice = field->choices; choice != NULL && *choice != NULL; choice++)
		buf_printf(out, "%s`%s`", choice == field->choices ? "" : ", ", *choice);
}

static void write_row(struct buf *out, struct field_list *tables, const struct field *field)
{
	buf_printf(out, "| `%s` | ", field->name);
	write_types(out, tables, field);
	buf_append(out, SPAN(" | "));
	write_required(out, field);
	buf_append(out, SPAN(" | "));
	if (field->standard != NULL)
		buf_printf(out, "`%s`", field->standard);
	buf_append(out, SPAN(" | "));
	write_bounds(out, field);
	buf_printf(out, " | %s", field->deprecated ? "*Deprecated.* " : "");
	field_write_doc(out, field);
	buf_append(out, SPAN(" |\n"));
}

static void write_rows(struct buf *out, struct field_list *tables, const struct field *fields, size_t count)
{
	buf_append(out, SPAN("| name | type | required | default | bounds | meaning |\n|---|---|---|---|---|---|\n"));
	for (size_t i = 0; i < count; i++)
		write_row(out, tables, &fields[i]);
	buf_append(out, SPAN("\n"));
}

static void write_table(struct buf *out, struct field_list *tables, const struct field_table *table)
{
	buf_printf(out, "### %s\n\n%s", table->name, table->doc);
	if (table->refuse_unknown)
		buf_append(out, SPAN(" Other members are refused."));
	buf_append(out, SPAN("\n\n"));
	write_rows(out, tables, table->fields, table->count);
	for (size_t i = 0; i < table->variant_count; i++) {
		buf_printf(out, "With `%s` \"%s\" it is a ", table->by, table->variants[i].value);
		write_link(out, tables, table->variants[i].table);
		buf_append(out, SPAN(" as well.\n\n"));
	}
}

/* ---- operations ---- */

static void write_parameters(struct buf *out, struct field_list *tables, const struct operation_row *row)
{
	const struct field *argument = operation_argument(row);
	if (argument != NULL) {
		buf_append(out, SPAN("In the path:\n\n"));
		write_rows(out, tables, argument, 1);
	}
	if (row->query != NULL) {
		buf_append(out, SPAN("In the query:\n\n"));
		write_rows(out, tables, row->query->fields, row->query->count);
	}
	if (row->body != NULL) {
		buf_append(out, SPAN("The body is a "));
		write_link(out, tables, row->body);
		buf_printf(out, ", for example:\n\n```json\n%s\n```\n\n", row->examples[0].body);
	}
}

static void write_answers(struct buf *out, struct field_list *tables, const struct operation_row *row)
{
	buf_printf(out, "Answers with `%s`", row->media_type);
	if (row->answer != NULL) {
		buf_append(out, SPAN(": a "));
		write_link(out, tables, row->answer);
	}
	if (row->other != NULL) {
		buf_append(out, SPAN(", or a "));
		write_link(out, tables, row->other);
	}
	if (row->also != NULL)
		buf_printf(out, "; or with `%s`", row->also);
	if (row->unready != 0)
		buf_printf(out, ", also with status %d", row->unready);
	if (row->event != NULL) {
		buf_append(out, SPAN("; or with `text/event-stream`, each event a "));
		write_link(out, tables, row->event);
	}
	buf_append(out,
		   row->revalidates ? SPAN(". It carries an ETag: `if-none-match` brings 304.\n\n") : SPAN(".\n\n"));
	buf_append(out, SPAN("Errors:"));
	bool first = true;
	for (enum error_code code = ERROR_NONE + 1; code < ERROR_COUNT; code++) {
		if (!operation_can_fail_with(row, code))
			continue;
		buf_printf(out, "%s %d `%s`", first ? "" : ",", error_row(code)->status, error_row(code)->code);
		first = false;
	}
	buf_append(out, row->endpoint == OPERATION_NO_ENDPOINT
			    ? SPAN(".\n\n")
			    : SPAN(", and the backend's own errors with the statuses they have.\n\n"));
}

static void write_operation(struct buf *out, struct field_list *tables, const struct operation_row *row)
{
	buf_printf(out, "### %s %s\n\n%s", row->method, row->path, row->summary);
	if (row->doc != NULL)
		buf_printf(out, " %s", row->doc);
	buf_printf(out, " %s %s\n\n", operation_listeners(row->surface), operation_key_needed(row->right));
	if (row->deprecated != NULL)
		buf_printf(out, "**Deprecated** since %s%s%s.\n\n", row->deprecated,
			   row->sunset == NULL ? "" : "; it goes away on ", row->sunset == NULL ? "" : row->sunset);
	write_parameters(out, tables, row);
	write_answers(out, tables, row);
}

void reference_write(struct buf *out)
{
	struct field_list tables = {.count = 0};
	buf_append(out,
		   SPAN("# Operations\n\nEvery operation of the service, as the OpenAPI document tells it "
			"([openapi.json](openapi.json), `GET /openapi.json`). A member that is not required may be "
			"null, which counts as absent; members that no row names pass.\n\n"));
	for (const struct operation_tag *tag = operation_tags; tag->name != NULL; tag++) {
		buf_printf(out, "## %s\n\n%s\n\n", tag->name, tag->doc);
		for (enum operation operation = 0; operation < OPERATION_COUNT; operation++)
			if (strcmp(operation_row(operation)->tag, tag->name) == 0)
				write_operation(out, &tables, operation_row(operation));
	}
	buf_append(out, SPAN("## Objects\n\nErrors of every operation are an "));
	write_link(out, &tables, &error_answer_fields);
	buf_append(out, SPAN(" or, for clients that name `application/problem+json` in Accept, a "));
	write_link(out, &tables, &problem_fields);
	buf_append(out, SPAN("; [errors.md](errors.md) explains their codes.\n\n"));
	for (size_t i = 0; i < tables.count; i++) /* mentions more as it goes */
		write_table(out, &tables, tables.list[i]);
}
