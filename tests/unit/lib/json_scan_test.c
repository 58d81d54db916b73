/* SPDX-License-Identifier: MIT */
/* Whole and cut documents, in pieces of every size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/json_scan.h"

static bool is_whole(const char *text, size_t piece)
{
	struct json_scan scan = {.depth = 0};
	struct span all = span_of(text);
	for (size_t at = 0; at < all.len; at += piece) {
		size_t len = all.len - at < piece ? all.len - at : piece;
		if (!json_scan_add(&scan, (struct span){all.at + at, len}))
			return false;
	}
	return json_scan_is_whole(&scan);
}

static void a_document_is_whole_when_its_brackets_pair_and_nothing_follows(void **state)
{
	static const struct {
		const char *text;
		bool whole;
	} rows[] = {
	    {"{}", true},
	    {" {\"a\":[1,{\"b\":\"]}\\\"\\\\\"}]}\n ", true},
	    {"[[[]],{}]", true},
	    {"{", false},
	    {"{\"a\":[1,2}", false},
	    {"{\"a\":\"b", false},
	    {"{\"a\":\"b\\\"}", false},
	    {"{}{}", false},
	    {"{}x", false},
	    {"}", false},
	    {"x{}", false},
	    {"", false},
	    {"   ", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t piece = 1; piece < 8; piece++)
			if (is_whole(rows[i].text, piece) != rows[i].whole)
				fail_msg("%s in pieces of %zu", rows[i].text, piece);
}

static void nesting_beyond_the_levels_is_refused(void **state)
{
	struct json_scan scan = {.depth = 0};
	(void)state;
	for (unsigned i = 0; i < JSON_SCAN_DEPTH; i++)
		assert_true(json_scan_add(&scan, SPAN("[")));
	assert_false(json_scan_add(&scan, SPAN("[")));
	assert_false(json_scan_is_whole(&scan));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_document_is_whole_when_its_brackets_pair_and_nothing_follows),
	    cmocka_unit_test(nesting_beyond_the_levels_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
