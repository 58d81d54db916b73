/* SPDX-License-Identifier: MIT */
/* The form of keys: what is one, what its checksum catches, and that new ones differ. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/api_key.h"

static void checksum_is(const char *text, const char *check)
{
	char made[API_KEY_CHECK + 1] = "";
	api_key_checksum(span_of(text), made);
	assert_string_equal(made, check);
}

/* CRC-32 of "123456789" is 0xcbf43926 by every catalogue: 3421780262 in base 62. */
static void the_checksum_is_crc32_in_62_digits(void **state)
{
	(void)state;
	checksum_is("", "000000");
	checksum_is("123456789", "3jZRME");
}

static void a_new_key_is_one(void **state)
{
	char key[API_KEY_LENGTH + 1];
	struct span id;
	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_true(api_key_make(key));
		assert_int_equal(strlen(key), API_KEY_LENGTH);
		assert_true(api_key_parse(span_of(key), &id));
		assert_ptr_equal(id.at, key + strlen(API_KEY_PREFIX));
		assert_int_equal(id.len, API_KEY_ID);
		assert_true(api_key_is_id(id));
	}
}

static void a_new_secret_keeps_the_id(void **state)
{
	char key[API_KEY_LENGTH + 1], other[API_KEY_LENGTH + 1];
	struct span id, same;
	(void)state;
	assert_true(api_key_make(key));
	assert_true(api_key_parse(span_of(key), &id));
	assert_true(api_key_make_as(id, other));
	assert_int_equal(strlen(other), API_KEY_LENGTH);
	assert_true(api_key_parse(span_of(other), &same));
	assert_true(span_equal(id, same));
	assert_string_not_equal(key, other);
}

static void new_keys_use_all_digits_and_differ(void **state)
{
	char keys[200][API_KEY_LENGTH + 1];
	unsigned seen[256] = {0};
	(void)state;
	for (int i = 0; i < 200; i++) {
		assert_true(api_key_make(keys[i]));
		for (int before = 0; before < i; before++)
			assert_string_not_equal(keys[i], keys[before]);
		for (size_t at = strlen(API_KEY_PREFIX); at < API_KEY_LENGTH; at++)
			seen[(unsigned char)keys[i][at]]++;
	}
	for (char c = '0'; c <= 'z'; c++) /* 8,800 digits: each comes 142 times, give or take */
		if ((c <= '9') || (c >= 'A' && c <= 'Z') || c >= 'a')
			assert_true(seen[(unsigned char)c] > 50);
}

/* Every change of one character, every swap of neighbours, every lost or added character. */
static void a_typo_is_no_key(void **state)
{
	char key[API_KEY_LENGTH + 1], typo[API_KEY_LENGTH + 2];
	struct span id;
	(void)state;
	assert_true(api_key_make(key));
	for (size_t at = 0; at < API_KEY_LENGTH; at++) {
		for (int c = 0; c < 256; c++) {
			memcpy(typo, key, sizeof(key));
			typo[at] = (char)c;
			if (typo[at] != key[at])
				assert_false(api_key_parse((struct span){typo, API_KEY_LENGTH}, &id));
		}
		memcpy(typo, key, sizeof(key));
		if (at > 0 && key[at] != key[at - 1]) {
			typo[at] = key[at - 1];
			typo[at - 1] = key[at];
			assert_false(api_key_parse((struct span){typo, API_KEY_LENGTH}, &id));
		}
		assert_false(api_key_parse((struct span){key, at}, &id));
	}
	memcpy(typo, key, sizeof(key));
	typo[API_KEY_LENGTH] = '0';
	assert_false(api_key_parse((struct span){typo, API_KEY_LENGTH + 1}, &id));
	assert_false(api_key_parse((struct span){NULL, 0}, &id));
}

static void other_services_keys_are_none(void **state)
{
	static const char *const others[] = {"sk-proj-0123456789abcdef0123456789abcdef0123456789ABCD",
					     "sk-ant-api03-0123456789abcdef0123456789abcdef0123456789",
					     "SK-SLUICE-00000000000000000000000000000000000000000000",
					     "sk-sluice-00000000000000000000000000000000000000000000"};
	struct span id;
	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(api_key_parse(span_of(others[i]), &id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_checksum_is_crc32_in_62_digits),
	    cmocka_unit_test(a_new_key_is_one),
	    cmocka_unit_test(a_new_secret_keeps_the_id),
	    cmocka_unit_test(new_keys_use_all_digits_and_differ),
	    cmocka_unit_test(a_typo_is_no_key),
	    cmocka_unit_test(other_services_keys_are_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
