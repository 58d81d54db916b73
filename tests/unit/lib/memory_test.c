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

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

/* The sizes that glibc caches per thread, as many of each as it does, and between them what makes them lie apart. */
enum { SIZES = 64, OF_EACH = 7, COUNT = SIZES * OF_EACH, FIRST = 24, STEP = 16, APART = 40 * 1024 };

/* KiB of memory that is no file's. */
static size_t anonymous(void)
{
	char line[256];
	size_t value = 0;
	FILE *file = fopen("/proc/self/status", "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, "RssAnon:", 8) == 0)
			value = strtoul(line + 8, NULL, 10);
	fclose(file);
	assert_true(value > 0);
	return value;
}

/* Each scattered block keeps a page or two as long as the thread has it in its cache: two megabytes. */
static void small_blocks_that_lie_scattered_are_given_back_at_rest(void **state)
{
	static void *small[COUNT], *large[COUNT];
	(void)state;
	memory_rest();
	size_t before = anonymous();
	for (size_t i = 0; i < COUNT; i++) {
		small[i] = malloc(FIRST + STEP * (i / OF_EACH));
		large[i] = malloc(APART);
		assert_non_null(small[i]);
		assert_non_null(large[i]);
		memset(large[i], 1, APART);
	}
	size_t used = anonymous();
	for (size_t i = 0; i < COUNT; i++)
		free(large[i]);
	for (size_t i = 0; i < COUNT; i++)
		free(small[i]);
	memory_rest();
	size_t after = anonymous();
	print_message("%zu KiB, with the blocks %zu, at rest %zu\n", before, used, after);
#ifndef SANITIZED /* they keep what was freed */
	assert_true(used >= before + COUNT * (APART / 1024) * 3 / 4);
	assert_true(after < before + 512);
#endif
}

/* A block whose pages are there. volatile: compilers leave out what nobody reads. */
static void *touched(size_t size)
{
	enum { PAGE = 4096 };
	volatile char *block = malloc(size);
	assert_non_null((const void *)block);
	for (size_t at = 0; at < size; at += PAGE)
		block[at] = 1;
	return (void *)block;
}

/* Holes of two megabytes in a thread's heap, and a free end of three: neither may stay. */
static void *make_holes(void *context)
{
	enum { HOLES = 8, HOLE = 2 << 20, END = 3 << 20 };
	void *holes[HOLES], *pins[HOLES];
	size_t *kib = context;
	for (size_t i = 0; i < HOLES; i++) {
		holes[i] = touched(HOLE);
		pins[i] = malloc(64);
	}
	void *end = touched(END);
	kib[0] = anonymous();
	free(end);
	for (size_t i = 0; i < HOLES; i++)
		free(holes[i]);
	memory_rest();
	kib[1] = anonymous();
	for (size_t i = 0; i < HOLES; i++)
		free(pins[i]);
	return NULL;
}

static void the_free_end_of_a_threads_heap_is_given_back_at_rest(void **state)
{
	pthread_t thread;
	size_t kib[2] = {0};
	(void)state;
	memory_setup();
	size_t before = anonymous();
	assert_int_equal(pthread_create(&thread, NULL, make_holes, kib), 0);
	pthread_join(thread, NULL);
	print_message("%zu KiB, with the blocks %zu, at rest %zu\n", before, kib[0], kib[1]);
#ifndef SANITIZED
	assert_true(kib[0] >= before + 18 * 1024);
	assert_true(kib[1] < before + 1024);
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(small_blocks_that_lie_scattered_are_given_back_at_rest),
	    cmocka_unit_test(the_free_end_of_a_threads_heap_is_given_back_at_rest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
