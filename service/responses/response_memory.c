/* SPDX-License-Identifier: MIT */
/* What a request sees of stored responses; response_memory.h holds the contract. */
#include "service/responses/response_memory.h"

#include "lib/container.h"
#include "lib/timers.h"

struct memory {
	struct request_memory memory;
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
}

const struct request_memory *response_memory(struct response_store *store, const struct response_store_limits *limits,
					     struct span tenant, struct arena *arena)
{
	if (store == NULL || limits->size == 0)
		return NULL;
	struct memory *memory = arena_zalloc(arena, 1, sizeof(*memory));
	if (memory == NULL)
		return NULL;
	memory->memory = (struct request_memory){.find = find, .keep = keep};
	memory->store = store;
	memory->limits = *limits;
	memory->tenant = tenant.len == 0 ? SPAN("") : arena_copy(arena, tenant);
	return memory->tenant.at == NULL ? NULL : &memory->memory;
}
