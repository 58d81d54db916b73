/* SPDX-License-Identifier: MIT */
/* Which blocks of a streamed message are calls of tools, and what came of each. */
#ifndef SLUICE_SCHEMAS_ANTHROPIC_TOOL_BLOCKS_H
#define SLUICE_SCHEMAS_ANTHROPIC_TOOL_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>

enum {
	TOOL_BLOCKS_OPEN = 32,  /* calls whose arguments come at the same time at most; servers send one by one */
	TOOL_BLOCKS_MOST = 4096 /* calls of a message */
};

struct tool_block {
	int64_t index; /* of the block */
	int64_t call;  /* its position among the calls */
	bool used;     /* the place is taken */
	bool argued;   /* arguments came */
	bool stopped;  /* the block has ended: another one may have the place */
};

/* Zeroed: none yet. */
struct tool_blocks {
	int64_t calls; /* so far */
	struct tool_block list[TOOL_BLOCKS_OPEN];
};

/* Returns the call that the block is; NULL: it is none, as those that the backend runs. */
struct tool_block *tool_blocks_find(struct tool_blocks *blocks, int64_t index);

/* Notes that a block is another call. NULL: there are too many, or too many at the same time. */
struct tool_block *tool_blocks_add(struct tool_blocks *blocks, int64_t index);

#endif
