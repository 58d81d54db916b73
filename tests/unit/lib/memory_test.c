/* SPDX-License-Identifier: MIT */
/* What a thread at rest holds on to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(small_blocks_that_lie_scattered_are_given_back_at_rest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
