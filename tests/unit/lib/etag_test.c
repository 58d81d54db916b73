/* SPDX-License-Identifier: MIT */
/* Entity tags: their value, and which lists name one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/etag.h"

static void a_tag_is_the_fnv_hash_of_the_body(void **state)
{
	(void)state;
	char etag[ETAG_SIZE]; /* published test vectors of FNV-1a, 128 bits */
	etag_write(SPAN(""), etag);
	assert_string_equal(etag, "\"6c62272e07bb014262b821756295c58d\"");
	etag_write(SPAN("a"), etag);
	assert_string_equal(etag, "\"d228cb696f1a8caf78912b704e4a8964\"");
	etag_write(SPAN("foobar"), etag);
	assert_string_equal(etag, "\"343e1662793c64bf6f0d3597ba446f18\"");
}

static void check(const char *list, bool matches)
{
	if (etag_matches(span_of(list), SPAN("\"abc\"")) != matches)
		fail_msg("If-None-Match: %s", list);
}

static void a_list_matches_when_it_names_the_tag(void **state)
{
	(void)state;
	check("\"abc\"", true);
	check("W/\"abc\"", true);
	check("\"x\", \"abc\"", true);
	check("\"x\",W/\"y\" ,\t\"abc\"  ", true);
	check("\"a,b\", \"abc\"", true);
	check(", ,\"abc\"", true);
	check("*", true);
	check(" * ", true);
}

static void a_list_without_the_tag_does_not_match(void **state)
{
	(void)state;
	static const char *const lists[] = {"",      "\"ab\"",    "\"abcd\"",     "\"ABC\"", "abc",
					    "\"abc", "w/\"abc\"", "\"x,\"abc,\"", "**",      "\"*\"",
					    "W/",    "W/abc",     "\"",           ",",       "x \"abc\""};
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		check(lists[i], false);
	assert_false(etag_matches((struct span){NULL, 0}, SPAN("\"abc\"")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_tag_is_the_fnv_hash_of_the_body),
	    cmocka_unit_test(a_list_matches_when_it_names_the_tag),
	    cmocka_unit_test(a_list_without_the_tag_does_not_match),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
