/* SPDX-License-Identifier: MIT */
/* The dialects that there are. */
#include "schemas/dialect.h"

#include <string.h>

#include "schemas/anthropic/dialect.h"
#include "schemas/openai/dialect.h"
#include "schemas/responses/dialect.h"

static const struct dialect *const dialects[] = {&openai_dialect, &anthropic_dialect, &responses_dialect};

const struct dialect *dialect_find(const char *name)
{
	for (size_t i = 0; i < sizeof(dialects) / sizeof(dialects[0]); i++)
		if (strcmp(dialects[i]->name, name) == 0)
			return dialects[i];
	return NULL;
}

const struct dialect *dialect_default(void)
{
	return dialects[0];
}

const struct dialect *dialect_by_field(struct span name)
{
	static const struct dialect *const of_clients[] = {&anthropic_dialect};
	for (size_t i = 0; i < sizeof(of_clients) / sizeof(of_clients[0]); i++)
		if (span_is(name, of_clients[i]->field))
			return of_clients[i];
	return NULL;
}

struct span dialect_fields(void)
{
	return span_of(anthropic_dialect.field);
}

bool event_deltas(const struct event *event, struct arena *arena, struct deltas *deltas)
{
	struct json room;
	const struct json *json = event_json(event, arena, &room);
	return json != NULL && event->dialect->deltas_read(json, arena, deltas);
}
