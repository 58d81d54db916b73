/* SPDX-License-Identifier: MIT */
/* Decoding a client's request, and splicing it for a target; request.h holds the contract. */
#include "schemas/openai/request.h"

#include <inttypes.h>

#include "lib/json_edit.h"
#include "lib/json_write.h"
#include "schemas/finding_json.h"
#include "schemas/openai/dialect.h"
#include "schemas/openai/internal.h"

/* Prompts of a legacy completion: an array of texts or of arrays of tokens holds several; one of tokens is one. */
static int64_t count_prompts(const struct json *json, uint32_t prompt)
{
	if (prompt == JSON_NONE || json_type(json, prompt) != JSON_ARRAY)
		return 1;
	uint32_t first = json_first(json, prompt);
	if (first == JSON_NONE || json_type(json, first) == JSON_NUMBER)
		return 1;
	return json->nodes[prompt].count;
}

/* The body as a typed struct, by endpoint. */
union typed_body {
	struct openai_chat chat;
	struct openai_completion completion;
	struct openai_embedding embedding;
};

static void read_stream(struct request *request, struct arena *arena, const struct field_boolean *stream,
			const struct field_any *stream_options)
{
	struct openai_stream_options options;
	field_decode(&request->json, &openai_stream_options_fields, stream_options->node, arena, &options);
	request->stream = stream->value;
	request->include_usage = options.include_usage.value;
}

/* Returns the first that is given; -1: none. */
static int64_t most_of(const struct field_integer *first, const struct field_integer *second)
{
	const struct field_integer *given = first->node != JSON_NONE ? first : second;
	return given->node == JSON_NONE ? -1 : given->value;
}

/* Fills what the endpoints have in common from the typed struct. */
static void read_common(struct request *request, const union typed_body *body, struct arena *arena)
{
	switch (request->endpoint) {
	case ENDPOINT_CHAT:
		request->choices = body->chat.n.value;
		request->output_most = most_of(&body->chat.max_completion_tokens, &body->chat.max_tokens);
		read_stream(request, arena, &body->chat.stream, &body->chat.stream_options);
		break;
	case ENDPOINT_COMPLETIONS:
		request->choices =
		    body->completion.n.value * count_prompts(&request->json, body->completion.prompt.node);
		request->output_most = most_of(&body->completion.max_tokens, &body->completion.max_tokens);
		read_stream(request, arena, &body->completion.stream, &body->completion.stream_options);
		break;
	case ENDPOINT_EMBEDDINGS:
		request->output_most = 0;
		break;
	}
}

/* Returns the model that the typed struct names; {NULL,0} when none. */
static struct span model_of(enum endpoint endpoint, const union typed_body *body)
{
	switch (endpoint) {
	case ENDPOINT_CHAT:
		return body->chat.model.value;
	case ENDPOINT_COMPLETIONS:
		return body->completion.model.value;
	default:
		return body->embedding.model.value;
	}
}

/* What is not known before it is decoded. */
static void begin(struct request *request, enum endpoint endpoint)
{
	request->dialect = &openai_dialect;
	request->endpoint = endpoint;
	request->model = (struct span){NULL, 0};
	request->choices = 1;
	request->output_most = -1;
	request->stream = request->include_usage = false;
}

bool openai_request_decode(struct request *request, enum endpoint endpoint, struct arena *arena, struct span body,
			   const struct json_limits *limits, struct findings *findings)
{
	const struct field_table *fields = openai_request_fields(endpoint);
	struct json_error error;
	union typed_body typed; /* field_read fills all of it */
	begin(request, endpoint);
	if (!json_parse_within(&request->json, arena, body, limits, &error)) {
		finding_of_json(findings, arena, &request->json, &error, limits);
		return false;
	}
	bool good = field_read(&request->json, fields, "body", arena, &typed, findings);
	request->model = model_of(request->endpoint, &typed);
	if (!good)
		return false;
	read_common(request, &typed, arena);
	if (!arena_failed(arena))
		return true;
	finding_only(findings, (struct finding){.code = ERROR_OVERLOADED});
	return false;
}

bool openai_check_strict(const struct json *json, const struct field_table *table, struct arena *arena,
			 struct findings *findings)
{
	if (field_check_strict(json, table, "body", arena, findings))
		return true;
	if (arena_failed(arena))
		finding_only(findings, (struct finding){.code = ERROR_OVERLOADED});
	return false;
}

bool openai_request_check_strict(const struct request *request, struct arena *arena, struct findings *findings)
{
	return openai_check_strict(&request->json, openai_request_fields(request->endpoint), arena, findings);
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

/* The message that holds how the answer began, behind the others. */
static void splice_messages(struct json_edit *edit, uint32_t messages, const struct request_splice *splice)
{
	json_edit_copy_to(edit, (size_t)edit->json->nodes[messages].end - 1);
	buf_append(edit->out, SPAN(",{\"role\":\"assistant\",\"content\":"));
	json_write_string(edit->out, splice->prefill);
	if (splice->form == PREFILL_FORM_PREFIX)
		buf_append(edit->out, SPAN(",\"prefix\":true"));
	buf_append(edit->out, SPAN("}"));
}

static void splice_limit(struct json_edit *edit, uint32_t node, int64_t spent)
{
	int64_t most = 0;
	if (!json_int(edit->json, node, &most) || most < 0)
		return;
	json_edit_replace(edit, node);
	buf_printf(edit->out, "%" PRId64, most > spent ? most - spent : 1);
}

static bool is_limit(const struct json *json, uint32_t key)
{
	return json_string_is(json, key, "max_tokens") || json_string_is(json, key, "max_completion_tokens");
}

/* What stands for the model, and the members that come with it. */
static void splice_model(struct json_edit *edit, uint32_t node, const struct request_splice *splice, bool add_options)
{
	json_edit_replace(edit, node);
	json_write_string(edit->out, splice->model);
	if (add_options)
		buf_append(edit->out, SPAN(",\"stream_options\":{\"include_usage\":true}"));
	if (splice->prefill.at != NULL && splice->form == PREFILL_FORM_CONTINUE)
		buf_append(edit->out, SPAN(",\"continue_final_message\":true,\"add_generation_prompt\":false"));
}

struct span openai_request_splice(const struct request *request, const struct request_splice *splice, struct buf *out)
{
	const struct json *json = &request->json;
	bool ask = splice->ask_usage && request->stream && !request->include_usage;
	bool add = ask && json_member(json, 0, "stream_options") == JSON_NONE;
	bool prefill = splice->prefill.at != NULL;
	struct json_edit edit = json_edit_start(json, out);
	for (uint32_t at = json_first(json, 0); at != JSON_NONE; at = json_next(json, 0, at)) {
		if (json_string_is(json, at, "model"))
			splice_model(&edit, at + 1, splice, add);
		else if (ask && json_string_is(json, at, "stream_options"))
			splice_options(&edit, at + 1);
		else if (prefill && json_string_is(json, at, "messages"))
			splice_messages(&edit, at + 1, splice);
		else if (prefill && is_limit(json, at))
			splice_limit(&edit, at + 1, splice->spent);
	}
	return json_edit_rest(&edit);
}

size_t openai_splice_growth(const struct request_splice *splice)
{
	enum { GROWTH_MEMBERS = 256, GROWTH_ESCAPED = 6 };
	return (splice->model.len + splice->prefill.len) * GROWTH_ESCAPED + GROWTH_MEMBERS;
}
