/* SPDX-License-Identifier: MIT */
/*
 * One test per row of every field table, made from the row itself: its example
 * passes and is decoded, each bound is kept and crossed, every wrong type,
 * absence and null are judged as the row says. A row with a strict rule is
 * tested again as strict requests are.
 */
#include "tests/unit/schemas/tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/buf.h"

enum { ROWS_MOST = 896, NAME_MOST = 128 };

struct row_case {
	const struct field_table *table;
	const struct field *row;
	char name[NAME_MOST];
};

/* Where a value stands in a document: before VALUE after. */
struct spot {
	const struct field_table *table;
	const char *before, *after;
	const char *path;
};

static struct arena spots; /* texts of spots; lives for one test */
static struct arena arena; /* of one document */
static struct json json;
static struct findings findings;
static void *typed;
static bool strict; /* the strict rules are tested */

static bool read_value(const struct spot *spot, const char *value)
{
	struct json_error error;
	arena_fini(&arena);
	struct span text = arena_printf(&arena, "%s%s%s", spot->before, value, spot->after);
	if (!json_parse(&json, &arena, text, 64, &error))
		fail_msg("%.*s: %s at %zu", SPAN_ARG(text), error.what, error.offset);
	free(typed);
	typed = spot->table->size == 0 ? NULL : calloc(1, spot->table->size);
	return field_read(&json, spot->table, "body", &arena, typed, &findings) &&
	       (!strict || field_check_strict(&json, spot->table, "body", &arena, &findings));
}

/* Returns the rule as requests meet it at present. */
static struct field rule_of(const struct field *rule)
{
	struct field now = *rule;
	if (!strict || rule->strict == NULL)
		return now;
	now.types = rule->strict->types;
	now.min = rule->strict->min;
	now.max = rule->strict->max;
	now.min_length = rule->strict->min_length;
	now.min_items = rule->strict->min_items;
	now.choices = rule->strict->choices;
	now.required |= rule->strict->required;
	if (now.choices != NULL)
		now.example = arena_printf(&spots, "\"%s\"", now.choices[0]).at;
	return now;
}

static void expect_pass(const struct spot *spot, const char *value)
{
	if (!read_value(spot, value))
		fail_msg("%s = %s: %.*s", spot->path, value, SPAN_ARG(findings.list[0].message));
}

static void expect_refused(const struct spot *spot, const char *value, enum error_code code)
{
	if (read_value(spot, value))
		fail_msg("%s = %s: passed", spot->path, value);
	const struct finding *finding = &findings.list[0];
	if (finding->code != code || !span_is(finding->param, spot->path))
		fail_msg("%s = %s: %s at %.*s", spot->path, value, error_row(finding->code)->code,
			 SPAN_ARG(finding->param));
	assert_int_equal(findings.count, 1);
}

/* True when a variant behind the one at index requires the member, too. */
static bool is_required_later(const struct field_table *table, size_t index, const char *name)
{
	for (size_t i = index + 1; i < table->variant_count; i++) {
		const struct field_table *variant = table->variants[i].table;
		for (size_t j = 0; j < variant->count; j++)
			if (variant->fields[j].required && strcmp(variant->fields[j].name, name) == 0)
				return true;
	}
	return false;
}

/* All that any value of the discriminating row asks for; the last table that names a member is the strictest. */
static void add_members_of_variants(struct buf *text, const struct field_table *table)
{
	for (size_t i = 0; i < table->variant_count; i++) {
		const struct field_table *variant = table->variants[i].table;
		for (size_t j = 0; j < variant->count; j++) {
			const struct field *field = &variant->fields[j];
			if (rule_of(field).required && !is_required_later(table, i, field->name))
				buf_printf(text, "\"%s\":%s,", field->name, field->example);
		}
	}
}

static bool excludes(const struct field *one, const struct field *other)
{
	return one->excludes != NULL && strcmp(one->excludes, other->name) == 0;
}

/* An object with what is required but for the row, and may stand beside it if it is to be there, up to the next member.
 */
static const char *start_object(const struct field_table *table, const struct field *row, bool there)
{
	struct buf text;
	buf_init(&text, 1 << 20);
	buf_append(&text, SPAN("{"));
	for (size_t i = 0; i < table->count; i++) {
		const struct field *other = &table->fields[i];
		if (other != row && rule_of(other).required && !(there && excludes(other, row)))
			buf_printf(&text, "\"%s\":%s,", other->name, other->example);
	}
	if (table->by != NULL && strcmp(table->by, row->name) == 0 && rule_of(row).choices != NULL)
		add_members_of_variants(&text, table);
	struct span kept = arena_copy(&spots, buf_span(&text));
	buf_fini(&text);
	return kept.at;
}

/* there: its value is more than null. */
static struct spot spot_of_row(const struct field_table *table, const struct field *row, bool there)
{
	const char *start = start_object(table, row, there);
	return (struct spot){table, arena_printf(&spots, "%s\"%s\":", start, row->name).at, "}", row->name};
}

static struct spot spot_inside(const struct spot *around, const char *open, const char *close, const char *step)
{
	return (struct spot){around->table, arena_printf(&spots, "%s%s", around->before, open).at,
			     arena_printf(&spots, "%s%s", close, around->after).at,
			     arena_printf(&spots, "%s%s", around->path, step).at};
}

static void check_types(const struct spot *spot, const struct field *rule)
{
	static const struct {
		unsigned types;
		const char *text;
	} samples[] = {{FIELD_BOOLEAN, "true"},
		       {FIELD_BOOLEAN, "false"},
		       {FIELD_INTEGER | FIELD_NUMBER, "1"},
		       {FIELD_INTEGER | FIELD_NUMBER, "1.0"},
		       {FIELD_NUMBER, "1.5"},
		       {FIELD_STRING, "\"1\""},
		       {FIELD_ARRAY, "[1]"},
		       {FIELD_OBJECT, "{\"a\":1}"}};
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		if ((samples[i].types & rule->types) == 0)
			expect_refused(spot, samples[i].text,
				       rule->types == 0 ? ERROR_UNSUPPORTED_PARAMETER : ERROR_INVALID_TYPE);
}

static void check_number(const struct spot *spot, const struct field *rule)
{
	char text[64];
	if (rule->min == rule->max) {
		expect_pass(spot, "-123456789012345678901234567890");
		expect_pass(spot, "123456789012345678901234567890");
		return;
	}
	const double inside[] = {rule->min, rule->max};
	const double outside[] = {rule->min - 1, rule->max + 1};
	for (size_t i = 0; i < 2; i++) {
		snprintf(text, sizeof(text), "%.17g", inside[i]);
		expect_pass(spot, text);
		snprintf(text, sizeof(text), "%.17g", outside[i]);
		expect_refused(spot, text, ERROR_INVALID_VALUE);
	}
	expect_refused(spot, "-123456789012345678901234567890", ERROR_INVALID_VALUE);
}

/* A string of so many characters, each of more than one byte where the row allows any. */
static char *string_of(size_t characters, const struct field *rule)
{
	const char *character = rule->pattern == NULL ? "\xC3\xA9" : "a";
	char *text = calloc(characters * 2 + 3, 1);
	strcpy(text, "\"");
	for (size_t i = 0; i < characters; i++)
		strcpy(text + 1 + i * strlen(character), character);
	strcat(text, "\"");
	return text;
}

static void check_length(const struct spot *spot, const struct field *rule)
{
	char *text[4] = {string_of(rule->min_length, rule),
			 rule->min_length > 0 ? string_of(rule->min_length - 1, rule) : NULL,
			 rule->max_length > 0 ? string_of(rule->max_length, rule) : NULL,
			 rule->max_length > 0 ? string_of(rule->max_length + 1, rule) : NULL};
	for (size_t i = 0; i < 4; i++) {
		if (text[i] != NULL && i % 2 == 0)
			expect_pass(spot, text[i]);
		else if (text[i] != NULL)
			expect_refused(spot, text[i], ERROR_INVALID_VALUE);
		free(text[i]);
	}
}

static void check_string(const struct spot *spot, const struct field *rule)
{
	if (rule->choices == NULL) {
		check_length(spot, rule);
		if (rule->pattern != NULL)
			expect_refused(spot, "\"\\u0001\"", ERROR_INVALID_VALUE);
		return;
	}
	expect_refused(spot, "\"no such choice\"", ERROR_INVALID_VALUE);
	for (const char *const *choice = rule->choices; *choice != NULL; choice++) {
		char text[128];
		snprintf(text, sizeof(text), "\"%s\"", *choice);
		expect_pass(spot, text);
	}
}

static char *array_of(size_t count, const struct field *element)
{
	const char *example = element == NULL ? "1" : element->example;
	char *text = calloc(count * (strlen(example) + 1) + 3, 1);
	char *at = text;
	*at++ = '[';
	for (size_t i = 0; i < count; i++)
		at += sprintf(at, "%s%s", i == 0 ? "" : ",", example);
	*at = ']';
	return text;
}

static void check_rule(const struct spot *spot, const struct field *rule);

static void check_array(const struct spot *spot, const struct field *rule)
{
	const size_t counts[] = {rule->min_items, rule->max_items, rule->min_items - 1, rule->max_items + 1};
	const bool told[] = {true, rule->max_items > 0, rule->min_items > 0, rule->max_items > 0};
	for (size_t i = 0; i < 4; i++) {
		if (!told[i])
			continue;
		char *text = array_of(counts[i], rule->element);
		if (i < 2)
			expect_pass(spot, text);
		else
			expect_refused(spot, text, ERROR_INVALID_VALUE);
		free(text);
	}
	if (rule->element == NULL)
		return;
	struct spot inside = spot_inside(spot, "[", "]", "[0]");
	check_rule(&inside, rule->element);
	if (rule->element->nullable)
		expect_pass(&inside, "null");
	else
		expect_refused(&inside, "null", ERROR_INVALID_TYPE);
}

static void check_object(const struct spot *spot, const struct field *rule)
{
	if (rule->of != NULL && rule->of->refuse_unknown)
		expect_refused(spot, "{\"no_such_member\":1}", ERROR_UNSUPPORTED_PARAMETER);
	if (rule->values == NULL)
		return;
	struct spot inside = spot_inside(spot, "{\"some_key\":", "}", ".some_key");
	check_rule(&inside, rule->values);
}

/* All that a rule says of a value that is there. */
static void check_rule(const struct spot *spot, const struct field *declared)
{
	const struct field now = rule_of(declared);
	const struct field *rule = &now;
	assert_non_null(rule->doc);
	assert_non_null(rule->example);
	expect_pass(spot, rule->example);
	check_types(spot, rule);
	if ((rule->types & FIELD_BOOLEAN) != 0 && rule->off)
		expect_refused(spot, "true", ERROR_INVALID_VALUE);
	if ((rule->types & (FIELD_NUMBER | FIELD_INTEGER)) != 0)
		check_number(spot, rule);
	if ((rule->types & FIELD_STRING) != 0)
		check_string(spot, rule);
	if ((rule->types & FIELD_ARRAY) != 0)
		check_array(spot, rule);
	if ((rule->types & FIELD_OBJECT) != 0)
		check_object(spot, rule);
}

/* What the typed struct holds of the row; answers have none. */
static void check_typed(const struct field_table *table, const struct field *row, bool there)
{
	if (table->size == 0)
		return;
	const void *member = (const char *)typed + row->offset;
	uint32_t node = there ? json_member(&json, 0, row->name) : JSON_NONE;
	const char *standard = row->standard == NULL ? "0" : row->standard;
	int64_t integer = 0;
	double number = 0;
	assert_int_equal(((const struct field_any *)member)->node, node);
	switch (row->kind) {
	case FIELD_KIND_boolean:
		assert_int_equal(((const struct field_boolean *)member)->value,
				 there ? json_type(&json, node) == JSON_TRUE : strcmp(standard, "true") == 0);
		break;
	case FIELD_KIND_integer:
		if (!there || !json_int(&json, node, &integer))
			integer = strtoll(standard, NULL, 10);
		assert_int_equal(((const struct field_integer *)member)->value, integer);
		break;
	case FIELD_KIND_number:
		if (!there || !json_double(&json, node, &number))
			number = strtod(standard, NULL);
		assert_memory_equal(&((const struct field_number *)member)->value, &number, sizeof(number));
		break;
	case FIELD_KIND_text:
		if (there)
			assert_true(
			    span_equal(((const struct field_text *)member)->value, json_string(&json, node, &arena)));
		else
			assert_null(((const struct field_text *)member)->value.at);
		break;
	case FIELD_KIND_any:
		break;
	}
}

/* A member of that name with a value that its own row allows. */
static const char *example_of(const struct field_table *table, const char *name)
{
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->fields[i].name, name) == 0)
			return arena_printf(&spots, "\"%s\":%s", name, table->fields[i].example).at;
	fail_msg("%s has no row %s", table->name, name);
	return NULL;
}

static bool is_excluded(const struct field_table *table, const struct field *row)
{
	for (size_t i = 0; i < table->count; i++)
		if (excludes(&table->fields[i], row))
			return true;
	return false;
}

/* A member of a table that refuses others, which is not there yet and does not stand in for the row. */
static const char *harmless_member(const struct field_table *table, const struct field *row)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct field *other = &table->fields[i];
		bool stands_in = row->unless != NULL && strcmp(row->unless, other->name) == 0;
		if (other != row && !other->required && !stands_in && !is_excluded(table, other))
			return example_of(table, other->name);
	}
	if (table->count == 1)
		return ""; /* nothing needs to stand there */
	fail_msg("%s has nothing to stand beside %s", table->name, row->name);
	return NULL;
}

static void check_absence(const struct field_table *table, const struct field *row)
{
	const struct spot spot = {table, start_object(table, row, false), "}", row->name};
	const char *other = table->refuse_unknown ? harmless_member(table, row) : "\"no_such_member\":1";
	if (row->unless != NULL)
		expect_pass(&spot, example_of(table, row->unless));
	if (rule_of(row).required) {
		expect_refused(&spot, other, ERROR_MISSING_PARAMETER);
		return;
	}
	expect_pass(&spot, other);
	check_typed(table, row, false);
}

static void check_exclusion(const struct spot *spot, const struct field *row)
{
	const char *other = example_of(spot->table, row->excludes);
	const char *both = arena_printf(&spots, "%s,%s", row->example, other).at;
	assert_false(read_value(spot, both));
	assert_int_equal(findings.list[0].code, ERROR_UNSUPPORTED_PARAMETER);
}

static void check_null(const struct spot *spot, const struct field *row)
{
	if (rule_of(row).required && !row->nullable) {
		expect_refused(spot, "null",
			       row->required && row->unless == NULL ? ERROR_INVALID_TYPE : ERROR_MISSING_PARAMETER);
		return;
	}
	expect_pass(spot, "null");
	check_typed(spot->table, row, false);
}

static void check_row(const struct row_case *one)
{
	arena_init(&spots, 0);
	struct spot spot = spot_of_row(one->table, one->row, true);
	struct spot null = spot_of_row(one->table, one->row, false);
	check_rule(&spot, one->row);
	check_absence(one->table, one->row);
	check_null(&null, one->row);
	if (one->row->excludes != NULL)
		check_exclusion(&spot, one->row);
	expect_pass(&spot, rule_of(one->row).example);
	check_typed(one->table, one->row, one->row->types != 0);
	arena_fini(&spots);
}

static void the_row_is_kept(void **state)
{
	strict = false;
	check_row(*state);
	strict = true;
	check_row(*state);
}

static int teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	free(typed);
	return 0;
}

static size_t make_cases(struct row_case *cases, struct CMUnitTest *tests)
{
	struct tables tables = tables_of_operations();
	size_t count = 0;
	for (size_t i = 0; i < tables.count; i++) {
		for (size_t j = 0; j < tables.list[i]->count; j++) {
			struct row_case *one = &cases[count];
			one->table = tables.list[i];
			one->row = &one->table->fields[j];
			snprintf(one->name, sizeof(one->name), "%s.%s", one->table->name, one->row->name);
			tests[count++] = (struct CMUnitTest){one->name, the_row_is_kept, NULL, NULL, one};
		}
	}
	return count;
}

int main(void)
{
	static struct row_case cases[ROWS_MOST];
	static struct CMUnitTest tests[ROWS_MOST];
	size_t count = make_cases(cases, tests);
	return _cmocka_run_group_tests("rows", tests, count, NULL, teardown);
}
