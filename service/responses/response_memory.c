/* SPDX-License-Identifier: MIT */
/* What a request sees of stored responses; response_memory.h holds the contract. */
#include "service/responses/response_memory.h"

#include <string.h>

#include "lib/container.h"
#include "lib/timers.h"

enum { ID_MOST = 64 };

/* The id of the answer that was kept; empty = none was. */
struct kept_note {
	size_t len;
	char id[ID_MOST];
};

struct memory {
	struct request_memory memory;
	struct kept_note *note;
	struct response_store *store;
	struct response_store_limits limits;
	struct span tenant;
};

static bool find(const struct request_memory *memory, struct span id, struct arena *arena, struct request_kept *kept)
{
	const struct memory *own = container_of(memory, const struct memory, memory);
	struct stored_response *record = response_store_get(own->store, own->tenant, id, timers_monotonic(NULL));
	if (record == NULL)
		return false;
	*kept = (struct request_kept){.id = id,
				      .answer = arena_copy(arena, stored_response_answer(record)),
				      .input = arena_copy(arena, stored_response_input(record))};
	stored_response_drop(record);
	return true;
}

static void keep(const struct request_memory *memory, const struct request_kept *kept)
{
	const struct memory *own = container_of(memory, const struct memory, memory);
	response_store_put(own->store, &own->limits, own->tenant, kept->id, kept->answer, kept->input,
			   timers_monotonic(NULL));
	if (kept->id.len > ID_MOST)
		return;
	memcpy(own->note->id, kept->id.at, kept->id.len);
	own->note->len = kept->id.len;
}

struct response_store_limits response_limits(const struct config_responses *config)
{
	return (struct response_store_limits){
	    .size = config->size, .tenant_size = config->tenant_size, .ttl_us = config->ttl_us};
}

void response_memory_share(const struct request_memory *memory, struct shared_responses *shared)
{
	const struct memory *own = container_of(memory, const struct memory, memory);
	if (own->note->len > 0)
		shared_responses_put(shared, &own->limits, own->tenant, (struct span){own->note->id, own->note->len});
}

const struct request_memory *response_memory(struct response_store *store, const struct response_store_limits *limits,
					     struct span tenant, struct arena *arena)
{
	if (store == NULL || limits->size == 0)
		return NULL;
	struct memory *memory = arena_zalloc(arena, 1, sizeof(*memory));
	struct kept_note *note = arena_zalloc(arena, 1, sizeof(*note));
	if (memory == NULL || note == NULL)
		return NULL;
	memory->note = note;
	memory->memory = (struct request_memory){.find = find, .keep = keep};
	memory->store = store;
	memory->limits = *limits;
	memory->tenant = tenant.len == 0 ? SPAN("") : arena_copy(arena, tenant);
	return memory->tenant.at == NULL ? NULL : &memory->memory;
}
