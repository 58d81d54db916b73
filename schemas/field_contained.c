/* SPDX-License-Identifier: MIT */
/* A walk along the field tables; field_contained.h holds the contract. */
#include "schemas/field_contained.h"

#include "lib/hex.h"
#include "schemas/field_variant.h"

/* Takes the next byte of a string, the escapes of ASCII undone; what else is escaped becomes a NUL. */
static bool take_byte(struct span *raw, char *byte)
{
	size_t len = 1;
	if (raw->len == 0)
		return false;
	*byte = raw->at[0];
	if (*byte == '\\') {
		*byte = raw->at[1];
		len = 2;
	}
	if (len == 2 && *byte == 'u') {
		int high = hex_value(raw->at[4]), low = hex_value(raw->at[5]);
		*byte = raw->at[2] == '0' && raw->at[3] == '0' && high < 8 ? (char)(high * 16 + low) : '\0';
		len = 6;
	}
	*raw = (struct span){raw->at + len, raw->len - len};
	return true;
}

static bool is_data_url(struct span text)
{
	static const char scheme[] = "data:";
	for (size_t i = 0; i < sizeof(scheme) - 1; i++) {
		char byte = '\0';
		if (!take_byte(&text, &byte))
			return false;
		byte = (char)(byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte);
		if (byte != scheme[i])
			return false;
	}
	return true;
}

/* Bytes in base64, of either alphabet: no URL is that. */
static bool is_base64(struct span text)
{
	static const char more[] = "+/=-_";
	char byte = '\0';
	while (take_byte(&text, &byte)) {
		bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
		if (!letter && (byte < '0' || byte > '9') && memchr(more, byte, sizeof(more) - 1) == NULL)
			return false;
	}
	return true;
}

static bool is_inside(const struct json *json, const struct field *rule, uint32_t node)
{
	struct span raw = json_raw(json, node);
	struct span text = {raw.at + 1, raw.len - 2};
	switch (rule->inside) {
	case FIELD_INSIDE_URL:
		return is_data_url(text);
	case FIELD_INSIDE_BYTES:
		return is_data_url(text) || is_base64(text);
	default:
		return true;
	}
}

/* JSON that no table describes, such as a schema: it may refer to other documents. */
static bool is_free_contained(const struct json *json, uint32_t node)
{
	for (uint32_t at = node; at + 1 < json->nodes[node].after; at++) {
		const struct json_node *name = &json->nodes[at];
		if (name->type != JSON_STRING || (!name->escaped && json->text.at[name->start + 1] != '$') ||
		    (!json_string_is(json, at, "$ref") && !json_string_is(json, at, "$dynamicRef")))
			continue;
		struct span raw = json_raw(json, at + 1);
		if (json_type(json, at + 1) == JSON_STRING && raw.at[1] != '#')
			return false;
	}
	return true;
}

static unsigned type_bit(const struct json *json, uint32_t node)
{
	static const unsigned bits[] = {
	    [JSON_FALSE] = FIELD_BOOLEAN, [JSON_TRUE] = FIELD_BOOLEAN, [JSON_NUMBER] = FIELD_NUMBER | FIELD_INTEGER,
	    [JSON_STRING] = FIELD_STRING, [JSON_ARRAY] = FIELD_ARRAY,  [JSON_OBJECT] = FIELD_OBJECT};
	return bits[json_type(json, node)];
}

static bool is_value_contained(const struct json *json, const struct field *rule, uint32_t node);

/* Each element of an array, or value of an object, is of that rule. */
static bool are_all_contained(const struct json *json, const struct field *rule, uint32_t node)
{
	bool object = json_type(json, node) == JSON_OBJECT;
	for (uint32_t at = json_first(json, node); at != JSON_NONE; at = json_next(json, node, at))
		if (!is_value_contained(json, rule, object ? at + 1 : at))
			return false;
	return true;
}

static bool is_value_contained(const struct json *json, const struct field *rule, uint32_t node)
{
	enum json_type type = json_type(json, node);
	if (type == JSON_NULL)
		return true;
	if ((rule->outside & type_bit(json, node)) != 0)
		return false;
	if (type == JSON_STRING)
		return is_inside(json, rule, node);
	if (type == JSON_ARRAY && rule->element != NULL)
		return are_all_contained(json, rule->element, node);
	if (type == JSON_OBJECT && rule->of != NULL)
		return field_is_contained(json, rule->of, node);
	if (type == JSON_OBJECT && rule->values != NULL)
		return are_all_contained(json, rule->values, node);
	return is_free_contained(json, node);
}

/* A member without a row: one of those that are known all the same, or one that says nothing. */
static bool is_known(const struct json *json, const struct field_table *table, uint32_t key)
{
	if (json_type(json, key + 1) == JSON_NULL)
		return true;
	for (size_t i = 0; table->known != NULL && table->known[i] != NULL; i++)
		if (json_string_is(json, key, table->known[i]))
			return is_free_contained(json, key + 1);
	return false;
}

bool field_is_contained(const struct json *json, const struct field_table *table, uint32_t node)
{
	struct field_variety variety;
	if (!field_variety_of(json, table, node, &variety))
		return false;
	for (uint32_t at = json_first(json, node); at != JSON_NONE; at = json_next(json, node, at)) {
		const struct field *row = field_variety_find(json, &variety, at);
		if (row == NULL ? !is_known(json, table, at) : !is_value_contained(json, row, at + 1))
			return false;
	}
	return true;
}
