/* SPDX-License-Identifier: MIT */
/* Events before the first content, kept back; see early.h. */
#include "service/plan/early.h"

bool early_is(const struct event *event)
{
	return event->kind == EVENT_USAGE || (event->kind == EVENT_CHUNK && (event->carries & CARRIES_CONTENT) == 0);
}

bool early_keep(struct early *early, struct arena *arena, const struct event *event)
{
	size_t bytes = event->data.len + event->raw.len;
	if (early->bytes + bytes > EARLY_MOST)
		return false;
	struct early_event *kept = arena_alloc(arena, sizeof(*kept));
	if (kept == NULL)
		return false;
	*kept = (struct early_event){.event = *event};
	kept->event.json = NULL;
	kept->event.data = arena_copy(arena, event->data);
	if (event->raw.at != NULL)
		kept->event.raw = arena_copy(arena, event->raw);
	if (arena_failed(arena))
		return false;
	if (early->first == NULL)
		early->first = kept;
	else
		early->last->next = kept;
	early->last = kept;
	early->bytes += bytes;
	return true;
}

const struct event *early_take(struct early *early)
{
	struct early_event *kept = early->first;
	if (kept == NULL)
		return NULL;
	early->first = kept->next;
	return &kept->event;
}
