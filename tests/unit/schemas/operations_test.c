/* SPDX-License-Identifier: MIT */
/* The table of operations and the OpenAPI document made from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/json.h"
#include "schemas/openapi.h"
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
	assert_false(operation_matches(OPERATION_CHAT, SPAN("/v1/chat/completionsx"), &argument));
	assert_false(operation_matches(OPERATION_CHAT, SPAN(""), &argument));
}

static void the_document_holds_every_operation_and_refers_to_nothing_missing(void **state)
{
	(void)state;
	struct buf text;
	struct arena arena;
	struct json json;
	struct json_error error;
	buf_init(&text, 1 << 24);
	arena_init(&arena, 0);
	openapi_write(&text);
	assert_true(json_parse(&json, &arena, buf_span(&text), 64, &error));
	uint32_t paths = json_member(&json, 0, "paths");
	uint32_t schemas = json_member(&json, json_member(&json, 0, "components"), "schemas");
	for (enum operation operation = 0; operation < OPERATION_COUNT; operation++)
		assert_int_not_equal(json_member(&json, paths, operation_row(operation)->path), JSON_NONE);
	for (uint32_t at = 0; at < json.node_count; at++) {
		static const char prefix[] = "#/components/schemas/";
		if (json_type(&json, at) != JSON_STRING)
			continue;
		struct span value = json_string(&json, at, &arena);
		if (value.len <= sizeof(prefix) || memcmp(value.at, prefix, sizeof(prefix) - 1) != 0)
			continue;
		char name[128];
		snprintf(name, sizeof(name), "%.*s", (int)(value.len - sizeof(prefix) + 1),
			 value.at + sizeof(prefix) - 1);
		assert_int_not_equal(json_member(&json, schemas, name), JSON_NONE);
	}
	arena_fini(&arena);
	buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(paths_match_exactly_or_with_their_argument),
	    cmocka_unit_test(the_document_holds_every_operation_and_refers_to_nothing_missing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
