/* SPDX-License-Identifier: MIT */
/* Repairs of chunks: a list of small changes, applied in one copy. Most chunks need none and cost nothing here. */
#include "schemas/openai/internal.h"

struct openai_repair {
	struct openai_repair *next;
	size_t start;
	size_t end;
	struct span text;
};

void openai_repair_add(struct openai_repairs *repairs, struct arena *arena, size_t start, size_t end, struct span text)
{
	struct openai_repair *repair = arena_alloc(arena, sizeof(*repair));
	if (repair == NULL || text.at == NULL)
		return; /* the arena remembers */
	*repair = (struct openai_repair){NULL, start, end, text};
	if (repairs->tail == NULL)
		repairs->tail = &repairs->first;
	*repairs->tail = repair;
	repairs->tail = &repair->next;
	repairs->added += text.len;
	repairs->removed += end - start;
}

static char *put(char *to, const char *from, size_t size)
{
	if (size != 0)
		memcpy(to, from, size);
	return to + size;
}

struct span openai_repair_apply(const struct openai_repairs *repairs, struct arena *arena, struct span document)
{
	if (repairs->first == NULL)
		return (struct span){NULL, 0};
	size_t len = document.len + repairs->added - repairs->removed;
	char *bytes = arena_alloc(arena, len);
	if (bytes == NULL)
		return (struct span){NULL, 0};
	char *to = bytes;
	size_t done = 0;
	for (const struct openai_repair *repair = repairs->first; repair != NULL; repair = repair->next) {
		to = put(to, document.at + done, repair->start - done);
		to = put(to, repair->text.at, repair->text.len);
		done = repair->end;
	}
	put(to, document.at + done, document.len - done);
	return (struct span){bytes, len};
}
