/* SPDX-License-Identifier: MIT */
/* The walker over field tables, on a table of its own; and that every real table is well formed. */
#include "schemas/field.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "schemas/openai/request_fields.h"
#include "tests/unit/arena_fixture.h"

#define ROWS(rows) .fields = (rows), .count = sizeof(rows) / sizeof((rows)[0])

static const char *const colours[] = {"red", "green", NULL};
static const struct field integer_element = {.types = FIELD_INTEGER, .min = 0, .max = 9};
static const struct field inner_rows[] = {
    {.name = "name", .types = FIELD_STRING, .required = true, .min_length = 1},
    {.name = "kind", .types = FIELD_STRING},
};
static const struct field special_rows[] = {{.name = "extra", .types = FIELD_OBJECT, .required = true}};
static const struct field_table special = {.name = "Special", ROWS(special_rows)};
static const struct field_variant variants[] = {{"special", &special}};
static const struct field_table inner = {
    .name = "Inner", ROWS(inner_rows), .by = "kind", .variants = variants, .variant_count = 1};
static const struct field inner_element = {.types = FIELD_OBJECT, .of = &inner};
static const struct field rows[] = {
    {.name = "must", .types = FIELD_INTEGER, .required = true},
    {.name = "either", .types = FIELD_STRING, .required = true, .unless = "or"},
    {.name = "small", .types = FIELD_INTEGER, .min = 1, .max = 10},
    {.name = "large", .types = FIELD_INTEGER, .min = 1, .max = 2147483647},
    {.name = "any", .types = FIELD_INTEGER},
    {.name = "real", .types = FIELD_NUMBER},
    {.name = "unit", .types = FIELD_NUMBER, .min = 0, .max = 1},
    {.name = "flag", .types = FIELD_BOOLEAN},
    {.name = "colour", .types = FIELD_STRING, .choices = colours},
    {.name = "list", .types = FIELD_ARRAY | FIELD_STRING, .min_items = 1, .max_items = 3, .element = &integer_element},
    {.name = "things", .types = FIELD_ARRAY, .element = &inner_element},
    {.name = "thing", .types = FIELD_OBJECT, .of = &inner},
    {.name = "short", .types = FIELD_STRING, .min_length = 2, .max_length = 3},
    {.name = "name", .types = FIELD_STRING, .pattern = "^[a-z_-]*$"},
};
static const struct field_table table = {.name = "Test", ROWS(rows)};

static struct json json;
static struct findings findings;
static const struct finding *const finding = &findings.list[0];

/* Validates a whole document. */
static bool check_document(const char *text)
{
	struct json_error error;
	assert_true(json_parse(&json, &arena, span_of(text), 64, &error));
	return field_read(&json, &table, "body", &arena, NULL, &findings);
}

/* Validates a document with what is required and these members. */
static bool check(const char *members)
{
	arena_fini(&arena);
	return check_document(arena_printf(&arena, "{\"must\":1,\"either\":\"e\"%s}", members).at);
}

static void expect_pass(const char *members)
{
	if (!check(members))
		fail_msg("%s: %.*s", members, SPAN_ARG(finding->message));
}

static void expect_refused(const char *members, enum error_code code, const char *param, const char *message)
{
	if (check(members))
		fail_msg("%s: passed", members);
	assert_string_equal(finding->message.at, message);
	assert_string_equal(finding->param.at, param);
	assert_int_equal(finding->code, code);
}

static void unknown_members_and_nulls_pass(void **state)
{
	(void)state;
	expect_pass("");
	expect_pass(",\"unknown\":{\"a\":[1,2,{}]},\"mus\":false,\"Must\":\"\"");
	expect_pass(",\"small\":null,\"list\":null,\"thing\":null,\"colour\":null");
	expect_pass(",\"list\":[0,9],\"things\":[{\"name\":\"n\"},{\"name\":\"m\",\"kind\":\"other\"}]");
}

static void what_is_missing_is_named(void **state)
{
	(void)state;
	assert_false(check_document("{}"));
	assert_int_equal(finding->code, ERROR_MISSING_PARAMETER);
	assert_string_equal(finding->param.at, "must");
	assert_false(check_document("{\"must\":1}"));
	assert_string_equal(finding->message.at, "either is required");
	assert_true(check_document("{\"must\":1,\"or\":1}"));
	assert_true(check_document("{\"must\":1,\"or\":1,\"either\":null}"));
	assert_false(check_document("{\"must\":1,\"or\":null}"));
	assert_false(check_document("{\"must\":null,\"either\":\"\"}"));
	assert_string_equal(finding->message.at, "must must be an integer; got null");
	expect_refused(",\"things\":[{\"name\":\"a\"},{\"kind\":\"b\"}]", ERROR_MISSING_PARAMETER, "things[1].name",
		       "things[1].name is required");
}

static void types_are_told(void **state)
{
	(void)state;
	expect_refused(",\"flag\":1", ERROR_INVALID_TYPE, "flag", "flag must be true or false; got 1");
	expect_refused(",\"any\":1.5", ERROR_INVALID_TYPE, "any", "any must be an integer; got 1.5");
	expect_refused(",\"any\":\"secret prompt\"", ERROR_INVALID_TYPE, "any", "any must be an integer; got a string");
	expect_refused(",\"list\":{}", ERROR_INVALID_TYPE, "list",
		       "list must be a string or a non-empty array of at most 3 elements; got an object");
	expect_refused(",\"thing\":[]", ERROR_INVALID_TYPE, "thing", "thing must be an object; got an empty array");
	expect_refused(",\"thing\":false", ERROR_INVALID_TYPE, "thing", "thing must be an object; got false");
}

static void bounds_are_told(void **state)
{
	(void)state;
	expect_pass(",\"small\":1,\"large\":2147483647,\"unit\":0");
	expect_pass(",\"small\":10,\"large\":1,\"unit\":1.0");
	expect_refused(",\"small\":0", ERROR_INVALID_VALUE, "small",
		       "small must be an integer between 1 and 10; got 0");
	expect_refused(",\"small\":11", ERROR_INVALID_VALUE, "small",
		       "small must be an integer between 1 and 10; got 11");
	expect_refused(",\"large\":-1", ERROR_INVALID_VALUE, "large", "large must be an integer of at least 1; got -1");
	expect_refused(",\"large\":9223372036854775808", ERROR_INVALID_VALUE, "large",
		       "large must be an integer of at most 2147483647; got 9223372036854775808");
	expect_refused(",\"unit\":1.01", ERROR_INVALID_VALUE, "unit",
		       "unit must be a number between 0 and 1; got 1.01");
	expect_refused(",\"list\":[1,10]", ERROR_INVALID_VALUE, "list[1]",
		       "list[1] must be an integer between 0 and 9; got 10");
}

static void numbers_without_bounds_are_kept_as_they_are(void **state)
{
	(void)state;
	expect_pass(",\"any\":123456789012345678901234567890");
	expect_pass(",\"real\":1e308");
	expect_pass(",\"any\":1.0");
	expect_pass(",\"any\":2e3");
}

static void lengths_are_told(void **state)
{
	(void)state;
	expect_refused(",\"list\":[]", ERROR_INVALID_VALUE, "list",
		       "list must be a string or a non-empty array of at most 3 elements; got an empty array");
	expect_refused(",\"list\":[1,2,3,4]", ERROR_INVALID_VALUE, "list",
		       "list must be a string or a non-empty array of at most 3 elements; got 4 elements");
	expect_refused(",\"thing\":{\"name\":\"\"}", ERROR_INVALID_VALUE, "thing.name",
		       "thing.name must be a non-empty string; got an empty string");
}

static void characters_are_counted_not_bytes(void **state)
{
	(void)state;
	expect_pass(",\"short\":\"ab\"");
	expect_pass(",\"short\":\"\xC3\xA9\xC3\xA9\xC3\xA9\"");
	expect_pass(",\"short\":\"\\u00e9\\ud83d\\ude00\"");
	expect_refused(",\"short\":\"\\u00e9\"", ERROR_INVALID_VALUE, "short",
		       "short must be a string of at least 2 and at most 3 characters; got a string");
	expect_refused(",\"short\":\"abcd\"", ERROR_INVALID_VALUE, "short",
		       "short must be a string of at least 2 and at most 3 characters; got a string");
}

static void patterns_are_told(void **state)
{
	(void)state;
	expect_pass(",\"name\":\"\"");
	expect_pass(",\"name\":\"a_b-\\u007a\"");
	expect_refused(",\"name\":\"aB\"", ERROR_INVALID_VALUE, "name",
		       "name must be a string that matches ^[a-z_-]*$; got \"aB\"");
}

static void findings_collect_up_to_their_most(void **state)
{
	(void)state;
	assert_false(check_document("{\"small\":0,\"flag\":1,\"thing\":{\"name\":2}}"));
	assert_int_equal(findings.count, 5);
	static const char *const locs[] = {"[\"body\",\"small\"]", "[\"body\",\"flag\"]",
					   "[\"body\",\"thing\",\"name\"]", "[\"body\",\"must\"]",
					   "[\"body\",\"either\"]"};
	static const char *const inputs[] = {"0", "1", "2"};
	for (size_t i = 0; i < 5; i++)
		assert_true(span_is(findings.list[i].loc, locs[i]));
	for (size_t i = 0; i < 3; i++)
		assert_true(span_is(findings.list[i].input, inputs[i]));
	assert_false(check(",\"things\":[1,2,3,4,5,6,7,8,9,10,11,12]"));
	assert_int_equal(findings.count, FINDINGS_MOST);
	assert_true(span_is(findings.list[9].param, "things[9]"));
}

static void choices_are_told_and_long_strings_cut(void **state)
{
	(void)state;
	expect_pass(",\"colour\":\"gr\\u0065en\"");
	expect_refused(",\"colour\":\"blue\"", ERROR_INVALID_VALUE, "colour",
		       "colour must be one of \"red\", \"green\"; got \"blue\"");
	expect_refused(",\"colour\":\"0123456789012345678901234567890123456789012345\xC3\xA9xyz\"", ERROR_INVALID_VALUE,
		       "colour",
		       "colour must be one of \"red\", \"green\"; got "
		       "\"0123456789012345678901234567890123456789012345…");
}

static void variants_add_rules(void **state)
{
	(void)state;
	expect_pass(",\"thing\":{\"name\":\"n\",\"kind\":\"special\",\"extra\":{}}");
	expect_pass(",\"thing\":{\"name\":\"n\",\"kind\":\"plain\",\"extra\":1}");
	expect_refused(",\"things\":[{\"name\":\"n\",\"kind\":\"special\"}]", ERROR_MISSING_PARAMETER,
		       "things[0].extra", "things[0].extra is required");
	expect_refused(",\"thing\":{\"name\":\"n\",\"kind\":\"special\",\"extra\":1}", ERROR_INVALID_TYPE,
		       "thing.extra", "thing.extra must be an object; got 1");
}

static void escaped_names_are_the_same_names(void **state)
{
	(void)state;
	expect_refused(",\"\\u0073mall\":0", ERROR_INVALID_VALUE, "small",
		       "small must be an integer between 1 and 10; got 0");
}

static void a_root_that_is_no_object_is_refused(void **state)
{
	(void)state;
	assert_false(check_document("[{}]"));
	assert_string_equal(finding->message.at, "The request body must be a JSON object; got an array");
	assert_null(finding->param.at);
}

static void check_table(const struct field_table *t, int depth);

static void check_row(const struct field *row, int depth)
{
	assert_true(row->types != 0);
	assert_non_null(row->doc);
	assert_true(row->min <= row->max);
	assert_true(row->unless == NULL || row->required);
	assert_true(row->choices == NULL || (row->types & FIELD_STRING) != 0);
	assert_true(row->element == NULL || (row->types & FIELD_ARRAY) != 0);
	assert_true(row->of == NULL || (row->types & FIELD_OBJECT) != 0);
	if (row->element != NULL)
		check_row(row->element, depth + 1);
	if (row->of != NULL)
		check_table(row->of, depth + 1);
}

static void check_table(const struct field_table *t, int depth)
{
	assert_true(depth < 16);
	assert_non_null(t->name);
	assert_true(t->count > 0 && t->count <= FIELD_TABLE_ROWS);
	assert_int_equal(t->by != NULL, t->variant_count > 0);
	for (size_t i = 0; i < t->count; i++) {
		assert_non_null(t->fields[i].name);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(t->fields[i].name, t->fields[j].name);
		check_row(&t->fields[i], depth);
	}
	for (size_t i = 0; i < t->variant_count; i++)
		check_table(t->variants[i].table, depth + 1);
}

static void the_tables_of_the_dialect_are_well_formed(void **state)
{
	(void)state;
	for (int endpoint = ENDPOINT_CHAT; endpoint <= ENDPOINT_EMBEDDINGS; endpoint++)
		check_table(openai_request_fields((enum endpoint)endpoint), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(unknown_members_and_nulls_pass),
	    TEST(what_is_missing_is_named),
	    TEST(types_are_told),
	    TEST(bounds_are_told),
	    TEST(numbers_without_bounds_are_kept_as_they_are),
	    TEST(lengths_are_told),
	    TEST(characters_are_counted_not_bytes),
	    TEST(patterns_are_told),
	    TEST(findings_collect_up_to_their_most),
	    TEST(choices_are_told_and_long_strings_cut),
	    TEST(variants_add_rules),
	    TEST(escaped_names_are_the_same_names),
	    TEST(a_root_that_is_no_object_is_refused),
	    TEST(the_tables_of_the_dialect_are_well_formed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
