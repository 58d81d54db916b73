/* SPDX-License-Identifier: MIT */
/* Base64url against the vectors of RFC 4648, section 10, and all that is not strict. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base64url.h"

static void texts_stand_for_the_bytes_of_rfc_4648(void **state)
{
	static const char *const rows[][2] = {
	    {"", ""},           {"Zg", "f"},          {"Zm8", "fo"},          {"Zm9v", "foo"},
	    {"Zm9vYg", "foob"}, {"Zm9vYmE", "fooba"}, {"Zm9vYmFy", "foobar"}, {"-_8", "\xfb\xff"}};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned char out[16];
		size_t len;
		assert_true(base64url_decode(span_of(rows[i][0]), out, sizeof(out), &len));
		assert_int_equal(len, base64url_size(strlen(rows[i][0])));
		assert_int_equal(len, strlen(rows[i][1]));
		assert_memory_equal(out, rows[i][1], len);
	}
}

static void other_texts_are_refused(void **state)
{
	static const char *const rows[] = {
	    "Z",     "A",     "Zm9vA", "Zm9vY", "Zg==", "Zg=",     "Zh",     "Zm9",   "Zm9w\n",
	    " Zm9v", "Zm 9v", "+/8",   "-/8",   "Zm.v", "Zm9\xc3", "Zm9vYm", "AAAAAB"};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned char out[16];
		size_t len;
		if (base64url_decode(span_of(rows[i]), out, sizeof(out), &len))
			fail_msg("%s", rows[i]);
	}
}

static void two_bytes_have_one_text_of_three_characters(void **state)
{
	static unsigned char seen[1 << 16];
	(void)state;
	for (unsigned a = 0; a < 128; a++)
		for (unsigned b = 0; b < 128; b++)
			for (unsigned c = 0; c < 128; c++) {
				const char text[3] = {(char)a, (char)b, (char)c};
				unsigned char out[2];
				size_t len;
				if (!base64url_decode((struct span){text, 3}, out, sizeof(out), &len))
					continue;
				assert_int_equal(len, 2);
				assert_int_equal(seen[out[0] << 8 | out[1]]++, 0);
			}
	for (size_t i = 0; i < sizeof(seen); i++)
		assert_int_equal(seen[i], 1);
}

static void a_text_that_needs_more_room_is_refused(void **state)
{
	unsigned char out[2];
	size_t len;
	(void)state;
	assert_false(base64url_decode(SPAN("Zm9v"), out, sizeof(out), &len));
	assert_true(base64url_decode(SPAN("Zm8"), out, sizeof(out), &len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(texts_stand_for_the_bytes_of_rfc_4648),
	    cmocka_unit_test(other_texts_are_refused),
	    cmocka_unit_test(two_bytes_have_one_text_of_three_characters),
	    cmocka_unit_test(a_text_that_needs_more_room_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
