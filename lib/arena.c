/* SPDX-License-Identifier: MIT */
/*
 * Blocks double in size up to 64 KiB; a request larger than that gets a block
 * of its own. See arena.h for the contract.
 */
#include "lib/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { ARENA_FIRST_BLOCK = 2048, ARENA_LAST_BLOCK = 65536, ARENA_ALIGN = 16 };

struct arena_block {
	struct arena_block *older;
	size_t size; /* bytes behind this header */
	_Alignas(ARENA_ALIGN) char bytes[];
};

void arena_init(struct arena *arena, size_t limit)
{
	*arena = (struct arena){.limit = limit == 0 ? SIZE_MAX : limit};
}

void arena_fini(struct arena *arena)
{
	while (arena->blocks != NULL) {
		struct arena_block *older = arena->blocks->older;
		free(arena->blocks);
		arena->blocks = older;
	}
	arena_init(arena, arena->limit);
}

void arena_reset(struct arena *arena)
{
	struct arena_block *newest = arena->blocks;
	if (newest == NULL || newest->size > ARENA_LAST_BLOCK) {
		arena_fini(arena);
		return;
	}
	arena->blocks = newest->older;
	size_t limit = arena->limit;
	arena_fini(arena);
	newest->older = NULL;
	*arena = (struct arena){
	    .blocks = newest, .next = newest->bytes, .left = newest->size, .used = newest->size, .limit = limit};
}

/* The size of the next block: double the newest one, at least need. */
static size_t arena_next_size(const struct arena *arena, size_t need)
{
	size_t size = ARENA_FIRST_BLOCK;
	if (arena->blocks != NULL && arena->blocks->size >= ARENA_FIRST_BLOCK)
		size = arena->blocks->size >= ARENA_LAST_BLOCK / 2 ? ARENA_LAST_BLOCK : arena->blocks->size * 2;
	return size < need ? need : size;
}

static bool arena_grow(struct arena *arena, size_t need)
{
	size_t size = arena_next_size(arena, need);
	if (size > arena->limit - arena->used)
		size = need;
	if (size > arena->limit - arena->used)
		return false;
	struct arena_block *block = malloc(sizeof(*block) + size);
	if (block == NULL)
		return false;
	*block = (struct arena_block){.older = arena->blocks, .size = size};
	arena->blocks = block;
	arena->next = block->bytes;
	arena->left = size;
	arena->used += size;
	return true;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	if (arena->failed || size > SIZE_MAX / 2)
		goto fail;
	size = size == 0 ? ARENA_ALIGN : (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	if (size > arena->left && !arena_grow(arena, size))
		goto fail;
	void *at = arena->next;
	arena->next += size;
	arena->left -= size;
	return at;
fail:
	arena->failed = true;
	return NULL;
}

void *arena_zalloc(struct arena *arena, size_t count, size_t size)
{
	size_t bytes = 0;
	if (__builtin_mul_overflow(count, size, &bytes)) {
		arena->failed = true;
		return NULL;
	}
	void *at = arena_alloc(arena, bytes);
	if (at != NULL)
		memset(at, 0, bytes);
	return at;
}

struct span arena_copy(struct arena *arena, struct span bytes)
{
	char *at = arena_alloc(arena, bytes.len + 1);
	if (at == NULL)
		return (struct span){NULL, 0};
	if (bytes.len != 0)
		memcpy(at, bytes.at, bytes.len);
	at[bytes.len] = '\0';
	return (struct span){at, bytes.len};
}

struct span arena_printf(struct arena *arena, const char *format, ...)
{
	struct span text = {NULL, 0};
	va_list args;
	va_list again;
	va_start(args, format);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, args);
	char *at = len < 0 ? NULL : arena_alloc(arena, (size_t)len + 1);
	if (at != NULL) {
		vsnprintf(at, (size_t)len + 1, format, again);
		text = (struct span){at, (size_t)len};
	}
	va_end(again);
	va_end(args);
	return text;
}
