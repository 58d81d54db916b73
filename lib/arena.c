/* SPDX-License-Identifier: MIT */
/*
 * Blocks double in size up to 64 KiB; what is larger than the next one gets a
 * block of its own, and the present one is filled on. See arena.h for the
 * contract.
 */
#include "lib/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/ledger.h"
#include "lib/memory.h"

enum { ARENA_FIRST_BLOCK = 1536 /* what a usual exchange needs */, ARENA_LAST_BLOCK = 65536, ARENA_ALIGN = 16 };

struct arena_block {
	struct arena_block *older;
	size_t size; /* bytes behind this header */
	_Alignas(ARENA_ALIGN) char bytes[];
};

void arena_init(struct arena *arena, size_t limit)
{
	*arena = (struct arena){.limit = limit == 0 ? SIZE_MAX : limit};
}

/* Bytes that a block of that size is charged. */
static size_t arena_cost(size_t size)
{
	return size <= LEDGER_BLOCK ? 0 : size;
}

/* Frees the blocks from there on. */
static void free_blocks(struct arena *arena, struct arena_block *block)
{
	while (block != NULL) {
		struct arena_block *older = block->older;
		ledger_give(arena->party, arena_cost(block->size));
		free(block);
		block = older;
	}
}

void arena_fini(struct arena *arena)
{
	uint32_t party = arena->party;
	free_blocks(arena, arena->blocks);
	arena_init(arena, arena->limit);
	arena->party = party;
}

void arena_reset(struct arena *arena)
{
	struct arena_block *newest = arena->blocks;
	if (newest == NULL || newest->size > ARENA_LAST_BLOCK) {
		arena_fini(arena);
		return;
	}
	free_blocks(arena, newest->older);
	newest->older = NULL;
	arena->next = newest->bytes;
	arena->left = arena->used = newest->size;
	arena->failed = false;
}

static size_t arena_next_size(const struct arena *arena)
{
	size_t size = arena->block_size == 0 ? ARENA_FIRST_BLOCK : arena->block_size * 2;
	return size > ARENA_LAST_BLOCK ? ARENA_LAST_BLOCK : size;
}

static struct arena_block *arena_add_block(struct arena *arena, size_t size)
{
	if (size > arena->limit - arena->used || (arena_cost(size) > 0 && !ledger_grow(arena->party, size)))
		return NULL;
	struct arena_block *block = malloc(sizeof(*block) + size);
	if (block == NULL) {
		ledger_give(arena->party, arena_cost(size));
		return NULL;
	}
	memory_prefer_large_pages(block, size);
	block->size = size;
	arena->used += size;
	return block;
}

/* Room for size bytes in a block of its own, behind the newest one. */
static void *arena_alloc_apart(struct arena *arena, size_t size)
{
	struct arena_block *block = arena_add_block(arena, size);
	if (block == NULL)
		return NULL;
	struct arena_block **place = arena->blocks == NULL ? &arena->blocks : &arena->blocks->older;
	block->older = *place;
	*place = block;
	return block->bytes;
}

/* size bytes that do not fit into the newest block. */
static void *arena_alloc_slowly(struct arena *arena, size_t size)
{
	size_t next = arena_next_size(arena);
	if (size > next || next > arena->limit - arena->used)
		return arena_alloc_apart(arena, size);
	struct arena_block *block = arena_add_block(arena, next);
	if (block == NULL)
		return NULL;
	block->older = arena->blocks;
	arena->blocks = block;
	arena->block_size = next;
	arena->next = block->bytes + size;
	arena->left = next - size;
	return block->bytes;
}

static size_t arena_round(size_t size)
{
	return size == 0 ? ARENA_ALIGN : (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
}

void *arena_alloc(struct arena *arena, size_t size)
{
	if (arena->failed || size > SIZE_MAX / 2)
		goto fail;
	size = arena_round(size);
	if (size <= arena->left) {
		void *at = arena->next;
		arena->next += size;
		arena->left -= size;
		return at;
	}
	void *at = arena_alloc_slowly(arena, size);
	if (at != NULL)
		return at;
fail:
	arena->failed = true;
	return NULL;
}

/* Where the block of the last allocation hangs, which has one of its own: see arena_alloc_apart. */
static struct arena_block **last_apart(struct arena *arena, const void *at)
{
	return arena->blocks->bytes == at ? &arena->blocks : &arena->blocks->older;
}

void *arena_grow(struct arena *arena, void *at, size_t size, size_t needed)
{
	size = arena_round(size);
	if (arena->failed || needed > SIZE_MAX / 2)
		goto fail;
	needed = arena_round(needed);
	if ((char *)at + size == arena->next) {
		void *copy = arena_alloc(arena, needed);
		return copy == NULL ? NULL : memcpy(copy, at, size);
	}
	struct arena_block **place = last_apart(arena, at);
	if (needed - (*place)->size > arena->limit - arena->used)
		goto fail;
	size_t more = needed - (*place)->size, cost = arena_cost(needed) - arena_cost((*place)->size);
	if (cost > 0 && !ledger_grow(arena->party, cost))
		goto fail;
	struct arena_block *block = realloc(*place, sizeof(*block) + needed);
	if (block == NULL) {
		ledger_give(arena->party, cost);
		goto fail;
	}
	*place = block;
	block->size = needed;
	arena->used += more;
	return block->bytes;
fail:
	arena->failed = true;
	return NULL;
}

void *arena_shrink(struct arena *arena, void *at, size_t size, size_t needed)
{
	size = arena_round(size);
	needed = arena_round(needed);
	if ((char *)at + size == arena->next) {
		arena->next -= size - needed;
		arena->left += size - needed;
		return at;
	}
	struct arena_block **place = last_apart(arena, at);
	struct arena_block *block = realloc(*place, sizeof(*block) + needed);
	if (block == NULL)
		return at;
	arena->used -= block->size - needed;
	ledger_give(arena->party, arena_cost(block->size) - arena_cost(needed));
	block->size = needed;
	*place = block;
	return block->bytes;
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
