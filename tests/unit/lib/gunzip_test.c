/* SPDX-License-Identifier: MIT */
/* Inflating with a bound: whole files, several members, damage, bombs. */
#include "lib/gunzip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <zlib.h>

enum { TEXT_LEN = 200000, CEILING = 1 << 20 };

static char text[TEXT_LEN];
static unsigned char packed[2 * TEXT_LEN];

/* Compresses len bytes of text to the end of what is packed already; returns the new size. */
static size_t pack(size_t used, size_t len)
{
	z_stream z = {.next_in = (Bytef *)text, .avail_in = (uInt)len};
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_out = packed + used;
	z.avail_out = (uInt)(sizeof(packed) - used);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	used = sizeof(packed) - z.avail_out;
	deflateEnd(&z);
	return used;
}

static int setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < TEXT_LEN; i++)
		text[i] = (char)(i * i >> 7);
	return 0;
}

static void expect(size_t len, size_t most, enum gunzip_result want, size_t size)
{
	struct buf out;
	buf_init(&out, CEILING);
	assert_int_equal(gunzip((struct span){(const char *)packed, len}, most, &out), want);
	if (want == GUNZIP_DONE) {
		assert_int_equal(buf_len(&out), size);
		assert_memory_equal(buf_span(&out).at, text, size < TEXT_LEN ? size : TEXT_LEN);
	}
	buf_fini(&out);
}

static void a_file_is_inflated_up_to_the_bound(void **state)
{
	(void)state;
	size_t len = pack(0, TEXT_LEN);
	expect(len, TEXT_LEN, GUNZIP_DONE, TEXT_LEN);
	expect(len, TEXT_LEN - 1, GUNZIP_TOO_LARGE, 0);
	expect(pack(0, 0), 0, GUNZIP_DONE, 0);
}

static void the_bound_holds_for_all_members_together(void **state)
{
	(void)state;
	size_t len = pack(pack(0, 1000), 1000);
	memcpy(text + 1000, text, 1000);
	expect(len, 2000, GUNZIP_DONE, 2000);
	expect(len, 1999, GUNZIP_TOO_LARGE, 0);
}

static void damage_is_seen(void **state)
{
	(void)state;
	size_t len = pack(0, TEXT_LEN);
	expect(0, CEILING, GUNZIP_BROKEN, 0);
	for (size_t cut = 1; cut < len; cut += len / 50)
		expect(len - cut, CEILING / 2, GUNZIP_BROKEN, 0);
	packed[len] = 'x';
	expect(len + 1, CEILING / 2, GUNZIP_BROKEN, 0);
	packed[len - 5] ^= 1; /* the checksum */
	expect(len, CEILING / 2, GUNZIP_BROKEN, 0);
	packed[0] = '{';
	expect(len, CEILING / 2, GUNZIP_BROKEN, 0);
}

static void a_bomb_costs_no_more_than_the_bound(void **state)
{
	(void)state;
	memset(text, 0, sizeof(text));
	struct buf out;
	size_t len = pack(0, TEXT_LEN);
	assert_true(len < 1000);
	buf_init(&out, CEILING);
	assert_int_equal(gunzip((struct span){(const char *)packed, len}, 1000, &out), GUNZIP_TOO_LARGE);
	assert_true(buf_len(&out) <= 1000 + 65536);
	buf_fini(&out);
}

static void a_small_ceiling_is_out_of_memory(void **state)
{
	(void)state;
	struct buf out;
	size_t len = pack(0, TEXT_LEN);
	buf_init(&out, 1000);
	assert_int_equal(gunzip((struct span){(const char *)packed, len}, TEXT_LEN, &out), GUNZIP_MEMORY);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(a_file_is_inflated_up_to_the_bound, setup),
	    cmocka_unit_test_setup(the_bound_holds_for_all_members_together, setup),
	    cmocka_unit_test_setup(damage_is_seen, setup),
	    cmocka_unit_test_setup(a_bomb_costs_no_more_than_the_bound, setup),
	    cmocka_unit_test_setup(a_small_ceiling_is_out_of_memory, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
