/* SPDX-License-Identifier: MIT */
/*
 * A bump allocator with the life of one exchange: many small allocations, one
 * release. It never returns memory early and never moves what it handed out.
 *
 * Exhaustion is sticky: once an allocation fails (out of memory or past the
 * limit) every later one fails too, so a builder may allocate freely and check
 * arena_failed() once, at its end.
 */
#ifndef SLUICE_LIB_ARENA_H
#define SLUICE_LIB_ARENA_H

#include <stdint.h>

#include "lib/span.h"

struct arena_block;

struct arena {
	struct arena_block *blocks; /* newest first */
	char *next;                 /* first free byte of the newest block */
	size_t left;                /* bytes free behind next */
	size_t block_size;          /* of the last block that was not made for one large allocation; 0 = none yet */
	size_t used;                /* bytes handed out by blocks so far */
	size_t limit;               /* ceiling of used, bytes */
	bool failed;
	uint32_t party; /* of ledger.h, who is charged for blocks beyond LEDGER_BLOCK */
};

/* Starts empty; allocates nothing yet. limit: ceiling in bytes, 0 = none. */
void arena_init(struct arena *arena, size_t limit);

/* Charges what the arena, which has allocated nothing yet, will allocate to a party. A refusal exhausts the arena. */
static inline void arena_charge(struct arena *arena, uint32_t party)
{
	arena->party = party;
}

/* Frees everything that was handed out. The arena may be initialised again. */
void arena_fini(struct arena *arena);

/*
 * Takes everything back at once but keeps the newest block for what comes next,
 * so that a scratch arena costs no allocation in the steady state. Clears the failure.
 */
void arena_reset(struct arena *arena);

/* size bytes, aligned for any object, uninitialised; NULL on exhaustion. */
void *arena_alloc(struct arena *arena, size_t size);

/*
 * The last allocation, at, of size bytes, turned out to need only its first needed ones. Returns where they are now;
 * what is given back is not counted against the limit if the allocation was a large one.
 */
void *arena_shrink(struct arena *arena, void *at, size_t size, size_t needed);

/*
 * The last allocation, at, of size bytes, needs more than them: needed. Returns where they are now, a large one without
 * leaving the old one behind; NULL on exhaustion.
 */
void *arena_grow(struct arena *arena, void *at, size_t size, size_t needed);

/* As arena_alloc, for count objects of size bytes, zeroed. Refuses overflow. */
void *arena_zalloc(struct arena *arena, size_t count, size_t size);

/* A NUL-terminated copy of bytes (the NUL is not counted); {NULL,0} on exhaustion. */
struct span arena_copy(struct arena *arena, struct span bytes);

/* A formatted, NUL-terminated string; {NULL,0} on exhaustion. */
struct span arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* True once any allocation failed. */
static inline bool arena_failed(const struct arena *arena)
{
	return arena->failed;
}

#endif
