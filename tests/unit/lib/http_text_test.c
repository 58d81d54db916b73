/* SPDX-License-Identifier: MIT */
/* Tokens, lists and media types of header fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/http_text.h"
#include "lib/media_type.h"

static void a_list_is_taken_apart_and_trimmed(void **state)
{
	(void)state;
	struct span rest = SPAN(" a ,\tb,, c d");
	assert_true(span_is(http_take(&rest, ','), "a"));
	assert_true(span_is(http_take(&rest, ','), "b"));
	assert_true(span_is(http_take(&rest, ','), ""));
	assert_non_null(rest.at);
	assert_true(span_is(http_take(&rest, ','), "c d"));
	assert_null(rest.at);
	assert_true(span_is(http_trim(SPAN(" \t ")), ""));
}

static void tokens_have_no_separators(void **state)
{
	(void)state;
	static const char good[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	assert_true(http_is_token(SPAN("x-stainless-lang")));
	assert_false(http_is_token(SPAN("")));
	for (unsigned byte = 0; byte < 256; byte++) {
		char name[] = {'a', (char)(unsigned char)byte, 'z'};
		bool wanted = byte != 0 && strchr(good, (int)byte) != NULL;
		if (http_is_token((struct span){name, sizeof(name)}) != wanted)
			fail_msg("byte %u is%s in a token", byte, wanted ? " not" : "");
	}
}

static void a_media_type_is_known_by_its_name_alone(void **state)
{
	(void)state;
	assert_true(media_type_is(SPAN("application/json"), "application/json"));
	assert_true(media_type_is(SPAN("Application/JSON ; charset=utf-8"), "application/json"));
	assert_false(media_type_is(SPAN("application/jsonp"), "application/json"));
	assert_false(media_type_is(SPAN("application/json5;x"), "application/json"));
	assert_false(media_type_is(SPAN("text/event-streams"), "text/event-stream"));
	assert_false(media_type_is(SPAN(""), "application/json"));
	assert_false(media_type_is((struct span){NULL, 0}, "application/json"));
}

static void only_an_explicit_wish_is_accepted(void **state)
{
	(void)state;
	static const struct {
		const char *accept;
		bool accepted;
	} cases[] = {
	    {"application/problem+json", true},
	    {"application/json, APPLICATION/problem+json;q=0.1", true},
	    {"application/problem+json;charset=utf-8", true},
	    {"application/problem+json;q=0", false},
	    {"application/problem+json; q=0.000, */*", false},
	    {"*/*", false},
	    {"application/*", false},
	    {"application/json", false},
	    {"application/problem+jsonx", false},
	    {"", false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (media_type_accepted(span_of(cases[i].accept), "application/problem+json") != cases[i].accepted)
			fail_msg("Accept: %s", cases[i].accept);
	assert_false(media_type_accepted((struct span){NULL, 0}, "application/problem+json"));
}

/* Every byte, at every place of values of up to four words. */
static void control_characters_make_no_value(void **state)
{
	enum { LONGEST = 33 };
	char text[LONGEST];
	(void)state;
	assert_true(http_is_field_value((struct span){NULL, 0}));
	for (size_t len = 1; len <= LONGEST; len++) {
		for (size_t at = 0; at < len; at++) {
			for (int byte = 0; byte < 256; byte++) {
				bool allowed = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
				memset(text, len % 2 == 0 ? 'a' : '\xff', len);
				text[at] = (char)byte;
				if (http_is_field_value((struct span){text, len}) != allowed)
					fail_msg("byte %d at %zu of %zu", byte, at, len);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_list_is_taken_apart_and_trimmed),
	    cmocka_unit_test(tokens_have_no_separators),
	    cmocka_unit_test(control_characters_make_no_value),
	    cmocka_unit_test(a_media_type_is_known_by_its_name_alone),
	    cmocka_unit_test(only_an_explicit_wish_is_accepted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
