/* SPDX-License-Identifier: MIT */
/* HMAC-SHA-256 against the vectors of RFC 4231, and the comparison. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/hmac.h"

static char bytes_aa[131], bytes_0b[20], bytes_dd[50];

static void sum_is(struct span key, struct span text, const char *expected)
{
	unsigned char sum[HMAC_SIZE];
	char hex[2 * HMAC_SIZE + 1];
	struct hmac *hmac = hmac_create(key);
	assert_non_null(hmac);
	for (int again = 0; again < 2; again++) { /* a key is good for many sums */
		assert_true(hmac_sum(hmac, text, sum));
		for (size_t i = 0; i < HMAC_SIZE; i++)
			snprintf(hex + 2 * i, 3, "%02x", sum[i]);
		assert_string_equal(hex, expected);
	}
	hmac_destroy(hmac);
}

static void sums_are_those_of_rfc_4231(void **state)
{
	(void)state;
	memset(bytes_aa, 0xaa, sizeof(bytes_aa));
	memset(bytes_0b, 0x0b, sizeof(bytes_0b));
	memset(bytes_dd, 0xdd, sizeof(bytes_dd));
	sum_is((struct span){bytes_0b, 20}, SPAN("Hi There"),
	       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	sum_is(SPAN("Jefe"), SPAN("what do ya want for nothing?"),
	       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	sum_is((struct span){bytes_aa, 20}, (struct span){bytes_dd, 50},
	       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
	sum_is((struct span){bytes_aa, 131}, SPAN("Test Using Larger Than Block-Size Key - Hash Key First"),
	       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	sum_is((struct span){bytes_aa, 131},
	       SPAN("This is a test using a larger than block-size key and a larger than block-size data. The key "
		    "needs to be hashed before being used by the HMAC algorithm."),
	       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

static void one_bit_anywhere_is_a_difference(void **state)
{
	unsigned char a[HMAC_SIZE] = {7}, b[HMAC_SIZE] = {7};
	(void)state;
	assert_true(hmac_equal(a, b, sizeof(a)));
	for (size_t i = 0; i < sizeof(a); i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			b[i] ^= (unsigned char)(1u << bit);
			assert_false(hmac_equal(a, b, sizeof(a)));
			b[i] ^= (unsigned char)(1u << bit);
		}
	assert_true(hmac_equal(a, b, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sums_are_those_of_rfc_4231),
	    cmocka_unit_test(one_bit_anywhere_is_a_difference),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
