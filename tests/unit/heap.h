/* SPDX-License-Identifier: MIT */
/* Memory of this process for tests that have it given back. */
#ifndef SLUICE_TESTS_UNIT_HEAP_H
#define SLUICE_TESTS_UNIT_HEAP_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sanitizers keep what was freed. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HEAP_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HEAP_SANITIZED 1
#endif
#endif
#ifndef HEAP_SANITIZED
#define HEAP_SANITIZED 0
#endif

/* KiB of resident memory that is no file's. */
static inline size_t heap_resident(void)
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

/* A block whose pages are there. volatile: compilers leave out what nobody reads. */
static inline void *heap_touched(size_t size)
{
	enum { PAGE = 4096 };
	volatile char *block = malloc(size);
	assert_non_null((const void *)block);
	for (size_t at = 0; at < size; at += PAGE)
		block[at] = 1;
	return (void *)block;
}

/* Holes of two megabytes each, and a block behind each that keeps the heap from shrinking, too large for older holes.
 */
enum { HEAP_HOLES = 8, HEAP_HOLE = 2 << 20, HEAP_PIN = 512 << 10 };
struct heap_holes {
	void *holes[HEAP_HOLES], *pins[HEAP_HOLES];
};

static inline void heap_holes_fill(struct heap_holes *heap)
{
	for (size_t i = 0; i < HEAP_HOLES; i++) {
		heap->holes[i] = heap_touched(HEAP_HOLE);
		heap->pins[i] = malloc(HEAP_PIN);
		assert_non_null(heap->pins[i]);
	}
}

static inline void heap_holes_open(struct heap_holes *heap)
{
	for (size_t i = 0; i < HEAP_HOLES; i++)
		free(heap->holes[i]);
}

static inline void heap_holes_forget(struct heap_holes *heap)
{
	for (size_t i = 0; i < HEAP_HOLES; i++)
		free(heap->pins[i]);
}

#endif
