/* SPDX-License-Identifier: MIT */
/* W3C Trace Context: what is continued and what is replaced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/random.h"
#include "lib/trace.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"

static void a_valid_trace_is_continued_under_a_new_span(void **state)
{
	(void)state;
	char out[TRACE_PARENT_SIZE];
	assert_true(trace_continue(SPAN("00-" TRACE "-b7ad6b7169203331-01"), out));
	assert_int_equal(strlen(out), 55);
	assert_memory_equal(out, "00-" TRACE "-", 36);
	assert_memory_not_equal(out + 36, "b7ad6b7169203331", 16);
	assert_string_equal(out + 52, "-01");
	assert_true(trace_continue(SPAN("00-" TRACE "-b7ad6b7169203331-00"), out));
	assert_string_equal(out + 52, "-00");
}

static void a_later_version_may_be_longer(void **state)
{
	(void)state;
	char out[TRACE_PARENT_SIZE];
	assert_true(trace_continue(SPAN("01-" TRACE "-b7ad6b7169203331-01-more"), out));
	assert_memory_equal(out, "00-" TRACE "-", 36);
}

static void anything_else_starts_a_new_trace(void **state)
{
	(void)state;
	static const char *const odd[] = {"",
					  "00",
					  "00-" TRACE "-b7ad6b7169203331-01-more",
					  "ff-" TRACE "-b7ad6b7169203331-01",
					  "00-00000000000000000000000000000000-b7ad6b7169203331-01",
					  "00-" TRACE "-0000000000000000-01",
					  "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
					  "00-" TRACE "-b7ad6b716920333g-01",
					  "00-" TRACE "+b7ad6b7169203331-01",
					  "00-" TRACE "-b7ad6b7169203331-0x"};
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		char out[TRACE_PARENT_SIZE];
		assert_false(trace_continue(span_of(odd[i]), out));
		assert_int_equal(strlen(out), 55);
		assert_memory_not_equal(out + 3, TRACE, 32);
		assert_true(trace_continue(span_of(out), out));
	}
}

static void ids_do_not_repeat(void **state)
{
	(void)state;
	char a[33];
	char b[33];
	random_hex(a, 16);
	random_hex(b, 16);
	assert_int_equal(strlen(a), 32);
	assert_string_not_equal(a, b);
	assert_int_equal(strspn(a, "0123456789abcdef"), 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_valid_trace_is_continued_under_a_new_span),
	    cmocka_unit_test(a_later_version_may_be_longer),
	    cmocka_unit_test(anything_else_starts_a_new_trace),
	    cmocka_unit_test(ids_do_not_repeat),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
