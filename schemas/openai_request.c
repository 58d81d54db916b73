/* SPDX-License-Identifier: MIT */
/* Decoding a client's request, and splicing it for a target; openai_request.h holds the contract. */
#include "schemas/openai_request.h"

#include "lib/json_edit.h"
#include "lib/json_write.h"
#include "schemas/openai_fields.h"

static bool refuse_json(struct finding *finding, struct arena *arena, const struct json_error *error)
{
	*finding = (struct finding){.code = ERROR_INVALID_JSON};
	if (arena_failed(arena) || strcmp(error->what, "out of memory") == 0)
		finding->code = ERROR_OVERLOADED;
	else
		finding->message = arena_printf(arena, "Invalid JSON at line %u, column %u: %s", error->line,
						error->column, error->what);
	return false;
}

static bool is_true(const struct json *json, uint32_t object, const char *key)
{
	uint32_t value = json_member(json, object, key);
	return value != JSON_NONE && json_type(json, value) == JSON_TRUE;
}

/* Prompts of a legacy completion: an array of texts or of arrays of tokens holds several; one of tokens is one. */
static int64_t count_prompts(const struct json *json)
{
	uint32_t prompt = json_member(json, 0, "prompt");
	if (prompt == JSON_NONE || json_type(json, prompt) != JSON_ARRAY)
		return 1;
	uint32_t first = json_first(json, prompt);
	if (first == JSON_NONE || json_type(json, first) == JSON_NUMBER)
		return 1;
	return json->nodes[prompt].count;
}

/* Fills the typed part of a request whose body is valid. */
static void read_members(struct openai_request *request, struct arena *arena)
{
	const struct json *json = &request->json;
	request->model = json_string(json, json_member(json, 0, "model"), arena);
	request->n = request->choices = 1;
	if (request->endpoint == OPENAI_EMBEDDINGS)
		return;
	uint32_t n = json_member(json, 0, "n");
	if (n != JSON_NONE)
		json_int(json, n, &request->n);
	request->choices = request->n * (request->endpoint == OPENAI_COMPLETIONS ? count_prompts(json) : 1);
	request->stream = is_true(json, 0, "stream");
	uint32_t options = json_member(json, 0, "stream_options");
	request->include_usage = options != JSON_NONE && is_true(json, options, "include_usage");
}

bool openai_request_decode(struct openai_request *request, enum openai_endpoint endpoint, struct arena *arena,
			   struct span body, unsigned max_depth, struct finding *finding)
{
	*request = (struct openai_request){.endpoint = endpoint};
	struct json_error error;
	if (!json_parse(&request->json, arena, body, max_depth, &error))
		return refuse_json(finding, arena, &error);
	if (!field_check(&request->json, openai_request_fields(endpoint), arena, finding))
		return false;
	read_members(request, arena);
	if (!arena_failed(arena))
		return true;
	*finding = (struct finding){.code = ERROR_OVERLOADED};
	return false;
}

/* Sets include_usage in the client's own stream_options, whose value is at node. */
static void splice_options(struct json_edit *edit, uint32_t node)
{
	if (json_type(edit->json, node) != JSON_OBJECT) {
		json_edit_replace(edit, node);
		buf_append(edit->out, SPAN("{\"include_usage\":true}"));
		return;
	}
	uint32_t own = json_member(edit->json, node, "include_usage");
	if (own != JSON_NONE) {
		json_edit_replace(edit, own);
		buf_append(edit->out, SPAN("true"));
		return;
	}
	json_edit_insert_first(edit, node, "include_usage");
	buf_append(edit->out, SPAN("true"));
	json_edit_inserted(edit, node);
}

void openai_request_splice(const struct openai_request *request, struct span model, bool ask_usage, struct buf *out)
{
	const struct json *json = &request->json;
	bool ask = ask_usage && request->stream && !request->include_usage;
	bool add = ask && json_member(json, 0, "stream_options") == JSON_NONE;
	struct json_edit edit = json_edit_start(json, out);
	for (uint32_t at = json_first(json, 0); at != JSON_NONE; at = json_next(json, 0, at)) {
		if (json_string_is(json, at, "model")) {
			json_edit_replace(&edit, at + 1);
			json_write_string(out, model);
			if (add)
				buf_append(out, SPAN(",\"stream_options\":{\"include_usage\":true}"));
		} else if (ask && json_string_is(json, at, "stream_options")) {
			splice_options(&edit, at + 1);
		}
	}
	json_edit_finish(&edit);
}
