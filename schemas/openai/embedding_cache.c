/* SPDX-License-Identifier: MIT */
/* Embeddings in parts; embedding_cache.h holds the contract. */
#include "schemas/openai/embedding_cache.h"

#include <inttypes.h>

#include "lib/json_canonical.h"
#include "lib/json_edit.h"
#include "schemas/field_canonical.h"
#include "schemas/openai/internal.h"

enum { TOKEN_WEIGHT = 4 };

/* ---- the request ---- */

static bool is_array_of(const struct json *json, uint32_t array, unsigned types)
{
	for (uint32_t at = json_first(json, array); at != JSON_NONE; at = json_next(json, array, at))
		if ((types & 1u << json_type(json, at)) == 0)
			return false;
	return true;
}

bool openai_inputs_read(const struct request *request, struct embedding_inputs *inputs)
{
	const struct json *json = &request->json;
	uint32_t messages = json_member(json, 0, "messages");
	uint32_t input = json_member(json, 0, "input");
	*inputs = (struct embedding_inputs){.json = json, .input = input, .count = 1};
	if (input == JSON_NONE || (messages != JSON_NONE && json_type(json, messages) != JSON_NULL))
		return false;
	if (json_type(json, input) != JSON_ARRAY)
		return json_type(json, input) == JSON_STRING;
	uint32_t first = json_first(json, input);
	if (first == JSON_NONE || json_type(json, first) == JSON_NUMBER)
		return first != JSON_NONE && is_array_of(json, input, 1u << JSON_NUMBER);
	inputs->many = true;
	inputs->count = json->nodes[input].count;
	return inputs->count <= EMBEDDING_INPUTS_MOST && is_array_of(json, input, 1u << JSON_STRING | 1u << JSON_ARRAY);
}

void openai_inputs_list(const struct embedding_inputs *inputs, uint32_t *nodes)
{
	size_t count = 0;
	if (!inputs->many) {
		nodes[0] = inputs->input;
		return;
	}
	for (uint32_t at = json_first(inputs->json, inputs->input); at != JSON_NONE;
	     at = json_next(inputs->json, inputs->input, at))
		nodes[count++] = at;
}

uint64_t openai_input_weight(const struct embedding_inputs *inputs, uint32_t node)
{
	const struct json_node *n = &inputs->json->nodes[node];
	return n->type == JSON_ARRAY ? (uint64_t)n->count * TOKEN_WEIGHT : n->end - n->start;
}

/* Which members are written: those before "input" in canonical order, or those behind it. */
struct half {
	struct arena *arena;
	bool behind;
};

static bool is_other_half(const struct json *json, uint32_t key, const void *context)
{
	const struct half *half = context;
	struct span name = json_string(json, key, half->arena), input = SPAN("input");
	size_t common = name.len < input.len ? name.len : input.len;
	if (name.at == NULL)
		return true;
	int order = memcmp(name.at, input.at, common);
	if (order == 0)
		order = (name.len > input.len) - (name.len < input.len);
	return order == 0 || (order > 0) != half->behind;
}

bool openai_input_frame_make(const struct request *request, struct arena *arena, struct embedding_frame *frame)
{
	const struct field_table *table = openai_request_fields(request->endpoint);
	struct half half = {.arena = arena};
	struct buf text;
	buf_init(&text, request->json.text.len * 6 + 64);
	buf_charge(&text, request->party);
	field_write_canonical(&request->json, table, is_other_half, &half, arena, &text);
	struct span head = buf_span(&text); /* {…} */
	bool alone = head.len <= 2;
	frame->head = head.len < 2
			  ? (struct span){NULL, 0}
			  : arena_printf(arena, "%.*s%s\"input\":", (int)head.len - 1, head.at, alone ? "" : ",");
	bool failed = buf_failed(&text);
	buf_reset(&text);
	half.behind = true;
	field_write_canonical(&request->json, table, is_other_half, &half, arena, &text);
	struct span tail = buf_span(&text);
	frame->tail = tail.len < 2
			  ? (struct span){NULL, 0}
			  : arena_printf(arena, "%s%.*s", tail.len == 2 ? "" : ",", (int)tail.len - 1, tail.at + 1);
	failed |= buf_failed(&text);
	buf_fini(&text);
	return !failed && frame->head.at != NULL && frame->tail.at != NULL && !arena_failed(arena);
}

void openai_input_write_canonical(const struct embedding_frame *frame, const struct embedding_inputs *inputs,
				  uint32_t node, struct arena *scratch, struct buf *out)
{
	buf_append(out, frame->head);
	json_write_canonical(inputs->json, node, scratch, out);
	buf_append(out, frame->tail);
}

void openai_inputs_write_request(const struct embedding_inputs *inputs, const uint32_t *nodes, size_t count,
				 struct buf *out)
{
	struct json_edit edit = json_edit_start(inputs->json, out);
	json_edit_replace(&edit, inputs->input);
	for (size_t i = 0; i < count; i++) {
		buf_append(out, i == 0 ? SPAN("[") : SPAN(","));
		buf_append(out, json_raw(inputs->json, nodes[i]));
	}
	buf_append(out, SPAN("]"));
	json_edit_finish(&edit);
}

/* ---- the form in which a vector is kept: it can be taken apart without reading the numbers ---- */

static const char kept_model[] = "{\"object\":\"list\",\"model\":";
static const char kept_usage[] = ",\"usage\":{"; /* with numbers only, up to its brace */
static const char kept_data[] = ",\"data\":[{\"object\":\"embedding\",\"index\":0,";
static const char kept_end[] = "}]}";

static void write_usage(const struct usage *usage, struct buf *out)
{
	if (usage->prompt_tokens >= 0)
		buf_printf(out, ",\"usage\":{\"prompt_tokens\":%" PRId64 ",\"total_tokens\":%" PRId64 "}",
			   usage->prompt_tokens, usage->total_tokens >= 0 ? usage->total_tokens : usage->prompt_tokens);
}

void openai_vector_write_kept(const struct embedding_vector *vector, const struct usage *usage, struct buf *out)
{
	buf_append(out, span_of(kept_model));
	buf_append(out, vector->model.at == NULL ? SPAN("null") : vector->model);
	write_usage(usage, out);
	buf_append(out, span_of(kept_data));
	buf_append(out, vector->members);
	buf_append(out, span_of(kept_end));
}

static bool take_text(struct span *rest, const char *text)
{
	size_t len = strlen(text);
	if (rest->len < len || memcmp(rest->at, text, len) != 0)
		return false;
	*rest = (struct span){rest->at + len, rest->len - len};
	return true;
}

/* A JSON string, or null. */
static bool take_model(struct span *rest, struct span *model)
{
	size_t len = 1;
	*model = (struct span){NULL, 0};
	if (take_text(rest, "null"))
		return true;
	if (rest->len == 0 || rest->at[0] != '"')
		return false;
	while (len < rest->len && rest->at[len] != '"')
		len += rest->at[len] == '\\' ? 2 : 1;
	if (len >= rest->len)
		return false;
	*model = (struct span){rest->at, len + 1};
	*rest = (struct span){rest->at + len + 1, rest->len - len - 1};
	return true;
}

static bool skip_usage(struct span *rest)
{
	if (!take_text(rest, kept_usage))
		return true;
	const char *end = memchr(rest->at, '}', rest->len);
	if (end == NULL)
		return false;
	*rest = (struct span){end + 1, rest->len - (size_t)(end + 1 - rest->at)};
	return true;
}

bool openai_vector_read_kept(struct span body, struct embedding_vector *vector)
{
	size_t end = sizeof(kept_end) - 1;
	if (!take_text(&body, kept_model) || !take_model(&body, &vector->model) || !skip_usage(&body) ||
	    !take_text(&body, kept_data) || body.len <= end || memcmp(body.at + body.len - end, kept_end, end) != 0)
		return false;
	vector->members = (struct span){body.at, body.len - end};
	return true;
}

/* ---- an answer ---- */

void openai_vectors_write_head(struct buf *out)
{
	buf_append(out, SPAN("{\"object\":\"list\",\"data\":["));
}

void openai_vectors_write_item_head(size_t index, struct buf *out)
{
	buf_printf(out, "%s{\"object\":\"embedding\",\"index\":%zu,", index == 0 ? "" : ",", index);
}

void openai_vectors_write_item_tail(struct buf *out)
{
	buf_append(out, SPAN("}"));
}

void openai_vectors_write_tail(struct span model, const struct usage *usage, struct buf *out)
{
	buf_append(out, SPAN("]"));
	if (model.at != NULL) {
		buf_append(out, SPAN(",\"model\":"));
		buf_append(out, model);
	}
	write_usage(usage, out);
	buf_append(out, SPAN("}"));
}
