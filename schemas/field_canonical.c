/* SPDX-License-Identifier: MIT */
/* A writer along the field tables; field_canonical.h holds the contract. */
#include "schemas/field_canonical.h"

#include "lib/json_canonical.h"
#include "schemas/field_variant.h"

/* What is written, and how. */
struct writer {
	const struct json *json;
	struct arena *scratch;
	struct buf *out;
};

/* One object's rows. */
struct rows {
	struct writer *writer;
	struct field_variety variety;
	const struct field *values; /* of members without a row */
};

static void write_value(struct writer *writer, const struct field *rule, uint32_t node);

/* A member's value, by its own row or the one for all others. */
static void write_member(const struct json *json, uint32_t key, const void *context)
{
	const struct rows *rows = context;
	const struct field *row = rows->variety.table == NULL ? NULL : field_variety_find(json, &rows->variety, key);
	write_value(rows->writer, row == NULL ? rows->values : row, key + 1);
}

static void write_object(struct writer *writer, const struct field *rule, uint32_t node)
{
	struct rows rows = {.writer = writer, .values = rule->values};
	const struct json_members how = {.write = write_member, .context = &rows};
	if (rule->of != NULL)
		field_variety_of(writer->json, rule->of, node, &rows.variety);
	json_write_canonical_members(writer->json, node, &how, writer->scratch, writer->out);
}

static void write_array(struct writer *writer, const struct field *element, uint32_t node)
{
	bool first = true;
	buf_append(writer->out, SPAN("["));
	for (uint32_t at = json_first(writer->json, node); at != JSON_NONE; at = json_next(writer->json, node, at)) {
		if (!first)
			buf_append(writer->out, SPAN(","));
		first = false;
		write_value(writer, element, at);
	}
	buf_append(writer->out, SPAN("]"));
}

/* rule: NULL = none says what the value means. */
static void write_value(struct writer *writer, const struct field *rule, uint32_t node)
{
	enum json_type type = json_type(writer->json, node);
	bool described = rule != NULL && !rule->verbatim;
	if (described && type == JSON_OBJECT && (rule->of != NULL || rule->values != NULL)) {
		write_object(writer, rule, node);
	} else if (described && type == JSON_ARRAY && rule->element != NULL) {
		write_array(writer, rule->element, node);
	} else if (described && rule->wraps && type == JSON_STRING) {
		buf_append(writer->out, SPAN("["));
		json_write_canonical(writer->json, node, writer->scratch, writer->out);
		buf_append(writer->out, SPAN("]"));
	} else if (described && type != JSON_OBJECT && type != JSON_ARRAY) {
		json_write_canonical(writer->json, node, writer->scratch, writer->out);
	} else {
		json_write_ordered(writer->json, node, writer->scratch, writer->out);
	}
}

/* The outermost object. */
struct root {
	struct rows rows;
	field_canonical_skip *skip;
	const void *context;
};

static bool is_left_out(const struct json *json, uint32_t key, const void *context)
{
	const struct root *root = context;
	const struct field *row = field_variety_find(json, &root->rows.variety, key);
	if (row != NULL && (row->idle || json_type(json, key + 1) == JSON_NULL))
		return true;
	return root->skip != NULL && root->skip(json, key, root->context);
}

static void write_root_member(const struct json *json, uint32_t key, const void *context)
{
	write_member(json, key, &((const struct root *)context)->rows);
}

void field_write_canonical(const struct json *json, const struct field_table *table, field_canonical_skip *skip,
			   const void *context, struct arena *scratch, struct buf *out)
{
	struct writer writer = {json, scratch, out};
	struct root root = {.rows = {.writer = &writer, .variety = {.table = table}}, .skip = skip, .context = context};
	const struct json_members how = {.skip = is_left_out, .write = write_root_member, .context = &root};
	json_write_canonical_members(json, 0, &how, scratch, out);
}
