/* SPDX-License-Identifier: MIT */
/* Whole answers of the OpenAI dialect, written from what was put together of deltas (schemas/assembly.h). */
#ifndef SLUICE_SCHEMAS_OPENAI_ANSWER_WRITE_H
#define SLUICE_SCHEMAS_OPENAI_ANSWER_WRITE_H

#include "schemas/assembly.h"
#include "schemas/openai/openai.h"

/*
 * Appends a chat.completion, or a text_completion, of all that was added; usage last, if any of it is known. False,
 * with nothing appended, after a failure, or when nothing was added.
 */
bool openai_answer_write(const struct assembly *assembly, enum endpoint endpoint,
			 const struct answer_identity *identity, const struct usage *usage, struct buf *out);

#endif
