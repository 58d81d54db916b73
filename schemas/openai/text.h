/* SPDX-License-Identifier: MIT */
/*
 * What an answer says, apart from how it was sent: the text and the tool calls of
 * its first choice, gathered from the chunks of a stream or read from a whole
 * answer. Reasoning does not count.
 */
#ifndef SLUICE_SCHEMAS_OPENAI_TEXT_H
#define SLUICE_SCHEMAS_OPENAI_TEXT_H

#include "lib/buf.h"
#include "schemas/openai/request.h"

enum { OPENAI_TEXT_CALLS = 16 }; /* tool calls of one answer that can be told apart */

struct openai_text_call {
	struct buf name;
	struct buf arguments; /* JSON text */
};

struct openai_text {
	struct buf content;
	struct openai_text_call calls[OPENAI_TEXT_CALLS];
};

/* ceiling: bytes of each part. */
void openai_text_init(struct openai_text *text, size_t ceiling);
void openai_text_fini(struct openai_text *text);

/*
 * Adds a chunk's data or a whole answer's body. False when it is no such thing, holds more tool calls than can be told
 * apart, or is too large.
 */
bool openai_text_add(struct openai_text *text, struct span data, struct arena *scratch);

/*
 * Appends what is the same for answers that say the same. Text: without white space around it, Unicode untouched; with
 * as_json and when it is JSON: in canonical form (lib/json_canonical.h). Tool calls: their names and canonical
 * arguments in order, their ids do not count.
 */
void openai_text_write_key(const struct openai_text *text, bool as_json, struct arena *scratch, struct buf *out);

/* True when the request asks for JSON: response_format is json_object or json_schema. */
bool openai_request_wants_json(const struct openai_request *request);

#endif
