/* SPDX-License-Identifier: MIT */
/*
 * JSON Schemas (draft 2020-12) of field tables. A schema allows exactly what
 * field.c does: a member that need not be there may be null as well, since null
 * counts as absent, and what no row names passes unless the table refuses it.
 */
#include "schemas/openapi_internal.h"

#include "schemas/field_message.h"

enum { DOC_BYTES_MOST = 4096 };

static const struct {
	unsigned type;
	const char *name;
} type_names[] = {{FIELD_BOOLEAN, "boolean"}, {FIELD_INTEGER, "integer"}, {FIELD_NUMBER, "number"},
		  {FIELD_STRING, "string"},   {FIELD_ARRAY, "array"},     {FIELD_OBJECT, "object"}};

/* A single type stands alone, several are an array, and all of them need no word. */
static void add_types(struct openapi *document, cJSON *schema, unsigned types, bool nullable)
{
	static const unsigned all = FIELD_BOOLEAN | FIELD_NUMBER | FIELD_STRING | FIELD_ARRAY | FIELD_OBJECT;
	if ((types & all) == all && nullable)
		return;
	if ((types & FIELD_NUMBER) != 0)
		types &= ~(unsigned)FIELD_INTEGER;
	bool several = __builtin_popcount(types) + nullable > 1;
	cJSON *parent = several ? openapi_add_array(document, schema, "type") : schema;
	const char *key = several ? NULL : "type";
	for (size_t i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++)
		if ((types & type_names[i].type) != 0)
			openapi_add_text(document, parent, key, type_names[i].name);
	if (nullable)
		openapi_add_text(document, parent, key, "null");
}

static void add_bounds(struct openapi *document, cJSON *schema, const struct field *field)
{
	if (field->min != field->max) {
		openapi_add_number(document, schema, "minimum", field->min);
		openapi_add_number(document, schema, "maximum", field->max);
	}
	const struct {
		const char *keyword;
		size_t bound;
	} sizes[] = {{"minLength", field->min_length},
		     {"maxLength", field->max_length},
		     {"minItems", field->min_items},
		     {"maxItems", field->max_items}};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (sizes[i].bound > 0)
			openapi_add_number(document, schema, sizes[i].keyword, (double)sizes[i].bound);
	if (field->pattern != NULL)
		openapi_add_text(document, schema, "pattern", field->pattern);
}

static void add_choices(struct openapi *document, cJSON *schema, const struct field *field, bool nullable)
{
	if (field->choices == NULL && !field->off)
		return;
	cJSON *choices = openapi_add_array(document, schema, "enum");
	if (field->off)
		openapi_add_bool(document, choices, NULL, false);
	for (const char *const *choice = field->choices; choice != NULL && *choice != NULL; choice++)
		openapi_add_text(document, choices, NULL, *choice);
	if (nullable)
		openapi_add_null(document, choices, NULL);
}

/* What the rule says about these types, without a table. */
static void add_rule(struct openapi *document, cJSON *schema, const struct field *field, unsigned types, bool nullable)
{
	add_types(document, schema, types, nullable);
	add_bounds(document, schema, field);
	add_choices(document, schema, field, nullable);
	if (field->element != NULL)
		openapi_add_field(document, schema, "items", field->element, field->element->nullable);
	if (field->values != NULL && field->of == NULL)
		openapi_add_field(document, schema, "additionalProperties", field->values, field->values->nullable);
}

static void add_table_reference(struct openapi *document, cJSON *schema, const struct field *field);

/* An object follows its table; whatever else is allowed is the other alternative. */
static void add_alternatives(struct openapi *document, cJSON *schema, const struct field *field, bool nullable)
{
	unsigned others = field->types & ~(unsigned)FIELD_OBJECT;
	if (others == 0 && !nullable) {
		add_table_reference(document, schema, field);
		return;
	}
	cJSON *any = openapi_add_array(document, schema, "anyOf");
	add_rule(document, openapi_add_object(document, any, NULL), field, others, nullable);
	add_table_reference(document, openapi_add_object(document, any, NULL), field);
}

static void add_notes(struct openapi *document, cJSON *schema, const struct field *field)
{
	struct buf doc;
	buf_init(&doc, DOC_BYTES_MOST);
	field_write_doc(&doc, field);
	openapi_add_buf(document, schema, "description", &doc);
	buf_fini(&doc);
	if (field->standard != NULL)
		openapi_add_json(document, schema, "default", field->standard);
	if (field->example != NULL)
		openapi_add_json(document, openapi_add_array(document, schema, "examples"), NULL, field->example);
	if (field->deprecated)
		openapi_add_bool(document, schema, "deprecated", true);
}

void openapi_add_field(struct openapi *document, cJSON *parent, const char *key, const struct field *field,
		       bool nullable)
{
	cJSON *schema = openapi_add_object(document, parent, key);
	if (field->of == NULL)
		add_rule(document, schema, field, field->types, nullable);
	else
		add_alternatives(document, schema, field, nullable);
	add_notes(document, schema, field);
}

static bool member_is_nullable(const struct field *field)
{
	return field->nullable || !field->required || field->unless != NULL;
}

static void add_properties(struct openapi *document, cJSON *schema, const struct field_table *table)
{
	cJSON *properties = openapi_add_object(document, schema, "properties");
	cJSON *required = NULL;
	for (size_t i = 0; i < table->count; i++) {
		const struct field *field = &table->fields[i];
		openapi_add_field(document, properties, field->name, field, member_is_nullable(field));
		if (!field->required || field->unless != NULL)
			continue;
		if (required == NULL)
			required = openapi_add_array(document, schema, "required");
		openapi_add_text(document, required, NULL, field->name);
	}
}

/* One alternative: the member is there and is not null. */
static void add_presence(struct openapi *document, cJSON *any, const char *name)
{
	cJSON *presence = openapi_add_object(document, any, NULL);
	cJSON *properties = openapi_add_object(document, presence, "properties");
	cJSON *refused = openapi_add_object(document, openapi_add_object(document, properties, name), "not");
	openapi_add_text(document, refused, "type", "null");
	openapi_add_text(document, openapi_add_array(document, presence, "required"), NULL, name);
}

static void add_stand_ins(struct openapi *document, cJSON *all, const struct field_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct field *field = &table->fields[i];
		if (!field->required || field->unless == NULL)
			continue;
		cJSON *any = openapi_add_array(document, openapi_add_object(document, all, NULL), "anyOf");
		add_presence(document, any, field->name);
		add_presence(document, any, field->unless);
	}
}

/* Two members that must not both be there. */
static void add_exclusions(struct openapi *document, cJSON *all, const struct field_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct field *field = &table->fields[i];
		if (field->excludes == NULL)
			continue;
		cJSON *refused = openapi_add_object(document, openapi_add_object(document, all, NULL), "not");
		cJSON *both = openapi_add_array(document, refused, "allOf");
		add_presence(document, both, field->name);
		add_presence(document, both, field->excludes);
	}
}

/* More rules where the discriminating member has a certain value; with any other one they don't matter. */
static void add_variants(struct openapi *document, cJSON *all, const struct field_table *table)
{
	for (size_t i = 0; i < table->variant_count; i++) {
		cJSON *rule = openapi_add_object(document, all, NULL);
		cJSON *condition = openapi_add_object(document, rule, "if");
		cJSON *properties = openapi_add_object(document, condition, "properties");
		cJSON *member = openapi_add_object(document, properties, table->by);
		openapi_add_text(document, member, "const", table->variants[i].value);
		openapi_add_text(document, openapi_add_array(document, condition, "required"), NULL, table->by);
		openapi_add_table(document, rule, "then", table->variants[i].table);
	}
}

/* True when some member's rule depends on another one. */
static bool has_dependencies(const struct field_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->fields[i].excludes != NULL || (table->fields[i].required && table->fields[i].unless != NULL))
			return true;
	return false;
}

/* Makes sure that the schema of the table is there. */
static void need_table(struct openapi *document, const struct field_table *table)
{
	cJSON *schema = openapi_add_component(document, "schemas", table->name);
	if (schema == NULL)
		return;
	openapi_add_text(document, schema, "type", "object");
	openapi_add_text(document, schema, "description", table->doc);
	add_properties(document, schema, table);
	if (table->refuse_unknown)
		openapi_add_bool(document, schema, "additionalProperties", false);
	if (table->variant_count > 0 || has_dependencies(table)) {
		cJSON *all = openapi_add_array(document, schema, "allOf");
		add_stand_ins(document, all, table);
		add_exclusions(document, all, table);
		add_variants(document, all, table);
	}
	if (table->example != NULL)
		openapi_add_json(document, openapi_add_array(document, schema, "examples"), NULL, table->example);
}

static void add_table_reference(struct openapi *document, cJSON *schema, const struct field *field)
{
	need_table(document, field->of);
	openapi_add_printf(document, schema, "$ref", "#/components/schemas/%s", field->of->name);
	if (field->values != NULL)
		openapi_add_field(document, schema, "unevaluatedProperties", field->values, field->values->nullable);
}

void openapi_add_table(struct openapi *document, cJSON *parent, const char *key, const struct field_table *table)
{
	need_table(document, table);
	openapi_add_reference(document, parent, key, "schemas", table->name);
}
