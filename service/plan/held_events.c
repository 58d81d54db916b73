/* SPDX-License-Identifier: MIT */
/* Events before the first content, kept back; see held_events.h. */
#include "service/plan/held_events.h"

bool held_events_may_hold(const struct event *event)
{
	return event->kind == EVENT_USAGE || (event->kind == EVENT_CHUNK && (event->carries & CARRIES_CONTENT) == 0);
}

static const struct event_origin *copy_origin(struct arena *arena, const struct event_origin *origin)
{
	struct event_origin *copy = arena_alloc(arena, sizeof(*copy));
	if (copy == NULL)
		return NULL; /* the arena remembers */
	*copy = *origin;
	if (origin->bytes.at != NULL)
		copy->bytes = arena_copy(arena, origin->bytes);
	if (origin->dropped.at != NULL)
		copy->dropped = arena_copy(arena, origin->dropped);
	return copy;
}

bool held_events_keep(struct held_events *early, struct arena *arena, const struct event *event)
{
	size_t bytes = event->data.len + event->raw.len + (event->origin == NULL ? 0 : event->origin->bytes.len);
	if (early->bytes + bytes > HELD_EVENTS_MOST)
		return false;
	struct held_event *kept = arena_alloc(arena, sizeof(*kept));
	if (kept == NULL)
		return false;
	*kept = (struct held_event){.event = *event};
	kept->event.json = NULL;
	kept->event.data = arena_copy(arena, event->data);
	if (event->raw.at != NULL)
		kept->event.raw = arena_copy(arena, event->raw);
	if (event->origin != NULL)
		kept->event.origin = copy_origin(arena, event->origin);
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

const struct event *held_events_take(struct held_events *early)
{
	struct held_event *kept = early->first;
	if (kept == NULL)
		return NULL;
	early->first = kept->next;
	return &kept->event;
}
