/* SPDX-License-Identifier: MIT */
/* The dialects that there are. */
#include "schemas/dialect.h"

#include <string.h>

#include "schemas/anthropic/dialect.h"
#include "schemas/openai/dialect.h"

static const struct dialect *const dialects[] = {&openai_dialect, &anthropic_dialect};

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

bool event_deltas(const struct event *event, struct arena *arena, struct deltas *deltas)
{
	struct json room;
	const struct json *json = event_json(event, arena, &room);
	return json != NULL && event->dialect->deltas_read(json, arena, deltas);
}
