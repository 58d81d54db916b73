/* SPDX-License-Identifier: MIT */
/*
 * Answers of the other form than was asked for, as some servers give them: a
 * stream for a whole answer is gathered until it is complete, and a whole answer
 * for a stream goes up as the chunks that it amounts to.
 */
#include "schemas/openai_assembly.h"
#include "schemas/openai_replay.h"
#include "service/plan/target.h"

struct target_collection {
	struct openai_assembly assembly;
	struct span id, model; /* of the first chunk; arena */
	int64_t created;
	bool named;
	struct usage usage;
	struct buf answer;
};

bool target_collect_begin(struct target_run *target)
{
	struct target_collection *collection = arena_zalloc(target->run.context->arena, 1, sizeof(*collection));
	size_t most = target->run.context->worker->config->limits.event;
	if (collection == NULL)
		return false;
	openai_assembly_init(&collection->assembly, most);
	openai_assembly_charge(&collection->assembly, target->run.context->party);
	buf_init(&collection->answer, most * 6);
	buf_charge(&collection->answer, target->run.context->party);
	collection->usage = USAGE_UNKNOWN;
	target->collection = collection;
	return true;
}

void target_collect_fini(struct target_run *target)
{
	struct target_collection *collection = target->collection;
	if (collection == NULL)
		return;
	openai_assembly_fini(&collection->assembly);
	buf_fini(&collection->answer);
	target->collection = NULL;
}

/* Returns a copy of the string member of the chunk; "" when it has none. */
static struct span collect_text(const struct target_run *target, const struct json *json, const char *key)
{
	struct arena *arena = target->run.context->arena;
	uint32_t value = json_member(json, 0, key);
	if (value == JSON_NONE || json_type(json, value) != JSON_STRING)
		return SPAN("");
	return arena_copy(arena, json_string(json, value, target->run.context->worker->scratch));
}

static void collect_name(struct target_run *target, const struct json *json)
{
	struct target_collection *collection = target->collection;
	uint32_t created = json_member(json, 0, "created");
	collection->named = true;
	collection->id = collect_text(target, json, "id");
	collection->model = collect_text(target, json, "model");
	if (created == JSON_NONE || !json_int(json, created, &collection->created))
		collection->created = target->run.context->created;
}

void target_collect(struct target_run *target, struct span data, const struct openai_chunk *chunk)
{
	struct target_collection *collection = target->collection;
	if ((chunk->carries & CARRIES_USAGE) != 0)
		collection->usage = chunk->usage;
	if ((chunk->carries & CARRIES_NO_CHOICE) != 0)
		return;
	if (!collection->named)
		collect_name(target, &chunk->json);
	openai_assembly_add(&collection->assembly, data);
	if (collection->assembly.failed)
		target_fail_code(target, ERROR_UPSTREAM_INVALID);
}

static bool collect_write(struct target_run *target, struct buf *plain)
{
	struct target_collection *collection = target->collection;
	return openai_assembly_write(&collection->assembly, collection->id, collection->model, collection->created,
				     plain) &&
	       openai_answer_write_usage(buf_span(plain), &collection->usage, target->run.context->worker->scratch,
					 &collection->answer) &&
	       !buf_failed(&collection->answer);
}

void target_collect_end(struct target_run *target)
{
	struct target_collection *collection = target->collection;
	struct buf plain;
	buf_init(&plain, collection->answer.ceiling);
	bool chat = target->run.context->request->endpoint == OPENAI_CHAT; /* there is no assembly of completions */
	bool written = chat && collect_write(target, &plain);
	buf_fini(&plain);
	if (!written) {
		target_fail_code(target, ERROR_UPSTREAM_INVALID);
		return;
	}
	struct span body = buf_span(&collection->answer);
	struct event event = {.kind = EVENT_BODY, .data = body, .total = (int64_t)body.len, .usage = collection->usage};
	target_emit(target, &event);
	if (target->state == TARGET_ST_STREAM)
		target_complete(target);
}

static bool replay_chunk(void *context, struct span data, unsigned carries)
{
	struct target_run *target = context;
	struct event event = {.kind = EVENT_CHUNK, .carries = carries, .data = data, .usage = USAGE_UNKNOWN};
	if ((carries & CARRIES_USAGE) == 0)
		target_emit(target, &event);
	return target->state == TARGET_ST_WHOLE;
}

/* The usage, for the client if it asked for it, else for our books. */
static void replay_usage(struct target_run *target, const struct usage *usage)
{
	const struct run_context *context = target->run.context;
	struct event event = {.kind = EVENT_USAGE, .usage = *usage};
	struct buf data;
	buf_init(&data, 4096);
	if (context->request->include_usage) {
		openai_usage_chunk_write(&data, context->request->endpoint, context->id, context->request->model,
					 context->created, usage);
		event.kind = EVENT_CHUNK;
		event.carries = CARRIES_USAGE | CARRIES_NO_CHOICE;
		event.data = buf_span(&data);
	}
	target_emit(target, &event);
	buf_fini(&data);
}

void target_replay(struct target_run *target, struct span body, const struct openai_answer *answer)
{
	const struct openai_request *request = target->run.context->request;
	struct openai_replay replay = {.endpoint = request->endpoint, .body = body, .created = -1};
	struct usage usage = answer->usage;
	bool counted = (answer->carries & CARRIES_USAGE) != 0;
	struct arena scratch;
	arena_init(&scratch, 0);
	bool told = openai_replay_chunks(&replay, &scratch, replay_chunk, target);
	arena_fini(&scratch);
	if (target->state != TARGET_ST_WHOLE)
		return; /* whoever got the first chunks had enough */
	if (!told) {
		target_fail_code(target, ERROR_UPSTREAM_INVALID);
		return;
	}
	if (counted)
		replay_usage(target, &usage);
	if (target->state == TARGET_ST_WHOLE)
		target_complete(target);
}
