/* SPDX-License-Identifier: MIT */
/* A backend's whole responses as deltas; response_read.h holds the contract. */
#include "schemas/responses/response_read.h"

#include "schemas/responses/read.h"

enum { DELTAS_OF_ITEM = 3, DELTAS_BESIDE = 3 };

/* Where the deltas of a whole response go. */
struct whole {
	const struct json *json;
	struct arena *arena;
	struct deltas *deltas;
	struct delta *room;
	int64_t calls;
};

/* Adds the texts of all parts of that type, one delta each. */
static unsigned read_parts(struct whole *at, uint32_t list, const char *type, const char *member, enum part part)
{
	unsigned carries = 0;
	if (list == JSON_NONE)
		return 0;
	for (uint32_t node = json_first(at->json, list); node != JSON_NONE; node = json_next(at->json, list, node))
		if (response_is_type(at->json, node, type))
			carries |= response_add_text(at->deltas, at->room, part,
						     response_text(at->json, node, member, at->arena));
	return carries;
}

static unsigned read_output_item(struct whole *at, uint32_t item)
{
	uint32_t content = response_member(at->json, item, "content", JSON_ARRAY);
	if (response_is_call(at->json, item)) {
		int64_t tool = at->calls++;
		struct span arguments = response_arguments(at->json, item, at->arena);
		unsigned carries = response_add_call(at->deltas, at->room, at->json, item, tool, at->arena);
		if (arguments.len > 0)
			response_add(at->deltas, at->room, PART_TOOL_ARGUMENTS, tool, arguments, SPAN(""));
		return carries;
	}
	if (response_is_type(at->json, item, "message"))
		return read_parts(at, content, "output_text", "text", PART_TEXT) |
		       read_parts(at, content, "refusal", "refusal", PART_REFUSAL);
	if (!response_is_type(at->json, item, "reasoning"))
		return 0;
	unsigned carries = read_parts(at, content, "reasoning_text", "text", PART_REASONING);
	return carries != 0 ? carries
			    : read_parts(at, response_member(at->json, item, "summary", JSON_ARRAY), "summary_text",
					 "text", PART_REASONING);
}

static size_t parts_of(const struct json *json, uint32_t item, const char *member)
{
	uint32_t list = response_member(json, item, member, JSON_ARRAY);
	return list == JSON_NONE ? 0 : json->nodes[list].count;
}

static size_t most_deltas(const struct json *json, uint32_t output)
{
	size_t most = DELTAS_BESIDE;
	for (uint32_t node = json_first(json, output); node != JSON_NONE; node = json_next(json, output, node))
		most += DELTAS_OF_ITEM + 2 * parts_of(json, node, "content") + parts_of(json, node, "summary");
	return most;
}

static void read_output(const struct json *json, uint32_t output, struct arena *scratch, struct answer_reading *reading,
			struct deltas *deltas)
{
	struct delta *room = arena_alloc(scratch, most_deltas(json, output) * sizeof(*room));
	struct whole at = {json, scratch, deltas, room, 0};
	if (room == NULL)
		return; /* the arena remembers */
	response_add(deltas, room, PART_CHOICE, -1, SPAN(""), SPAN(""));
	response_add(deltas, room, PART_ROLE, -1, SPAN("assistant"), SPAN(""));
	deltas->choices = 1;
	reading->carries = CARRIES_ROLE | CARRIES_FINISH;
	for (uint32_t node = json_first(json, output); node != JSON_NONE; node = json_next(json, output, node))
		reading->carries |= read_output_item(&at, node);
	response_add(deltas, room, PART_FINISH, -1, response_finish(json, 0, at.calls > 0, scratch), SPAN(""));
}

bool responses_response_read(struct span body, struct arena *scratch, struct answer_reading *reading)
{
	struct json *json = &reading->json;
	struct answer_told *told = arena_zalloc(scratch, 1, sizeof(*told));
	*reading = (struct answer_reading){.carries = CARRIES_NO_CHOICE, .usage = USAGE_UNKNOWN, .told = told};
	if (told == NULL || !event_parse(body, scratch, json))
		return false;
	uint32_t output = response_member(json, 0, "output", JSON_ARRAY),
		 error = response_member(json, 0, "error", JSON_OBJECT);
	if (error != JSON_NONE) {
		response_error(json, error, scratch, reading);
		return !arena_failed(scratch);
	}
	told->identity = (struct answer_identity){.id = response_text(json, 0, "id", scratch),
						  .model = response_text(json, 0, "model", scratch),
						  .created = response_created(json, 0)};
	if (output != JSON_NONE)
		read_output(json, output, scratch, reading, &told->deltas);
	reading->usage = response_usage_read(json, 0);
	reading->carries |= usage_is_known(&reading->usage) ? CARRIES_USAGE : 0;
	return !arena_failed(scratch);
}
