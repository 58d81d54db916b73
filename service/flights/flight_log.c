/* SPDX-License-Identifier: MIT */
/* Events that outlive their callback; flight_log.h holds the contract. */
#include "service/flights/flight_log.h"

#include <stdlib.h>
#include <string.h>

#include "lib/ledger.h"

enum { CHARGED_AT_ONCE = 16 << 10 /* bytes */ };

void flight_log_init(struct flight_log *log, uint32_t party)
{
	*log = (struct flight_log){.party = party};
	arena_init(&log->arena, 0);
}

void flight_log_fini(struct flight_log *log)
{
	flight_log_forget(log, UINT64_MAX);
	ledger_give(log->party, log->charged);
	arena_fini(&log->arena);
}

static struct span keep(struct arena *arena, struct span text)
{
	return text.at == NULL ? text : arena_copy(arena, text);
}

/* Those who follow get what all dialects have in common, and no bytes of one. */
static const struct event_origin *copy_origin(struct arena *arena, const struct event_origin *origin)
{
	if (origin == NULL || origin->dropped.at == NULL)
		return NULL;
	struct event_origin *copy = arena_zalloc(arena, 1, sizeof(*copy));
	if (copy == NULL)
		return NULL;
	copy->dialect = origin->dialect;
	copy->dropped = arena_copy(arena, origin->dropped);
	return copy;
}

static const struct cause *copy_causes(struct arena *arena, const struct cause *causes)
{
	struct cause *first = NULL, **link = &first;
	for (; causes != NULL; causes = causes->next) {
		struct cause *copy = arena_alloc(arena, sizeof(*copy));
		if (copy == NULL)
			break;
		*copy = *causes;
		copy->loc = keep(arena, causes->loc);
		copy->message = keep(arena, causes->message);
		copy->next = NULL;
		*link = copy;
		link = &copy->next;
	}
	return first;
}

static const struct failure *copy_failure(struct arena *arena, const struct failure *failure)
{
	struct failure *copy = arena_alloc(arena, sizeof(*copy));
	if (copy == NULL)
		return NULL;
	*copy = *failure;
	copy->message = keep(arena, failure->message);
	copy->param = keep(arena, failure->param);
	copy->details = keep(arena, failure->details);
	copy->body = keep(arena, failure->body);
	copy->retry_after = keep(arena, failure->retry_after);
	copy->causes = copy_causes(arena, failure->causes);
	return arena_failed(arena) ? NULL : copy;
}

/* The data of a chunk is mostly a piece of its raw bytes: then these alone are kept. */
static void copy_bytes(struct flight_record *record, const struct event *event)
{
	struct event *copy = &record->event;
	bool within = flight_data_is_raw(event);
	char *at = record->bytes;
	if (event->raw.at != NULL) {
		memcpy(at, event->raw.at, event->raw.len);
		copy->raw.at = at;
		at += event->raw.len;
	}
	if (within) {
		copy->data.at = record->bytes + (event->data.at - event->raw.at);
	} else if (event->data.at != NULL) {
		memcpy(at, event->data.at, event->data.len);
		copy->data.at = at;
	}
}

/* Charges room for so many bytes more; the first block is the request's. What was read already is charged in any case.
 * False: refused. */
static bool charge(struct flight_log *log, size_t more)
{
	size_t need = log->bytes - log->gone + more;
	if (need <= log->charged + LEDGER_BLOCK)
		return true;
	size_t bytes = need - log->charged + CHARGED_AT_ONCE;
	if (!ledger_grow(log->party, bytes)) {
		bytes = need - log->charged - LEDGER_BLOCK;
		if (bytes > LEDGER_STEP)
			return false;
		ledger_overdraw(log->party, bytes);
	}
	log->charged += bytes;
	return true;
}

static void uncharge(struct flight_log *log)
{
	size_t need = log->bytes - log->gone + CHARGED_AT_ONCE;
	if (log->charged < need + CHARGED_AT_ONCE)
		return;
	ledger_give(log->party, log->charged - need);
	log->charged = need;
}

struct flight_record *flight_log_copy(struct flight_log *log, const struct event *event)
{
	size_t bytes = event->raw.len + (flight_data_is_raw(event) ? 0 : event->data.len);
	struct flight_record *record = charge(log, sizeof(*record) + bytes) ? malloc(sizeof(*record) + bytes) : NULL;
	if (record == NULL)
		return NULL;
	*record = (struct flight_record){.event = *event, .behind = sizeof(*record) + bytes};
	record->event.json = NULL;
	record->event.origin = copy_origin(&log->arena, event->origin);
	copy_bytes(record, event);
	if (event->kind != EVENT_ERROR)
		return record;
	record->event.failure = copy_failure(&log->arena, event->failure);
	if (record->event.failure != NULL)
		return record;
	free(record);
	return NULL;
}

void flight_log_append(struct flight_log *log, struct flight_record *record)
{
	record->number = ++log->count;
	record->behind += log->bytes;
	log->bytes = record->behind;
	if (log->last == NULL)
		log->first = record;
	else
		log->last->next = record;
	log->last = record;
}

void flight_log_forget(struct flight_log *log, uint64_t number)
{
	while (log->first != NULL && log->first->number <= number) {
		struct flight_record *record = log->first;
		log->first = record->next;
		log->gone = record->behind;
		free(record);
	}
	if (log->first == NULL)
		log->last = NULL;
	uncharge(log);
}
