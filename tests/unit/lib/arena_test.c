/* SPDX-License-Identifier: MIT */
/* The arena: alignment, its limit, and that exhaustion sticks. */
#include "lib/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void allocations_are_aligned_and_apart(void **state)
{
	(void)state;
	struct arena arena;
	unsigned char *at[500];
	arena_init(&arena, 0);
	for (size_t i = 0; i < 500; i++) {
		at[i] = arena_alloc(&arena, i * 7 + 1);
		assert_non_null(at[i]);
		assert_int_equal((uintptr_t)at[i] % 16, 0);
		memset(at[i], (int)(i & 0xFF), i * 7);
	}
	for (size_t i = 0; i < 500; i++)
		for (size_t j = 0; j < i * 7; j++)
			assert_int_equal(at[i][j], i & 0xFF);
	arena_fini(&arena);
}

static void zeroed_memory_is_zero_and_overflow_is_refused(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 0);
	memset(arena_alloc(&arena, 100), 0xFF, 100);
	const char *zero = arena_zalloc(&arena, 50, 3);
	for (int i = 0; i < 150; i++)
		assert_int_equal(zero[i], 0);
	assert_null(arena_zalloc(&arena, SIZE_MAX / 2, 3));
	assert_true(arena_failed(&arena));
	arena_fini(&arena);
}

static void the_limit_holds_and_exhaustion_sticks(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 10000);
	assert_non_null(arena_alloc(&arena, 9000));
	assert_false(arena_failed(&arena));
	assert_null(arena_alloc(&arena, 2000));
	assert_true(arena_failed(&arena));
	assert_null(arena_alloc(&arena, 1));
	assert_null(arena_copy(&arena, SPAN("x")).at);
	assert_null(arena_printf(&arena, "%d", 1).at);
	arena_fini(&arena);
	assert_false(arena_failed(&arena));
	assert_non_null(arena_alloc(&arena, 1));
	arena_fini(&arena);
}

static void the_last_allocation_may_shrink(void **state)
{
	(void)state;
	static const size_t sizes[] = {100, 5000, 100000};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct arena arena;
		arena_init(&arena, 200000);
		char *before = i == 0 ? NULL : arena_alloc(&arena, 10);
		if (before != NULL)
			memset(before, 'b', 10);
		char *at = arena_alloc(&arena, sizes[i]);
		memset(at, 'x', sizes[i]);
		at = arena_shrink(&arena, at, sizes[i], 50);
		char *behind = arena_zalloc(&arena, 1, 1000);
		memset(behind, 'y', 1000);
		for (int k = 0; k < 50; k++)
			assert_int_equal(at[k], 'x');
		assert_true(before == NULL || before[9] == 'b');
		assert_non_null(arena_alloc(&arena, 150000)); /* what was given back counts no more */
		arena_fini(&arena);
	}
}

static void the_last_allocation_may_grow(void **state)
{
	(void)state;
	static const size_t sizes[] = {100, 5000, 70000};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct arena arena;
		arena_init(&arena, 250000);
		char *at = arena_alloc(&arena, sizes[i]);
		memset(at, 'x', sizes[i]);
		at = arena_grow(&arena, at, sizes[i], 80000);
		assert_non_null(at);
		for (size_t k = 0; k < sizes[i]; k++)
			assert_int_equal(at[k], 'x');
		memset(at, 'y', 80000);
		at = arena_grow(&arena, at, 80000, 160000); /* counts once: both together would be too much */
		assert_non_null(at);
		assert_int_equal(at[79999], 'y');
		assert_null(arena_grow(&arena, at, 160000, 260000));
		assert_true(arena_failed(&arena));
		arena_fini(&arena);
	}
}

static void copies_end_with_a_nul(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 0);
	assert_string_equal(arena_copy(&arena, (struct span){"hello", 4}).at, "hell");
	assert_string_equal(arena_printf(&arena, "%s-%d", "a", 42).at, "a-42");
	assert_int_equal(arena_copy(&arena, (struct span){NULL, 0}).len, 0);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(allocations_are_aligned_and_apart),
	    cmocka_unit_test(zeroed_memory_is_zero_and_overflow_is_refused),
	    cmocka_unit_test(the_limit_holds_and_exhaustion_sticks),
	    cmocka_unit_test(the_last_allocation_may_shrink),
	    cmocka_unit_test(the_last_allocation_may_grow),
	    cmocka_unit_test(copies_end_with_a_nul),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
