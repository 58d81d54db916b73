/* SPDX-License-Identifier: MIT */
/* Whole answers from events; whole.h holds the contract. */
#include "service/flights/whole.h"

#include "schemas/dialect.h"

void whole_init(struct whole *whole, const struct request *request, size_t most, uint32_t party)
{
	*whole = (struct whole){.dialect = request->dialect, .endpoint = request->endpoint, .usage = USAGE_UNKNOWN};
	collection_init(&whole->events, most, party);
	buf_init(&whole->body, most);
	buf_charge(&whole->body, party);
	arena_init(&whole->scratch, 0);
	arena_charge(&whole->scratch, party);
}

void whole_fini(struct whole *whole)
{
	collection_fini(&whole->events);
	buf_fini(&whole->body);
	arena_fini(&whole->scratch);
}

void whole_add(struct whole *whole, const struct event *event)
{
	if (event->kind == EVENT_CHUNK && (event->carries & CARRIES_NO_CHOICE) == 0) {
		arena_reset(&whole->scratch);
		collection_add(&whole->events, event, &whole->scratch);
	} else if (event->kind == EVENT_BODY) {
		whole->failed |= !buf_append(&whole->body, event->data);
	}
	if (event->kind != EVENT_CHUNK || (event->carries & CARRIES_USAGE) != 0) {
		bool told = event->usage.total_tokens > 0 || event->usage.prompt_tokens > 0;
		whole->usage = told ? event->usage : whole->usage;
	}
	whole->target = event->target;
	whole->joined |= event->joined;
}

size_t whole_bytes(const struct whole *whole)
{
	return buf_len(&whole->body) + whole->events.bytes;
}

bool whole_write(struct whole *whole, struct buf *out)
{
	whole->exhausted = whole->events.assembly.exhausted;
	if (whole->failed || whole->events.assembly.failed)
		return false;
	if (!whole->events.begun)
		return buf_len(&whole->body) > 0 && buf_append(out, buf_span(&whole->body));
	bool written = whole->dialect->answer_write(&whole->events.assembly, whole->endpoint, &whole->events.identity,
						    &whole->usage, out);
	whole->exhausted = buf_failed(out);
	return written && !whole->exhausted;
}
