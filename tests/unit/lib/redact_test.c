/* SPDX-License-Identifier: MIT */
/* Credentials in other people's words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/redact.h"

static void credentials_are_taken_out_and_the_rest_stays(void **state)
{
	static const char *const rows[][2] = {
	    {"Incorrect API key provided: Bearer sk-abcdefgh.", "Incorrect API key provided: Bearer [redacted]"},
	    {"key sk-proj-0123456789, ok", "key [redacted], ok"},
	    {"key s3cret!x is wrong", "key [redacted]x is wrong"},
	    {"masked sk-abcd****wxyz", "masked [redacted]"},
	    {"{\"error\":\"gsk_0123456789\"}", "{\"error\":\"[redacted]\"}"},
	    {"a risk-averse task-oriented ask-me", "a risk-averse task-oriented ask-me"},
	    {"sk-1", "sk-1"},
	    {"The bearer of news", "The bearer [redacted] news"},
	    {"for gpt-4 in organization org-AbCdEfGh1234 on tokens", "for gpt-4 in organization [redacted] on tokens"},
	    {"in organization `org_01jabcdefgh` service", "in organization `[redacted]` service"},
	    {"your organization's (0f3e1c2a-1111-2222) rate", "your organization's ([redacted]) rate"},
	    {"account org-0123456789<ak-0123456789> is", "account [redacted]<[redacted]> is"},
	    {"{\"user_id\":\"user_2abcdefgh\"}", "{\"user_id\":\"[redacted]\"}"},
	    {"an org-structure of a project manager", "an org-structure of a project manager"},
	    {"the user_message of a team member", "the user_message of a team member"},
	    {"", ""},
	};
	struct arena arena;
	(void)state;
	arena_init(&arena, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span text = redact(span_of(rows[i][0]), "s3cret!", &arena);
		if (!span_is(text, rows[i][1]))
			fail_msg("%s: %.*s", rows[i][0], SPAN_ARG(text));
	}
	struct span escaped = redact(SPAN("a k\\/3\\/y here"), "k/3/y", &arena);
	assert_true(span_is(escaped, "a [redacted] here"));
	struct span clean = SPAN("nothing to hide");
	assert_ptr_equal(redact(clean, NULL, &arena).at, clean.at);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(credentials_are_taken_out_and_the_rest_stays)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
