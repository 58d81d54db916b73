/* SPDX-License-Identifier: MIT */
/* Requests for backends of the Anthropic dialect. */
#ifndef SLUICE_SCHEMAS_ANTHROPIC_REQUEST_TRANSLATE_H
#define SLUICE_SCHEMAS_ANTHROPIC_REQUEST_TRANSLATE_H

#include "schemas/translation.h"

/* As request_misfit of struct dialect: a message is one choice. */
struct span anthropic_request_misfit(const struct request *request);

/* As request_translate of struct dialect. What a Messages client asked goes out in its own bytes; any other request is
 * written anew (from_chat.h). */
void anthropic_request_translate(const struct translation *translation);

/* As splice_growth of struct dialect. */
size_t anthropic_splice_growth(const struct request_splice *splice);

#endif
