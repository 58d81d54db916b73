/* SPDX-License-Identifier: MIT */
/* Percent-decoding: triples, what is none, and the form encoding's plus sign. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/percent.h"

static void check(const char *in, bool form, struct span want)
{
	char out[64];
	struct span got = percent_decode(span_of(in), form, out);
	if (!span_equal(got, want))
		fail_msg("%s became %.*s", in, SPAN_ARG(got));
}

static void triples_become_bytes(void **state)
{
	(void)state;
	check("", false, SPAN(""));
	check("plain", false, SPAN("plain"));
	check("a%2Fb%2fc", false, SPAN("a/b/c"));
	check("%e2%82%AC", false, SPAN("\xe2\x82\xac"));
	check("%00", false, SPAN("\0"));
	check("%252F", false, SPAN("%2F"));
}

static void what_is_no_triple_stands_for_itself(void **state)
{
	(void)state;
	check("%", false, SPAN("%"));
	check("%4", false, SPAN("%4"));
	check("%zz%4g%G4", false, SPAN("%zz%4g%G4"));
	check("100%%41", false, SPAN("100%A"));
}

static void plus_is_a_space_in_forms_only(void **state)
{
	(void)state;
	check("a+b%2Bc", true, SPAN("a b+c"));
	check("a+b", false, SPAN("a+b"));
}

static void text_may_be_decoded_in_place(void **state)
{
	(void)state;
	char text[] = "%41%42+";
	assert_true(span_is(percent_decode((struct span){text, 7}, true, text), "AB "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(triples_become_bytes),
	    cmocka_unit_test(what_is_no_triple_stands_for_itself),
	    cmocka_unit_test(plus_is_a_space_in_forms_only),
	    cmocka_unit_test(text_may_be_decoded_in_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
