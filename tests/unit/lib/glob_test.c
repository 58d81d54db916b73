/* SPDX-License-Identifier: MIT */
/* Patterns of names against names, and against a plain reading of what a star means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/glob.h"

static void stars_stand_for_any_characters(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} rows[] = {
	    {"demo", "demo", true},    {"demo", "demo2", false}, {"demo", "Demo", false},
	    {"demo", "", false},       {"*", "", true},          {"*", "a/b", true},
	    {"gpt-*", "gpt-4o", true}, {"gpt-*", "gpt-", true},  {"gpt-*", "my-gpt-4", false},
	    {"*-4", "my-gpt-4", true}, {"a*b*c", "a1b2c", true}, {"a*b*c", "a1c2b", false},
	    {"a*b*c", "abbbc", true},  {"**", "x", true},        {"?", "a", false},
	    {"[a]", "a", false},       {"", "", true},           {"", "a", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (glob_matches(span_of(rows[i].pattern), span_of(rows[i].text)) != rows[i].matches)
			fail_msg("%s against %s", rows[i].text, rows[i].pattern);
}

static bool plainly(const char *pattern, const char *text)
{
	if (*pattern == '*')
		return plainly(pattern + 1, text) || (*text != '\0' && plainly(pattern, text + 1));
	return *pattern == *text && (*pattern == '\0' || plainly(pattern + 1, text + 1));
}

static void random_patterns_match_as_a_plain_reader_says(void **state)
{
	char pattern[8], text[10];
	(void)state;
	srandom(20);
	for (int round = 0; round < 200000; round++) {
		size_t size = (size_t)random() % sizeof(pattern), len = (size_t)random() % sizeof(text);
		for (size_t i = 0; i < size; i++)
			pattern[i] = "ab*"[random() % 3];
		for (size_t i = 0; i < len; i++)
			text[i] = "ab"[random() % 2];
		pattern[size] = text[len] = '\0';
		if (glob_matches(span_of(pattern), span_of(text)) != plainly(pattern, text))
			fail_msg("%s against %s", text, pattern);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(stars_stand_for_any_characters),
	    cmocka_unit_test(random_patterns_match_as_a_plain_reader_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
