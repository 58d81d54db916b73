/* SPDX-License-Identifier: MIT */
/*
 * Queries through the table of GET /v1/models, which passes over unknown parameters, and that of a purge, which
 * refuses them: what is decoded, and what each refusal says about where.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "schemas/admin_fields.h"
#include "schemas/query.h"

struct outcome {
	struct arena arena;
	struct findings findings;
	union {
		struct models_query query;
		struct purge_query purge;
	};
	bool good;
};

static const struct field_table *table;

static int setup(void **state)
{
	(void)state;
	table = &models_query_fields;
	return 0;
}

static struct outcome *read_query(struct span text)
{
	static struct outcome outcome;
	arena_fini(&outcome.arena);
	arena_init(&outcome.arena, 0);
	outcome.good = query_read(text, table, &outcome.arena, &outcome.query, &outcome.findings);
	return &outcome;
}

static const struct models_query *accept(const char *text)
{
	struct outcome *outcome = read_query(span_of(text));
	if (!outcome->good)
		fail_msg("%s was refused: %.*s", text, SPAN_ARG(outcome->findings.list[0].message));
	assert_int_equal(outcome->findings.count, 0);
	return &outcome->query;
}

static void check_refused(struct span text, enum error_code code, const char *loc, const char *message)
{
	struct outcome *outcome = read_query(text);
	assert_false(outcome->good);
	const struct finding *first = &outcome->findings.list[0];
	char got[512];
	snprintf(got, sizeof(got), "%.*s", SPAN_ARG(first->message));
	assert_string_equal(got, message);
	assert_int_equal(first->code, code);
	snprintf(got, sizeof(got), "%.*s", SPAN_ARG(first->loc));
	assert_string_equal(got, loc);
}

static void values_become_what_their_rows_ask_for(void **state)
{
	(void)state;
	const struct models_query *query = accept("limit=20&after=demo");
	assert_int_equal(query->limit.value, 20);
	assert_true(span_is(query->after.value, "demo"));
	query = accept("after=20");
	assert_true(span_is(query->after.value, "20"));
	assert_int_equal(query->limit.node, JSON_NONE);
	query = accept("after=true&limit=1000");
	assert_true(span_is(query->after.value, "true"));
	assert_int_equal(query->limit.value, 1000);
}

static void an_empty_query_has_nothing_in_it(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "&", "&&&"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const struct models_query *query = accept(texts[i]);
		assert_int_equal(query->limit.node, JSON_NONE);
		assert_int_equal(query->after.node, JSON_NONE);
	}
}

static void names_and_values_are_percent_decoded(void **state)
{
	(void)state;
	assert_true(span_is(accept("after=a%2Fb+c%2B%22%5C%e2%82%ac")->after.value, "a/b c+\"\\\xe2\x82\xac"));
	assert_true(span_is(accept("%61fter=x=y")->after.value, "x=y"));
	assert_int_equal(accept("limit=%31%30&")->limit.value, 10);
}

static void a_value_of_the_wrong_kind_is_told_with_its_place(void **state)
{
	(void)state;
	static const char message[] = "limit must be an integer between 1 and 1000; got a string";
	static const char *const texts[] = {"limit=abc",  "limit=+5",   "limit=5%20", "limit=0x10", "limit=05",
					    "limit=null", "limit=true", "limit=[1]",  "limit=1e999"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		check_refused(span_of(texts[i]), ERROR_INVALID_TYPE, "[\"query\",\"limit\"]", message);
	check_refused(SPAN("limit"), ERROR_INVALID_TYPE, "[\"query\",\"limit\"]",
		      "limit must be an integer between 1 and 1000; got an empty string");
	check_refused(SPAN("limit=1.5"), ERROR_INVALID_TYPE, "[\"query\",\"limit\"]",
		      "limit must be an integer between 1 and 1000; got 1.5");
}

static void a_value_out_of_bounds_is_told_with_its_place(void **state)
{
	(void)state;
	check_refused(SPAN("limit=0"), ERROR_INVALID_VALUE, "[\"query\",\"limit\"]",
		      "limit must be an integer between 1 and 1000; got 0");
	check_refused(SPAN("limit=1001"), ERROR_INVALID_VALUE, "[\"query\",\"limit\"]",
		      "limit must be an integer between 1 and 1000; got 1001");
	check_refused(SPAN("limit=-99999999999999999999"), ERROR_INVALID_VALUE, "[\"query\",\"limit\"]",
		      "limit must be an integer between 1 and 1000; got -99999999999999999999");
	check_refused(SPAN("after="), ERROR_INVALID_VALUE, "[\"query\",\"after\"]",
		      "after must be a non-empty string; got an empty string");
}

static void an_unknown_name_is_passed_over_where_the_table_allows_it(void **state)
{
	(void)state;
	const struct models_query *query =
	    accept("client_version=0.20.0&limit=20&api-version=2024-10-21&api-version=x");
	assert_int_equal(query->limit.value, 20);
	assert_int_equal(accept("=3&%c0%80=1&beta&x=%ff&limit=7")->limit.value, 7);
}

static void an_unknown_name_gets_a_suggestion(void **state)
{
	(void)state;
	table = &purge_query_fields;
	check_refused(SPAN("modle=3"), ERROR_UNSUPPORTED_PARAMETER, "[\"query\",\"modle\"]",
		      "modle is not known here; did you mean \"model\"?");
	check_refused(SPAN("=3"), ERROR_UNSUPPORTED_PARAMETER, "[\"query\",\"\"]", "\"\" is not known here");
}

static void a_name_given_twice_is_refused(void **state)
{
	(void)state;
	check_refused(SPAN("limit=1&limit=1"), ERROR_INVALID_VALUE, "[\"query\",\"limit\"]", "limit is given twice");
	check_refused(SPAN("after=a&%61fter=b"), ERROR_INVALID_VALUE, "[\"query\",\"after\"]", "after is given twice");
}

static void bytes_that_are_no_text_are_refused(void **state)
{
	(void)state;
	check_refused(SPAN("after=%ff"), ERROR_INVALID_VALUE, "[\"query\",\"after\"]",
		      "after must be UTF-8 text without NUL");
	check_refused(SPAN("after=a%00b"), ERROR_INVALID_VALUE, "[\"query\",\"after\"]",
		      "after must be UTF-8 text without NUL");
	table = &purge_query_fields;
	check_refused(SPAN("%c0%80=1"), ERROR_INVALID_VALUE, "[\"query\"]",
		      "A parameter's name in the query is not UTF-8 text.");
}

static void a_query_of_very_many_parameters_is_refused_early(void **state)
{
	(void)state;
	char text[4096] = "";
	for (unsigned i = 0; i < 200; i++)
		snprintf(text + strlen(text), 16, "p%u=1&", i);
	accept(text);
	table = &purge_query_fields;
	check_refused(span_of(text), ERROR_INVALID_VALUE, "[\"query\"]", "The query has too many parameters.");
}

static void every_finding_is_told(void **state)
{
	(void)state;
	struct outcome *outcome = read_query(SPAN("limit=0&after=&x=1"));
	assert_int_equal(outcome->findings.count, 2);
}

static void running_out_of_memory_is_told(void **state)
{
	(void)state;
	for (size_t limit = 1; limit < 700; limit++) {
		struct arena arena;
		struct findings findings;
		struct models_query query;
		arena_init(&arena, limit);
		bool good = query_read(SPAN("limit=20&after=demo"), &models_query_fields, &arena, &query, &findings);
		assert_int_equal(good, !arena_failed(&arena));
		assert_true(good || (findings.count == 1 && findings.list[0].code == ERROR_OVERLOADED));
		arena_fini(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(values_become_what_their_rows_ask_for, setup),
	    cmocka_unit_test_setup(an_empty_query_has_nothing_in_it, setup),
	    cmocka_unit_test_setup(names_and_values_are_percent_decoded, setup),
	    cmocka_unit_test_setup(a_value_of_the_wrong_kind_is_told_with_its_place, setup),
	    cmocka_unit_test_setup(a_value_out_of_bounds_is_told_with_its_place, setup),
	    cmocka_unit_test_setup(an_unknown_name_is_passed_over_where_the_table_allows_it, setup),
	    cmocka_unit_test_setup(an_unknown_name_gets_a_suggestion, setup),
	    cmocka_unit_test_setup(a_name_given_twice_is_refused, setup),
	    cmocka_unit_test_setup(bytes_that_are_no_text_are_refused, setup),
	    cmocka_unit_test_setup(a_query_of_very_many_parameters_is_refused_early, setup),
	    cmocka_unit_test_setup(every_finding_is_told, setup),
	    cmocka_unit_test_setup(running_out_of_memory_is_told, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
