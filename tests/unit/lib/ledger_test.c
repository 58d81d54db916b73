/* SPDX-License-Identifier: MIT */
/* The ledger of memory: what 1, 30 and 300 parties may hold, what is left for a newcomer, and that the cache yields. */
#include "lib/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "lib/arena.h"
#include "lib/buf.h"
#include "tests/unit/seed.h"

enum { MIB = 1 << 20, KIB = 1 << 10, CEILING = 64 * MIB, STEP = 16 * KIB };

static int set_up(void **state)
{
	(void)state;
	ledger_set_ceiling(CEILING);
	return 0;
}

/* Nothing may be left behind by a test. */
static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(ledger_taken(), 0);
	assert_int_equal(ledger_cache_most(), ledger_ceiling());
	ledger_set_ceiling(0);
	return 0;
}

/* Takes as much as it gets. */
static size_t fill(uint32_t party, bool (*take)(uint32_t party, size_t bytes))
{
	size_t got = 0;
	while (take(party, STEP))
		got += STEP;
	return got;
}

static void a_party_alone_begins_work_up_to_two_thirds_and_grows_to_three_quarters(void **state)
{
	(void)state;
	size_t begun = fill(1, ledger_begin);
	assert_in_range(begun, CEILING / 3 * 2 - STEP, CEILING / 3 * 2);
	assert_true(ledger_is_tight(1) || begun < CEILING / 3 * 2);
	size_t grown = fill(1, ledger_grow);
	assert_in_range(begun + grown, CEILING / 4 * 3 - STEP, CEILING / 4 * 3);
	assert_true(ledger_is_tight(1));
	assert_false(ledger_is_tight(2));
	assert_int_equal(ledger_held(1), begun + grown);
	ledger_give(1, begun + grown);
}

/* Whoever comes behind greedy parties still gets what a usual client needs. */
static void check_newcomer(uint32_t greedy)
{
	size_t got[301] = {0}, all = 0;
	for (bool more = true; more;) { /* they take turns until nobody gets any more */
		more = false;
		for (uint32_t i = 1; i <= greedy; i++) {
			if (!ledger_grow(i, STEP))
				continue;
			got[i] += STEP;
			more = true;
		}
	}
	for (uint32_t i = 1; i <= greedy; i++) {
		all += got[i];
		assert_in_range(got[i], got[1] / 2, got[1] * 2); /* and they get alike */
	}
	assert_int_equal(ledger_taken(), all);
	size_t share = CEILING / (3 * greedy + 1); /* what is free then */
	size_t begun = fill(1000, ledger_begin);
	assert_in_range(begun, share / 2, CEILING);
	assert_false(ledger_begin(1, STEP));
	ledger_give(1000, begun);
	for (uint32_t i = 1; i <= greedy; i++)
		ledger_give(i, got[i]);
}

static void a_newcomer_may_begin_work_beside_any_number_of_parties_that_hold_all_they_may(void **state)
{
	(void)state;
	check_newcomer(1);
	check_newcomer(30);
	check_newcomer(300);
}

static void nobody_and_a_process_without_a_ceiling_are_never_refused(void **state)
{
	(void)state;
	assert_true(ledger_grow(LEDGER_NOBODY, SIZE_MAX / 2));
	assert_true(ledger_begin(LEDGER_NOBODY, SIZE_MAX / 2));
	assert_false(ledger_is_tight(LEDGER_NOBODY));
	assert_int_equal(ledger_taken(), 0);
	ledger_set_ceiling(0);
	assert_true(ledger_begin(1, (size_t)CEILING * 10));
	assert_false(ledger_is_tight(1));
	ledger_give(1, (size_t)CEILING * 10);
	ledger_set_ceiling(CEILING);
}

static void refusals_are_counted_and_charge_nothing(void **state)
{
	(void)state;
	uint64_t before = ledger_refusals();
	assert_false(ledger_begin(1, CEILING));
	assert_false(ledger_grow(1, SIZE_MAX));
	assert_int_equal(ledger_refusals(), before + 2);
	assert_int_equal(ledger_held(1), 0);
}

/* ---- the cache ---- */

static size_t yielded;

static void on_yield(void *context, size_t bytes)
{
	size_t *cached = context;
	size_t part = bytes < *cached ? bytes : *cached;
	*cached -= part;
	yielded += part;
	ledger_cache_remove(part);
}

static void the_cache_yields_to_what_clients_need_and_never_counts_against_them(void **state)
{
	(void)state;
	size_t cached = CEILING;
	const struct ledger_cache cache = {on_yield, &cached};
	ledger_set_cache(&cache);
	ledger_cache_add(cached);
	size_t begun = fill(1, ledger_begin);
	assert_in_range(begun, CEILING / 3 * 2 - STEP, CEILING / 3 * 2); /* as without a cache */
	assert_in_range(begun + cached, CEILING / 2, CEILING);
	assert_true(yielded > 0);
	assert_int_equal(ledger_cache_most(), CEILING - begun);
	ledger_give(1, begun);
	ledger_cache_remove(cached);
	ledger_set_cache(NULL);
}

/* ---- buffers and arenas ---- */

static void a_buffer_charges_its_allocations_and_takes_them_back(void **state)
{
	(void)state;
	static char bytes[MIB];
	struct buf buf;
	buf_init(&buf, (size_t)CEILING * 2);
	buf_charge(&buf, 5);
	assert_true(buf_append(&buf, (struct span){bytes, LEDGER_BLOCK / 2}));
	assert_int_equal(ledger_held(5), 0); /* small ones are the request's */
	while (buf_append(&buf, (struct span){bytes, sizeof(bytes)}))
		assert_int_equal(ledger_held(5), buf.capacity);
	assert_in_range(buf_len(&buf), CEILING / 4, CEILING); /* its ceiling is higher */
	assert_true(buf_failed(&buf));
	struct buf taken = buf_take(&buf);
	assert_int_equal(ledger_held(5), taken.capacity);
	buf_fit(&taken);
	assert_int_equal(ledger_held(5), buf_len(&taken));
	buf_fini(&taken);
	assert_int_equal(ledger_held(5), 0);
	assert_true(buf_append(&taken, (struct span){bytes, sizeof(bytes)})); /* used again */
	assert_int_equal(ledger_held(5), sizeof(bytes));
	buf_fini(&taken);
	buf_fini(&buf);
}

/* Has the party hold all that it may. Returns the bytes. */
static size_t exhaust(uint32_t party)
{
	size_t bytes = fill(party, ledger_grow);
	while (ledger_grow(party, 1))
		bytes++;
	return bytes;
}

static void what_was_read_already_is_charged_though_nothing_more_may_be_held(void **state)
{
	(void)state;
	size_t bytes = exhaust(1);
	assert_false(ledger_grow(1, 1));
	ledger_overdraw(1, STEP);
	assert_int_equal(ledger_held(1), bytes + STEP);
	assert_int_equal(ledger_taken(), bytes + STEP);
	ledger_overdraw(LEDGER_NOBODY, STEP);
	assert_int_equal(ledger_taken(), bytes + STEP);
	ledger_give(1, bytes + STEP);
}

static void a_buffer_that_overdraws_grows_by_what_it_needs_and_by_one_step_at_most(void **state)
{
	(void)state;
	static char bytes[MIB];
	struct buf strict, buf;
	size_t held = exhaust(5);
	buf_init(&strict, MIB);
	buf_init(&buf, MIB);
	buf_charge(&strict, 5);
	buf_overdraw(&buf, 5);
	assert_false(buf_append(&strict, (struct span){bytes, LEDGER_BLOCK + 1}));
	assert_true(buf_append(&buf, (struct span){bytes, LEDGER_BLOCK + 1}));
	assert_true(buf_append(&buf, (struct span){bytes, LEDGER_BLOCK}));
	assert_int_equal(ledger_held(5), held + buf_len(&buf));
	assert_int_equal(buf.capacity, buf_len(&buf));
	assert_false(buf_append(&buf, (struct span){bytes, LEDGER_STEP + 1}));
	assert_int_equal(ledger_held(5), held + buf_len(&buf));
	struct buf taken = buf_take(&buf);
	assert_true(buf_append(&buf, (struct span){bytes, LEDGER_BLOCK + 1})); /* as before */
	buf_fini(&taken);
	buf_fini(&buf);
	buf_fini(&strict);
	assert_int_equal(ledger_held(5), held);
	ledger_give(5, held);
}

static void an_arena_charges_its_blocks_and_takes_them_back(void **state)
{
	(void)state;
	struct seed seed = seed_start();
	struct arena arena;
	arena_init(&arena, 0);
	arena_charge(&arena, 6);
	for (int round = 0; round < 30; round++) {
		for (int i = 0; i < 300; i++) {
			size_t size = 1 + seed_below(&seed, 100 * KIB);
			void *at = arena_alloc(&arena, size);
			assert_non_null(at);
			if (seed_below(&seed, 3) == 0)
				at = arena_grow(&arena, at, size, size * 2);
			else if (seed_below(&seed, 2) == 0)
				arena_shrink(&arena, at, size, size / 2 + 1);
			assert_in_range(ledger_held(6), 0, arena.used);
			if (arena.used > 16 * MIB)
				break;
		}
		assert_true(ledger_held(6) > 0);
		arena_reset(&arena);
		assert_in_range(ledger_held(6), 0, 64 * KIB);
	}
	arena_fini(&arena);
	assert_int_equal(ledger_held(6), 0);
	while (arena_alloc(&arena, MIB) != NULL)
		assert_true(ledger_held(6) > 0);
	assert_true(arena_failed(&arena));
	assert_in_range(ledger_held(6), CEILING / 2, CEILING);
	arena_fini(&arena);
}

/* ---- threads ---- */

enum { THREADS = 8, ROUNDS = 20000 };

static void *take_and_give(void *context)
{
	uint32_t party = *(uint32_t *)context;
	struct seed seed = {party};
	size_t has = 0;
	for (int i = 0; i < ROUNDS; i++) {
		size_t bytes = seed_below(&seed, MIB);
		if (seed_below(&seed, 2) == 0 ? ledger_begin(party, bytes) : ledger_grow(party, bytes))
			has += bytes;
		if (ledger_taken() > CEILING)
			return context; /* told by the test */
		if (seed_below(&seed, 3) == 0) {
			ledger_give(party, has);
			has = 0;
		}
	}
	ledger_give(party, has);
	return NULL;
}

static void threads_together_never_pass_the_ceiling(void **state)
{
	(void)state;
	pthread_t threads[THREADS];
	uint32_t parties[THREADS];
	for (uint32_t i = 0; i < THREADS; i++) {
		parties[i] = 1 + i / 2; /* two threads each */
		assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, &parties[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		void *passed = NULL;
		pthread_join(threads[i], &passed);
		assert_null(passed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_party_alone_begins_work_up_to_two_thirds_and_grows_to_three_quarters,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		a_newcomer_may_begin_work_beside_any_number_of_parties_that_hold_all_they_may, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(nobody_and_a_process_without_a_ceiling_are_never_refused, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(refusals_are_counted_and_charge_nothing, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_cache_yields_to_what_clients_need_and_never_counts_against_them, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(a_buffer_charges_its_allocations_and_takes_them_back, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_was_read_already_is_charged_though_nothing_more_may_be_held, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(a_buffer_that_overdraws_grows_by_what_it_needs_and_by_one_step_at_most,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_arena_charges_its_blocks_and_takes_them_back, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(threads_together_never_pass_the_ceiling, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
