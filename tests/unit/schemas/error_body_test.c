/* SPDX-License-Identifier: MIT */
/* The bodies of errors, in each form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schemas/dialect.h"
#include "schemas/error_body.h"

static void expect(enum error_form form, const struct error_told *told, const char *body)
{
	struct buf out;
	buf_init(&out, 4096);
	error_write(&out, form, NULL, told);
	assert_int_equal(buf_len(&out), strlen(body));
	assert_memory_equal(buf_span(&out).at, body, buf_len(&out));
	buf_fini(&out);
}

static void the_default_dialect_always_writes_four_members(void **state)
{
	(void)state;
	expect(ERROR_FORM_DIALECT, &(struct error_told){.code = ERROR_OVERLOADED},
	       "{\"error\":{\"message\":\"The gateway is out of memory or descriptors.\",\"type\":\"overloaded_error\","
	       "\"param\":null,\"code\":\"overloaded\"}}");
}

static void details_follow_only_when_there_are_some(void **state)
{
	(void)state;
	struct error_told told = {.code = ERROR_OVERLOADED,
				  .message = SPAN_INIT("a \"b\""),
				  .param = SPAN_INIT("model"),
				  .details = SPAN_INIT("[1]"),
				  .request_id = SPAN_INIT("not in this form")};
	expect(ERROR_FORM_DIALECT, &told,
	       "{\"error\":{\"message\":\"a \\\"b\\\"\",\"type\":\"overloaded_error\",\"param\":\"model\","
	       "\"code\":\"overloaded\",\"details\":[1]}}");
}

static void a_problem_has_the_status_of_the_answer(void **state)
{
	(void)state;
	struct error_told told = {.code = ERROR_OVERLOADED, .request_id = SPAN_INIT("req_1")};
	expect(ERROR_FORM_PROBLEM, &told,
	       "{\"type\":\"urn:sluice:error:overloaded\",\"title\":\"The gateway is out of memory or descriptors.\","
	       "\"status\":503,\"detail\":\"The gateway is out of memory or descriptors.\",\"request_id\":\"req_1\","
	       "\"param\":null,\"code\":\"overloaded\"}");
	told = (struct error_told){.code = ERROR_OVERLOADED, .status = 529, .message = SPAN_INIT("full")};
	expect(ERROR_FORM_PROBLEM, &told,
	       "{\"type\":\"urn:sluice:error:overloaded\",\"title\":\"The gateway is out of memory or descriptors.\","
	       "\"status\":529,\"detail\":\"full\",\"param\":null,\"code\":\"overloaded\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_default_dialect_always_writes_four_members),
	    cmocka_unit_test(details_follow_only_when_there_are_some),
	    cmocka_unit_test(a_problem_has_the_status_of_the_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
