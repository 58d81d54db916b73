/* SPDX-License-Identifier: MIT */
/* Hexadecimal digits, against those of printf. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/hex.h"
#include "lib/random.h"

static void check(uint64_t value, size_t digits)
{
	char want[64];
	uint64_t again;
	struct buf text;
	buf_init(&text, 64);
	snprintf(want, sizeof(want), "%0*llx", (int)digits, (unsigned long long)value);
	assert_true(hex_append(&text, value, digits));
	assert_int_equal(buf_len(&text), strlen(want));
	assert_memory_equal(buf_span(&text).at, want, strlen(want));
	assert_true(hex_read(buf_span(&text), &again));
	assert_true(again == value);
	buf_fini(&text);
}

static void numbers_are_written_with_as_many_digits_as_they_need_or_are_asked_for(void **state)
{
	(void)state;
	for (size_t digits = 1; digits <= HEX_SIZE; digits++) {
		check(0, digits);
		for (unsigned bit = 0; bit < 64; bit++) {
			check(UINT64_C(1) << bit, digits);
			check((UINT64_C(1) << bit) - 1, digits);
			check(UINT64_C(0xfedcba9876543210) >> bit, digits);
		}
	}
}

static void eight_digits_are_written_at_once(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		char want[HEX_EIGHT + 1], got[HEX_EIGHT];
		uint32_t value = (uint32_t)random_u64();
		snprintf(want, sizeof(want), "%08x", value);
		hex_write_eight(got, value);
		assert_memory_equal(got, want, HEX_EIGHT);
	}
}

static void random_digits_are_as_many_as_asked_for(void **state)
{
	(void)state;
	for (size_t bytes = 1; bytes <= 40; bytes++) {
		char text[96];
		memset(text, '-', sizeof(text));
		random_hex(text, bytes);
		assert_int_equal(strlen(text), bytes * 2);
		assert_int_equal(strspn(text, "0123456789abcdef"), bytes * 2);
		assert_int_equal(text[bytes * 2 + 1], '-');
	}
}

static void the_secret_of_the_process_stays_the_same(void **state)
{
	(void)state;
	uint64_t secret = random_secret();
	assert_true(secret != 0);
	random_u64();
	assert_true(random_secret() == secret);
}

static void what_is_no_digit_is_refused(void **state)
{
	static const char *const texts[] = {"", "g", "12x", "11112222333344445"};
	uint64_t number;
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(hex_read(span_of(texts[i]), &number));
	assert_true(hex_read(SPAN("AbCdEf"), &number));
	assert_int_equal(number, 0xabcdef);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers_are_written_with_as_many_digits_as_they_need_or_are_asked_for),
	    cmocka_unit_test(eight_digits_are_written_at_once),
	    cmocka_unit_test(random_digits_are_as_many_as_asked_for),
	    cmocka_unit_test(the_secret_of_the_process_stays_the_same),
	    cmocka_unit_test(what_is_no_digit_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
