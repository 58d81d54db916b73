/* SPDX-License-Identifier: MIT */
/* Events of one answer; collection.h holds the contract. */
#include "service/answer/collection.h"

#include "lib/json.h"
#include "schemas/dialect.h"

void collection_init(struct collection *collection, size_t most, uint32_t party)
{
	*collection = (struct collection){.identity = {.created = -1}};
	assembly_init(&collection->assembly, most);
	assembly_charge(&collection->assembly, party);
	arena_init(&collection->arena, 0);
	arena_charge(&collection->arena, party);
}

void collection_fini(struct collection *collection)
{
	assembly_fini(&collection->assembly);
	arena_fini(&collection->arena);
}

void collection_add(struct collection *collection, const struct event *event, struct arena *scratch)
{
	struct json room;
	struct deltas deltas;
	const struct json *json = event_json(event, scratch, &room);
	bool read = json != NULL && event->dialect->deltas_read(json, scratch, &deltas);
	if (read && !collection->begun) /* the first event says what the answer is called */
		event->dialect->identity_read(json, &collection->arena, &collection->identity);
	if (read)
		assembly_add(&collection->assembly, &deltas);
	else
		assembly_fail(&collection->assembly, arena_failed(scratch));
	collection->bytes += event->data.len;
	collection->begun = true;
}
