/* SPDX-License-Identifier: MIT */
/* The table of operations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schemas/operations.h"

static void paths_match_exactly_or_with_their_argument(void **state)
{
	(void)state;
	struct span argument = {NULL, 0};
	assert_true(operation_matches(OPERATION_MODELS, SPAN("/v1/models"), &argument));
	assert_null(argument.at);
	assert_false(operation_matches(OPERATION_MODELS, SPAN("/v1/models/"), &argument));
	assert_false(operation_matches(OPERATION_MODEL, SPAN("/v1/models/"), &argument));
	assert_true(operation_matches(OPERATION_MODEL, SPAN("/v1/models/a/b"), &argument));
	assert_true(span_is(argument, "a/b"));
	assert_true(operation_matches(OPERATION_KEY, SPAN("/admin/keys/4kQ9xYb2"), &argument));
	assert_true(span_is(argument, "4kQ9xYb2"));
	assert_false(operation_matches(OPERATION_KEY, SPAN("/admin/keys/4kQ9xYb2/rotate"), &argument));
	assert_true(operation_matches(OPERATION_KEY_ROTATE, SPAN("/admin/keys/4kQ9xYb3/rotate"), &argument));
	assert_true(span_is(argument, "4kQ9xYb3"));
	assert_false(operation_matches(OPERATION_KEY_ROTATE, SPAN("/admin/keys//rotate"), &argument));
	assert_false(operation_matches(OPERATION_KEY_ROTATE, SPAN("/admin/keys/a/b/rotate"), &argument));
	assert_false(operation_matches(OPERATION_KEY_ROTATE, SPAN("/admin/keys/rotate"), &argument));
	assert_false(operation_matches(OPERATION_CHAT, SPAN("/v1/chat/completionsx"), &argument));
	assert_false(operation_matches(OPERATION_CHAT, SPAN(""), &argument));
}

static void errors_belong_to_the_operations_that_can_tell_them(void **state)
{
	(void)state;
	const struct operation_row *chat = operation_row(OPERATION_CHAT);
	const struct operation_row *models = operation_row(OPERATION_MODELS);
	const struct operation_row *model = operation_row(OPERATION_MODEL);
	assert_true(operation_can_fail_with(chat, ERROR_INVALID_JSON));
	assert_true(operation_can_fail_with(chat, ERROR_UPSTREAM_TOO_LARGE));
	assert_false(operation_can_fail_with(operation_row(OPERATION_EMBEDDINGS), ERROR_UPSTREAM_TOO_LARGE));
	assert_true(operation_can_fail_with(models, ERROR_UNSUPPORTED_PARAMETER));
	assert_true(operation_can_fail_with(models, ERROR_MODEL_NOT_FOUND));
	assert_true(operation_can_fail_with(model, ERROR_MODEL_NOT_FOUND));
	assert_true(operation_can_fail_with(operation_row(OPERATION_LIVEZ), ERROR_OVERLOADED));
	for (enum operation operation = 0; operation < OPERATION_COUNT; operation++)
		assert_int_equal(operation_can_fail_with(operation_row(operation), ERROR_NOT_FOUND),
				 operation == OPERATION_DOCS || operation == OPERATION_DOCS_FILE);
}

static void an_argument_is_a_member_of_the_answer(void **state)
{
	(void)state;
	assert_string_equal(operation_argument(operation_row(OPERATION_MODEL))->name, "id");
	for (enum operation operation = 0; operation < OPERATION_COUNT; operation++) {
		const struct operation_row *row = operation_row(operation);
		assert_int_equal(operation_argument(row) != NULL, strchr(row->path, '{') != NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(paths_match_exactly_or_with_their_argument),
	    cmocka_unit_test(errors_belong_to_the_operations_that_can_tell_them),
	    cmocka_unit_test(an_argument_is_a_member_of_the_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
