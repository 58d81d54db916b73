/* SPDX-License-Identifier: MIT */
/* Which answers are wanted, as names in Redis and purges say it: written, read, and what is no such text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "service/cache/remote_name.h"
#include "tests/unit/seed.h"

#define HASH "00112233445566aa"
#define KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static void check_written(const struct remote_wanted *wanted, const char *text)
{
	struct buf out;
	buf_init(&out, 1024);
	remote_wanted_write(wanted, &out);
	assert_false(buf_failed(&out));
	assert_int_equal(buf_len(&out), strlen(text));
	assert_memory_equal(buf_span(&out).at, text, strlen(text));
	buf_fini(&out);
}

static struct remote_wanted everything_said(void)
{
	struct remote_wanted wanted = {
	    .has_key = true, .has_model = true, .has_tenant = true, .model = 0x00112233445566aa, .tenant = UINT64_MAX};
	for (size_t i = 0; i < CACHE_KEY_SIZE; i++)
		wanted.key.bytes[i] = (uint8_t)i;
	return wanted;
}

static void what_has_no_value_is_a_star(void **state)
{
	struct remote_wanted wanted = everything_said();
	(void)state;
	check_written(&wanted, HASH ":ffffffffffffffff:{" KEY "}");
	wanted.has_key = false;
	check_written(&wanted, HASH ":ffffffffffffffff:{*}");
	wanted.has_tenant = false;
	check_written(&wanted, HASH ":*:{*}");
	wanted.has_model = false;
	check_written(&wanted, "*:*:{*}");
}

static void what_was_written_is_read(void **state)
{
	enum { ROUNDS = 1000 };
	struct seed seed = seed_start();
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct remote_wanted wanted = {.has_key = seed_below(&seed, 2) == 1,
					       .has_model = seed_below(&seed, 2) == 1,
					       .has_tenant = seed_below(&seed, 2) == 1,
					       .model = seed_below(&seed, UINT64_MAX),
					       .tenant = seed_below(&seed, UINT64_MAX)};
		struct remote_wanted read;
		struct buf out;
		for (size_t k = 0; k < CACHE_KEY_SIZE; k++)
			wanted.key.bytes[k] = (uint8_t)seed_below(&seed, UINT64_MAX);
		buf_init(&out, 1024);
		remote_wanted_write(&wanted, &out);
		assert_true(remote_wanted_read(buf_span(&out), &read));
		assert_int_equal(read.has_key, wanted.has_key);
		assert_int_equal(read.has_model, wanted.has_model);
		assert_int_equal(read.has_tenant, wanted.has_tenant);
		assert_true(!read.has_key || cache_key_equal(&read.key, &wanted.key));
		assert_true(!read.has_model || read.model == wanted.model);
		assert_true(!read.has_tenant || read.tenant == wanted.tenant);
		buf_fini(&out);
	}
}

/* Others may write to the same Redis. Nothing is read behind the end of the text. */
static void anything_else_is_refused(void **state)
{
	static const char whole[] = HASH ":" HASH ":{" KEY "}";
	static const char *const texts[] = {
	    "",
	    "*",
	    "*:*",
	    "*:*:",
	    "*:*:{}",
	    "*:*:*",
	    "*:*:{*",
	    "*:*:x{*}",
	    "*:*:{*}:lease",
	    ":*:{*}",
	    "**:*:{*}",
	    "0011:*:{*}",
	    "0" HASH ":*:{*}",
	    "*:0011223344556 a:{*}",
	    "*:*:{" HASH "}",
	    "*:*:{" KEY "00}",
	    "*:*:{g00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f}",
	};
	struct remote_wanted wanted;
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (remote_wanted_read(span_of(texts[i]), &wanted))
			fail_msg("«%s» was read", texts[i]);
	}
	for (size_t len = 0; len < sizeof(whole) - 1; len++) {
		char *copy = malloc(len == 0 ? 1 : len);
		memcpy(copy, whole, len);
		if (remote_wanted_read((struct span){copy, len}, &wanted))
			fail_msg("«%.*s» was read", (int)len, copy);
		free(copy);
	}
	assert_true(remote_wanted_read(span_of(whole), &wanted));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_has_no_value_is_a_star),
	    cmocka_unit_test(what_was_written_is_read),
	    cmocka_unit_test(anything_else_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
