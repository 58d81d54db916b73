/* SPDX-License-Identifier: MIT */
/* Blocks that are calls; tool_blocks.h holds the contract. */
#include "schemas/anthropic/tool_blocks.h"

#include <stddef.h>

struct tool_block *tool_blocks_find(struct tool_blocks *blocks, int64_t index)
{
	for (size_t i = 0; i < TOOL_BLOCKS_OPEN; i++)
		if (blocks->list[i].used && blocks->list[i].index == index)
			return &blocks->list[i];
	return NULL;
}

struct tool_block *tool_blocks_add(struct tool_blocks *blocks, int64_t index)
{
	struct tool_block *place = NULL;
	for (size_t i = 0; i < TOOL_BLOCKS_OPEN && (place == NULL || place->used); i++)
		if (!blocks->list[i].used || blocks->list[i].stopped)
			place = &blocks->list[i];
	if (place == NULL || blocks->calls >= TOOL_BLOCKS_MOST)
		return NULL;
	*place = (struct tool_block){.index = index, .call = blocks->calls++, .used = true};
	return place;
}
