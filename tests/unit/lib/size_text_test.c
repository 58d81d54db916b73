/* SPDX-License-Identifier: MIT */
/* Sizes as people write them. */
#include "lib/size_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_size_has_the_unit_that_fits(void **state)
{
	static const struct {
		size_t bytes;
		const char *text;
	} rows[] = {
	    {0, "0 bytes"},
	    {999, "999 bytes"},
	    {1000, "1.0 kB"},
	    {1024, "1 KiB"},
	    {4096, "4 KiB"},
	    {4097, "4.1 kB"},
	    {5000000, "5.0 MB"},
	    {32 << 20, "32 MiB"},
	    {(32 << 20) + 1, "33.6 MB"},
	    {(size_t)3 << 30, "3 GiB"},
	    {((size_t)3 << 30) + 1, "3.2 GB"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[SIZE_TEXT_MAX];
		assert_string_equal(size_text(rows[i].bytes, text), rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_size_has_the_unit_that_fits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
