/* SPDX-License-Identifier: MIT */
/* What a thread at rest holds on to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/memory.h"
#include "tests/unit/heap.h"

/* The sizes that glibc caches per thread, as many of each as it does, and between them what makes them lie apart. */
enum { SIZES = 64, OF_EACH = 7, COUNT = SIZES * OF_EACH, FIRST = 24, STEP = 16, APART = 40 * 1024 };

/* Each scattered block keeps a page or two as long as the thread has it in its cache: two megabytes. */
static void small_blocks_that_lie_scattered_are_given_back_at_rest(void **state)
{
	static void *small[COUNT], *large[COUNT];
	(void)state;
	memory_rest();
	size_t before = heap_resident();
	for (size_t i = 0; i < COUNT; i++) {
		small[i] = malloc(FIRST + STEP * (i / OF_EACH));
		large[i] = malloc(APART);
		assert_non_null(small[i]);
		assert_non_null(large[i]);
		memset(large[i], 1, APART);
	}
	size_t used = heap_resident();
	for (size_t i = 0; i < COUNT; i++)
		free(large[i]);
	for (size_t i = 0; i < COUNT; i++)
		free(small[i]);
	memory_rest();
	size_t after = heap_resident();
	print_message("%zu KiB, with the blocks %zu, at rest %zu\n", before, used, after);
	if (!HEAP_SANITIZED) {
		assert_true(used >= before + COUNT * (APART / 1024) * 3 / 4);
		assert_true(after < before + 512);
	}
}

struct given_back {
	void (*give_back)(void);
	size_t used_kib, after_kib;
};

/* Holes in a thread's heap, and a free end of three megabytes: neither may stay. */
static void *make_holes(void *context)
{
	enum { END = 3 << 20 };
	struct heap_holes heap;
	struct given_back *given_back = context;
	heap_holes_fill(&heap);
	void *end = heap_touched(END);
	given_back->used_kib = heap_resident();
	free(end);
	heap_holes_open(&heap);
	given_back->give_back();
	given_back->after_kib = heap_resident();
	heap_holes_forget(&heap);
	return NULL;
}

static void check_given_back(void (*give_back)(void))
{
	pthread_t thread;
	struct given_back given_back = {give_back, 0, 0};
	memory_setup();
	size_t before = heap_resident();
	assert_int_equal(pthread_create(&thread, NULL, make_holes, &given_back), 0);
	pthread_join(thread, NULL);
	print_message("%zu KiB, with the blocks %zu, at rest %zu\n", before, given_back.used_kib, given_back.after_kib);
	if (!HEAP_SANITIZED) {
		assert_true(given_back.used_kib >= before + 18 * 1024);
		assert_true(given_back.after_kib < before + 1024);
	}
}

static void the_free_end_of_a_threads_heap_is_given_back_at_rest(void **state)
{
	(void)state;
	check_given_back(memory_rest);
}

static void a_trim_gives_back_holes_and_the_end_of_a_threads_heap(void **state)
{
	(void)state;
	check_given_back(memory_trim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(small_blocks_that_lie_scattered_are_given_back_at_rest),
	    cmocka_unit_test(the_free_end_of_a_threads_heap_is_given_back_at_rest),
	    cmocka_unit_test(a_trim_gives_back_holes_and_the_end_of_a_threads_heap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
