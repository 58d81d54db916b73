/* SPDX-License-Identifier: MIT */
/* Bounds and decoding of single values; field_value.h holds the contract. */
#include "schemas/field_value.h"

#include <math.h>
#include <stdlib.h>

#include "lib/utf8.h"

/* Written with a fraction or an exponent, and an integer all the same: 1.0, 2e3. */
static bool is_integral(const struct json *json, uint32_t node)
{
	double value = 0;
	return json_double(json, node, &value) && value == floor(value);
}

unsigned field_types_of(const struct json *json, uint32_t node, unsigned wanted)
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
	if (type != FIELD_NUMBER || (wanted & FIELD_INTEGER) == 0)
		return type;
	return json->nodes[node].integer || is_integral(json, node) ? FIELD_NUMBER | FIELD_INTEGER : type;
}

static bool number_fits(const struct json *json, const struct field *field, uint32_t node)
{
	double value = 0;
	if (field->min == field->max)
		return true; /* of any size: kept verbatim, for the backend to judge */
	return json_double(json, node, &value) && value >= field->min && value <= field->max;
}

static size_t count_characters(struct span text)
{
	size_t count = 0;
	for (size_t i = 0; i < text.len; i++)
		count += !utf8_is_tail((unsigned char)text.at[i]);
	return count;
}

static bool length_fits(const struct json *json, const struct field *field, uint32_t node, struct arena *arena)
{
	/* an escape or a character is at least one byte of the text and never decodes to nothing */
	size_t raw = json_raw(json, node).len - 2;
	if (raw < field->min_length)
		return false;
	if (field->min_length <= 1 && (field->max_length == 0 || raw <= field->max_length))
		return true;
	size_t count = count_characters(json_string(json, node, arena));
	return count >= field->min_length && (field->max_length == 0 || count <= field->max_length);
}

/* Patterns are ^[CLASS]*$ with ranges; class points behind the bracket. */
static bool class_has(const char *class, char c)
{
	for (; *class != ']'; class ++) {
		if (class[1] == '-' && class[2] != ']') {
			if (c >= class[0] && c <= class[2])
				return true;
			class += 2;
		} else if (*class == c) {
			return true;
		}
	}
	return false;
}

static bool pattern_fits(const struct json *json, const struct field *field, uint32_t node, struct arena *arena)
{
	struct span text = json_string(json, node, arena);
	for (size_t i = 0; i < text.len; i++)
		if (!class_has(field->pattern + 2, text.at[i]))
			return false;
	return true;
}

static bool choice_fits(const struct json *json, const struct field *field, uint32_t node)
{
	for (const char *const *choice = field->choices; *choice != NULL; choice++)
		if (json_string_is(json, node, *choice))
			return true;
	return false;
}

static bool string_fits(const struct json *json, const struct field *field, uint32_t node, struct arena *arena)
{
	return length_fits(json, field, node, arena) && (field->choices == NULL || choice_fits(json, field, node)) &&
	       (field->pattern == NULL || pattern_fits(json, field, node, arena));
}

static bool array_fits(const struct json *json, const struct field *field, uint32_t node)
{
	size_t count = json->nodes[node].count;
	return count >= field->min_items && (field->max_items == 0 || count <= field->max_items);
}

bool field_value_fits(const struct json *json, const struct field *field, uint32_t node, struct arena *arena)
{
	switch (json_type(json, node)) {
	case JSON_TRUE:
		return !field->off;
	case JSON_NUMBER:
		return number_fits(json, field, node);
	case JSON_STRING:
		return string_fits(json, field, node, arena);
	case JSON_ARRAY:
		return array_fits(json, field, node);
	default:
		return true;
	}
}

void field_store_defaults(const struct field_table *table, void *into)
{
	memset(into, 0, table->size);
	for (size_t i = 0; i < table->count; i++) {
		const struct field *row = &table->fields[i];
		char *member = (char *)into + row->offset;
		if (row->standard == NULL)
			continue;
		if (row->kind == FIELD_KIND_boolean)
			((struct field_boolean *)member)->value = row->standard[0] == 't';
		else if (row->kind == FIELD_KIND_integer)
			((struct field_integer *)member)->value = strtoll(row->standard, NULL, 10);
		else if (row->kind == FIELD_KIND_number)
			((struct field_number *)member)->value = (double)strtoll(row->standard, NULL, 10);
	}
}

static int64_t integer_at(const struct json *json, uint32_t node)
{
	int64_t value = 0;
	if (json_int(json, node, &value))
		return value;
	double real = json_raw(json, node).at[0] == '-' ? -INFINITY : INFINITY;
	json_double(json, node, &real);
	if (real >= 9223372036854775807.0)
		return INT64_MAX;
	return real <= -9223372036854775808.0 ? INT64_MIN : (int64_t)real;
}

void field_store(const struct json *json, const struct field *field, uint32_t node, struct arena *arena, void *into)
{
	char *member = (char *)into + field->offset;
	enum json_type type = json_type(json, node);
	switch (field->kind) {
	case FIELD_KIND_boolean:
		if (type == JSON_TRUE || type == JSON_FALSE)
			*(struct field_boolean *)member = (struct field_boolean){node, type == JSON_TRUE};
		break;
	case FIELD_KIND_integer:
		if (type == JSON_NUMBER)
			*(struct field_integer *)member = (struct field_integer){node, integer_at(json, node)};
		break;
	case FIELD_KIND_number:
		if (type == JSON_NUMBER) {
			((struct field_number *)member)->node = node;
			json_double(json, node, &((struct field_number *)member)->value);
		}
		break;
	case FIELD_KIND_text:
		if (type == JSON_STRING)
			*(struct field_text *)member = (struct field_text){node, json_string(json, node, arena)};
		break;
	case FIELD_KIND_any:
		((struct field_any *)member)->node = type == JSON_NULL ? JSON_NONE : node;
		break;
	}
}
