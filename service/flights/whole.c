/* SPDX-License-Identifier: MIT */
/* Whole answers from events; whole.h holds the contract. */
#include "service/flights/whole.h"

#include "lib/json.h"
#include "schemas/dialect.h"

void whole_init(struct whole *whole, const struct request *request, size_t most, uint32_t party)
{
	*whole = (struct whole){.dialect = request->dialect, .endpoint = request->endpoint, .usage = USAGE_UNKNOWN};
	assembly_init(&whole->assembly, most);
	assembly_charge(&whole->assembly, party);
	buf_init(&whole->body, most);
	buf_charge(&whole->body, party);
	arena_init(&whole->arena, 0);
	arena_charge(&whole->arena, party);
	arena_init(&whole->scratch, 0);
	arena_charge(&whole->scratch, party);
}

void whole_fini(struct whole *whole)
{
	assembly_fini(&whole->assembly);
	buf_fini(&whole->body);
	arena_fini(&whole->arena);
	arena_fini(&whole->scratch);
}

static void add_event(struct whole *whole, const struct event *event)
{
	struct json room;
	struct deltas deltas;
	arena_reset(&whole->scratch);
	const struct json *json = event_json(event, &whole->scratch, &room);
	bool read = json != NULL && event->dialect->deltas_read(json, &whole->scratch, &deltas);
	if (read && !whole->streamed) /* the first one says what the answer is called */
		event->dialect->identity_read(json, &whole->arena, &whole->identity);
	if (read)
		assembly_add(&whole->assembly, &deltas);
	else
		assembly_fail(&whole->assembly, arena_failed(&whole->scratch));
	whole->bytes += event->data.len;
	whole->streamed = true;
}

void whole_add(struct whole *whole, const struct event *event)
{
	if (event->kind == EVENT_CHUNK && (event->carries & CARRIES_NO_CHOICE) == 0) {
		add_event(whole, event);
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
	return buf_len(&whole->body) + whole->bytes;
}

bool whole_write(struct whole *whole, struct buf *out)
{
	whole->exhausted = whole->assembly.exhausted;
	if (whole->failed || whole->assembly.failed)
		return false;
	if (!whole->streamed)
		return buf_len(&whole->body) > 0 && buf_append(out, buf_span(&whole->body));
	bool written =
	    whole->dialect->answer_write(&whole->assembly, whole->endpoint, &whole->identity, &whole->usage, out);
	whole->exhausted = buf_failed(out);
	return written && !whole->exhausted;
}
