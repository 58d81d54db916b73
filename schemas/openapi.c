/* SPDX-License-Identifier: MIT */
/*
 * The OpenAPI 3.1 document: operations from their table, schemas from the field
 * tables, errors from theirs. Made once per call and off every hot path, so it
 * is built as a cJSON tree; this is the only file that knows cJSON.
 *
 * Out of memory leaves members out, and an empty document when nothing could
 * be printed: callers see the buffer stay empty.
 */
#include "schemas/openapi.h"

#include <cjson/cJSON.h>

#include "schemas/openai_requests.h"
#include "schemas/operations.h"

static cJSON *schema_of_field(const struct field *field);

static cJSON *reference(const char *name)
{
	cJSON *schema = cJSON_CreateObject();
	struct buf path;
	buf_init(&path, 1024);
	buf_printf(&path, "#/components/schemas/%s%c", name, '\0');
	cJSON_AddStringToObject(schema, "$ref", buf_span(&path).at);
	buf_fini(&path);
	return schema;
}

static void add_types(cJSON *schema, const struct field *field)
{
	static const struct {
		unsigned type;
		const char *name;
	} names[] = {{FIELD_BOOLEAN, "boolean"}, {FIELD_INTEGER, "integer"}, {FIELD_NUMBER, "number"},
		     {FIELD_STRING, "string"},   {FIELD_ARRAY, "array"},     {FIELD_OBJECT, "object"}};
	cJSON *types = cJSON_AddArrayToObject(schema, "type");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if ((field->types & names[i].type) != 0)
			cJSON_AddItemToArray(types, cJSON_CreateString(names[i].name));
	}
	if (!field->required && field->name != NULL)
		cJSON_AddItemToArray(types, cJSON_CreateString("null"));
}

static void add_bounds(cJSON *schema, const struct field *field)
{
	if (field->min < field->max) {
		cJSON_AddNumberToObject(schema, "minimum", field->min);
		cJSON_AddNumberToObject(schema, "maximum", field->max);
	}
	if (field->min_length > 0)
		cJSON_AddNumberToObject(schema, "minLength", (double)field->min_length);
	if (field->min_items > 0)
		cJSON_AddNumberToObject(schema, "minItems", (double)field->min_items);
	if (field->max_items > 0)
		cJSON_AddNumberToObject(schema, "maxItems", (double)field->max_items);
}

static void add_choices(cJSON *schema, const struct field *field)
{
	if (field->choices == NULL)
		return;
	cJSON *choices = cJSON_AddArrayToObject(schema, "enum");
	for (const char *const *choice = field->choices; *choice != NULL; choice++)
		cJSON_AddItemToArray(choices, cJSON_CreateString(*choice));
	if (!field->required && field->name != NULL)
		cJSON_AddItemToArray(choices, cJSON_CreateNull());
}

/* A field that is an object by a table and perhaps something else as well. */
static cJSON *schema_of_field(const struct field *field)
{
	cJSON *schema = cJSON_CreateObject();
	add_types(schema, field);
	if (field->doc != NULL)
		cJSON_AddStringToObject(schema, "description", field->doc);
	add_bounds(schema, field);
	add_choices(schema, field);
	if (field->element != NULL)
		cJSON_AddItemToObject(schema, "items", schema_of_field(field->element));
	if (field->of != NULL) {
		/* the table holds for the object form only */
		cJSON *any = cJSON_AddArrayToObject(schema, "anyOf");
		cJSON *other = cJSON_CreateObject();
		cJSON *refused = cJSON_AddObjectToObject(other, "not");
		cJSON_AddStringToObject(refused, "type", "object");
		cJSON_AddItemToArray(any, reference(field->of->name));
		cJSON_AddItemToArray(any, other);
	}
	return schema;
}

static void add_table(cJSON *schemas, const struct field_table *table);

static void add_nested_tables(cJSON *schemas, const struct field *field)
{
	for (; field != NULL; field = field->element) {
		if (field->of != NULL)
			add_table(schemas, field->of);
	}
}

static void add_variants(cJSON *schemas, cJSON *schema, const struct field_table *table)
{
	cJSON *all = cJSON_AddArrayToObject(schema, "allOf");
	for (size_t i = 0; i < table->variant_count; i++) {
		cJSON *rule = cJSON_CreateObject();
		cJSON *condition = cJSON_AddObjectToObject(rule, "if");
		cJSON *member = cJSON_AddObjectToObject(cJSON_AddObjectToObject(condition, "properties"), table->by);
		cJSON_AddStringToObject(member, "const", table->variants[i].value);
		cJSON_AddItemToObject(rule, "then", reference(table->variants[i].table->name));
		cJSON_AddItemToArray(all, rule);
		add_table(schemas, table->variants[i].table);
	}
}

/* Adds the schema of a table, and those it refers to, once. */
static void add_table(cJSON *schemas, const struct field_table *table)
{
	if (cJSON_HasObjectItem(schemas, table->name))
		return;
	cJSON *schema = cJSON_AddObjectToObject(schemas, table->name);
	cJSON_AddStringToObject(schema, "type", "object");
	cJSON *properties = cJSON_AddObjectToObject(schema, "properties");
	cJSON *required = cJSON_CreateArray();
	for (size_t i = 0; i < table->count; i++) {
		const struct field *field = &table->fields[i];
		cJSON_AddItemToObject(properties, field->name, schema_of_field(field));
		if (field->required && field->unless == NULL)
			cJSON_AddItemToArray(required, cJSON_CreateString(field->name));
		add_nested_tables(schemas, field);
	}
	if (cJSON_GetArraySize(required) > 0)
		cJSON_AddItemToObject(schema, "required", required);
	else
		cJSON_Delete(required);
	if (table->variant_count > 0)
		add_variants(schemas, schema, table);
}

static void add_error_schema(cJSON *schemas)
{
	static const char *const members[] = {"message", "type", "param", "code"};
	cJSON *schema = cJSON_AddObjectToObject(schemas, "Error");
	cJSON_AddStringToObject(schema, "type", "object");
	cJSON *error = cJSON_AddObjectToObject(cJSON_AddObjectToObject(schema, "properties"), "error");
	cJSON_AddStringToObject(error, "type", "object");
	cJSON *properties = cJSON_AddObjectToObject(error, "properties");
	cJSON *required = cJSON_AddArrayToObject(error, "required");
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		cJSON *types = cJSON_AddArrayToObject(cJSON_AddObjectToObject(properties, members[i]), "type");
		cJSON_AddItemToArray(types, cJSON_CreateString("string"));
		if (i >= 2)
			cJSON_AddItemToArray(types, cJSON_CreateString("null"));
		cJSON_AddItemToArray(required, cJSON_CreateString(members[i]));
	}
	cJSON_AddItemToArray(cJSON_AddArrayToObject(schema, "required"), cJSON_CreateString("error"));
}

static void add_content(cJSON *response, const char *media_type, cJSON *schema)
{
	cJSON *content = cJSON_GetObjectItemCaseSensitive(response, "content");
	if (content == NULL)
		content = cJSON_AddObjectToObject(response, "content");
	cJSON_AddItemToObject(cJSON_AddObjectToObject(content, media_type), "schema", schema);
}

static cJSON *type_schema(const char *type)
{
	cJSON *schema = cJSON_CreateObject();
	cJSON_AddStringToObject(schema, "type", type);
	return schema;
}

static void add_good_response(cJSON *responses)
{
	cJSON *response = cJSON_AddObjectToObject(responses, "200");
	cJSON_AddStringToObject(response, "description", "A good answer.");
	add_content(response, "application/json", type_schema("object"));
}

/* One response per status: its description lists the codes. */
static void add_error_responses(cJSON *responses)
{
	for (int status = 400; status < 600; status++) {
		struct buf codes;
		buf_init(&codes, 4096);
		for (enum error_code code = ERROR_NONE + 1; code < ERROR_COUNT; code++) {
			if (error_row(code)->status == status && code != ERROR_CLIENT_CLOSED)
				buf_printf(&codes, "%s%s", buf_len(&codes) == 0 ? "" : ", ", error_row(code)->code);
		}
		if (buf_len(&codes) > 0 && buf_append(&codes, (struct span){"", 1})) {
			char key[4] = {(char)('0' + status / 100), (char)('0' + status / 10 % 10),
				       (char)('0' + status % 10), 0};
			cJSON *response = cJSON_AddObjectToObject(responses, key);
			cJSON_AddStringToObject(response, "description", buf_span(&codes).at);
			add_content(response, "application/json", reference("Error"));
		}
		buf_fini(&codes);
	}
}

static void add_parameter(cJSON *operation, const struct operation_row *row)
{
	if (strchr(row->path, '{') == NULL)
		return;
	cJSON *parameter = cJSON_CreateObject();
	cJSON_AddStringToObject(parameter, "name", "id");
	cJSON_AddStringToObject(parameter, "in", "path");
	cJSON_AddTrueToObject(parameter, "required");
	cJSON_AddItemToObject(parameter, "schema", type_schema("string"));
	cJSON_AddItemToArray(cJSON_AddArrayToObject(operation, "parameters"), parameter);
}

static void add_operation(cJSON *paths, cJSON *schemas, const struct operation_row *row)
{
	cJSON *path = cJSON_AddObjectToObject(paths, row->path);
	cJSON *operation = cJSON_AddObjectToObject(path, strcmp(row->method, "GET") == 0 ? "get" : "post");
	cJSON_AddStringToObject(operation, "operationId", row->id);
	cJSON_AddItemToArray(cJSON_AddArrayToObject(operation, "tags"), cJSON_CreateString(row->tag));
	cJSON_AddStringToObject(operation, "summary", row->summary);
	add_parameter(operation, row);
	if (row->body != NULL) {
		const struct field_table *table = row->body;
		cJSON *body = cJSON_AddObjectToObject(operation, "requestBody");
		cJSON_AddTrueToObject(body, "required");
		add_content(body, "application/json", reference(table->name));
		add_table(schemas, table);
	}
	cJSON *responses = cJSON_AddObjectToObject(operation, "responses");
	add_good_response(responses);
	add_error_responses(responses);
}

static cJSON *build(void)
{
	cJSON *document = cJSON_CreateObject();
	cJSON_AddStringToObject(document, "openapi", "3.1.0");
	cJSON *info = cJSON_AddObjectToObject(document, "info");
	cJSON_AddStringToObject(info, "title", "Sluice");
	cJSON_AddStringToObject(info, "version", SLUICE_VERSION);
	cJSON_AddStringToObject(info, "description", "An AI-inference gateway that speaks the OpenAI dialect.");
	cJSON_AddStringToObject(cJSON_AddObjectToObject(info, "license"), "name", "MIT");
	cJSON *paths = cJSON_AddObjectToObject(document, "paths");
	cJSON *schemas = cJSON_AddObjectToObject(cJSON_AddObjectToObject(document, "components"), "schemas");
	add_error_schema(schemas);
	for (enum operation operation = 0; operation < OPERATION_COUNT; operation++)
		add_operation(paths, schemas, operation_row(operation));
	return document;
}

void openapi_write(struct buf *out)
{
	cJSON *document = build();
	char *text = cJSON_Print(document);
	if (text != NULL) {
		buf_append(out, span_of(text));
		buf_append(out, SPAN("\n"));
	}
	cJSON_free(text);
	cJSON_Delete(document);
}
