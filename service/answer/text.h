/* SPDX-License-Identifier: MIT */
/*
 * What an answer says, apart from how it was sent: the text and the tool calls of
 * its first choice, gathered from the deltas of a stream's events or of a whole answer. Reasoning does not count.
 */
#ifndef SLUICE_SERVICE_ANSWER_TEXT_H
#define SLUICE_SERVICE_ANSWER_TEXT_H

#include "lib/arena.h"
#include "lib/buf.h"
#include "schemas/event.h"

enum { ANSWER_TEXT_CALLS = 16 }; /* tool calls of one answer that can be told apart */

struct answer_text_call {
	struct buf name;
	struct buf arguments; /* JSON text */
};

struct answer_text {
	struct buf content;
	struct answer_text_call calls[ANSWER_TEXT_CALLS];
};

/* ceiling: bytes of each part. */
void answer_text_init(struct answer_text *text, size_t ceiling);
void answer_text_fini(struct answer_text *text);

/*
 * Adds the deltas of an event or of a whole answer. False when they have no choice, content that is no text, or more
 * tool calls than can be told apart, or when the text is too large.
 */
bool answer_text_add(struct answer_text *text, const struct deltas *deltas);

/*
 * Appends what is the same for answers that say the same. Text: without white space around it, Unicode untouched; with
 * as_json and when it is JSON: in canonical form (lib/json_canonical.h). Tool calls: their names and canonical
 * arguments in order, their ids do not count.
 */
void answer_text_write_key(const struct answer_text *text, bool as_json, struct arena *scratch, struct buf *out);

#endif
