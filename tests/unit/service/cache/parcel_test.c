/* SPDX-License-Identifier: MIT */
/* Parcels: what was sent under a key is received under that key, and nothing else ever is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/cache/parcel.h"

enum { LONG = 20000, MOST = 1 << 20 };

static const struct cache_key key = {{1, 2, 3, 250, 251}};
static struct buf bytes, room;
static char text[LONG];

static int set_up(void **state)
{
	(void)state;
	buf_init(&bytes, MOST);
	buf_init(&room, MOST);
	for (size_t i = 0; i < LONG; i++)
		text[i] = "the river "[i % 10];
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	buf_fini(&bytes);
	buf_fini(&room);
	return 0;
}

static void encode(size_t len)
{
	const struct parcel parcel = {
	    .fresh_us = 3600000000, .life_us = 7200000001, .seen = {{1790000000000, 3}, {0, 7}}, .entry = {text, len}};
	buf_reset(&bytes);
	parcel_encode(&parcel, &key, &bytes);
	assert_false(buf_failed(&bytes));
}

static bool decode(struct span span, struct parcel *parcel)
{
	return parcel_decode(span, &key, MOST, &room, parcel);
}

static void what_was_sent_is_received(void **state)
{
	static const size_t lengths[] = {0, 1, 255, 2047, 2048, 2049, LONG};
	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct parcel parcel;
		encode(lengths[i]);
		assert_true(decode(buf_span(&bytes), &parcel));
		assert_int_equal(parcel.fresh_us, 3600000000);
		assert_int_equal(parcel.life_us, 7200000001);
		assert_int_equal(parcel.seen[0].ms, 1790000000000);
		assert_int_equal(parcel.seen[0].number, 3);
		assert_int_equal(parcel.seen[1].ms, 0);
		assert_int_equal(parcel.seen[1].number, 7);
		assert_true(span_equal(parcel.entry, (struct span){text, lengths[i]}));
	}
}

static void long_text_gets_shorter_and_noise_does_not_get_longer(void **state)
{
	struct parcel parcel;
	uint32_t noise = 7;
	(void)state;
	encode(LONG);
	assert_true(buf_len(&bytes) < LONG / 10);
	for (size_t i = 0; i < LONG; i++)
		text[i] = (char)((noise = noise * 1664525 + 1013904223) >> 24);
	encode(LONG);
	assert_true(buf_len(&bytes) < LONG + 128);
	assert_true(decode(buf_span(&bytes), &parcel));
	assert_true(span_equal(parcel.entry, (struct span){text, LONG}));
}

static void every_flipped_bit_is_noticed(void **state)
{
	static const size_t lengths[] = {40, 3000}; /* as it is, and compressed */
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct parcel parcel;
		encode(lengths[i]);
		struct span span = buf_span(&bytes);
		char *at = (char *)(uintptr_t)span.at;
		for (size_t bit = 0; bit < span.len * 8; bit++) {
			at[bit / 8] = (char)(at[bit / 8] ^ (1 << bit % 8));
			if (decode(span, &parcel))
				fail_msg("bit %zu", bit);
			at[bit / 8] = (char)(at[bit / 8] ^ (1 << bit % 8));
		}
		assert_true(decode(span, &parcel));
	}
}

static void every_cut_is_noticed(void **state)
{
	struct parcel parcel;
	(void)state;
	encode(3000);
	for (size_t len = 0; len < buf_len(&bytes); len++)
		assert_false(decode((struct span){buf_span(&bytes).at, len}, &parcel));
	buf_append(&bytes, SPAN("x"));
	assert_false(decode(buf_span(&bytes), &parcel));
}

static void another_keys_parcel_is_refused(void **state)
{
	struct parcel parcel;
	struct cache_key other = key;
	(void)state;
	encode(100);
	other.bytes[CACHE_KEY_SIZE - 1]++;
	assert_false(parcel_decode(buf_span(&bytes), &other, MOST, &room, &parcel));
}

static void more_than_there_may_be_is_refused(void **state)
{
	struct parcel parcel;
	(void)state;
	encode(3000);
	assert_true(parcel_decode(buf_span(&bytes), &key, 3000, &room, &parcel));
	assert_false(parcel_decode(buf_span(&bytes), &key, 2999, &room, &parcel));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(what_was_sent_is_received, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(long_text_gets_shorter_and_noise_does_not_get_longer, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(every_flipped_bit_is_noticed, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(every_cut_is_noticed, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(another_keys_parcel_is_refused, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(more_than_there_may_be_is_refused, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
