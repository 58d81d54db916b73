/* SPDX-License-Identifier: MIT */
/* Hashes are those that xxhash publishes, so that replicas of any build agree, and tell every flipped bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/hash.h"

static void they_are_the_published_ones(void **state)
{
	static const unsigned char nothing[HASH_CHECKSUM_SIZE] = {0x99, 0xaa, 0x06, 0xd3, 0x01, 0x47, 0x98, 0xd8,
								  0x60, 0x01, 0xc3, 0x24, 0x46, 0x8d, 0x49, 0x7f};
	static const unsigned char letter[HASH_CHECKSUM_SIZE] = {0xa9, 0x6f, 0xaf, 0x70, 0x5a, 0xf1, 0x68, 0x34,
								 0xe6, 0xc6, 0x32, 0xb6, 0x1e, 0x96, 0x4e, 0x1f};
	char checksum[HASH_CHECKSUM_SIZE];
	(void)state;
	hash_checksum(0, (struct span){NULL, 0}, checksum);
	assert_memory_equal(checksum, nothing, sizeof(nothing));
	hash_checksum(0, SPAN("a"), checksum);
	assert_memory_equal(checksum, letter, sizeof(letter));
	assert_true(hash_bytes(0, SPAN("a")) == UINT64_C(0xe6c632b61e964e1f));
	assert_true(hash_bytes(7, (struct span){NULL, 0}) == 7);
}

static void a_flipped_bit_is_told(void **state)
{
	static const size_t lengths[] = {1, 3, 8, 16, 17, 128, 129, 240, 241, 1024, 1500};
	char bytes[1500] = {0}, before[HASH_CHECKSUM_SIZE], after[HASH_CHECKSUM_SIZE];
	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct span span = {bytes, lengths[i]};
		uint64_t hash = hash_bytes(HASH_START, span);
		hash_checksum(7, span, before);
		for (size_t bit = 0; bit < span.len * 8; bit++) {
			bytes[bit / 8] = (char)(1 << bit % 8);
			hash_checksum(7, span, after);
			assert_memory_not_equal(after, before, sizeof(after));
			assert_true(hash_bytes(HASH_START, span) != hash);
			bytes[bit / 8] = 0;
		}
		hash_checksum(8, span, after);
		assert_memory_not_equal(after, before, sizeof(after));
		assert_true(hash_bytes(HASH_START + 1, span) != hash);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(they_are_the_published_ones),
	    cmocka_unit_test(a_flipped_bit_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
