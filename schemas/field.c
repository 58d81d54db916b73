/* SPDX-License-Identifier: MIT */
/*
 * The generic walker over field tables. It recurses along tables, whose depth
 * is fixed, never along the document.
 */
#include "schemas/field.h"

#include "schemas/field_message.h"

struct walk {
	const struct json *json;
	struct arena *arena;
	struct finding *finding;
};

/* Refuses the value at node for breaking the rule of field. */
static bool refuse(const struct walk *walk, enum error_code code, const struct field *field,
		   const struct field_place *place, uint32_t node)
{
	walk->finding->code = code;
	walk->finding->param = field_path(walk->arena, place);
	walk->finding->message = field_message(walk->arena, walk->json, field, place, node);
	return false;
}

static unsigned types_of(const struct json *json, uint32_t node)
{
	static const unsigned types[] = {
	    [JSON_NULL] = 0,
	    [JSON_FALSE] = FIELD_BOOLEAN,
	    [JSON_TRUE] = FIELD_BOOLEAN,
	    [JSON_NUMBER] = FIELD_NUMBER,
	    [JSON_STRING] = FIELD_STRING,
	    [JSON_ARRAY] = FIELD_ARRAY,
	    [JSON_OBJECT] = FIELD_OBJECT,
	};
	unsigned type = types[json_type(json, node)];
	return json->nodes[node].integer ? type | FIELD_INTEGER : type;
}

static bool check_object(const struct walk *walk, const struct field_table *table, const struct field_place *place,
			 uint32_t object);

static bool number_fits(const struct walk *walk, const struct field *field, uint32_t node)
{
	bool bounded = field->min != field->max;
	if (!bounded && (field->types & FIELD_NUMBER) == 0)
		return true; /* an integer of any size: kept verbatim, for the backend to judge */
	double value = 0;
	if (!json_double(walk->json, node, &value))
		return false;
	return !bounded || (value >= field->min && value <= field->max);
}

static bool string_fits(const struct walk *walk, const struct field *field, uint32_t node)
{
	/* Escapes never decode to nothing, and no rule asks for more than one byte, so raw length will do. */
	if (json_raw(walk->json, node).len - 2 < field->min_length)
		return false;
	if (field->choices == NULL)
		return true;
	for (const char *const *choice = field->choices; *choice != NULL; choice++)
		if (json_string_is(walk->json, node, *choice))
			return true;
	return false;
}

static bool array_fits(const struct walk *walk, const struct field *field, uint32_t node)
{
	size_t count = walk->json->nodes[node].count;
	return count >= field->min_items && (field->max_items == 0 || count <= field->max_items);
}

static bool value_fits(const struct walk *walk, const struct field *field, uint32_t node)
{
	switch (json_type(walk->json, node)) {
	case JSON_NUMBER:
		return number_fits(walk, field, node);
	case JSON_STRING:
		return string_fits(walk, field, node);
	case JSON_ARRAY:
		return array_fits(walk, field, node);
	default:
		return true;
	}
}

static bool check_value(const struct walk *walk, const struct field *field, const struct field_place *place,
			uint32_t node);

static bool check_elements(const struct walk *walk, const struct field *rule, const struct field_place *place,
			   uint32_t array)
{
	struct field_place element = {.around = place};
	for (uint32_t at = json_first(walk->json, array); at != JSON_NONE; at = json_next(walk->json, array, at)) {
		if (!check_value(walk, rule, &element, at))
			return false;
		element.index++;
	}
	return true;
}

static bool check_value(const struct walk *walk, const struct field *field, const struct field_place *place,
			uint32_t node)
{
	if ((types_of(walk->json, node) & field->types) == 0)
		return refuse(walk, ERROR_INVALID_TYPE, field, place, node);
	if (!value_fits(walk, field, node))
		return refuse(walk, ERROR_INVALID_VALUE, field, place, node);
	if (json_type(walk->json, node) == JSON_ARRAY && field->element != NULL)
		return check_elements(walk, field->element, place, node);
	if (json_type(walk->json, node) == JSON_OBJECT && field->of != NULL)
		return check_object(walk, field->of, place, node);
	return true;
}

/* The row that names the member whose key is at node, or NULL. */
static const struct field *find_row(const struct json *json, const struct field_table *table, uint32_t key)
{
	const struct json_node *n = &json->nodes[key];
	char first = json->text.at[n->start + 1];
	for (size_t i = 0; i < table->count; i++) {
		const struct field *row = &table->fields[i];
		if ((n->escaped || row->name[0] == first) && json_string_is(json, key, row->name))
			return row;
	}
	return NULL;
}

static bool is_there(const struct json *json, uint32_t object, const char *name)
{
	uint32_t value = json_member(json, object, name);
	return value != JSON_NONE && json_type(json, value) != JSON_NULL;
}

/* seen: bit per row whose member was found. */
static bool check_missing(const struct walk *walk, const struct field_table *table, const struct field_place *place,
			  uint32_t object, uint64_t seen)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct field *row = &table->fields[i];
		if (!row->required || (seen >> i & 1) != 0)
			continue;
		if (row->unless != NULL && is_there(walk->json, object, row->unless))
			continue;
		struct field_place missing = {.around = place, .name = row->name};
		walk->finding->code = ERROR_MISSING_PARAMETER;
		walk->finding->param = field_path(walk->arena, &missing);
		walk->finding->message =
		    arena_printf(walk->arena, "%s is required",
				 walk->finding->param.at == NULL ? row->name : walk->finding->param.at);
		return false;
	}
	return true;
}

static bool check_variant(const struct walk *walk, const struct field_table *table, const struct field_place *place,
			  uint32_t object)
{
	uint32_t value = table->by == NULL ? JSON_NONE : json_member(walk->json, object, table->by);
	if (value == JSON_NONE)
		return true;
	for (size_t i = 0; i < table->variant_count; i++)
		if (json_string_is(walk->json, value, table->variants[i].value))
			return check_object(walk, table->variants[i].table, place, object);
	return true;
}

static bool check_object(const struct walk *walk, const struct field_table *table, const struct field_place *place,
			 uint32_t object)
{
	uint64_t seen = 0;
	for (uint32_t at = json_first(walk->json, object); at != JSON_NONE; at = json_next(walk->json, object, at)) {
		const struct field *row = find_row(walk->json, table, at);
		if (row == NULL)
			continue;
		bool null = json_type(walk->json, at + 1) == JSON_NULL;
		if (null && (!row->required || row->unless != NULL))
			continue;
		seen |= UINT64_C(1) << (row - table->fields);
		struct field_place member = {.around = place, .name = row->name};
		if (!check_value(walk, row, &member, at + 1))
			return false;
	}
	return check_missing(walk, table, place, object, seen) && check_variant(walk, table, place, object);
}

bool field_check(const struct json *json, const struct field_table *table, struct arena *arena, struct finding *finding)
{
	struct walk walk = {json, arena, finding};
	static const struct field root = {.types = FIELD_OBJECT};
	if (json_type(json, 0) != JSON_OBJECT)
		return refuse(&walk, ERROR_INVALID_TYPE, &root, NULL, 0);
	return check_object(&walk, table, NULL, 0);
}
