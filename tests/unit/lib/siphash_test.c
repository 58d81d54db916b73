/* SPDX-License-Identifier: MIT */
/* SipHash-2-4-128 against vectors of its authors (vectors_sip128): the secret 00 01 … 0f, texts 00 01 …. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/siphash.h"

static void tags_are_those_of_the_authors(void **state)
{
	static const struct {
		size_t len;
		const char *tag;
	} rows[] = {
	    {0, "a3817f04ba25a8e66df67214c7550293"},  {1, "da87c1d86b99af44347659119b22fc45"},
	    {8, "3b62a9ba6258f5610f83e264f31497b4"},  {15, "5493e99933b0a8117e08ec0f97cfc3d9"},
	    {54, "dce850110bd8328cfbd50841d6911d87"},
	};
	unsigned char secret[SIPHASH_SECRET], text[64], tag[SIPHASH_TAG];
	char hex[2 * SIPHASH_TAG + 1];
	(void)state;
	for (unsigned i = 0; i < 64; i++)
		text[i] = (unsigned char)i;
	memcpy(secret, text, sizeof(secret));
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		siphash(secret, (struct span){(char *)text, rows[row].len}, tag);
		for (size_t i = 0; i < sizeof(tag); i++)
			snprintf(hex + 2 * i, 3, "%02x", tag[i]);
		assert_string_equal(hex, rows[row].tag);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(tags_are_those_of_the_authors)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
