/* SPDX-License-Identifier: MIT */
/* The finding of a body that is no JSON; finding_json.h holds the contract. */
#include "schemas/finding_json.h"

#include <string.h>

#include "schemas/field_message.h"

/* Returns the places from the root to the duplicate key, in the arena; NULL when memory ran out. */
static const struct field_place *find_place(const struct json *json, struct arena *arena,
					    const struct json_error *error)
{
	uint32_t container = error->object, key = error->key, index = 0;
	struct field_place *inner = NULL, *first = NULL;
	do {
		struct field_place *place = arena_zalloc(arena, 1, sizeof(*place));
		if (place == NULL)
			return NULL;
		if (key != JSON_NONE)
			place->name = json_string(json, key, arena);
		place->index = index;
		if (inner != NULL)
			inner->around = place;
		inner = place;
		first = first == NULL ? place : first;
	} while (json_step_out(json, &container, &key, &index));
	return first;
}

void finding_of_json(struct findings *findings, struct arena *arena, const struct json *json,
		     const struct json_error *error, const struct json_limits *limits)
{
	struct finding finding = {.code = ERROR_INVALID_JSON};
	if (arena_failed(arena) || strcmp(error->what, "out of memory") == 0)
		finding.code = ERROR_OVERLOADED;
	else if (error->what == json_too_deep)
		finding.message = arena_printf(
		    arena, "Invalid JSON at line %u, column %u: %s; the limit is %u levels (limits.json_depth)",
		    error->line, error->column, error->what, limits->depth);
	else if (error->what == json_too_many)
		finding = (struct finding){
		    .code = ERROR_BODY_TOO_LARGE,
		    .message = arena_printf(arena,
					    "The request body holds more than %u JSON values and names of members "
					    "(at line %u, column %u); the limit is %u (limits.json_values).",
					    limits->values, error->line, error->column, limits->values)};
	else
		finding.message = arena_printf(arena, "Invalid JSON at line %u, column %u: %s", error->line,
					       error->column, error->what);
	const struct field_place *place = error->key == JSON_NONE ? NULL : find_place(json, arena, error);
	if (place != NULL) {
		finding.param = field_path(arena, place);
		finding.loc = field_location(arena, "body", place);
	}
	finding_only(findings, finding);
}
