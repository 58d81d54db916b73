/* SPDX-License-Identifier: MIT */
/* What an answer says; text.h holds the contract. */
#include "service/answer/text.h"

#include "lib/json_canonical.h"

enum { TEXT_DEPTH = 64 }; /* levels of nesting of texts that are compared as JSON */

void answer_text_init(struct answer_text *text, size_t ceiling)
{
	buf_init(&text->content, ceiling);
	for (size_t i = 0; i < ANSWER_TEXT_CALLS; i++) {
		buf_init(&text->calls[i].name, ceiling);
		buf_init(&text->calls[i].arguments, ceiling);
	}
}

void answer_text_fini(struct answer_text *text)
{
	buf_fini(&text->content);
	for (size_t i = 0; i < ANSWER_TEXT_CALLS; i++) {
		buf_fini(&text->calls[i].name);
		buf_fini(&text->calls[i].arguments);
	}
}

/* Returns where a delta's text belongs; NULL when it does not count. *joins: it can be compared. */
static struct buf *text_of(struct answer_text *text, const struct delta *delta, bool *joins)
{
	*joins = delta->tool < ANSWER_TEXT_CALLS && delta->part != PART_ODD;
	switch (delta->part) {
	case PART_TEXT:
	case PART_REFUSAL:
		return &text->content;
	case PART_TOOL_BEGIN:
		return *joins ? &text->calls[delta->tool].name : NULL;
	case PART_TOOL_ARGUMENTS:
		return *joins ? &text->calls[delta->tool].arguments : NULL;
	default:
		return NULL;
	}
}

bool answer_text_add(struct answer_text *text, const struct deltas *deltas)
{
	if (deltas->count == 0)
		return false;
	for (size_t i = 0; i < deltas->count && deltas->list[i].choice == deltas->list[0].choice; i++) {
		const struct delta *delta = &deltas->list[i];
		bool joins = true;
		struct buf *out = text_of(text, delta, &joins);
		if (!joins || (out != NULL && delta->text.at != NULL && !buf_append(out, delta->text)))
			return false;
	}
	return true;
}

static bool is_white(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r' || byte == '\v' || byte == '\f';
}

static struct span trim(struct span text)
{
	while (text.len > 0 && is_white(text.at[text.len - 1]))
		text.len--;
	for (; text.len > 0 && is_white(text.at[0]); text.len--)
		text.at++;
	return text;
}

/* A mark, a NUL between parts: what is JSON never equals what is text. */
static void write_part(struct span text, bool as_json, struct arena *scratch, struct buf *out)
{
	struct json json;
	struct json_error error;
	if (as_json && json_parse_relaxed(&json, scratch, text, &JSON_DEPTH(TEXT_DEPTH), &error)) {
		buf_append(out, SPAN("json:"));
		json_write_canonical(&json, 0, scratch, out);
	} else {
		buf_append(out, SPAN("text:"));
		buf_append(out, trim(text));
	}
	buf_append(out, SPAN("\0"));
}

void answer_text_write_key(const struct answer_text *text, bool as_json, struct arena *scratch, struct buf *out)
{
	write_part(buf_span(&text->content), as_json, scratch, out);
	for (size_t i = 0; i < ANSWER_TEXT_CALLS; i++) {
		const struct answer_text_call *call = &text->calls[i];
		if (buf_len(&call->name) == 0 && buf_len(&call->arguments) == 0)
			continue;
		write_part(buf_span(&call->name), false, scratch, out);
		write_part(buf_span(&call->arguments), true, scratch, out);
	}
}
