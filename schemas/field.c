/* SPDX-License-Identifier: MIT */
/*
 * The generic walker over field tables: validation and decoding in one pass. It
 * recurses along tables, whose depth is fixed, never along the document.
 */
#include "schemas/field.h"

#include <stdlib.h>

#include "lib/suggest.h"
#include "schemas/field_index.h"
#include "schemas/field_message.h"
#include "schemas/field_value.h"

struct walk {
	const struct json *json;
	struct arena *arena;
	const char *where;
	struct findings *findings; /* NULL: the document is known to be valid, only decode */
	bool strict;               /* the strict rules apply where rows have them */
};

static struct finding *find_fault(const struct walk *walk, enum error_code code, const struct field_place *place,
				  uint32_t node)
{
	struct finding *finding = finding_add(walk->findings);
	if (finding == NULL)
		return NULL;
	*finding = (struct finding){.code = code,
				    .param = field_path(walk->arena, place),
				    .loc = field_location(walk->arena, walk->where, place),
				    .input = field_input(walk->arena, walk->json, node)};
	return finding;
}

/* The value at node breaks the rule of field. */
static void refuse(const struct walk *walk, enum error_code code, const struct field *field,
		   const struct field_place *place, uint32_t node)
{
	struct finding *finding = find_fault(walk, code, place, node);
	if (finding != NULL)
		finding->message = field_message(walk->arena, walk->json, field, place, node);
}

static void check_members(const struct walk *walk, const struct field_table *table, const struct field *values,
			  const struct field_place *place, uint32_t object, void *into);

/* Returns the rule for types, bounds and choices. */
static const struct field *rule_of(const struct walk *walk, const struct field *field)
{
	return walk->strict && field->strict != NULL ? field->strict : field;
}

static void check_value(const struct walk *walk, const struct field *field, const struct field_place *place,
			uint32_t node)
{
	const struct field *rule = rule_of(walk, field);
	if (field->nullable && json_type(walk->json, node) == JSON_NULL)
		return;
	if ((field_types_of(walk->json, node, rule->types) & rule->types) == 0) {
		refuse(walk, rule->types == 0 ? ERROR_UNSUPPORTED_PARAMETER : ERROR_INVALID_TYPE, rule, place, node);
		return;
	}
	if (!field_value_fits(walk->json, rule, node, walk->arena)) {
		refuse(walk, ERROR_INVALID_VALUE, rule, place, node);
		return;
	}
	if (json_type(walk->json, node) == JSON_ARRAY && field->element != NULL) {
		struct field_place element = {.around = place};
		uint32_t at = json_first(walk->json, node);
		for (; at != JSON_NONE; at = json_next(walk->json, node, at), element.index++)
			check_value(walk, field->element, &element, at);
	}
	if (json_type(walk->json, node) == JSON_OBJECT && (field->of != NULL || field->values != NULL))
		check_members(walk, field->of, field->values, place, node, NULL);
}

const struct field *field_find(const struct json *json, const struct field_table *table, uint32_t key)
{
	struct span raw = json_raw(json, key);
	if (!json->nodes[key].escaped)
		return field_index_find(table, (struct span){raw.at + 1, raw.len - 2});
	for (size_t i = 0; i < table->count; i++)
		if (json_string_is(json, key, table->fields[i].name))
			return &table->fields[i];
	return NULL;
}

/* A member that no row names: refused, checked by the rule for values, or passed. */
static void check_unknown(const struct walk *walk, const struct field_table *table, const struct field *values,
			  const struct field_place *place, uint32_t key)
{
	bool refused = table != NULL && table->refuse_unknown;
	if (walk->findings == NULL || (!refused && values == NULL))
		return;
	struct field_place member = {.around = place, .name = json_string(walk->json, key, walk->arena)};
	if (!refused) {
		check_value(walk, values, &member, key + 1);
		return;
	}
	struct finding *finding = find_fault(walk, ERROR_UNSUPPORTED_PARAMETER, &member, key + 1);
	if (finding == NULL)
		return;
	struct suggestion near = suggest(member.name);
	for (size_t i = 0; i < table->count; i++)
		suggest_offer(&near, span_of(table->fields[i].name));
	finding->message = field_unknown_message(walk->arena, &member, near.best);
}

static bool is_there(const struct json *json, uint32_t object, const char *name)
{
	uint32_t value = json_member(json, object, name);
	return value != JSON_NONE && json_type(json, value) != JSON_NULL;
}

/* seen: bit per row whose member was found. */
static void check_missing(const struct walk *walk, const struct field_table *table, const struct field_place *place,
			  uint32_t object, uint64_t seen)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct field *row = &table->fields[i];
		if (!(row->required || rule_of(walk, row)->required) || (seen >> i & 1) != 0)
			continue;
		if (row->unless != NULL && is_there(walk->json, object, row->unless))
			continue;
		struct field_place missing = {.around = place, .name = span_of(row->name)};
		struct finding *finding = find_fault(walk, ERROR_MISSING_PARAMETER, &missing, object);
		if (finding != NULL)
			finding->message = field_missing_message(walk->arena, &missing);
	}
}

static void check_exclusions(const struct walk *walk, const struct field_table *table, const struct field_place *place,
			     uint32_t object, uint64_t seen)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct field *row = &table->fields[i];
		if (row->excludes == NULL || (seen >> i & 1) == 0 || !is_there(walk->json, object, row->excludes))
			continue;
		struct field_place member = {.around = place, .name = span_of(row->name)};
		uint32_t value = json_member(walk->json, object, row->name);
		struct finding *finding = find_fault(walk, ERROR_UNSUPPORTED_PARAMETER, &member, value);
		if (finding != NULL)
			finding->message = field_excluded_message(walk->arena, &member, span_of(row->excludes));
	}
}

static void check_variant(const struct walk *walk, const struct field_table *table, const struct field_place *place,
			  uint32_t object)
{
	uint32_t value = table->by == NULL ? JSON_NONE : json_member(walk->json, object, table->by);
	if (value == JSON_NONE)
		return;
	for (size_t i = 0; i < table->variant_count; i++) {
		if (!json_string_is(walk->json, value, table->variants[i].value))
			continue;
		check_members(walk, table->variants[i].table, NULL, place, object, NULL);
		return;
	}
}

/* table, values: either may be NULL. into: the typed struct of table, or NULL. */
static void check_members(const struct walk *walk, const struct field_table *table, const struct field *values,
			  const struct field_place *place, uint32_t object, void *into)
{
	uint64_t seen = 0;
	for (uint32_t at = json_first(walk->json, object); at != JSON_NONE; at = json_next(walk->json, object, at)) {
		const struct field *row = table == NULL ? NULL : field_find(walk->json, table, at);
		if (row == NULL) {
			check_unknown(walk, table, values, place, at);
			continue;
		}
		bool null = json_type(walk->json, at + 1) == JSON_NULL;
		if (null && !row->nullable && (!row->required || row->unless != NULL))
			continue; /* as if it were not there */
		seen |= UINT64_C(1) << (row - table->fields);
		struct field_place member = {.around = place, .name = span_of(row->name)};
		if (walk->findings != NULL)
			check_value(walk, row, &member, at + 1);
		if (into != NULL)
			field_store(walk->json, row, at + 1, walk->arena, into);
	}
	if (walk->findings == NULL || table == NULL)
		return;
	const struct field_index *index = field_index_of(table);
	if (index == NULL || walk->strict || (index->required & ~seen) != 0)
		check_missing(walk, table, place, object, seen);
	if (index == NULL || (index->excluding & seen) != 0)
		check_exclusions(walk, table, place, object, seen);
	check_variant(walk, table, place, object);
}

bool field_read(const struct json *json, const struct field_table *table, const char *where, struct arena *arena,
		void *into, struct findings *findings)
{
	static const struct field root = {.types = FIELD_OBJECT};
	struct walk walk = {.json = json, .arena = arena, .where = where, .findings = findings};
	findings->count = 0;
	if (into != NULL)
		field_store_defaults(table, into);
	if (json_type(json, 0) == JSON_OBJECT)
		check_members(&walk, table, NULL, NULL, 0, into);
	else
		refuse(&walk, ERROR_INVALID_TYPE, &root, NULL, 0);
	return findings->count == 0;
}

bool field_check_strict(const struct json *json, const struct field_table *table, const char *where,
			struct arena *arena, struct findings *findings)
{
	struct walk walk = {.json = json, .arena = arena, .where = where, .findings = findings, .strict = true};
	findings->count = 0;
	check_members(&walk, table, NULL, NULL, 0, NULL);
	return findings->count == 0;
}

void field_decode(const struct json *json, const struct field_table *table, uint32_t node, struct arena *arena,
		  void *into)
{
	struct walk walk = {.json = json, .arena = arena};
	field_store_defaults(table, into);
	if (node != JSON_NONE && json_type(json, node) == JSON_OBJECT)
		check_members(&walk, table, NULL, NULL, node, into);
}
