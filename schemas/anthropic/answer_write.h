/* SPDX-License-Identifier: MIT */
/* Whole answers and usage as clients of the Anthropic dialect read them. */
#ifndef SLUICE_SCHEMAS_ANTHROPIC_ANSWER_WRITE_H
#define SLUICE_SCHEMAS_ANTHROPIC_ANSWER_WRITE_H

#include "schemas/assembly.h"
#include "schemas/endpoint.h"

/*
 * Appends the message that was put together: of its first choice, thinking, then text, then calls of tools. A refusal
 * is text with the stop reason "refusal". False, with nothing appended, after a failure, or when nothing was added.
 */
bool anthropic_answer_write(const struct assembly *assembly, enum endpoint endpoint,
			    const struct answer_identity *identity, const struct usage *usage, struct buf *out);

/* Appends usage as an object: input tokens without those that were read from a cache or written to it, which have
 * counts of their own. An unknown count is 0. */
void anthropic_usage_write(struct buf *out, const struct usage *usage);

/* Returns the stop reason for why a choice ended, in the words of a chat: a word that is not known stays as it is.
 * calls: whether the answer calls tools; {NULL,0} = why was not told. */
struct span anthropic_stop_reason(struct span finish, bool calls, bool refused);

#endif
