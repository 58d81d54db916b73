/* SPDX-License-Identifier: MIT */
/* The whole conversation; conversation.h holds the contract. */
#include "schemas/responses/conversation.h"

enum { MORE = 256, ANSWER_DEPTH = 128 };

static struct span refuse(struct findings *findings, enum error_code code)
{
	struct finding finding = {.code = code};
	if (code == ERROR_PREVIOUS_NOT_FOUND) {
		finding.param = SPAN("previous_response_id");
		finding.loc = SPAN("[\"body\",\"previous_response_id\"]");
	}
	finding_only(findings, finding);
	return (struct span){NULL, 0};
}

/* Returns the items that an answer consists of, by commas; {NULL,0}: it cannot be read. */
static struct span output_of(struct span answer, struct arena *arena)
{
	struct json json;
	struct json_error error;
	if (!json_parse(&json, arena, answer, ANSWER_DEPTH, &error))
		return (struct span){NULL, 0};
	struct span raw = json_raw(&json, json_member(&json, 0, "output"));
	return (struct span){raw.at + 1, raw.len - 2};
}

static void append_items(struct buf *out, struct span items, bool *first)
{
	if (items.len == 0)
		return;
	buf_append(out, *first ? SPAN("") : SPAN(","));
	buf_append(out, items);
	*first = false;
}

static void append_input(struct buf *out, const struct json *json, uint32_t input, bool *first)
{
	struct span raw = json_raw(json, input);
	if (json_type(json, input) == JSON_ARRAY) {
		append_items(out, (struct span){raw.at + 1, raw.len - 2}, first);
		return;
	}
	append_items(out, SPAN("{\"type\":\"message\",\"role\":\"user\",\"content\":"), first);
	buf_append(out, raw);
	buf_append(out, SPAN("}"));
}

/* Appends the request without the member, and with all items for input. */
static void write_body(struct buf *out, const struct json *json, uint32_t input, struct span before, struct span output)
{
	bool first = true;
	buf_append(out, SPAN("{\"input\":["));
	append_items(out, before, &first);
	append_items(out, output, &first);
	append_input(out, json, input, &first);
	buf_append(out, SPAN("]"));
	for (uint32_t at = json_first(json, 0); at != JSON_NONE; at = json_next(json, 0, at)) {
		if (json_string_is(json, at, "input") || json_string_is(json, at, "previous_response_id"))
			continue;
		buf_append(out, SPAN(","));
		buf_append(out, json_raw(json, at));
		buf_append(out, SPAN(":"));
		buf_append(out, json_raw(json, at + 1));
	}
	buf_append(out, SPAN("}"));
}

struct span responses_conversation(const struct request_memory *memory, uint32_t party, const struct json *json,
				   const struct responses_request *typed, struct arena *arena,
				   struct findings *findings)
{
	struct request_kept kept;
	struct buf out;
	if (memory == NULL || !memory->find(memory, typed->previous_response_id.value, arena, &kept))
		return refuse(findings, ERROR_PREVIOUS_NOT_FOUND);
	struct span output = kept.answer.at == NULL ? kept.answer : output_of(kept.answer, arena), body = {NULL, 0};
	if (kept.input.at == NULL || output.at == NULL)
		return refuse(findings, ERROR_OVERLOADED);
	buf_init(&out, json->text.len + kept.input.len + output.len + MORE);
	buf_charge(&out, party);
	write_body(&out, json, typed->input.node, kept.input, output);
	if (!buf_failed(&out))
		body = arena_copy(arena, buf_span(&out));
	buf_fini(&out);
	return body.at == NULL ? refuse(findings, ERROR_OVERLOADED) : body;
}

/* Returns what follows the whitespace (RFC 8259, section 2). */
static struct span skip_space(struct span text)
{
	while (text.len > 0 && memchr(" \t\r\n", text.at[0], 4) != NULL)
		text = (struct span){text.at + 1, text.len - 1};
	return text;
}

/* Returns the id in the text after the member's name; {NULL,0}: there is none, so the name was something else. */
static struct span read_id(struct span text)
{
	static const char before[] = "\"resp_";
	enum { QUOTE = 1 };
	text = skip_space(text);
	if (!span_begins(text, ":"))
		return (struct span){NULL, 0};
	text = skip_space((struct span){text.at + 1, text.len - 1});
	if (!span_begins(text, before))
		return (struct span){NULL, 0};
	const char *start = text.at + QUOTE, *end = memchr(start, '"', text.len - QUOTE);
	return end == NULL ? (struct span){NULL, 0} : (struct span){start, (size_t)(end - start)};
}

struct span responses_previous_glance(struct span body)
{
	static const char name[] = "\"previous_response_id\"";
	enum { NAME_LEN = sizeof(name) - 1 };
	struct span id = {NULL, 0};
	while (id.at == NULL) {
		const char *at = memmem(body.at, body.len, name, NAME_LEN);
		if (at == NULL)
			return id;
		body = (struct span){at + NAME_LEN, body.len - (size_t)(at - body.at) - NAME_LEN};
		id = read_id(body);
	}
	return id;
}
