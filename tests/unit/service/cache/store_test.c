/* SPDX-License-Identifier: MIT */
/* The in-process store against a simple model of it, its eviction by counts, and many threads at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <pthread.h>

#include "lib/ledger.h"
#include "service/cache/store.h"
#include "tests/unit/seed.h"

enum { SECOND = 1000000 };

static struct cache_key key_of(uint64_t number)
{
	struct cache_key key;
	for (size_t i = 0; i < CACHE_KEY_SIZE; i += sizeof(number)) {
		struct seed seed = {number * 4 + i};
		uint64_t part = seed_below(&seed, UINT64_MAX);
		memcpy(key.bytes + i, &part, sizeof(part));
	}
	return key;
}

static void put(struct store *store, uint64_t number, size_t len, uint64_t expires_us, struct store_tags tags)
{
	static char bytes[65536];
	struct cache_key key = key_of(number);
	memset(bytes, (int)(number % 251), len);
	struct store_value *value = store_value_create((struct span){bytes, len});
	assert_non_null(value);
	value->expires_us = expires_us;
	value->tags = tags;
	assert_true(store_put(store, &key, value, purge_log_mark(store_purges(store)).turn, false));
	store_value_drop(value);
}

/* What is found must be what was put. */
static bool find(struct store *store, uint64_t number, size_t len, uint64_t now_us)
{
	struct cache_key key = key_of(number);
	struct store_value *value = store_get(store, &key, now_us);
	if (value == NULL)
		return false;
	assert_int_equal(value->len, len);
	for (size_t i = 0; i < len; i += 97)
		assert_int_equal((unsigned char)value->bytes[i], number % 251);
	store_value_drop(value);
	return true;
}

static void what_was_put_is_found_until_it_expires(void **state)
{
	struct store *store = store_create(1 << 20);
	(void)state;
	put(store, 1, 100, 10 * SECOND, (struct store_tags){0, 0});
	assert_true(find(store, 1, 100, 9 * SECOND));
	assert_false(find(store, 2, 100, 9 * SECOND));
	assert_false(find(store, 1, 100, 10 * SECOND));
	assert_false(find(store, 1, 100, 9 * SECOND));
	assert_int_equal(store_totals(store).expired, 1);
	assert_int_equal(store_totals(store).entries, 0);
	assert_int_equal(store_totals(store).bytes, 0);
	store_destroy(store);
}

static void a_value_outlives_its_place(void **state)
{
	struct store *store = store_create(1 << 20);
	struct cache_key key = key_of(1);
	(void)state;
	put(store, 1, 100, SECOND, (struct store_tags){0, 0});
	struct store_value *value = store_get(store, &key, 0);
	put(store, 1, 200, SECOND, (struct store_tags){0, 0});
	assert_int_equal(value->len, 100);
	assert_true(find(store, 1, 200, 0));
	assert_int_equal(store_totals(store).entries, 1);
	store_destroy(store);
	assert_int_equal(value->bytes[99], 1);
	store_value_drop(value);
}

static void an_evicted_value_counts_as_held_until_its_last_reader_has_finished(void **state)
{
	enum { LEN = 5000 };
	struct cache_key key = key_of(1);
	struct store *store = store_create(1 << 20);
	(void)state;
	put(store, 1, LEN, SECOND, (struct store_tags){0, 0});
	struct store_value *first = store_get(store, &key, 0), *second = store_get(store, &key, 0);
	assert_int_equal(ledger_taken(), 0); /* it is the cache's */
	store_purge(store, &(struct store_filter){.key = &key});
	assert_int_equal(ledger_taken(), sizeof(*first) + LEN);
	store_value_drop(first);
	assert_int_equal(ledger_taken(), sizeof(*first) + LEN);
	store_value_drop(second);
	assert_int_equal(ledger_taken(), 0);
	put(store, 1, LEN, SECOND, (struct store_tags){0, 0}); /* one that nobody reads is gone at once */
	store_purge(store, &(struct store_filter){.key = &key});
	assert_int_equal(ledger_taken(), 0);
	store_destroy(store);
}

static void purging_takes_what_it_names(void **state)
{
	struct store *store = store_create(1 << 20);
	struct cache_key key = key_of(7);
	uint32_t model = 1;
	uint64_t tenant = 2;
	(void)state;
	for (uint64_t i = 0; i < 60; i++)
		put(store, i, 10, SECOND, (struct store_tags){(uint32_t)(i % 3), i % 5});
	assert_int_equal(store_purge(store, &(struct store_filter){.key = &key}), 1);
	assert_int_equal(store_purge(store, &(struct store_filter){.key = &key}), 0);
	assert_int_equal(store_purge(store, &(struct store_filter){.model = &model, .tenant = &tenant}), 3);
	assert_int_equal(store_purge(store, &(struct store_filter){.model = &model}), 16);
	assert_int_equal(store_purge(store, &(struct store_filter){.tenant = &tenant}), 8);
	assert_int_equal(store_purge(store, &(struct store_filter){.key = NULL}), 32);
	assert_int_equal(store_totals(store).bytes, 0);
	store_destroy(store);
}

/* A model that knows all that was put and not purged: the store may forget, but never tells anything else. */
static void random_operations_agree_with_a_model(void **state)
{
	enum { KEYS = 400, STEPS = 200000, MOST = 256 << 10 };
	static struct {
		size_t len;
		uint64_t expires_us;
	} known[KEYS];
	struct seed seed = seed_start();
	struct store *store = store_create(MOST);
	uint64_t now_us = 0, found = 0;
	(void)state;
	memset(known, 0, sizeof(known));
	for (int step = 0; step < STEPS; step++) {
		uint64_t number = seed_below(&seed, KEYS);
		now_us += seed_below(&seed, 1000);
		if (seed_below(&seed, 3) == 0) {
			known[number].len = 1 + seed_below(&seed, 4000);
			known[number].expires_us = now_us + 1 + seed_below(&seed, 50 * SECOND);
			put(store, number, known[number].len, known[number].expires_us, (struct store_tags){0, 0});
		} else if (seed_below(&seed, 500) == 0) {
			struct cache_key key = key_of(number);
			store_purge(store, &(struct store_filter){.key = &key});
			known[number].len = 0;
		} else if (known[number].len == 0 || now_us >= known[number].expires_us) {
			assert_false(find(store, number, known[number].len, now_us));
		} else {
			found += find(store, number, known[number].len, now_us);
		}
		assert_true(step % 1000 != 0 || store_totals(store).bytes <= MOST);
	}
	assert_true(found > STEPS / 10);
	assert_true(store_totals(store).evictions > 0);
	store_destroy(store);
}

static void a_scan_leaves_what_is_used(void **state)
{
	enum { USED = 100, SCANNED = 20000, BYTES = 1000 };
	struct store *store = store_create(1 << 20);
	size_t left = 0;
	(void)state;
	for (int round = 0; round < 3; round++)
		for (uint64_t i = 0; i < USED; i++)
			if (!find(store, i, BYTES, 0))
				put(store, i, BYTES, SECOND, (struct store_tags){0, 0});
	for (uint64_t i = 0; i < SCANNED; i++) {
		put(store, 1000 + i, BYTES, SECOND, (struct store_tags){0, 0});
		if (i % 50 == 0)
			find(store, i / 50 % USED, BYTES, 0);
	}
	for (uint64_t i = 0; i < USED; i++)
		left += find(store, i, BYTES, 0);
	if (left < USED * 9 / 10)
		fail_msg("of %d values in use a scan left %zu", USED, left);
	store_destroy(store);
}

/* Large values, each asked for three times, as one tenant or as many. Returns how many of the other's stay. */
static size_t flood(bool many_names, size_t *fresh)
{
	enum { USED = 1000, BYTES = 2000, LARGE = 60000, FLOOD = 3000, NEW = 50 };
	struct store *store = store_create(8 << 20);
	size_t left = 0;
	for (int round = 0; round < 3; round++)
		for (uint64_t i = 0; i < USED; i++)
			if (!find(store, i, BYTES, 0))
				put(store, i, BYTES, SECOND, (struct store_tags){0, 1});
	for (uint64_t i = 0; i < FLOOD; i++) {
		struct store_tags tags = {0, many_names ? 1000 + i : 2};
		put(store, 10000 + i, LARGE, SECOND, tags);
		for (int asked = 0; asked < 3; asked++)
			find(store, 10000 + i, LARGE, 0);
		find(store, i % USED, BYTES, 0);
		if (i % (FLOOD / NEW) == 0)
			put(store, 5000 + i / (FLOOD / NEW), BYTES, SECOND, (struct store_tags){0, 3});
	}
	for (uint64_t i = 0; i < USED; i++)
		left += find(store, i, BYTES, 0);
	*fresh = 0;
	for (uint64_t i = 0; i < NEW; i++)
		*fresh += find(store, 5000 + i, BYTES, 0);
	store_destroy(store);
	return left * 100 / USED;
}

/* Half of another tenant's values were gone, and new ones did not survive. */
static void a_flood_of_large_values_evicts_itself(void **state)
{
	(void)state;
	for (int many_names = 0; many_names < 2; many_names++) {
		size_t fresh, left = flood(many_names, &fresh);
		print_message("%s: %zu of 100 values in use and %zu of 50 new ones stay\n",
			      many_names ? "many names" : "one name", left, fresh);
		assert_true(left >= 95);
		assert_true(fresh >= 45);
	}
}

/* Nobody else wants the room: a tenant that is alone has all of it. */
static void a_tenant_that_is_alone_has_all_of_the_room(void **state)
{
	enum { VALUES = 400, BYTES = 2000 };
	struct store *store = store_create(1 << 20);
	size_t left = 0;
	(void)state;
	for (uint64_t i = 0; i < VALUES; i++) {
		put(store, i, BYTES, SECOND, (struct store_tags){0, 1});
		find(store, i, BYTES, 0);
	}
	for (uint64_t i = 0; i < VALUES; i++)
		left += find(store, i, BYTES, 0);
	assert_true(left > VALUES * 9 / 10);
	store_destroy(store);
}

static void what_is_too_large_is_not_kept(void **state)
{
	struct store *store = store_create(64 << 10);
	(void)state;
	put(store, 1, 60000, SECOND, (struct store_tags){0, 0});
	assert_false(find(store, 1, 60000, 0));
	assert_int_equal(store_totals(store).bytes, 0);
	store_destroy(store);
	store = store_create(0);
	put(store, 1, 1, SECOND, (struct store_tags){0, 0});
	assert_false(find(store, 1, 1, 0));
	store_destroy(store);
}

static void *use_it(void *context)
{
	struct store *store = context;
	struct seed seed = {(uint64_t)(uintptr_t)&seed};
	for (int i = 0; i < 20000; i++) {
		struct cache_key key = key_of(seed_below(&seed, 50));
		if (seed_below(&seed, 2) == 0) {
			struct store_value *value = store_value_create(SPAN("some text"));
			value->expires_us = SECOND;
			store_put(store, &key, value, purge_log_mark(store_purges(store)).turn, false);
			store_value_drop(value);
		} else {
			struct store_value *value = store_get(store, &key, seed_below(&seed, SECOND + 10));
			if (value != NULL && value->len != 9)
				abort();
			store_value_drop(value);
		}
	}
	return NULL;
}

static void threads_share_it(void **state)
{
	struct store *store = store_create(16 << 10);
	pthread_t threads[4];
	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, use_it, store), 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	store_destroy(store);
	assert_int_equal(ledger_taken(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_put_is_found_until_it_expires),
	    cmocka_unit_test(a_value_outlives_its_place),
	    cmocka_unit_test(an_evicted_value_counts_as_held_until_its_last_reader_has_finished),
	    cmocka_unit_test(purging_takes_what_it_names),
	    cmocka_unit_test(random_operations_agree_with_a_model),
	    cmocka_unit_test(a_scan_leaves_what_is_used),
	    cmocka_unit_test(a_flood_of_large_values_evicts_itself),
	    cmocka_unit_test(a_tenant_that_is_alone_has_all_of_the_room),
	    cmocka_unit_test(what_is_too_large_is_not_kept),
	    cmocka_unit_test(threads_share_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
