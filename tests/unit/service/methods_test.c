/* SPDX-License-Identifier: MIT */
/* What the table of operations becomes in heads: Allow, Deprecation, Sunset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/methods.h"
#include "service/deprecation.h"

static const struct config closed = {.public_set = 0};
static const struct surface operators = {.config = &closed, .admin = true, .page = true}; /* all operations */
static const struct surface clients = {.config = &closed};

static void check_allow(const char *path, const char *want)
{
	char allow[METHODS_ALLOW_SIZE];
	assert_true(methods_allow(&operators, span_of(path), allow));
	assert_string_equal(allow, want);
}

static void allow_holds_what_follows_from_the_methods(void **state)
{
	(void)state;
	char allow[METHODS_ALLOW_SIZE];
	check_allow("/v1/models", "GET, HEAD, OPTIONS");
	check_allow("/v1/models/a/b", "GET, HEAD, OPTIONS");
	check_allow("/v1/chat/completions", "POST, OPTIONS");
	check_allow("*", "POST, GET, HEAD, DELETE, PATCH, OPTIONS");
	check_allow("/admin/cache", "GET, HEAD, DELETE, OPTIONS");
	check_allow("/admin/keys", "GET, HEAD, POST, OPTIONS");
	check_allow("/admin/keys/x", "GET, HEAD, PATCH, DELETE, OPTIONS");
	check_allow("/admin/keys/x/rotate", "POST, OPTIONS");
	assert_false(methods_allow(&operators, SPAN("/admin/keys/x/y"), allow));
	assert_false(methods_allow(&operators, SPAN("/v1/models/"), allow));
	assert_false(methods_allow(&operators, SPAN("/**"), allow));
	assert_false(methods_allow(&operators, SPAN(""), allow));
}

static void a_public_listener_has_the_methods_of_what_it_serves(void **state)
{
	static const struct config with_admin = {.public_set = 1u << CONFIG_PUBLIC_ADMIN};
	static const struct surface opened = {.config = &with_admin};
	char allow[METHODS_ALLOW_SIZE];
	(void)state;
	assert_true(methods_allow(&clients, SPAN("*"), allow));
	assert_string_equal(allow, "POST, GET, HEAD, DELETE, OPTIONS");
	assert_false(methods_allow(&clients, SPAN("/admin/cache"), allow));
	assert_true(methods_allow(&opened, SPAN("*"), allow));
	assert_string_equal(allow, "POST, GET, HEAD, DELETE, PATCH, OPTIONS");
}

static void an_operation_is_found_by_path_and_method(void **state)
{
	(void)state;
	struct span argument = {NULL, 0};
	assert_int_equal(methods_find(SPAN("/v1/models/x"), SPAN("GET"), &argument), OPERATION_MODEL);
	assert_true(span_is(argument, "x"));
	assert_int_equal(methods_find(SPAN("/livez"), SPAN("HEAD"), &argument), OPERATION_LIVEZ);
	assert_int_equal(methods_find(SPAN("/v1/embeddings"), SPAN("POST"), &argument), OPERATION_EMBEDDINGS);
	assert_int_equal(methods_find(SPAN("/v1/embeddings"), SPAN("HEAD"), &argument), OPERATION_COUNT);
	assert_int_equal(methods_find(SPAN("/livez"), SPAN("get"), &argument), OPERATION_COUNT);
	assert_int_equal(methods_find(SPAN("/nowhere"), SPAN("GET"), &argument), OPERATION_COUNT);
}

static void every_method_of_the_table_fits_into_allow(void **state)
{
	(void)state;
	char allow[METHODS_ALLOW_SIZE];
	assert_true(methods_allow(&operators, SPAN("*"), allow));
	assert_true(strlen(allow) < METHODS_ALLOW_SIZE - 1);
	assert_non_null(strstr(allow, ", OPTIONS"));
}

static void an_ageing_operation_tells_both_dates(void **state)
{
	(void)state;
	struct deprecation notice = deprecation_of("2026-11-23", "2027-02-28");
	assert_string_equal(notice.deprecation, "@1795392000");
	assert_string_equal(notice.sunset, "Sun, 28 Feb 2027 00:00:00 GMT");
	notice = deprecation_of("1970-01-01", NULL);
	assert_string_equal(notice.deprecation, "@0");
	assert_string_equal(notice.sunset, "");
	notice = deprecation_of(NULL, NULL);
	assert_string_equal(notice.deprecation, "");
}

static void what_is_no_day_is_not_told(void **state)
{
	(void)state;
	static const char *const days[] = {"",           "2026-11",    "2026-02-30",  "2026-13-01", "2026-11-23T",
					   "2026-11-2x", "23.11.2026", " 2026-11-23", "2026-1-023"};
	for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++) {
		struct deprecation notice = deprecation_of(days[i], days[i]);
		if (notice.deprecation[0] != '\0' || notice.sunset[0] != '\0')
			fail_msg("\"%s\" gave %s, %s", days[i], notice.deprecation, notice.sunset);
	}
}

static void every_day_of_the_table_is_one(void **state)
{
	(void)state;
	int64_t seconds;
	for (enum operation operation = 0; operation < OPERATION_COUNT; operation++) {
		const struct operation_row *row = operation_row(operation);
		assert_true(row->deprecated == NULL || http_date_of_day(row->deprecated, &seconds));
		assert_true(row->sunset == NULL || http_date_of_day(row->sunset, &seconds));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(allow_holds_what_follows_from_the_methods),
	    cmocka_unit_test(a_public_listener_has_the_methods_of_what_it_serves),
	    cmocka_unit_test(an_operation_is_found_by_path_and_method),
	    cmocka_unit_test(every_method_of_the_table_fits_into_allow),
	    cmocka_unit_test(an_ageing_operation_tells_both_dates),
	    cmocka_unit_test(what_is_no_day_is_not_told),
	    cmocka_unit_test(every_day_of_the_table_is_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
