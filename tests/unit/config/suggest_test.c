/* SPDX-License-Identifier: MIT */
/* "Did you mean …?" */
#include "tests/unit/config/fixture.h"

#include "config/suggest.h"

static const char *const words[] = {"connect", "idle", "total", "first_content", "url"};

static const char *nearest(const char *wanted)
{
	static char text[SUGGEST_TEXT_MAX];
	struct suggestion near = suggest(span_of(wanted));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		suggest_offer(&near, span_of(words[i]));
	return suggest_text(&near, text);
}

static void a_small_slip_finds_the_word(void **state)
{
	(void)state;
	assert_string_equal(nearest("conect"), "; did you mean \"connect\"?");
	assert_string_equal(nearest("connects"), "; did you mean \"connect\"?");
	assert_string_equal(nearest("conncet"), "; did you mean \"connect\"?");
	assert_string_equal(nearest("first-content"), "; did you mean \"first_content\"?");
	assert_string_equal(nearest("ilde"), "; did you mean \"idle\"?");
}

static void a_swap_of_neighbours_is_one_slip(void **state)
{
	(void)state;
	struct suggestion near = suggest(SPAN("dile"));
	suggest_offer(&near, SPAN("idle"));
	assert_int_equal(near.distance, 1);
}

static void another_word_is_not_suggested(void **state)
{
	(void)state;
	assert_string_equal(nearest("keepalive"), "");
	assert_string_equal(nearest("x"), "");
	assert_string_equal(nearest(""), "");
}

static void very_long_words_are_harmless(void **state)
{
	(void)state;
	char large[5000];
	memset(large, 'c', sizeof(large));
	struct suggestion near = suggest((struct span){large, sizeof(large)});
	suggest_offer(&near, SPAN("connect"));
	assert_null(near.best.at);
	near = suggest(SPAN("connect"));
	suggest_offer(&near, (struct span){large, sizeof(large)});
	assert_null(near.best.at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_small_slip_finds_the_word),
	    cmocka_unit_test(a_swap_of_neighbours_is_one_slip),
	    cmocka_unit_test(another_word_is_not_suggested),
	    cmocka_unit_test(very_long_words_are_harmless),
	};
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
