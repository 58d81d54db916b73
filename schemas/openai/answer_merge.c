/* SPDX-License-Identifier: MIT */
/*
 * Gathered answers: chunks rewritten for their lane, whole answers merged into
 * one, and the usage chunk that ends a gathered stream. All but the members
 * named in answer_merge.h keeps its bytes.
 */
#include "schemas/openai/answer_merge.h"

#include <inttypes.h>

#include "lib/json_edit.h"
#include "lib/json_write.h"
#include "schemas/openai/answer_read.h"
#include "schemas/openai/internal.h"

/* Reads a document whose "choices" is an array, not empty, of objects; *choices is its node. */
static bool read_with_choices(struct json *json, struct arena *scratch, struct span text, uint32_t *choices)
{
	if (!event_parse(text, scratch, json))
		return false;
	*choices = json_member(json, 0, "choices");
	if (*choices == JSON_NONE || json_type(json, *choices) != JSON_ARRAY || json->nodes[*choices].count == 0)
		return false;
	for (uint32_t at = json_first(json, *choices); at != JSON_NONE; at = json_next(json, *choices, at))
		if (json_type(json, at) != JSON_OBJECT)
			return false;
	return true;
}

/* The index of a choice in the gathered answer; an index that makes no sense counts as the position. */
static int64_t lane_index(const struct json *json, uint32_t choice, const struct answer_lane *lane, int64_t position)
{
	int64_t own = position, sum = 0;
	uint32_t value = json_member(json, choice, "index");
	if (value != JSON_NONE && (!json_int(json, value, &own) || own < 0))
		own = position;
	return __builtin_add_overflow(own, lane->index_base, &sum) ? lane->index_base : sum;
}

static void edit_choice(struct json_edit *edit, uint32_t choice, const struct answer_lane *lane, int64_t index)
{
	const struct json *json = edit->json;
	bool add_target = lane->target.at != NULL && json_member(json, choice, "sluice_target") == JSON_NONE;
	if (json_member(json, choice, "index") == JSON_NONE) {
		json_edit_insert_first(edit, choice, "index");
		buf_printf(edit->out, "%" PRId64, index);
		json_edit_inserted(edit, choice);
	}
	for (uint32_t at = json_first(json, choice); at != JSON_NONE; at = json_next(json, choice, at)) {
		if (openai_key_is(json, at, SPAN("index"))) {
			json_edit_replace(edit, at + 1);
			buf_printf(edit->out, "%" PRId64, index);
		} else if (lane->target.at != NULL && openai_key_is(json, at, SPAN("sluice_target"))) {
			json_edit_replace(edit, at + 1);
			json_write_string(edit->out, lane->target);
		}
	}
	if (add_target) {
		json_edit_insert_last(edit, choice, "sluice_target");
		json_write_string(edit->out, lane->target);
	}
}

static void edit_choices(struct json_edit *edit, uint32_t choices, const struct answer_lane *lane)
{
	const struct json *json = edit->json;
	int64_t position = 0;
	for (uint32_t at = json_first(json, choices); at != JSON_NONE; at = json_next(json, choices, at), position++)
		edit_choice(edit, at, lane, lane_index(json, at, lane, position));
}

/* Adds the member key to the root when the document lacks it and there is a value. */
static void insert_missing(struct json_edit *edit, const char *key, struct span value)
{
	if (value.at == NULL || json_member(edit->json, 0, key) != JSON_NONE)
		return;
	json_edit_insert_first(edit, 0, key);
	json_write_string(edit->out, value);
	json_edit_inserted(edit, 0);
}

/* Edits the root member at key when it is id or model. */
static void edit_identity(struct json_edit *edit, uint32_t key, const struct answer_lane *lane)
{
	struct span value = {NULL, 0};
	if (openai_key_is(edit->json, key, SPAN("id")))
		value = lane->id;
	else if (openai_key_is(edit->json, key, SPAN("model")))
		value = lane->model;
	if (value.at == NULL)
		return;
	json_edit_replace(edit, key + 1);
	json_write_string(edit->out, value);
}

bool openai_chunk_write_lane(struct span data, const struct answer_lane *lane, struct arena *scratch, struct buf *out)
{
	struct json json;
	uint32_t choices = JSON_NONE;
	if (!read_with_choices(&json, scratch, data, &choices))
		return false;
	struct json_edit edit = json_edit_start(&json, out);
	insert_missing(&edit, "id", lane->id);
	insert_missing(&edit, "model", lane->model);
	for (uint32_t at = json_first(&json, 0); at != JSON_NONE; at = json_next(&json, 0, at)) {
		edit_identity(&edit, at, lane);
		if (at + 1 == choices)
			edit_choices(&edit, choices, lane);
	}
	json_edit_finish(&edit);
	return true;
}

/* Writes what the cache of the backend did; cache_write_tokens is what routers call it. */
static void write_details(struct buf *out, const struct usage *usage)
{
	buf_printf(out, ",\"prompt_tokens_details\":{\"cached_tokens\":%" PRId64,
		   usage->cache_read < 0 ? 0 : usage->cache_read);
	if (usage->cache_write > 0)
		buf_printf(out, ",\"cache_write_tokens\":%" PRId64, usage->cache_write);
	buf_append(out, SPAN("}"));
}

void openai_usage_write(struct buf *out, enum endpoint endpoint, const struct usage *usage)
{
	int64_t prompt = usage->prompt_tokens < 0 ? 0 : usage->prompt_tokens;
	int64_t completion = usage->completion_tokens < 0 ? 0 : usage->completion_tokens;
	int64_t total = usage->total_tokens;
	if (total < 0 && __builtin_add_overflow(prompt, completion, &total))
		total = INT64_MAX;
	buf_printf(out, "{\"prompt_tokens\":%" PRId64, prompt);
	if (endpoint != ENDPOINT_EMBEDDINGS)
		buf_printf(out, ",\"completion_tokens\":%" PRId64, completion);
	buf_printf(out, ",\"total_tokens\":%" PRId64, total);
	if (usage->cache_read > 0 || usage->cache_write > 0)
		write_details(out, usage);
	buf_append(out, SPAN("}"));
}

/* The answers of a merge, read. */
struct merge {
	const struct answer_lane *lanes;
	struct json *answers;
	uint32_t *choices; /* node of each answer's choices */
	size_t count;
	struct usage usage; /* of all */
};

static void merge_choices(struct json_edit *edit, const struct merge *merge)
{
	edit_choices(edit, merge->choices[0], &merge->lanes[0]);
	json_edit_copy_to(edit, merge->answers[0].nodes[merge->choices[0]].end - 1);
	for (size_t i = 1; i < merge->count; i++) {
		const struct json_node *array = &merge->answers[i].nodes[merge->choices[i]];
		struct json_edit other = json_edit_start(&merge->answers[i], edit->out);
		other.done = array->start + 1;
		buf_append(edit->out, SPAN(","));
		edit_choices(&other, merge->choices[i], &merge->lanes[i]);
		json_edit_copy_to(&other, array->end - 1);
	}
}

static void write_merged(const struct merge *merge, struct buf *out)
{
	const struct json *json = &merge->answers[0];
	bool sum = merge->count > 1 && usage_is_known(&merge->usage);
	struct json_edit edit = json_edit_start(json, out);
	insert_missing(&edit, "id", merge->lanes[0].id);
	insert_missing(&edit, "model", merge->lanes[0].model);
	if (sum && json_member(json, 0, "usage") == JSON_NONE) {
		json_edit_insert_first(&edit, 0, "usage");
		openai_usage_write(out, ENDPOINT_CHAT, &merge->usage);
		json_edit_inserted(&edit, 0);
	}
	for (uint32_t at = json_first(json, 0); at != JSON_NONE; at = json_next(json, 0, at)) {
		edit_identity(&edit, at, &merge->lanes[0]);
		if (at + 1 == merge->choices[0]) {
			merge_choices(&edit, merge);
		} else if (sum && openai_key_is(json, at, SPAN("usage"))) {
			json_edit_replace(&edit, at + 1);
			openai_usage_write(out, ENDPOINT_CHAT, &merge->usage);
		}
	}
	json_edit_finish(&edit);
}

bool openai_answers_merge(const struct span *bodies, struct answer_lane *lanes, size_t count, struct arena *scratch,
			  struct buf *out)
{
	struct merge merge = {
	    .lanes = lanes,
	    .answers = arena_zalloc(scratch, count, sizeof(*merge.answers)),
	    .choices = arena_zalloc(scratch, count, sizeof(*merge.choices)),
	    .count = count,
	    .usage = USAGE_UNKNOWN,
	};
	if (count == 0 || merge.answers == NULL || merge.choices == NULL)
		return false;
	int64_t base = 0;
	for (size_t i = 0; i < count; i++) {
		struct json *json = &merge.answers[i];
		if (!read_with_choices(json, scratch, bodies[i], &merge.choices[i]))
			return false;
		lanes[i].index_base = base;
		base += json->nodes[merge.choices[i]].count;
		uint32_t usage = json_member(json, 0, "usage");
		if (usage != JSON_NONE) {
			struct usage own = openai_usage_read(json, usage);
			usage_add(&merge.usage, &own);
		}
	}
	write_merged(&merge, out);
	return true;
}

bool openai_answer_write_usage(struct span body, const struct usage *usage, struct arena *scratch, struct buf *out)
{
	struct json json;
	uint32_t choices = JSON_NONE;
	if (!read_with_choices(&json, scratch, body, &choices))
		return false;
	struct json_edit edit = json_edit_start(&json, out);
	uint32_t own = json_member(&json, 0, "usage");
	if (usage_is_known(usage) && own != JSON_NONE) {
		json_edit_replace(&edit, own);
		openai_usage_write(out, ENDPOINT_CHAT, usage);
	} else if (usage_is_known(usage)) {
		json_edit_insert_last(&edit, 0, "usage");
		openai_usage_write(out, ENDPOINT_CHAT, usage);
	}
	json_edit_finish(&edit);
	return true;
}

void openai_usage_chunk_write(struct buf *out, enum endpoint endpoint, struct span id, struct span model,
			      int64_t created, const struct usage *usage)
{
	buf_append(out, SPAN("{\"id\":"));
	json_write_string(out, id);
	buf_printf(out, ",\"object\":\"%s\",\"created\":%" PRId64 ",\"model\":",
		   endpoint == ENDPOINT_CHAT ? "chat.completion.chunk" : "text_completion", created);
	json_write_string(out, model);
	buf_append(out, SPAN(",\"choices\":[],\"usage\":"));
	openai_usage_write(out, endpoint, usage);
	buf_append(out, SPAN("}"));
}
